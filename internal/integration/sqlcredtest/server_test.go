package sqlcredtest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/lib/pq"
	mssql "github.com/microsoft/go-mssqldb"
	"github.com/sijms/go-ora/v2/network"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// Passwords with all there is between space and tilde log in.
func TestOpenDBLogsIn(t *testing.T) {
	t.Parallel()
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, b, nil)
			for i, password := range []string{
				"plain", ` !"#$%&'()*+,-./:;<=>?@[\]^_{|}~` + "`", `\`, `'`, "' host=evil", "@tcp(evil:1)/x?", "pässwörd", "a b",
			} {
				user := fmt.Sprint(r.user, "_", i)
				r.addUser(user, password)
				r.fake.Put(secretID, r.secret(user, password))
				if err := r.client.Refresh(t.Context(), secretID); err != nil {
					t.Fatal(err)
				}
				db, err := sqlcred.OpenDB(b.name, r.client, secretID, nil)
				if err != nil {
					t.Fatal(err)
				}
				var got string
				if err := db.QueryRowContext(t.Context(), "SELECT current_user").Scan(&got); err != nil || !strings.HasPrefix(got, user) {
					t.Errorf("password %q: got user %q, %v, want %s", password, got, err, user)
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			}
			if got := r.wrongLogins(); got != 0 {
				t.Errorf("wrong logins: got %d, want 0", got)
			}
		})
	}
}

// A secret that RDS manages says nothing but user and password.
func TestOpenDBManagedSecret(t *testing.T) {
	t.Parallel()
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, b, nil)
			r.fake.Put(secretID, `{"username":"`+r.user+`","password":"p0"}`)
			db, err := sqlcred.OpenDB(b.name, r.client, secretID, &sqlcred.Options{
				Host: r.s.Host, Port: r.s.Port, DBName: r.s.Database, TLS: sqlcred.TLSOff,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := r.query(db); err != nil {
				t.Error(err)
			}
		})
	}
}

// login logs in without sqlcred.
func (r *rig) login(user, password, dbname string) error {
	l := sqlcred.Login{Engine: r.s.Engine, Host: r.s.Host, Port: r.s.Port, Username: user, DBName: dbname, TLS: sqlcred.TLSOff}
	c, err := r.open(l.WithPassword(password))
	if err != nil {
		r.t.Fatal(err)
	}
	conn, err := c.Connect(r.t.Context())
	if err == nil {
		conn.Close()
	}
	return err
}

// What servers answer to logins that fail, and what it is taken for.
func TestIsRefusedOnServers(t *testing.T) {
	t.Parallel()
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			o := &dbserver.Options{}
			if b.name == "mysql" {
				o.Settings = []string{"disconnect_on_expired_password=ON"}
			}
			testIsRefused(t, newRig(t, b, o))
		})
	}
}

