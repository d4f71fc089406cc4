package sqlcred_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

func TestConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := newClient(t, secretOf("app", "one"))
		server := newFakeDB("app", "one")
		db := openDB(t, sqlcred.New(client, secretName, server.opener, nil))
		for range 10 {
			if _, err := db.ExecContext(t.Context(), "query"); err != nil {
				t.Fatal(err)
			}
		}
		if got := server.loginsSoFar(); !slices.Equal(got, []string{"app:one"}) {
			t.Errorf("logins: got %v, want one", got)
		}
		if got := srv.Count(secretstest.Call{}); got != 1 {
			t.Errorf("API calls: got %d, want 1", got)
		}
	})
}

// Fifty workers log in all the time while the password is rotated with the
// window between setSecret and finishSecret held open.
func TestRotationSingleUser(t *testing.T) {
	for _, max := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(max), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, client := newClient(t, secretOf("app", "p0"))
				server := newFakeDB("app", "p0")
				c := sqlcred.New(client, secretName, server.opener, &sqlcred.Options{MaxLogins: max})
				stop := hammer(t, c, 50, 50*time.Millisecond)
				for i := range 10 {
					time.Sleep(time.Second)
					old, next := srv.VersionID(secretName, secrets.Current), fmt.Sprint("p", i+1)
					pending := srv.PutPending(secretName, secretOf("app", next))
					time.Sleep(time.Duration(i) * 17 * time.Millisecond)
					server.setPassword("app", next)
					time.Sleep(time.Duration(i) * 50 * time.Millisecond)
					srv.MoveStage(secretName, secrets.Current, pending)
					time.Sleep(time.Second)
					if got := server.wrongLogins(); got > max || max == 1 && got != 1 {
						t.Errorf("rotation %d from %s: %d wrong logins, want at most %d, or 1 of 1", i, old, got, max)
					}
				}
				stop()
				if server.most > max {
					t.Errorf("logins under way: got %d, want at most %d", server.most, max)
				}
			})
		})
	}
}

// With alternating users the current version is valid until the next rotation,
// by when the client has noticed this one.
func TestRotationAlternatingUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := newClient(t, secretOf("app0", "p0"))
		server := newFakeDB("app0", "p0")
		c := sqlcred.New(client, secretName, server.opener, nil)
		stop := hammer(t, c, 20, 5*time.Second)
		for i := range 10 {
			time.Sleep(7 * time.Minute)
			user, password := fmt.Sprint("app", (i+1)%2), fmt.Sprint("p", i+1)
			pending := srv.PutPending(secretName, secretOf(user, password))
			server.setPassword(user, password)
			time.Sleep(time.Second)
			srv.MoveStage(secretName, secrets.Current, pending)
			time.Sleep(time.Second)
		}
		stop()
		if got := server.wrongLogins(); got != 0 {
			t.Errorf("wrong logins: got %d, want 0", got)
		}
	})
}

// hammer connects and disconnects in n goroutines, with pauses, until the
// function it returns is called. Every connect has to succeed.
func hammer(t *testing.T, c *sqlcred.Connector, n int, pause time.Duration) (stop func()) {
	t.Helper()
	var wg sync.WaitGroup
	var over atomic.Bool
	for range n {
		wg.Go(func() {
			for !over.Load() {
				conn, err := c.Connect(t.Context())
				if err != nil {
					t.Errorf("connect at %v: %v", time.Now().Format(time.TimeOnly), err)
					return
				}
				conn.Close()
				time.Sleep(pause)
			}
		})
	}
	return func() {
		over.Store(true)
		wg.Wait()
	}
}

func TestColdStartInTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := newClient(t, secretOf("app", "one"))
		srv.PutPending(secretName, secretOf("app", "two"))
		server := newFakeDB("app", "two")
		c := sqlcred.New(client, secretName, server.opener, &sqlcred.Options{MaxLogins: 1})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				start := time.Now()
				if _, err := c.Connect(t.Context()); err != nil || time.Since(start) > time.Second {
					t.Errorf("connect: got %v after %v, want success at once", err, time.Since(start))
				}
			})
		}
		wg.Wait()
		if got := server.wrongLogins(); got != 1 {
			t.Errorf("wrong logins: got %d, want 1", got)
		}
	})
}

