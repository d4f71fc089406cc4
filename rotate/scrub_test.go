package rotate_test

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// TestNoSpellingOfAPasswordInErrors has a driver that quotes the password in
// the ways that drivers and parsers do.
func TestNoSpellingOfAPasswordInErrors(t *testing.T) {
	const awkward = canary + `"'\%@ x`
	for _, said := range []string{
		fmt.Sprintf("%q", awkward),
		fmt.Sprintf("%+q", "app:"+awkward+"@tcp(db)/"),
		"password='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(awkward) + "'",
		"IDENTIFIED BY '" + strings.ReplaceAll(strings.ReplaceAll(awkward, `\`, `\\`), "'", "''") + "'",
		fmt.Sprintf("%x", awkward),
	} {
		srv := secretstest.New(t, secretstest.Secrets{"s": secret})
		db := newPostgresDB(map[string][]string{"app": {"cur"}})
		db.refuse = errors.Join(stateError("28P01"), errors.New("for "+said))
		db.execErr = fmt.Errorf("near %s: %w", said, stateError("42601"))
		for _, s := range []rotate.Step{rotate.SetSecret, rotate.TestSecret} {
			err := step(t, srv, s, with(t, secret, "password", awkward), rotate.Postgres(db.open, nil))
			if err == nil || strings.Contains(err.Error(), "7f3a9") || strings.Contains(err.Error(), fmt.Sprintf("%x", canary)) {
				t.Errorf("%s, %s: got %v", s, said, err)
			}
			if !strings.Contains(fmt.Sprint(err), "error withheld: it contains the password") {
				t.Errorf("%s, %s: got %v, want it to say why it says nothing", s, said, err)
			}
		}
	}
}

// TestMasterPasswordInErrors has the server quote the password of the master
// in the answer to a statement.
func TestMasterPasswordInErrors(t *testing.T) {
	user := with(t, secret, "masterarn", "master")
	master := with(t, secret, "username", "root", "password", canary)
	srv := secretstest.New(t, secretstest.Secrets{"s": user, "master": master})
	db := newPostgresDB(map[string][]string{"app": {"cur"}, "root": {canary}})
	db.execErr = errors.New("root's password is " + canary)
	err := step(t, srv, rotate.SetSecret, with(t, user, "username", "app_clone", "password", "new"), rotate.Postgres(db.open, &rotate.SQLOptions{Alternating: true}))
	if err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("got %v, want an error without the master's password", err)
	}
}

// TestShortPasswordInErrors has a password that is part of most messages.
func TestShortPasswordInErrors(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": secret})
	db := newPostgresDB(nil)
	db.dialErr = errors.New("dial tcp: host is unreachable")
	err := step(t, srv, rotate.TestSecret, with(t, secret, "password", "a"), rotate.Postgres(db.open, nil))
	if !errors.Is(err, db.dialErr) || !strings.Contains(err.Error(), "host is unreachable") {
		t.Errorf("got %v, want the driver's error as it is", err)
	}
}

// TestOneLoginForABadConnection has an error for which database/sql logs in
// three times.
func TestOneLoginForABadConnection(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": secret})
	db := newPostgresDB(nil)
	db.refuse = errors.Join(driver.ErrBadConn, stateError("28P01"))
	err := step(t, srv, rotate.TestSecret, with(t, secret, "password", "new"), rotate.Postgres(db.open, nil))
	if !errors.Is(err, rotate.ErrRefused) {
		t.Errorf("got %v, want %v", err, rotate.ErrRefused)
	}
	if got := db.take(); len(got) != 1 {
		t.Errorf("logins: got %q, want 1", got)
	}
}

// TestColonInUserName has a user name that a data source name of the MySQL
// driver cannot hold.
func TestColonInUserName(t *testing.T) {
	l := rotate.Login{Engine: "mysql", Host: "db", Port: 3306, Username: "root:x"}.WithPassword(canary)
	_, err := rotate.Driver("mysql", nil)(l)
	if err == nil || !strings.Contains(err.Error(), `the field "username" has a colon`) || strings.Contains(err.Error(), canary) {
		t.Errorf("Driver: got %v, want an error that names the field", err)
	}
	dsn := l.MySQLDSN(nil)
	said, err := url.QueryUnescape(dsn)
	if err != nil || !strings.HasPrefix(dsn, "/?tls=") || !strings.Contains(said, `the field "username" has a colon`) {
		t.Errorf("MySQLDSN: got %q, want one that the driver refuses, quoting the reason", dsn)
	}
	for _, part := range []string{"root", "db:", canary} {
		if strings.Contains(dsn, part) {
			t.Errorf("MySQLDSN: got %q, want nothing of the login in it", dsn)
		}
	}
}

// TestWithFieldInvalidUTF8 has text that JSON cannot hold.
func TestWithFieldInvalidUTF8(t *testing.T) {
	v := rotate.Text(`{"password":"x"}`)
	for _, f := range [][2]string{{"password", canary + "\xff"}, {"pass\xffword", canary}} {
		got, err := v.WithField(f[0], f[1])
		if err == nil || !strings.Contains(err.Error(), "UTF-8") || strings.Contains(err.Error(), canary) || !got.IsZero() {
			t.Errorf("%q: got an error %v, want one that says what is wrong", f[0], err)
		}
	}
}

// TestWithoutFieldSSL holds the default: TLS with checks.
func TestWithoutFieldSSL(t *testing.T) {
	for ssl, want := range map[string]string{`"x":1`: "false", `"ssl":true`: "false", `"ssl":null`: "false", `"ssl":""`: "false", `"ssl":"False"`: "true", `"ssl":false`: "true"} {
		text := `{"engine":"postgres","host":"db","username":"app","password":"cur",` + ssl + `}`
		srv := secretstest.New(t, secretstest.Secrets{"s": text})
		db := newPostgresDB(map[string][]string{"app": {"cur"}})
		if err := step(t, srv, rotate.TestSecret, text, rotate.Postgres(db.open, nil)); err != nil {
			t.Errorf("%s: %v", ssl, err)
		}
		if got := db.take(); len(got) == 0 || !strings.HasSuffix(got[0], " "+want) {
			t.Errorf("%s: got %q, want a login with NoTLS %s", ssl, got, want)
		}
	}
}