func testIsRefused(t *testing.T, r *rig) {
	postgres := r.s.Engine == "postgres"
	check := func(what string, err error, want bool) {
		t.Helper()
		if err == nil || sqlcred.IsRefused(err) != want {
			t.Errorf("%s: %v is refused: %v, want %v", what, err, sqlcred.IsRefused(err), want)
		}
	}
	check("wrong password", r.login(r.user, "wrong", r.s.Database), true)
	check("unknown user", r.login("nobody", "p0", r.s.Database), true)
	check("no such database", r.login(r.user, "p0", "nonesuch"), false)
	if postgres {
		r.exec("CREATE ROLE old LOGIN PASSWORD 'p0' VALID UNTIL '2001-01-01'")
		check("valid no longer", r.login("old", "p0", r.s.Database), true)
		r.exec("CREATE ROLE nologin NOLOGIN PASSWORD 'p0'")
		check("no login", r.login("nologin", "p0", r.s.Database), true)
		r.exec("CREATE DATABASE closed")
		r.exec("REVOKE CONNECT ON DATABASE closed FROM PUBLIC")
		check("no right to the database", r.login(r.user, "p0", "closed"), false)
		r.exec("ALTER ROLE %s CONNECTION LIMIT 0", r.user)
		check("too many connections", r.login(r.user, "p0", r.s.Database), false)
	} else {
		check("no right to the database", r.login(r.user, "p0", "mysql"), false)
		r.exec("CREATE USER locked IDENTIFIED BY 'p0' ACCOUNT LOCK")
		check("locked", r.login("locked", "p0", r.s.Database), false)
		r.addUser("expired", "p0")
		r.exec("ALTER USER expired PASSWORD EXPIRE")
		check("expired", r.login("expired", "p0", r.s.Database), false)
		r.exec("ALTER USER %s WITH MAX_USER_CONNECTIONS 1", r.user)
		db, err := sqlcred.OpenDB(r.name, r.client, secretID, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		check("too many connections", r.login(r.user, "p0", r.s.Database), false)
	}
	if err := r.s.Halt(); err != nil {
		t.Fatal(err)
	}
	check("server down", r.login(r.user, "p0", r.s.Database), false)
}

// The drivers' own errors, of servers that are not here too.
func TestIsRefusedByType(t *testing.T) {
	for _, test := range []struct {
		err  error
		want bool
	}{
		{&pgconn.PgError{Code: "28P01"}, true},
		{&pgconn.PgError{Code: "53300"}, false},
		{&pq.Error{Code: "28000"}, true},
		{&pq.Error{Code: "3D000"}, false},
		{&mysql.MySQLError{Number: 1045, SQLState: [5]byte{'2', '8', '0', '0', '0'}}, true},
		{&mysql.MySQLError{Number: 1044}, false},
		{mssql.Error{Number: 18456}, true},
		{mssql.Error{Number: 18486}, false},
		{mssql.Error{Number: 4060}, false},
		{&network.OracleError{ErrCode: 1017}, true},
		{&network.OracleError{ErrCode: 28000}, false},
		{&network.OracleError{ErrCode: 12514}, false},
	} {
		for _, err := range []error{test.err, fmt.Errorf("wrapped: %w", test.err)} {
			if got := sqlcred.IsRefused(err); got != test.want {
				t.Errorf("%T %v: got %v, want %v", test.err, err, got, test.want)
			}
		}
	}
}

// Accounts that are locked or expired are no matter of the password: one login,
// and an error that says so.
func TestAccountErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t, backends[2], &dbserver.Options{Settings: []string{"max_password_errors=2", "disconnect_on_expired_password=ON"}})
	r.exec("CREATE USER locked IDENTIFIED BY 'p0' ACCOUNT LOCK")
	r.addUser("expired", "p0")
	r.exec("ALTER USER expired PASSWORD EXPIRE")
	r.exec("CREATE USER blocked IDENTIFIED BY 'p0'")
	for range 2 {
		if err := r.login("blocked", "wrong", r.s.Database); !sqlcred.IsRefused(err) {
			t.Fatalf("wrong password: %v", err)
		}
	}
	for _, test := range []struct {
		user   string
		number int
	}{{"locked", 4151}, {"expired", 1862}, {"blocked", 4150}} {
		t.Run(test.user, func(t *testing.T) {
			r.fake.Put(secretID, r.secret(test.user, "p0"))
			r.fake.PutPending(secretID, r.secret(test.user, "p1"))
			if err := r.client.Refresh(t.Context(), secretID); err != nil {
				t.Fatal(err)
			}
			db := sql.OpenDB(r.connector(nil))
			defer db.Close()
			before := r.wrongLogins()
			start := time.Now()
			err := r.query(db)
			var account *sqlcred.AccountError
			if !errors.As(err, &account) || account.Number != test.number || account.Username != test.user {
				t.Errorf("got %v, want an AccountError with number %d", err, test.number)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("the error came after %v, want it at once", took)
			}
			if got := r.wrongLogins() - before; got != 0 {
				t.Errorf("wrong logins: got %d, want 0", got)
			}
		})
	}
}

// A process that starts between setSecret and finishSecret connects.
func TestColdStart(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		r.setSecret()
		db := sql.OpenDB(r.connector(nil))
		defer db.Close()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				start := time.Now()
				if err := r.query(db); err != nil {
					t.Error(err)
				}
				if took := time.Since(start); took > 10*time.Second {
					t.Errorf("a query took %v", took)
				}
			})
		}
		wg.Wait()
		if got := r.wrongLogins(); got != 1 {
			t.Errorf("wrong logins: got %d, want 1", got)
		}
	})
}

// A secret with which nothing logs in gives one clear error, within the
// deadline and after at most one login with each version.
func TestWrongSecret(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		r.fake.Put(secretID, r.secret(r.user, "wrong-one"))
		r.fake.Put(secretID, r.secret(r.user, "wrong-two"))
		r.fake.PutPending(secretID, r.secret(r.user, "wrong-three"))
		db := sql.OpenDB(r.connector(&sqlcred.Options{MaxLogins: 1}))
		defer db.Close()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				start := time.Now()
				err := db.PingContext(ctx)
				var rejected *secrets.RejectedError
				if !errors.As(err, &rejected) || len(rejected.Attempts) == 0 {
					t.Errorf("got %v, want a RejectedError", err)
				}
				if took := time.Since(start); took > 4*time.Second {
					t.Errorf("the error came after %v, want 2s", took)
				}
				if strings.Contains(err.Error(), "wrong-") {
					t.Errorf("the error holds a password: %v", err)
				}
			})
		}
		wg.Wait()
		if got := r.wrongLogins(); got != 3 {
			t.Errorf("wrong logins: got %d, want 3", got)
		}
	})
}

// A server that is down is no reason to try other passwords.
func TestServerDown(t *testing.T) {
	each(t, &dbserver.Options{}, func(t *testing.T, r *rig) {
		r.fake.PutPending(secretID, r.secret(r.user, "p1"))
		db := sql.OpenDB(r.connector(nil))
		defer db.Close()
		if err := r.s.Halt(); err != nil {
			t.Fatal(err)
		}
		var rejected *secrets.RejectedError
		if err := r.query(db); err == nil || errors.As(err, &rejected) || !strings.Contains(err.Error(), "refused") {
			t.Errorf("got %v, want the driver's error", err)
		}
		pending := secretstest.Call{Op: "GetSecretValue", Stage: secrets.Pending}
		if got := r.fake.Count(pending); got != 0 {
			t.Errorf("the pending version was asked for %d times", got)
		}
		if err := r.s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := r.query(db); err != nil {
			t.Errorf("after the server is back: %v", err)
		}
	})
}
