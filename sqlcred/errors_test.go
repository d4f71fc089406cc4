package sqlcred_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// A quotingDriver has no connectors, and quotes its DSN when it fails.
type quotingDriver struct{ cause error }

func (d quotingDriver) Open(dsn string) (driver.Conn, error) {
	return nil, fmt.Errorf("cannot connect with %q: %w", dsn, d.cause)
}

var quoted = &stateError{"53300"}

func init() { sql.Register("test-quoting", quotingDriver{quoted}) }

// wantClean checks that no error in a tree shows a canary, however it is printed.
func wantClean(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("got no error")
	}
	for how, v := range carried(err) {
		noCanary(t, how, v)
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if wrapped := e.Unwrap(); wrapped != nil {
			wantClean(t, wrapped)
		}
	case interface{ Unwrap() []error }:
		for _, wrapped := range e.Unwrap() {
			wantClean(t, wrapped)
		}
	}
}

// A driver without connectors gets the DSN at each login, and may quote it.
func TestErrorOfOpenHasNoPassword(t *testing.T) {
	for _, password := range []string{canary, `p'"\é%/?:@#` + canary} {
		synctest.Test(t, func(t *testing.T) {
			_, client := newClient(t, secretOf("app", password))
			db, err := sqlcred.OpenDB("test-quoting", client, secretName, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			err = db.PingContext(t.Context())
			wantClean(t, err)
			if !errors.Is(err, quoted) {
				t.Errorf("got %v, want the clean error below still to be found", err)
			}
			if !strings.Contains(err.Error(), "error withheld: it contains the password") {
				t.Errorf("got %v, want it to say why it says nothing", err)
			}
		})
	}
}

// A connector of the user's own quotes what it was given, and what it was
// given before.
func TestErrorOfConnectorHasNoPassword(t *testing.T) {
	for _, test := range []struct {
		name string
		err  func(seen []string) error
		is   func(error) bool
	}{
		{"network", func(seen []string) error { return fmt.Errorf("dial %v: %w", seen, dialError) }, func(err error) bool { return errors.Is(err, dialError) }},
		{"refusal", func(seen []string) error { return fmt.Errorf("login %v: %w", seen, &stateError{"28P01"}) }, func(err error) bool {
			return errors.As(err, new(*stateError)) && errors.As(err, new(*secrets.RejectedError))
		}},
		{"account", func(seen []string) error { return errors.Join(fmt.Errorf("login %v", seen), &MySQLError{4151}) }, func(err error) bool {
			return errors.As(err, new(*MySQLError)) && errors.As(err, new(*sqlcred.AccountError))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, client := newClient(t, secretOf("app", canary+"-0"))
				srv.Put(secretName, secretOf("app", canary+"-1"))
				srv.PutPending(secretName, secretOf("app", canary+"-2"))
				var seen []string
				c := sqlcred.New(client, secretName, func(l sqlcred.Login) (driver.Connector, error) {
					return connectorFunc(func(context.Context) (driver.Conn, error) {
						seen = append(seen, l.Password())
						return nil, test.err(seen)
					}), nil
				}, &sqlcred.Options{MaxWait: time.Second})
				defer c.Close()
				_, err := c.Connect(t.Context())
				wantClean(t, err)
				if !test.is(err) {
					t.Errorf("got %v, want the clean errors below still to be found", err)
				}
			})
		})
	}
}

// An error may show the password of another version than the one that failed.
func TestErrorHasNoPasswordOfAnotherVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := newClient(t, secretOf("app", canary+"-1"))
		srv.PutPending(secretName, secretOf("app", "two"))
		c := sqlcred.New(client, secretName, func(l sqlcred.Login) (driver.Connector, error) {
			return connectorFunc(func(context.Context) (driver.Conn, error) {
				if l.Password() == "two" {
					return nil, errors.New("the first password was " + canary + "-1")
				}
				return nil, &stateError{"28P01"}
			}), nil
		}, &sqlcred.Options{MaxWait: time.Second})
		defer c.Close()
		_, err := c.Connect(t.Context())
		wantClean(t, err)
	})
}

