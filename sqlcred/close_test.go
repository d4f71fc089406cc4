package sqlcred_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// A closingConnector counts its Closes.
type closingConnector struct {
	*fakeConnector
	closed *atomic.Int32
}

func (c closingConnector) Close() error { c.closed.Add(1); return nil }

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, secretOf("app", "one"))
		server := newFakeDB("app", "one")
		var closed atomic.Int32
		c := sqlcred.New(client, secretName, func(l sqlcred.Login) (driver.Connector, error) {
			return closingConnector{&fakeConnector{server, l}, &closed}, nil
		}, nil)
		if d := c.Driver(); d == nil {
			t.Error("no driver before the first connection")
		} else if _, err := d.Open(""); err == nil {
			t.Error("the stand-in for a driver opens connections")
		}
		connect(t.Context(), t, c)
		if d, ok := c.Driver().(fakeDriver); !ok {
			t.Errorf("driver: got %T, want that of the connections", d)
		}
		for range 2 {
			if err := io.Closer(c).Close(); err != nil {
				t.Error(err)
			}
		}
		if closed.Load() != 1 {
			t.Errorf("the driver's connector was closed %d times, want 1", closed.Load())
		}
		if _, err := c.Connect(t.Context()); !errors.Is(err, secrets.ErrClosed) {
			t.Errorf("connect: got %v, want %v", err, secrets.ErrClosed)
		}
	})
}

// Two callers who need the same connector at the same time: one is kept, the
// other closed, also when the pool is closed meanwhile.
func TestOpenAtTheSameTime(t *testing.T) {
	for _, closes := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			_, client := newClient(t, secretOf("app", "one"))
			server := newFakeDB("app", "one")
			var made, closed atomic.Int32
			c := sqlcred.New(client, secretName, func(l sqlcred.Login) (driver.Connector, error) {
				made.Add(1)
				time.Sleep(time.Second)
				return closingConnector{&fakeConnector{server, l}, &closed}, nil
			}, nil)
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					conn, err := c.Connect(t.Context())
					switch {
					case closes && !errors.Is(err, secrets.ErrClosed):
						t.Errorf("connect while closing: got %v, %v, want %v", conn, err, secrets.ErrClosed)
					case !closes && err != nil:
						t.Errorf("connect: %v", err)
					}
				})
			}
			synctest.Wait()
			if closes {
				c.Close()
			}
			wg.Wait()
			c.Close()
			if made.Load() != 3 || closed.Load() != 3 {
				t.Errorf("connectors made %d, closed %d, want 3 of each", made.Load(), closed.Load())
			}
		})
	}
}

// Connects that wait for their turn, for the server, or for a version that is
// accepted end with Close, and none of them logs in afterwards.
func TestCloseWhileConnectsWait(t *testing.T) {
	for _, test := range []struct {
		name     string
		password string // the server's
		deaf     bool   // the driver
		after    time.Duration
	}{
		{"for the server", "one", false, 5 * time.Second},
		{"for a deaf driver", "one", true, 5 * time.Second},
		{"for a version", "another", false, time.Minute + 300*time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, client := newClient(t, secretOf("app", "one"))
				server := newFakeDB("app", test.password)
				server.latency, server.deaf = 10*time.Second, test.deaf
				c := sqlcred.New(client, secretName, server.opener, &sqlcred.Options{MaxLogins: 2, MaxWait: -1})
				var wg sync.WaitGroup
				var ended atomic.Int32
				for range 10 {
					wg.Go(func() {
						conn, err := c.Connect(t.Context())
						if conn != nil || !errors.Is(err, secrets.ErrClosed) {
							t.Errorf("got %v, %v, want %v", conn, err, secrets.ErrClosed)
						}
						ended.Add(1)
					})
				}
				time.Sleep(test.after)
				if err := c.Close(); err != nil {
					t.Error(err)
				}
				logins := len(server.loginsSoFar())
				time.Sleep(200 * time.Millisecond)
				if got := ended.Load(); got != 10 {
					t.Errorf("ended soon after Close: got %d, want 10", got)
				}
				calls := len(srv.Calls())
				wg.Wait()
				time.Sleep(time.Minute)
				if got := len(server.loginsSoFar()); got != logins && !test.deaf || got > logins+2 {
					t.Errorf("logins: %d at Close, %d later", logins, got)
				}
				if got := len(srv.Calls()); got != calls {
					t.Errorf("calls to Secrets Manager: %d at Close, %d later", calls, got)
				}
				if got := server.connections(); got != 0 {
					t.Errorf("connections left open: %d", got)
				}
			})
		})
	}
}

