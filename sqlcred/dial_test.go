package sqlcred_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// A login that a sibling's refusal stops is cancelled before its password is
// sent, and its caller goes on to the next version.
func TestRefusalStopsSiblings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := newClient(t, secretOf("app", "one"))
		server := newFakeDB("app", "one")
		server.latency = 10 * time.Millisecond
		c := sqlcred.New(client, secretName, server.opener, nil)
		connect(t.Context(), t, c)
		server.setPassword("app", "two")
		server.latency = 20 * time.Millisecond // so a login takes longer than in the mean

		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 8 * time.Millisecond) // the refusal comes after 40 ms
				connect(t.Context(), t, c)
			})
		}
		time.Sleep(15 * time.Millisecond)
		srv.PutPending(secretName, secretOf("app", "two"))
		wg.Wait()
		// At 40 ms the first is refused; the second, which waited 20 ms for
		// its turn, is in its handshake; the others have not begun.
		if server.wrong != 1 || server.aborted != 1 {
			t.Errorf("wrong logins %d, aborted %d, want 1 and 1", server.wrong, server.aborted)
		}
	})
}

// A driver that is told to stop and connects all the same: the connection is
// used if it is alive.
func TestStoppedSiblingConnects(t *testing.T) {
	for state, want := range map[string]string{"alive": "early", "closed": "two", "invalid": "two"} {
		t.Run(state, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, client := newClient(t, secretOf("app", "one"))
				srv.PutPending(secretName, secretOf("app", "two"))
				server := newFakeDB("app", "two")
				var n atomic.Int32
				open := func(l sqlcred.Login) (driver.Connector, error) {
					return connectorFunc(func(ctx context.Context) (driver.Conn, error) {
						if n.Add(1) == 1 { // logs in before the password changes
							<-ctx.Done()
							conn := &fakeConn{db: server, password: "early"}
							switch state {
							case "closed":
								conn.watched = ctx
							case "invalid":
								return invalidConn{conn}, nil
							}
							return conn, nil
						}
						return (&fakeConnector{server, l}).Connect(ctx)
					}), nil
				}
				c := sqlcred.New(client, secretName, open, nil)
				early := make(chan driver.Conn)
				go func() { early <- connect(t.Context(), t, c) }()
				synctest.Wait()
				connect(t.Context(), t, c)
				if got := (<-early).(*fakeConn).password; got != want {
					t.Errorf("connection with password %q, want %q", got, want)
				}
			})
		})
	}
}

type invalidConn struct{ *fakeConn }

func (invalidConn) IsValid() bool { return false }

type connectorFunc func(context.Context) (driver.Conn, error)

func (f connectorFunc) Connect(ctx context.Context) (driver.Conn, error) { return f(ctx) }
func (f connectorFunc) Driver() driver.Driver                            { return fakeDriver{} }

// A driver that ignores its context delays no caller, and a connection it
// returns too late is closed.
func TestDeafDriver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, secretOf("app", "one"))
		server := newFakeDB("app", "one")
		server.latency, server.deaf = 10*time.Second, true
		c := sqlcred.New(client, secretName, server.opener, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := c.Connect(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
		if got := time.Since(start); got > 2*time.Second {
			t.Errorf("returned after %v, want a little more than 1s", got)
		}
		time.Sleep(time.Minute)
		if got := server.connections(); got != 0 {
			t.Errorf("connections left open: %d", got)
		}
	})
}

// The same, when the driver's late answer is an error, and beside it a nil
// pointer that is not a nil connection, as lib/pq has it; or a panic.
func TestDeafDriverFails(t *testing.T) {
	for _, panics := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			_, client := newClient(t, secretOf("app", "one"))
			open := func(sqlcred.Login) (driver.Connector, error) {
				return connectorFunc(func(context.Context) (driver.Conn, error) {
					time.Sleep(time.Minute)
					if panics {
						panic("driver")
					}
					return (*fakeConn)(nil), errors.New("late")
				}), nil
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			conn, err := sqlcred.New(client, secretName, open, nil).Connect(ctx)
			if conn != nil || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, %v, want %v", conn, err, context.DeadlineExceeded)
			}
			time.Sleep(2 * time.Minute)
		})
	}
}

// A connection does not depend on the context of its Connect.
func TestConnectionOutlivesContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, secretOf("app", "one"))
		server := newFakeDB("app", "one")
		server.watches = true
		c := sqlcred.New(client, secretName, server.opener, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		conn := connect(ctx, t, c)
		cancel()
		time.Sleep(2 * time.Second)
		if _, err := conn.(driver.ExecerContext).ExecContext(t.Context(), "", nil); err != nil {
			t.Error(err)
		}
	})
}

// Drivers learn the deadline and the values of the caller's context, and the
// error that it ends with.
func TestLoginContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, secretOf("app", "one"))
		type key struct{}
		saw := make(chan error, 1)
		open := func(sqlcred.Login) (driver.Connector, error) {
			return connectorFunc(func(ctx context.Context) (driver.Conn, error) {
				if d, ok := ctx.Deadline(); !ok || time.Until(d) != time.Second {
					t.Errorf("deadline: got %v, %v, want in 1s", time.Until(d), ok)
				}
				if ctx.Value(key{}) != "v" {
					t.Errorf("the context's values are not there")
				}
				derived, cancel := context.WithTimeout(ctx, time.Hour)
				defer cancel()
				<-derived.Done()
				saw <- ctx.Err()
				return nil, ctx.Err()
			}), nil
		}
		c := sqlcred.New(client, secretName, open, nil)
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "v"), time.Second)
		defer cancel()
		_, err := c.Connect(ctx)
		ended := <-saw // the login goes on for a while without its caller
		if !errors.Is(err, context.DeadlineExceeded) || ended != context.DeadlineExceeded {
			t.Errorf("got %v, and the driver %v, want %v", err, ended, context.DeadlineExceeded)
		}
	})
}

// A driver that panics does so to the caller of Connect, and its place is free.
func TestDriverPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, secretOf("app", "one"))
		open := func(sqlcred.Login) (driver.Connector, error) {
			return connectorFunc(func(context.Context) (driver.Conn, error) { panic("driver") }), nil
		}
		c := sqlcred.New(client, secretName, open, &sqlcred.Options{MaxLogins: 1})
		for range 3 {
			func() {
				defer func() {
					if got := recover(); got != "driver" {
						t.Errorf("recovered %v, want the driver's panic", got)
					}
				}()
				c.Connect(t.Context())
			}()
		}
	})
}