// A one-letter password leaves other messages alone.
func TestErrorWithShortPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, secretOf("app", "a"))
		server := newFakeDB()
		server.setFail(dialError)
		c := sqlcred.New(client, secretName, server.opener, nil)
		defer c.Close()
		if _, err := c.Connect(t.Context()); err != dialError {
			t.Errorf("got %v, want %v", err, dialError)
		}
	})
}

// What a driver panics with may hold its DSN.
func TestPanicHasNoPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, secretOf("app", canary))
		c := sqlcred.New(client, secretName, func(l sqlcred.Login) (driver.Connector, error) {
			return connectorFunc(func(context.Context) (driver.Conn, error) { panic("bad DSN " + l.Password()) }), nil
		}, nil)
		defer c.Close()
		defer func() { noCanary(t, "panic", fmt.Sprint(recover())) }()
		c.Connect(t.Context())
		t.Error("Connect did not panic")
	})
}

// database/sql logs in three times where an error is driver.ErrBadConn.
func TestBlockedAccountIsNotTriedAgain(t *testing.T) {
	for _, cause := range []error{
		errors.Join(driver.ErrBadConn, &MySQLError{4150}),
		fmt.Errorf("connect: %w: %w", &MySQLError{4150}, driver.ErrBadConn),
	} {
		synctest.Test(t, func(t *testing.T) {
			_, client := newClient(t, secretOf("app", "one"))
			server := newFakeDB()
			server.setFail(cause)
			db := openDB(t, sqlcred.New(client, secretName, server.opener, nil))
			err := db.PingContext(t.Context())
			var account *sqlcred.AccountError
			if !errors.As(err, &account) || account.Number != 4150 || !errors.As(err, new(*MySQLError)) || errors.Is(err, driver.ErrBadConn) {
				t.Errorf("got %v, want an AccountError with the driver's, and no ErrBadConn", err)
			}
			if got := server.loginsSoFar(); len(got) != 1 {
				t.Errorf("logins: got %d, want 1", len(got))
			}
		})
	}
}

// A driver that ends its goroutine, as a test does with t.FailNow.
func TestDriverEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, secretOf("app", "one"))
		c := sqlcred.New(client, secretName, func(sqlcred.Login) (driver.Connector, error) {
			return connectorFunc(func(context.Context) (driver.Conn, error) { runtime.Goexit(); return nil, nil }), nil
		}, &sqlcred.Options{MaxLogins: 1})
		defer c.Close()
		for range 3 { // the place at the gate is free again
			if conn, err := c.Connect(t.Context()); conn != nil || err == nil || !strings.Contains(err.Error(), "ended its goroutine") {
				t.Errorf("got %v, %v, want an error", conn, err)
			}
		}
	})
}

// Functions that return nothing at all.
func TestNothingIsReturned(t *testing.T) {
	for name, open := range map[string]func(sqlcred.Login) (driver.Connector, error){
		"it returned neither a connector nor an error": func(sqlcred.Login) (driver.Connector, error) { return nil, nil },
		"the driver returned neither a connection nor an error": func(sqlcred.Login) (driver.Connector, error) {
			return connectorFunc(func(context.Context) (driver.Conn, error) { return nil, nil }), nil
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, client := newClient(t, secretOf("app", "one"))
			c := sqlcred.New(client, secretName, open, nil)
			defer c.Close()
			for range 2 {
				if conn, err := c.Connect(t.Context()); conn != nil || err == nil || !strings.Contains(err.Error(), name) {
					t.Errorf("got %v, %v, want %q", conn, err, name)
				}
			}
		})
	}
}

// The error of a rejected login says what the server answered, and to whom.
func TestRejectedErrorQuotesTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, secretOf("app", canary))
		server := newFakeDB("app", "another")
		c := sqlcred.New(client, secretName, server.opener, &sqlcred.Options{MaxWait: time.Second})
		defer c.Close()
		for range 2 { // the second call is barred, and quotes what the first was told
			_, err := c.Connect(t.Context())
			wantClean(t, err)
			for _, want := range []string{`"prod/db"`, `user "app" at db:5432`, "state 28P01"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want it to name %s", err, want)
				}
			}
		}
	})
}