// A context that has ended begins no login and waits for nothing.
func TestEndedContextBeginsNoLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, secretOf("app", "one"))
		server := newFakeDB("app", "one")
		c := sqlcred.New(client, secretName, server.opener, nil)
		defer c.Close()
		connect(t.Context(), t, c)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 1000 {
			if _, err := c.Connect(ctx); !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v, want %v", err, context.Canceled)
			}
		}
		if got := server.begun(); got != 1 {
			t.Errorf("logins: got %d, want 1", got)
		}
	})
}

// Callers who left while they waited for their turn do not log in either.
func TestLeftCallersBeginNoLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, secretOf("app", "one"))
		server := newFakeDB("app", "one")
		server.latency = 50 * time.Millisecond
		c := sqlcred.New(client, secretName, server.opener, &sqlcred.Options{MaxLogins: 1})
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { c.Connect(ctx) })
		}
		wg.Wait()
		time.Sleep(time.Minute)
		if got := server.begun(); got > 2 {
			t.Errorf("logins: got %d, want the one that was under way, and one that came at the same time", got)
		}
	})
}

// A connector is closed when its version is retired and nobody uses it.
func TestRetiredConnectorsAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := newClient(t, secretOf("app", "p0"))
		server := newFakeDB("app", "p0")
		var made, closed atomic.Int32
		c := sqlcred.New(client, secretName, func(l sqlcred.Login) (driver.Connector, error) {
			made.Add(1)
			return closingConnector{&fakeConnector{server, l}, &closed}, nil
		}, nil)
		for i := range 20 {
			connect(t.Context(), t, c).Close()
			next := fmt.Sprint("p", i+1)
			server.setPassword("app", next)
			srv.Put(secretName, secretOf("app", next))
			time.Sleep(10 * time.Minute)
			for range 3 {
				connect(t.Context(), t, c).Close()
			}
			if open := made.Load() - closed.Load(); open > 2 {
				t.Fatalf("after %d rotations %d connectors are open, want 2 at most", i+1, open)
			}
		}
		if got := made.Load(); got > 22 {
			t.Errorf("connectors made: got %d, want one for each of 21 versions", got)
		}
		c.Close()
		if made.Load() != closed.Load() {
			t.Errorf("connectors made %d, closed %d, want each closed once", made.Load(), closed.Load())
		}
	})
}

// As long as a login is under way its connector stays open.
func TestConnectorInUseIsNotClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := newClient(t, secretOf("app", "one"))
		server := newFakeDB("app", "one")
		var closed atomic.Int32
		slow := true
		c := sqlcred.New(client, secretName, func(l sqlcred.Login) (driver.Connector, error) {
			inner := closingConnector{&fakeConnector{server, l}, &closed}
			if !slow {
				return inner, nil
			}
			slow = false
			return slowConnector{inner, &closed, t}, nil
		}, &sqlcred.Options{MaxWait: -1})
		go c.Connect(t.Context())
		synctest.Wait()
		server.setPassword("app", "two")
		srv.Put(secretName, secretOf("app", "two"))
		time.Sleep(10 * time.Minute)
		for range 15 {
			time.Sleep(time.Minute)
			connect(t.Context(), t, c).Close()
		}
		if got := closed.Load(); got != 0 {
			t.Errorf("connectors closed while a login is under way: %d", got)
		}
		time.Sleep(time.Hour)
		connect(t.Context(), t, c).Close()
		if got := closed.Load(); got != 1 {
			t.Errorf("connectors closed after it: got %d, want 1", got)
		}
		c.Close()
	})
}

// A slowConnector takes half an hour, and fails.
type slowConnector struct {
	closingConnector
	closed *atomic.Int32
	t      *testing.T
}

func (c slowConnector) Connect(context.Context) (driver.Conn, error) {
	time.Sleep(30 * time.Minute)
	if c.closed.Load() != 0 {
		c.t.Error("closed under a login")
	}
	return nil, dialError
}
