package pgxcred_test

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/pgxcred"
)

// A pool lives through rotations: nothing fails, and each costs one wrong login
// with a MaxLogins of 1, at most four by default.
func TestPoolRotation(t *testing.T) {
	for _, logins := range []int{0, 1} {
		bubble(t, func(t *testing.T, r *rig) {
			pool := r.pool(&pgxcred.Options{MaxLogins: logins}, func(c *pgxpool.Config) { c.MaxConns = 20 })
			defer pool.Close()
			for i := range 5 {
				finish := r.setSecret()
				before := r.refusedLogins()
				pool.Reset() // every connection is made anew
				var wg sync.WaitGroup
				for range 40 {
					wg.Go(func() { ask(t, pool) })
				}
				wg.Wait()
				if got := r.refusedLogins() - before; got < 1 || got > 4 || logins == 1 && got > 1 {
					t.Errorf("MaxLogins %d, rotation %d: got %d wrong logins", logins, i, got)
				}
				finish()
				time.Sleep(time.Hour)
				ask(t, pool)
			}
			if pool.Stat().NewConnsCount() < 20 {
				t.Errorf("got %d new connections, want many", pool.Stat().NewConnsCount())
			}
		})
	}
}

// With RetireAfterRotation connections leave the pool after a rotation, when
// they would be acquired, whether they were idle in it or in use.
func TestRetireAfterRotation(t *testing.T) {
	for _, retire := range []bool{true, false} {
		bubble(t, func(t *testing.T, r *rig) {
			pool := r.pool(&pgxcred.Options{RetireAfterRotation: retire}, func(c *pgxpool.Config) { c.MaxConnLifetime = 0 })
			defer pool.Close()
			idle, busy := r.acquire(pool), r.acquire(pool)
			pids := map[uint32]bool{idle.Conn().PgConn().PID(): true, busy.Conn().PgConn().PID(): true}
			idle.Release()
			finish := r.setSecret()
			ask(t, pool)
			if got := pool.Stat().NewConnsCount(); got != 2 {
				t.Errorf("in the rotation: got %d connections made, want 2", got)
			}
			finish()
			if err := r.client.Refresh(t.Context(), secretID); err != nil {
				t.Fatal(err)
			}
			ask(t, busy)
			busy.Release()
			conns := []*pgxpool.Conn{r.acquire(pool), r.acquire(pool)}
			for _, c := range conns {
				ask(t, c)
				if old := pids[c.Conn().PgConn().PID()]; old == retire {
					t.Errorf("retire %t: got a connection from before: %t", retire, old)
				}
				c.Release()
			}
		})
	}
}

func (r *rig) acquire(pool *pgxpool.Pool) *pgxpool.Conn {
	r.t.Helper()
	c, err := pool.Acquire(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// The pool's hooks go on to be called, and what they say counts.
func TestPoolHooks(t *testing.T) {
	for _, deprecated := range []bool{false, true} {
		bubble(t, func(t *testing.T, r *rig) {
			var asked, released int
			pool := r.pool(&pgxcred.Options{RetireAfterRotation: true}, func(c *pgxpool.Config) {
				if deprecated {
					//lint:ignore SA1019 for pools that use it still
					c.BeforeAcquire = func(context.Context, *pgx.Conn) bool { asked++; return asked != 2 }
				} else {
					c.PrepareConn = func(context.Context, *pgx.Conn) (bool, error) { asked++; return asked != 2, nil }
				}
				c.AfterRelease = func(*pgx.Conn) bool { released++; return released != 2 }
			})
			defer pool.Close()
			for range 3 { // the first is let in, the second is not, its successor is not kept
				ask(t, pool)
				synctest.Wait()
			}
			if asked != 4 || released != 3 || pool.Stat().NewConnsCount() != 3 {
				t.Errorf("got asked %d, released %d, connections made %d, want 4, 3 and 3", asked, released, pool.Stat().NewConnsCount())
			}
		})
	}
}

// BeforeConnect sees the configuration as it would be without this package, and
// may change it for one connection.
func TestBeforeConnect(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		n := 0
		pool := r.pool(nil, func(c *pgxpool.Config) {
			c.ConnConfig.ConnectTimeout = 7 * time.Second
			c.ConnConfig.Fallbacks = []*pgconn.FallbackConfig{{Host: "standby.example", Port: 5432}}
			c.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
				if n++; n == 1 {
					return errors.New("not yet")
				}
				if c.ConnectTimeout != 7*time.Second || len(c.Fallbacks) != 1 || c.Host != "db.example" {
					t.Errorf("got %v, %d fallbacks, host %q", c.ConnectTimeout, len(c.Fallbacks), c.Host)
				}
				if c.Fallbacks[0].Host != "standby.example" {
					t.Errorf("got the fallback %q, which another connection has changed", c.Fallbacks[0].Host)
				}
				c.Fallbacks[0].Host = "changed.example"
				c.Host, c.Fallbacks = "other.example", nil
				c.RuntimeParams["application_name"] = "shopd"
				return nil
			}
		})
		defer pool.Close()
		if _, err := pool.Acquire(t.Context()); err == nil || err.Error() != "not yet" {
			t.Errorf("got %v, want the hook's error", err)
		}
		ask(t, pool)
		pool.Reset()
		ask(t, pool)
		if got, want := r.hosts[0], "other.example:5432"; got != want || r.lastLogin()["application_name"] != "shopd" {
			t.Errorf("dialed %q with %v, want %q and the application's name", got, r.lastLogin(), want)
		}
		again, err := pgxpool.NewWithConfig(t.Context(), pool.Config())
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		ask(t, again)
	})
}

