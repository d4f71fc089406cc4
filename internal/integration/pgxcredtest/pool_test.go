package pgxcredtest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/pgxcred"
)

// A load is goroutines that query through a pool, each with a connection of its
// own that is not used again.
type load struct {
	over    atomic.Bool
	wg      sync.WaitGroup
	queries []atomic.Int64 // of each goroutine; -1 when it has failed
}

// load queries with n goroutines until stop. No query may fail.
func (r *rig) load(pool *pgxpool.Pool, n int) *load {
	l := &load{queries: make([]atomic.Int64, n)}
	r.t.Cleanup(func() { l.stop() })
	for i := range n {
		l.wg.Go(func() {
			for !l.over.Load() {
				if err := r.query(pool); err != nil {
					r.t.Errorf("query: %v", err)
					l.queries[i].Store(-1)
					return
				}
				l.queries[i].Add(1)
				time.Sleep(rand.N(100 * time.Millisecond))
			}
		})
	}
	return l
}

func (r *rig) query(pool *pgxpool.Pool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var got int
	return pool.QueryRow(ctx, "SELECT 1").Scan(&got)
}

// stop lets the queries under way finish, and returns how many there were.
func (l *load) stop() (n int64) {
	l.over.Store(true)
	l.wg.Wait()
	for i := range l.queries {
		n += max(0, l.queries[i].Load())
	}
	return n
}

// turn waits until each goroutine has begun and finished another query.
func (l *load) turn() {
	from := make([]int64, len(l.queries))
	for i := range from {
		from[i] = l.queries[i].Load()
	}
	for i, was := range from {
		for n := was; n >= 0 && n < was+2; n = l.queries[i].Load() {
			time.Sleep(time.Millisecond)
		}
	}
}

// once makes a pool use each connection for one query.
func once(c *pgxpool.Config) {
	c.MaxConns = 30
	c.AfterRelease = func(*pgx.Conn) bool { return false }
}

// Rotations under load cost no query, and at most MaxLogins wrong logins each.
// Nothing is left when the pool is closed.
func TestRotationUnderLoad(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		logins := 1
		if r.way.name == "plain" {
			logins = 4
		}
		pool := r.pool(&pgxcred.Options{MaxLogins: logins}, once)
		l := r.load(pool, 10)
		l.turn()
		const rotations = 4
		for i := range rotations {
			before := r.wrongLogins()
			finish := r.setSecret()
			time.Sleep(rand.N(100 * time.Millisecond))
			finish()
			l.turn()
			if got := r.wrongLogins() - before; got > logins || logins == 1 && got != 1 {
				t.Errorf("rotation %d: %d wrong logins, want at most %d, and 1 of 1", i, got, logins)
			}
		}
		t.Logf("%d queries, %d wrong logins in %d rotations", l.stop(), r.wrongLogins(), rotations)
		pool.Close()
		r.sessions(0)
	})
}

// With alternating users no login is wrong.
func TestAlternatingUsers(t *testing.T) {
	t.Parallel()
	r := newRig(t, shared(t), ways[0])
	users := [2]string{r.user, r.user + "_clone"}
	r.addUser(users[1])
	pool := r.pool(nil, once)
	defer pool.Close()
	for i := range 4 {
		l := r.load(pool, 10)
		next, password := users[(i+1)%2], fmt.Sprint("p", i+1)
		pending := r.fake.PutPending(secretID, r.secret(next, password))
		exec(t, r.admin, "ALTER ROLE %s PASSWORD '%s'", next, password)
		time.Sleep(50 * time.Millisecond)
		r.fake.MoveStage(secretID, secrets.Current, pending)
		if err := r.client.Refresh(t.Context(), secretID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		l.stop() // the next rotation is days later: no login that began before is still waiting
	}
	if got := r.wrongLogins(users[1]); got != 0 {
		t.Errorf("wrong logins: got %d, want 0", got)
	}
}

// With RetireAfterRotation all connections of a busy pool are new after a
// rotation, and no query fails by it.
func TestRetireAfterRotation(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		pool := r.pool(&pgxcred.Options{RetireAfterRotation: true}, func(c *pgxpool.Config) { c.MaxConns = 10 })
		defer pool.Close()
		l := r.load(pool, 10)
		l.turn()
		r.setSecret()()
		if err := r.client.Refresh(t.Context(), secretID); err != nil {
			t.Fatal(err)
		}
		finished := time.Now()
		l.turn()
		l.stop()
		for range pool.Stat().IdleConns() { // the load need not have used every one
			if err := r.query(pool); err != nil {
				t.Error(err)
			}
		}
		var old int
		for _, c := range pool.AcquireAllIdle(t.Context()) {
			defer c.Release()
		}
		err := r.admin.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND backend_start < $2",
			r.user, finished).Scan(&old)
		if err != nil || old != 0 {
			t.Errorf("got %d connections from before the rotation, error %v, want none", old, err)
		}
	})
}

// A pool that nobody can log in for says why, and closes at once.
func TestClosePool(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		exec(t, r.admin, "ALTER ROLE %s PASSWORD 'changed by hand'", r.user)
		pool := r.pool(&pgxcred.Options{MaxWait: 2 * time.Second}, nil)
		err := pool.Ping(t.Context())
		var rejected *secrets.RejectedError
		if !errors.As(err, &rejected) || !strings.Contains(err.Error(), "28P01") {
			t.Errorf("got %v, want a RejectedError with the server's answer", err)
		}
		failed := make(chan error, 10)
		for range cap(failed) {
			go func() { failed <- pool.Ping(context.Background()) }()
		}
		time.Sleep(20 * time.Millisecond)
		start := time.Now()
		pool.Close()
		for range cap(failed) {
			if err := <-failed; err == nil {
				t.Error("got a connection")
			}
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("Close took %v", took)
		}
		r.sessions(0)
	})
}
