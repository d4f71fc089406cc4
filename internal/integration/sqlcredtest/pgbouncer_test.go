package sqlcredtest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver/dbtest"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// bouncers are the ways in which PgBouncer checks passwords.
var bouncers = []dbserver.BouncerOptions{
	{AuthType: "scram-sha-256"},
	{AuthType: "md5"},
	{AuthType: "scram-sha-256", AuthQuery: true},
	{AuthType: "md5", AuthQuery: true},
}

func bouncerName(o dbserver.BouncerOptions) string {
	if o.AuthQuery {
		return o.AuthType + " auth_query"
	}
	return o.AuthType + " file"
}

// What PgBouncer answers to logins that fail, all with SQLSTATE 08P01, and what it
// is taken for.
func TestIsRefusedBehindPgBouncer(t *testing.T) {
	t.Parallel()
	for _, b := range backends[:2] {
		for _, o := range bouncers {
			t.Run(b.name+" "+bouncerName(o), func(t *testing.T) {
				t.Parallel()
				testIsRefusedBehindPgBouncer(t, b, o)
			})
		}
	}
}

func testIsRefusedBehindPgBouncer(t *testing.T, b backend, o dbserver.BouncerOptions) {
	direct := newRig(t, b, nil)
	bouncer := dbtest.PgBouncer(t, direct.s, &o)
	if err := bouncer.SetPassword(direct.user, "p0"); err != nil {
		t.Fatal(err)
	}
	r := *direct
	r.s = bouncer.Server
	check := func(what string, err error, want bool) {
		t.Helper()
		t.Logf("%s: %v", what, err)
		if err == nil || sqlcred.IsRefused(err) != want {
			t.Errorf("%s: %v is refused: %v, want %v", what, err, sqlcred.IsRefused(err), want)
		}
	}
	waitUntil(t, func() bool { return r.login(r.user, "p0", r.s.Database) == nil }, "the password is accepted")
	if !o.AuthQuery { // the password is looked up in the database that is not there
		check("no such database", r.login(r.user, "p0", "nonesuch"), false)
	}
	before := r.wrongLogins()
	check("wrong password", r.login(r.user, "wrong", r.s.Database), true)
	check("unknown user", r.login("nobody", "p0", r.s.Database), true)
	if n := r.wrongLogins() - before; n != 1 {
		t.Errorf("refused logins in the log: got %d, want 1", n)
	}
	// The password in the file is not the server's any more.
	other := fmt.Sprint(r.user, "_other")
	direct.addUser(other, "p1")
	if err := bouncer.SetPassword(other, "p0"); err != nil {
		t.Fatal(err)
	}
	if !o.AuthQuery {
		waitUntil(t, func() bool {
			return strings.Contains(fmt.Sprint(r.login(other, "p0", r.s.Database)), other)
		}, "the file is read and the server behind asked")
		check("the server behind refuses it", r.login(other, "p0", r.s.Database), true)
	}
}