// A tracer is shown the user of the last login.
func TestTracer(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		var users connectTracer
		pool := r.pool(nil, func(c *pgxpool.Config) { c.ConnConfig.Tracer = &users })
		defer pool.Close()
		ask(t, pool)
		pool.Reset()
		ask(t, pool)
		if got, want := strings.Join(users, " "), "secret:prod/db app app app"; got != want {
			t.Errorf("users at start and end: got %q, want %q", got, want)
		}
	})
}

type connectTracer []string

func (c *connectTracer) TraceConnectStart(ctx context.Context, d pgx.TraceConnectStartData) context.Context {
	*c = append(*c, d.ConnConfig.User)
	return ctx
}

func (c *connectTracer) TraceConnectEnd(_ context.Context, d pgx.TraceConnectEndData) {
	*c = append(*c, d.Conn.Config().User)
}

func (*connectTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}
func (*connectTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A connect ends after MaxWait, although the pool has put a deadline of its own
// on it.
func TestMaxWait(t *testing.T) {
	for _, test := range []struct{ maxWait, want time.Duration }{
		{0, time.Minute},
		{5 * time.Minute, 5 * time.Minute}, // more than the two minutes of pgxpool
		{10 * time.Second, 10 * time.Second},
	} {
		bubble(t, func(t *testing.T, r *rig) {
			r.silent = make(chan struct{})
			defer close(r.silent)
			pool := r.pool(&pgxcred.Options{MaxWait: test.maxWait}, nil)
			defer pool.Close()
			start := time.Now()
			_, err := pool.Acquire(t.Context())
			if got := time.Since(start); got < test.want || got > test.want+time.Second || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("MaxWait %v: took %v: %v", test.maxWait, got, err)
			}
		})
	}
}

// A pool whose password is nowhere is told why within MaxWait.
func TestRejected(t *testing.T) {
	for _, maxWait := range []time.Duration{0, time.Second} {
		bubble(t, func(t *testing.T, r *rig) {
			r.setPassword("app", "changed by hand")
			pool := r.pool(&pgxcred.Options{MaxWait: maxWait}, nil)
			defer pool.Close()
			start := time.Now()
			_, err := pool.Acquire(t.Context())
			if got := time.Since(start); got > cmp.Or(maxWait, time.Minute)+time.Second {
				t.Errorf("MaxWait %v: took %v", maxWait, got)
			}
			var rejected *secrets.RejectedError
			if !errors.As(err, &rejected) || !strings.Contains(err.Error(), "user=app") {
				t.Errorf("got %v, want a RejectedError of the user", err)
			}
		})
	}
}

// connect_timeout bounds a login at one host, not the wait for another version.
func TestConnectTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.silent = make(chan struct{})
		pool := r.pool(nil, func(c *pgxpool.Config) { c.ConnConfig.ConnectTimeout = 3 * time.Second })
		defer pool.Close()
		defer close(r.silent)
		start := time.Now()
		_, err := pool.Acquire(t.Context())
		if got := time.Since(start); err == nil || got != 3*time.Second {
			t.Errorf("got %v after %v, want an error after 3s", err, got)
		}
		if !pgconn.Timeout(err) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a timeout", err)
		}
	})
}

// Closing a pool ends its logins, those that wait for a version too.
func TestClosePool(t *testing.T) {
	for name, spoil := range map[string]func(*rig){
		"refused": func(r *rig) { r.setPassword("app", "changed by hand") },
		"silent":  func(r *rig) { r.silent = make(chan struct{}) },
	} {
		bubble(t, func(t *testing.T, r *rig) {
			spoil(r)
			pool := r.pool(nil, nil)
			failed := make(chan error, 10)
			for range cap(failed) {
				go func() {
					_, err := pool.Acquire(context.Background())
					failed <- err
				}()
			}
			synctest.Wait()
			start := time.Now()
			pool.Close()
			for range cap(failed) {
				if err := <-failed; err == nil {
					t.Errorf("%s: got a connection", name)
				}
			}
			if got := time.Since(start); got > 100*time.Millisecond {
				t.Errorf("%s: took %v", name, got)
			}
			if r.silent != nil {
				close(r.silent)
			}
			time.Sleep(2 * time.Second) // a login waits for the verdict for a second
		})
	}
}
