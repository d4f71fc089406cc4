package sqlcredtest_test

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
)

// The database moves to another server, with another password, and the old one
// stops, or falls silent. The logins that fail find that out long before the
// secret's TTL is over: at once where the connection is refused, and within five
// seconds where nothing answers. None is offered to the wrong server.
func TestServerMoves(t *testing.T) {
	t.Parallel()
	stops := newRig(t, backends[0], &dbserver.Options{})
	silent := newRigOn(t, backends[0], stops.s)
	next := newRig(t, backends[0], nil)
	var pools []*sql.DB
	for _, r := range []*rig{stops, silent} {
		pools = append(pools, r.pool(t))
		if got, err := serverOf(t.Context(), pools[len(pools)-1]); err != nil || got != fmt.Sprint(r.s.Port) {
			t.Fatalf("before: port %q, %v, want %d", got, err, r.s.Port)
		}
		r.fake.Put(secretID, next.secret(next.user, "moved"))
		r.admin.Close()
	}
	next.exec("ALTER ROLE %s PASSWORD 'moved'", next.user)
	if err := stops.s.Halt(); err != nil {
		t.Fatal(err)
	}
	testMoved(t, pools[0], next, time.Second)
	l, err := net.Listen("tcp4", silent.s.Addr()) // which accepts nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	testMoved(t, pools[1], next, 10*time.Second) // five, and what a busy machine adds
	if got := next.wrongLogins(); got != 0 {
		t.Errorf("wrong logins: got %d, want 0", got)
	}
}

// testMoved has queries go to the server of a rig within a time.
func testMoved(t *testing.T, db *sql.DB, next *rig, limit time.Duration) {
	t.Helper()
	began := time.Now()
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			got, err := serverOf(ctx, db)
			if took := time.Since(began); err != nil || got != fmt.Sprint(next.s.Port) || took > limit {
				t.Errorf("after %v: port %q, %v, want %d within %v", took, got, err, next.s.Port, limit)
			}
		})
	}
	wg.Wait()
	t.Logf("ten queries succeeded within %v", time.Since(began))
}

// serverOf returns the port of the server that a new connection of db leads to.
func serverOf(ctx context.Context, db *sql.DB) (port string, err error) {
	err = db.QueryRowContext(ctx, "SELECT current_setting('port')").Scan(&port)
	return port, err
}
