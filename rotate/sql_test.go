package rotate_test

import (
	"context"
	"errors"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

const secret = `{"engine":"postgres","host":"db","port":"5433","username":"app","password":"cur","ssl":false,"x":1.0}`

// with returns a database secret with some fields changed.
func with(t *testing.T, secret string, fields ...string) string {
	t.Helper()
	v := rotate.Text(secret)
	for i := 0; i < len(fields); i += 2 {
		var err error
		if v, err = v.WithField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	s, _ := v.Text()
	return s
}

// step delivers a step for a pending version with the given value.
func step(t *testing.T, srv *secretstest.Server, s rotate.Step, pending string, r rotate.Rotator) error {
	t.Helper()
	id := srv.PutPending("s", pending)
	return rotate.Handler{API: srv.Client(), Rotator: r}.Handle(t.Context(), event(srv, s, id))
}

// TestLoginOrder sets a password with every combination of accepted passwords.
func TestLoginOrder(t *testing.T) {
	const at = " db:5433 true"
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("refused")}
	blocked := &MySQLError{Number: 4151}
	for _, tt := range []struct {
		name     string
		accepts  []string
		previous string
		refuse   error
		dial     error
		want     []string
		refused  bool // the error
		err      bool
	}{
		{name: "done", accepts: []string{"new"}, want: []string{"new"}},
		{name: "both", accepts: []string{"new", "cur"}, want: []string{"new"}},
		{name: "current", accepts: []string{"cur"}, want: []string{"new", "cur", "ALTER"}},
		{name: "previous", accepts: []string{"old"}, previous: "old", want: []string{"new", "cur", "old", "ALTER"}},
		{name: "none", previous: "old", want: []string{"new", "cur", "old", "new"}, refused: true, err: true},
		{name: "no previous", want: []string{"new", "cur", "new"}, refused: true, err: true},
		{name: "previous like current", previous: "cur", want: []string{"new", "cur", "new"}, refused: true, err: true},
		{name: "previous like pending", previous: "new", want: []string{"new", "cur", "new"}, refused: true, err: true},
		{name: "network", previous: "old", dial: dial, want: []string{"new"}, err: true},
		{name: "cancelled", previous: "old", dial: context.Canceled, want: []string{"new"}, err: true},
		{name: "blocked", previous: "old", refuse: blocked, want: []string{"new"}, err: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := secretstest.New(t, nil)
			if tt.previous != "" {
				// The connection settings in AWSPREVIOUS do not matter.
				srv.Put("s", with(t, secret, "password", tt.previous, "ssl", "true"))
			}
			srv.Put("s", secret)
			db := newPostgresDB(map[string][]string{"app": tt.accepts})
			db.dialErr = tt.dial
			if tt.refuse != nil {
				db.refuse = tt.refuse
			}
			err := step(t, srv, rotate.SetSecret, with(t, secret, "password", "new"), rotate.Postgres(db.open, nil))
			if (err != nil) != tt.err || errors.Is(err, rotate.ErrRefused) != tt.refused {
				t.Errorf("got error %v", err)
			}
			if tt.dial != nil && !errors.Is(err, tt.dial) || tt.refuse != nil && !errors.Is(err, tt.refuse) {
				t.Errorf("got error %v, want the driver's", err)
			}
			var got []string
			for _, line := range statements(db.take()) {
				line = strings.TrimSuffix(strings.TrimPrefix(line, "login app "), at)
				if strings.HasPrefix(line, `app: ALTER ROLE "app" PASSWORD 'SCRAM-SHA-256$4096:`) {
					line = "ALTER"
				}
				got = append(got, line)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestNothingDialled has secrets for which no connection may be made.
func TestNothingDialled(t *testing.T) {
	alternating := &rotate.SQLOptions{Alternating: true}
	for _, tt := range []struct {
		name             string
		current, pending []string // fields
		opts             *rotate.SQLOptions
		want             string
	}{
		{"host", nil, []string{"host", "evil"}, nil, "another server"},
		{"port", nil, []string{"port", "1"}, nil, "another server"},
		{"user", nil, []string{"username", "root"}, nil, "another user"},
		{"same user", nil, nil, alternating, "another user"},
		{"third user", nil, []string{"username", "root"}, alternating, "another user"},
		{"engine", nil, []string{"engine", "mysql"}, nil, "engine"},
		{"current engine", []string{"engine", "oracle"}, []string{"engine", "postgres"}, nil, "engine"},
		{"no host", []string{"host", ""}, []string{"host", ""}, nil, "host"},
		{"no user", []string{"username", ""}, []string{"username", ""}, nil, "username"},
		{"no password", nil, []string{"password", ""}, nil, "password"},
		{"not ASCII", nil, []string{"password", "pässword"}, nil, "ASCII"},
		{"control", nil, []string{"password", "a\nb"}, nil, "ASCII"},
		{"port text", []string{"port", "five"}, []string{"port", "five"}, nil, "port"},
		{"port range", []string{"port", "70000"}, []string{"port", "70000"}, nil, "port"},
		{"ssl", []string{"ssl", "maybe"}, []string{"ssl", "maybe"}, nil, "ssl"},
		{"two passwords", nil, nil, &rotate.SQLOptions{TwoPasswords: true}, "two passwords"},
		{"both", nil, nil, &rotate.SQLOptions{TwoPasswords: true, Alternating: true}, "exclude"},
		{"iterations", nil, nil, &rotate.SQLOptions{Iterations: -1}, "Iterations"},
	} {
		for _, s := range []rotate.Step{rotate.SetSecret, rotate.TestSecret} {
			srv := secretstest.New(t, secretstest.Secrets{"s": with(t, secret, tt.current...)})
			db := newPostgresDB(nil)
			fields := append([]string{"password", "new"}, tt.pending...)
			err := step(t, srv, s, with(t, secret, fields...), rotate.Postgres(db.open, tt.opts))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s, %s: got error %v, want %q", tt.name, s, err, tt.want)
			}
			if log := db.take(); len(log) > 0 {
				t.Errorf("%s, %s: got %q, want nothing dialled", tt.name, s, log)
			}
		}
	}
}

func TestCreate(t *testing.T) {
	for _, tt := range []struct {
		name    string
		rotator func(rotate.OpenFunc, *rotate.SQLOptions) *rotate.SQL
		current []string
		opts    rotate.SQLOptions
		user    string // of the new version
		want    string // of the error
	}{
		{name: "single", rotator: rotate.Postgres, user: "app"},
		{name: "clone", rotator: rotate.Postgres, current: []string{"masterarn", "m"}, opts: rotate.SQLOptions{Alternating: true}, user: "app_clone"},
		{name: "back", rotator: rotate.Postgres, current: []string{"masterarn", "m", "username", "app_clone"}, opts: rotate.SQLOptions{Alternating: true}, user: "app"},
		{name: "suffix", rotator: rotate.Postgres, current: []string{"masterarn", "m"}, opts: rotate.SQLOptions{Alternating: true, CloneSuffix: "2"}, user: "app2"},
		{name: "only suffix", rotator: rotate.Postgres, current: []string{"masterarn", "m", "username", "_clone"}, opts: rotate.SQLOptions{Alternating: true}, user: "_clone_clone"},
		{name: "no master", rotator: rotate.Postgres, opts: rotate.SQLOptions{Alternating: true}, want: "masterarn"},
		{name: "long", rotator: rotate.Postgres, current: []string{"masterarn", "m", "username", strings.Repeat("é", 29)}, opts: rotate.SQLOptions{Alternating: true}, want: "63"},
		{name: "longest", rotator: rotate.Postgres, current: []string{"masterarn", "m", "username", strings.Repeat("x", 57)}, opts: rotate.SQLOptions{Alternating: true}, user: strings.Repeat("x", 57) + "_clone"},
		{name: "long mysql", rotator: rotate.MySQL, current: []string{"masterarn", "m", "engine", "mysql", "username", strings.Repeat("é", 27)}, opts: rotate.SQLOptions{Alternating: true}, want: "32"},
		{name: "longest mysql", rotator: rotate.MySQL, current: []string{"masterarn", "m", "engine", "mysql", "username", strings.Repeat("é", 26)}, opts: rotate.SQLOptions{Alternating: true}, user: strings.Repeat("é", 26) + "_clone"},
		{name: "longest mariadb", rotator: rotate.MySQL, current: []string{"masterarn", "m", "engine", "mariadb", "username", strings.Repeat("x", 74)}, opts: rotate.SQLOptions{Alternating: true}, user: strings.Repeat("x", 74) + "_clone"},
		{name: "engine", rotator: rotate.MySQL, want: "engine"},
		{name: "password", rotator: rotate.Postgres, opts: rotate.SQLOptions{Password: rotate.Password{Length: 1}}, want: "Length"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cur := with(t, secret, tt.current...)
			srv := secretstest.New(t, secretstest.Secrets{"s": cur, "m": `{"host":"db","port":5433,"username":"root","password":"r"}`})
			id := srv.PutEmptyPending("s")
			var stored string
			spy := &putSpy{API: srv.Client()}
			h := rotate.Handler{API: spy, Rotator: tt.rotator(newPostgresDB(nil).open, &tt.opts)}
			err := h.Handle(t.Context(), event(srv, rotate.CreateSecret, id))
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || spy.last != nil {
					t.Errorf("got error %v, want %q and nothing stored", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			stored = *spy.last.SecretString
			password, err := rotate.Text(stored).Field("password")
			if err != nil || len(password) != 32 || password == "cur" {
				t.Errorf("got password %q, %v", password, err)
			}
			if want := with(t, cur, "username", tt.user, "password", password); stored != want {
				t.Errorf("got %s, want %s", stored, want)
			}
		})
	}
}

// TestGuard checks when the master's credentials are used.
func TestGuard(t *testing.T) {
	const user = `{"engine":"postgres","host":"db","username":"app","password":"cur","masterarn":"master","dbname":"d"}`
	yes := func(context.Context, rotate.Login, rotate.Login) (bool, error) { return true, nil }
	complete := func(_ context.Context, id string, l rotate.Login) (rotate.Login, error) {
		if id == "master" {
			l.Host = "db"
		}
		return l.WithPassword("ignored"), nil
	}
	for _, tt := range []struct {
		name    string
		accepts string // password of app
		master  string
		opts    rotate.SQLOptions
		want    string // of the error
		logins  []string
	}{
		{"good", "cur", `{"engine":"postgres","host":"DB","port":5432,"username":"root","password":"r"}`, rotate.SQLOptions{}, "",
			[]string{"login app_clone new db:5432 false", "login app cur db:5432 false", "login root r DB:5432 false"}},
		{"other engine's name", "cur", `{"engine":"aurora-postgresql","host":"db","username":"root","password":"r","ssl":"false"}`, rotate.SQLOptions{}, "",
			[]string{"login app_clone new db:5432 false", "login app cur db:5432 false", "login root r db:5432 true"}},
		{"user refused", "x", `{"host":"db","username":"root","password":"r"}`, rotate.SQLOptions{}, "refused",
			[]string{"login app_clone new db:5432 false", "login app cur db:5432 false"}},
		{"other host", "cur", `{"host":"db2","username":"root","password":"r"}`, rotate.SQLOptions{}, "another server",
			[]string{"login app_clone new db:5432 false", "login app cur db:5432 false"}},
		{"other port", "cur", `{"host":"db","port":1,"username":"root","password":"r"}`, rotate.SQLOptions{}, "another server",
			[]string{"login app_clone new db:5432 false", "login app cur db:5432 false"}},
		{"replica", "cur", `{"host":"db2","username":"root","password":"r"}`, rotate.SQLOptions{SameServer: yes}, "",
			[]string{"login app_clone new db:5432 false", "login app cur db:5432 false", "login root r db2:5432 false"}},
		{"same cluster, as the secrets say", "cur", `{"host":"db2","username":"root","password":"r","dbClusterIdentifier":"c"}`, rotate.SQLOptions{}, "another server",
			[]string{"login app_clone new db:5432 false", "login app cur db:5432 false"}},
		{"managed", "cur", `{"username":"root","password":"r"}`, rotate.SQLOptions{}, "host",
			[]string{"login app_clone new db:5432 false", "login app cur db:5432 false"}},
		{"managed, completed", "cur", `{"username":"root","password":"r"}`, rotate.SQLOptions{Complete: complete}, "",
			[]string{"login app_clone new db:5432 false", "login app cur db:5432 false", "login root r db:5432 false"}},
		{"MySQL", "cur", `{"engine":"mysql","host":"db","username":"root","password":"r"}`, rotate.SQLOptions{}, "engine",
			[]string{"login app_clone new db:5432 false", "login app cur db:5432 false"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := secretstest.New(t, secretstest.Secrets{"s": user, "master": tt.master})
			db := newPostgresDB(map[string][]string{"app": {tt.accepts}, "root": {"r"}})
			tt.opts.Alternating, tt.opts.SetRole = true, true
			err := step(t, srv, rotate.SetSecret, with(t, user, "username", "app_clone", "password", "new"), rotate.Postgres(db.open, &tt.opts))
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want %q", err, tt.want)
			}
			want := tt.logins
			if tt.want == "" {
				want = append(want, `root: CREATE ROLE "app_clone" LOGIN PASSWORD '...'`,
					`root: GRANT "app" TO "app_clone"`, `root: ALTER ROLE "app_clone" SET role TO "app"`)
			}
			if got := hideHashes(statements(db.take())); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

var hash = regexp.MustCompile(`'(SCRAM-SHA-256[^']*|\*[0-9A-F]{40})'`)

func hideHashes(log []string) []string {
	for i := range log {
		log[i] = hash.ReplaceAllString(log[i], "'...'")
	}
	return log
}

// statements returns the log without the transaction that PostgreSQL's
// statements are in, and marks those that are outside of it.
func statements(log []string) []string {
	var out []string
	in := false
	for _, line := range log {
		_, what, _ := strings.Cut(line, ": ")
		switch {
		case what == "BEGIN":
			in = true
		case what == "COMMIT":
			in = false
		case strings.HasPrefix(what, "SELECT pg_catalog.pg_advisory_xact_lock("):
		case strings.HasPrefix(line, "login ") || in:
			out = append(out, line)
		default:
			out = append(out, "outside of the transaction: "+line)
		}
	}
	return out
}

// TestMySQLStatements checks the statements for the different servers.
func TestMySQLStatements(t *testing.T) {
	const user = `{"engine":"mysql","host":"db","username":"app","password":"cur","masterarn":"master"}`
	const own = `{"engine":"mysql","host":"db","username":"app","password":"cur"}`
	const master = `{"engine":"mysql","host":"db","username":"root","password":"r"}`
	two := &rotate.SQLOptions{TwoPasswords: true}
	for _, tt := range []struct {
		name, version, secret string
		mode                  string
		opts                  *rotate.SQLOptions
		want                  []string
	}{
		{"MySQL", "8.0.36", own, "", nil, []string{"app: ALTER USER `app`@`10.%` IDENTIFIED BY 'n''e\\\\w'"}},
		{"MySQL, no backslash", "8.0.36", own, "ANSI,NO_BACKSLASH_ESCAPES", nil, []string{"app: ALTER USER `app`@`10.%` IDENTIFIED BY 'n''e\\w'"}},
		{"MariaDB", "10.11.19-MariaDB-log", own, "", nil, []string{"app: SET PASSWORD = '...'"}},
		{"MySQL, two", "8.0.36", own, "", two, []string{
			"app: ALTER USER `app`@`10.%` IDENTIFIED BY 'cur'",
			"app: ALTER USER `app`@`10.%` IDENTIFIED BY 'n''e\\\\w' RETAIN CURRENT PASSWORD"}},
		{"MySQL, two by the master", "8.0.36", user, "", two, []string{
			"root: ALTER USER `app`@`10.%` IDENTIFIED BY 'cur'",
			"root: ALTER USER `app`@`10.%` IDENTIFIED BY 'n''e\\\\w' RETAIN CURRENT PASSWORD"}},
		{"MariaDB, two", "10.11.19-MariaDB", own, "", two, []string{
			"app: ALTER USER `app`@`10.%` IDENTIFIED VIA mysql_native_password USING '...' OR mysql_native_password USING '...'"}},
		{"MySQL, alternating", "8.0.36", user, "", &rotate.SQLOptions{Alternating: true}, []string{
			"root: CREATE USER IF NOT EXISTS `app_clone`@`10.%` IDENTIFIED BY '...'",
			"root: GRANT SELECT ON `d`.* TO `app_clone`@`10.%`",
			"root: ALTER USER `app_clone`@`10.%` REQUIRE SSL",
			"root: ALTER USER `app_clone`@`10.%` IDENTIFIED BY 'n''e\\\\w'"}},
		{"MariaDB, alternating", "11.4.2-MariaDB", user, "", &rotate.SQLOptions{Alternating: true}, []string{
			"root: CREATE USER IF NOT EXISTS `app_clone`@`10.%` IDENTIFIED VIA mysql_native_password USING '...'",
			"root: GRANT SELECT ON `d`.* TO `app_clone`@`10.%`",
			"root: ALTER USER `app_clone`@`10.%` REQUIRE SSL",
			"root: ALTER USER `app_clone`@`10.%` IDENTIFIED VIA mysql_native_password USING '...'"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := secretstest.New(t, secretstest.Secrets{"s": tt.secret, "master": master})
			db := newMySQLDB(tt.version, map[string][]string{"app": {"cur"}, "root": {"r"}})
			if tt.mode != "" {
				db.answers["SELECT VERSION()"] = tt.version + "|" + tt.mode
			}
			pending := with(t, tt.secret, "password", `n'e\w`)
			if tt.opts != nil && tt.opts.Alternating {
				pending = with(t, pending, "username", "app_clone")
			}
			if err := step(t, srv, rotate.SetSecret, pending, rotate.MySQL(db.open, tt.opts)); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, line := range hideHashes(db.take()) {
				if strings.Contains(line, "CREATE USER") { // the password of nobody
					line = regexp.MustCompile(`BY '[^']{32}'$`).ReplaceAllString(line, "BY '...'")
				}
				if !strings.HasPrefix(line, "login") {
					got = append(got, line)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestMariaDBPlugin(t *testing.T) {
	const own = `{"engine":"mariadb","host":"db","username":"app","password":"cur"}`
	srv := secretstest.New(t, secretstest.Secrets{"s": own})
	db := newMySQLDB("10.11.19-MariaDB", map[string][]string{"app": {"cur"}})
	db.answers["SHOW CREATE USER"] = "CREATE USER `app`@`%` IDENTIFIED VIA mysql_native_password USING '*00' OR ed25519 USING 'x'"
	for _, two := range []bool{false, true} {
		err := step(t, srv, rotate.SetSecret, with(t, own, "password", "new"), rotate.MySQL(db.open, &rotate.SQLOptions{TwoPasswords: two}))
		if err == nil || !strings.Contains(err.Error(), "ed25519") {
			t.Errorf("two passwords %t: got %v, want an error that names the plugin", two, err)
		}
	}
}

func TestOldPostgres(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": secret})
	db := newPostgresDB(map[string][]string{"app": {"cur"}})
	db.answers["SHOW server_version_num"] = "90624"
	err := step(t, srv, rotate.SetSecret, with(t, secret, "password", "new"), rotate.Postgres(db.open, nil))
	if err == nil || !strings.Contains(err.Error(), "PostgreSQL 10") {
		t.Errorf("got %v, want an error: the server would take the verifier for the password", err)
	}
}

// TestNoPasswordInErrors has a driver whose errors quote its input.
func TestNoPasswordInErrors(t *testing.T) {
	const awkward = canary + "%@ x"
	srv := secretstest.New(t, secretstest.Secrets{"s": secret})
	db := newPostgresDB(map[string][]string{"app": {"cur"}})
	for _, said := range []string{awkward, "postgres://app:" + canary + "%25%40%20x@db/", canary + "%25%40+x"} {
		for _, f := range []func(){
			func() { db.dialErr = errors.New("dial " + said) },
			func() { db.dialErr = nil; db.refuse = errors.Join(stateError("28P01"), errors.New(said)) },
			func() { db.refuse = stateError("28P01"); db.execErr = errors.New("near " + said) },
		} {
			f()
			err := step(t, srv, rotate.SetSecret, with(t, secret, "password", awkward), rotate.Postgres(db.open, nil))
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("got %v", err)
			}
		}
		db.execErr = nil
	}
	_, err := rotate.Driver("no such driver", nil)(rotate.Login{Engine: "postgres", Host: "h"}.WithPassword(canary))
	if err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("got %v", err)
	}
}

func TestConnectionStrings(t *testing.T) {
	l := rotate.Login{Engine: "postgres", Host: "::1", Port: 5432, Username: "a b", Database: "d/x"}.WithPassword("p:/?#[]@ %")
	if got, want := l.PostgresURL(map[string][]string{"sslrootcert": {"/ca"}}), "postgres://a%20b:p%3A%2F%3F%23%5B%5D%40%20%25@[::1]:5432/d/x?sslmode=verify-full&sslrootcert=%2Fca"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	l.NoTLS, l.Host, l.Database = true, "/run/pg", ""
	if got, want := l.PostgresURL(nil), "postgres://a%20b:p%3A%2F%3F%23%5B%5D%40%20%25@/postgres?host=%2Frun%2Fpg&port=5432&sslmode=disable"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := l.MySQLDSN(nil), "a b:p:/?#[]@ %@unix(/run/pg)/?tls=false"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	l.NoTLS, l.Host, l.Database = false, "h", "d/x"
	if got, want := l.MySQLDSN(map[string][]string{"tls": {"rds"}}), "a b:p:/?#[]@ %@tcp(h:5432)/d%2Fx?tls=rds"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestScrubbedErrorIs checks that errors.Is still works if the message is
// withheld.
func TestScrubbedErrorIs(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": secret})
	db := newPostgresDB(nil)
	db.refuse = errors.Join(stateError("28P01"), errors.New("for app with "+canary))
	err := step(t, srv, rotate.TestSecret, with(t, secret, "password", canary), rotate.Postgres(db.open, nil))
	if !errors.Is(err, rotate.ErrRefused) || strings.Contains(err.Error(), canary) {
		t.Errorf("got %v, want ErrRefused without the password", err)
	}
	db.dialErr = errors.Join(context.Canceled, errors.New(canary))
	err = step(t, srv, rotate.TestSecret, with(t, secret, "password", canary), rotate.Postgres(db.open, nil))
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), canary) {
		t.Errorf("got %v, want context.Canceled without the password", err)
	}
}