func TestNothingLogsIn(t *testing.T) {
	for _, test := range []struct {
		name    string
		timeout time.Duration // of the context; 0: none
		options *sqlcred.Options
		want    time.Duration
	}{
		{"deadline", 10 * time.Second, nil, 10 * time.Second},
		{"long deadline", 10 * time.Minute, &sqlcred.Options{MaxWait: time.Second}, 10 * time.Minute},
		{"no deadline", 0, nil, 3 * time.Second}, // from the moment that every version is known to be refused
		{"no deadline, shorter wait", 0, &sqlcred.Options{MaxWait: 2 * time.Second}, 2 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, client := newClient(t, secretOf("app", "canary-one"))
				if test.options == nil {
					test.options = new(sqlcred.Options)
				}
				test.options.Logger = slog.New(slog.DiscardHandler)
				srv.Put(secretName, secretOf("app", "canary-two"))
				srv.PutPending(secretName, secretOf("app", "canary-three"))
				server := newFakeDB("app", "another")
				c := sqlcred.New(client, secretName, server.opener, test.options)
				ctx := t.Context()
				if test.timeout > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.timeout)
					defer cancel()
				}
				start := time.Now()
				_, err := c.Connect(ctx)
				var rejected *secrets.RejectedError
				if !errors.As(err, &rejected) || len(rejected.Attempts) != 3 {
					t.Fatalf("got %v, want a RejectedError with 3 attempts", err)
				}
				var state *stateError
				if !errors.As(err, &state) {
					t.Errorf("the driver's error is not found in %v", err)
				}
				if strings.Contains(err.Error(), "canary") {
					t.Errorf("the error holds a password: %v", err)
				}
				if got := time.Since(start); got < test.want || got > test.want+time.Second {
					t.Errorf("came after %v, want %v", got, test.want)
				}
				logins := server.loginsSoFar()
				slices.Sort(logins)
				if n := len(logins); n != len(slices.Compact(logins)) && test.want < 5*time.Second {
					t.Errorf("logins: got %v, want each version once", logins)
				}
			})
		})
	}
}

// A server that does not answer must not block database/sql for ever.
func TestMaxWaitBoundsAHungServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, secretOf("app", "one"))
		server := newFakeDB("app", "one")
		server.latency = time.Hour
		c := sqlcred.New(client, secretName, server.opener, nil)
		defer c.Close()
		start := time.Now()
		_, err := c.Connect(t.Context())
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1m0s") || !strings.Contains(err.Error(), `user "app" at db:5432`) {
			t.Errorf("got %v, want an error that names the wait, the user and the host", err)
		}
		if got := time.Since(start); got < time.Minute || got > time.Minute+100*time.Millisecond {
			t.Errorf("came after %v, want 1m", got)
		}
	})
}

func TestNoMaxWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, secretOf("app", "one"))
		server := newFakeDB("app", "one")
		server.latency = time.Hour
		c := sqlcred.New(client, secretName, server.opener, &sqlcred.Options{MaxWait: -1})
		connect(t.Context(), t, c).Close()
	})
}

// Errors that no other version would mend end at once, after one login.
func TestErrorsThatAreNotRefusals(t *testing.T) {
	someError := errors.New("something else")
	for _, test := range []struct {
		name  string
		err   error
		check func(got error) bool
	}{
		{"network", dialError, func(got error) bool { return got == dialError }},
		{"too many connections", &stateError{"53300"}, func(got error) bool { return got.Error() == "state 53300" }},
		{"unknown", someError, func(got error) bool { return got == someError }},
		{"blocked", &MySQLError{4150}, func(got error) bool {
			var account *sqlcred.AccountError
			return errors.As(got, &account) && account.Number == 4150 && account.Username == "app" &&
				strings.Contains(got.Error(), "blocked") && errors.As(got, new(*MySQLError))
		}},
		{"locked", mssqlError{18486}, func(got error) bool {
			var account *sqlcred.AccountError
			return errors.As(got, &account) && account.Number == 18486 && strings.Contains(got.Error(), "locked")
		}},
		{"expired", &OracleError{28001}, func(got error) bool {
			var account *sqlcred.AccountError
			return errors.As(got, &account) && account.Number == 28001 && strings.Contains(got.Error(), "expired")
		}},
		{"bad connection", driver.ErrBadConn, func(got error) bool {
			return !errors.Is(got, driver.ErrBadConn) && strings.Contains(got.Error(), "bad connection")
		}},
		{"bad connection, wrapped", fmt.Errorf("connect: %w", driver.ErrBadConn), func(got error) bool {
			return !errors.Is(got, driver.ErrBadConn) && got.Error() == "connect: driver: bad connection"
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, client := newClient(t, secretOf("app", "one"))
				srv.PutPending(secretName, secretOf("app", "two"))
				server := newFakeDB()
				server.setFail(test.err)
				db := openDB(t, sqlcred.New(client, secretName, server.opener, nil))
				if got := db.PingContext(t.Context()); got == nil || !test.check(got) {
					t.Errorf("got %v", got)
				}
				if got := server.loginsSoFar(); len(got) != 1 {
					t.Errorf("logins: got %v, want 1", got)
				}
			})
		})
	}
}

func TestOptionIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := newClient(t, secretOf("app", "one"))
		srv.PutPending(secretName, secretOf("app", "two"))
		own := errors.New("go away")
		server := newFakeDB()
		server.setFail(own)
		c := sqlcred.New(client, secretName, server.opener, &sqlcred.Options{
			MaxWait:   time.Second,
			IsRefused: func(err error) bool { return err == own },
		})
		_, err := c.Connect(t.Context())
		if !errors.As(err, new(*secrets.RejectedError)) || !errors.Is(err, own) {
			t.Errorf("got %v, want a RejectedError with the driver's", err)
		}
		if got := server.loginsSoFar(); len(got) != 2 {
			t.Errorf("logins: got %v, want 2", got)
		}
	})
}

func TestOptionStages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := newClient(t, secretOf("app", "one"))
		srv.PutPending(secretName, secretOf("app", "two"))
		server := newFakeDB("app", "two")
		c := sqlcred.New(client, secretName, server.opener, &sqlcred.Options{
			MaxWait: time.Second,
			Stages:  []string{secrets.Current, secrets.Previous},
		})
		if _, err := c.Connect(t.Context()); !errors.As(err, new(*secrets.RejectedError)) {
			t.Errorf("got %v, want a RejectedError: AWSPENDING may not be offered", err)
		}
	})
}

func TestOptionsCompleteTheLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, `{"user":"app","pass":"one","host":"given","port":1}`)
		var got sqlcred.Login
		open := func(l sqlcred.Login) (driver.Connector, error) {
			got = l
			return newFakeDB("app", "one").opener(l)
		}
		c := sqlcred.New(client, secretName, open, &sqlcred.Options{
			Engine: "mysql", Host: "lacking", Port: 2, DBName: "shop", TLS: sqlcred.TLSVerify,
			Keys: sqlcred.Keys{Username: "user", Password: "pass"},
			Edit: func(l *sqlcred.Login) { l.Host += ".replica" },
		})
		connect(t.Context(), t, c)
		want := fields{engine: "mysql", host: "given.replica", port: 1, username: "app", dbname: "shop", tls: sqlcred.TLSVerify, version: got.VersionID}
		if loginFields(got) != want || got.VersionID == "" {
			t.Errorf("login: got %+v, want %+v", loginFields(got), want)
		}
	})
}

// A secret that is no login gives an error that says what is wrong with it.
func TestSecretIsNoLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, `{"username":"app","password":"canary","port":"canary"}`)
		c := sqlcred.New(client, secretName, newFakeDB().opener, nil)
		_, err := c.Connect(t.Context())
		if err == nil || !strings.Contains(err.Error(), `field "port" is not a port number`) || !errors.As(err, new(*secrets.DecodeError)) {
			t.Errorf("got %v, want a DecodeError with the reason", err)
		}
		if strings.Contains(err.Error(), "canary") {
			t.Errorf("the error holds the value: %v", err)
		}
	})
}

// The connectors that open makes are kept, for as long as their version is.
func TestOpenOncePerVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := newClient(t, secretOf("app", "one"))
		server := newFakeDB("app", "one")
		opened := 0
		c := sqlcred.New(client, secretName, func(l sqlcred.Login) (driver.Connector, error) {
			opened++
			return server.opener(l)
		}, nil)
		for range 5 {
			connect(t.Context(), t, c)
		}
		if opened != 1 {
			t.Errorf("open was called %d times, want 1", opened)
		}
		server.setPassword("app", "two")
		srv.Put(secretName, secretOf("app", "two"))
		for range 20 {
			connect(t.Context(), t, c)
		}
		if opened < 2 || opened > 3 { // once when it was found, once when it had become the current one
			t.Errorf("open was called %d times, want 2 or 3", opened)
		}
	})
}

// Parsers of DSNs quote what they can't read.
func TestOpenFails(t *testing.T) {
	const password = `can'ary\ é/?`
	for _, test := range []struct {
		name, text string
		hidden     bool
	}{
		{"harmless", "no such mode", false},
		{"plain", "bad: " + password, true},
		{"quoted", fmt.Sprintf("bad: %q", password), true},
		{"escaped for a query", "bad: can%27ary%5C+%C3%A9%2F%3F", true},
		{"escaped for a path", "bad: can%27ary%5C%20%C3%A9%2F%3F", true},
		{"escaped for PostgreSQL", `bad: can\'ary\\ é/?`, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, client := newClient(t, secretOf("app", password))
				cause := errors.New(test.text)
				c := sqlcred.New(client, secretName, func(sqlcred.Login) (driver.Connector, error) { return nil, cause }, nil)
				_, err := c.Connect(t.Context())
				if err == nil || errors.Is(err, cause) == test.hidden || strings.Contains(err.Error(), test.text) == test.hidden {
					t.Errorf("got %v, want the cause hidden: %v", err, test.hidden)
				}
			})
		})
	}
}
