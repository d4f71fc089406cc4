package sqlcred_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// A caller leaves when its password has been sent and the verdict is on its
// way. The server counts that login, so the next one must not make it two.
func TestLoginOfLeftCallerIsSeenThrough(t *testing.T) {
	for _, how := range []string{"deadline", "cancel"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, client := newClient(t, secretOf("app", "one"))
				srv.PutPending(secretName, secretOf("app", "two"))
				server := newFakeDB("app", "two")
				server.latency = 100 * time.Millisecond
				c := sqlcred.New(client, secretName, server.opener, &sqlcred.Options{MaxLogins: 1})
				defer c.Close()
				ctx, cancel := context.WithCancel(t.Context())
				if how == "deadline" {
					ctx, cancel = context.WithTimeout(t.Context(), 150*time.Millisecond)
				}
				defer cancel()
				var wg sync.WaitGroup
				wg.Go(func() {
					start := time.Now()
					_, err := c.Connect(ctx)
					if !errors.Is(err, ctx.Err()) || !strings.Contains(err.Error(), `user "app" at db:5432`) {
						t.Errorf("the caller who leaves: got %v, want %v, and the user and the host", err, ctx.Err())
					}
					if got := time.Since(start); got > 170*time.Millisecond {
						t.Errorf("the caller who leaves waited %v, want 150ms and a moment", got)
					}
				})
				synctest.Wait()
				for range 5 {
					wg.Go(func() { connect(t.Context(), t, c) })
				}
				time.Sleep(150 * time.Millisecond)
				cancel()
				wg.Wait()
				if got := server.wrongLogins(); got != 1 {
					t.Errorf("wrong logins: got %d, want 1", got)
				}
			})
		})
	}
}

// The connection that comes of a login without a caller is closed, and the
// place at the gate is free.
func TestConnectionOfLeftCallerIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, secretOf("app", "one"))
		server := newFakeDB("app", "one")
		server.latency = 100 * time.Millisecond
		c := sqlcred.New(client, secretName, server.opener, &sqlcred.Options{MaxLogins: 1})
		defer c.Close()
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
			if _, err := c.Connect(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v, want %v", err, context.DeadlineExceeded)
			}
			cancel()
			time.Sleep(time.Second)
		}
		if got := server.connections(); got != 0 {
			t.Errorf("connections left open: %d", got)
		}
		connect(t.Context(), t, c)
	})
}

// A login without a caller holds its place for a second, not longer.
func TestHungLoginGivesItsPlaceAway(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			_, client := newClient(t, secretOf("app", "one"))
			server := newFakeDB("app", "one")
			var n atomic.Int32
			c := sqlcred.New(client, secretName, func(l sqlcred.Login) (driver.Connector, error) {
				return connectorFunc(func(ctx context.Context) (driver.Conn, error) {
					if n.Add(1) > 1 {
						return (&fakeConnector{server, l}).Connect(ctx)
					}
					if deaf {
						time.Sleep(time.Hour)
					}
					<-ctx.Done()
					return nil, ctx.Err()
				}), nil
			}, &sqlcred.Options{MaxLogins: 1})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			go c.Connect(ctx)
			synctest.Wait()
			start := time.Now()
			connect(t.Context(), t, c)
			if got := time.Since(start); got < 2*time.Second || got > 2500*time.Millisecond {
				t.Errorf("the next got the place after %v, want 2s and a little", got)
			}
			c.Close()
			time.Sleep(2 * time.Hour)
		})
	}
}

// The answer of a driver that returns after its caller left still counts.
func TestLateRefusalCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, secretOf("app", "one"))
		server := newFakeDB("app", "another")
		server.latency, server.deaf = 5*time.Second, true
		c := sqlcred.New(client, secretName, server.opener, &sqlcred.Options{MaxLogins: 1})
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c.Connect(ctx)
		time.Sleep(10 * time.Second)
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Connect(ctx)
		if !errors.As(err, new(*secrets.RejectedError)) || !errors.As(err, new(*stateError)) {
			t.Errorf("got %v, want a RejectedError with the late answer", err)
		}
		if got := server.wrongLogins(); got != 1 {
			t.Errorf("wrong logins: got %d, want 1", got)
		}
	})
}

// Callers of every patience, near and far servers, rotations of every length:
// with one login at a time the server sees each wrong password once.
func TestImpatientCallersInRotations(t *testing.T) {
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) { impatient(t, rand.New(rand.NewPCG(seed, 0)), seed) })
	}
}

func impatient(t *testing.T, r *rand.Rand, seed uint64) {
	srv, client := newClient(t, secretOf("app", "p0"))
	server := newFakeDB("app", "p0")
	server.latency = time.Duration(1+r.IntN(40)) * time.Millisecond
	c := sqlcred.New(client, secretName, server.opener, &sqlcred.Options{MaxLogins: 1})
	defer c.Close()
	var over atomic.Bool
	var wg sync.WaitGroup
	for range 8 {
		patience, pause := time.Duration(1+r.IntN(150))*time.Millisecond, time.Duration(r.IntN(40))*time.Millisecond
		wg.Go(func() {
			for !over.Load() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				if conn, err := c.Connect(ctx); err == nil {
					conn.Close()
				}
				cancel()
				time.Sleep(pause)
			}
		})
	}
	for i := range 5 {
		time.Sleep(time.Duration(2000+r.IntN(5000)) * time.Millisecond)
		next := fmt.Sprint("p", i+1)
		pending := srv.PutPending(secretName, secretOf("app", next))
		time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
		server.setPassword("app", next)
		time.Sleep(time.Duration(r.IntN(2000)) * time.Millisecond)
		srv.MoveStage(secretName, secrets.Current, pending)
	}
	time.Sleep(10 * time.Second)
	over.Store(true)
	wg.Wait()
	for password, n := range server.wrongBy() {
		if n > 1 {
			t.Errorf("seed %d, latency %v: %d wrong logins with %s, want 1 at most", seed, server.latency, n, password)
		}
	}
}
