package sqlcredtest_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// A load is goroutines that query through a pool.
type load struct {
	over atomic.Bool
	wg   sync.WaitGroup
	done []atomic.Int64 // queries of each goroutine; -1 when it has failed
}

// rest is a pause between two queries of a goroutine, at most.
const rest = 100 * time.Millisecond

// load queries through db with n goroutines until stop: each logs in, queries,
// and rests a while. No query may fail.
func (r *rig) load(db *sql.DB, n int, rest time.Duration) *load {
	r.t.Helper()
	db.SetMaxIdleConns(-1)
	l := &load{done: make([]atomic.Int64, n)}
	r.t.Cleanup(func() { l.stop() })
	for i := range l.done {
		l.wg.Go(func() {
			for !l.over.Load() {
				if err := r.query(db); err != nil {
					r.t.Errorf("query: %v", err)
					l.done[i].Store(-1)
					return
				}
				l.done[i].Add(1)
				time.Sleep(rand.N(rest))
			}
		})
	}
	return l
}

// stop lets the queries under way finish, and returns how many there were.
func (l *load) stop() (queries int64) {
	l.over.Store(true)
	l.wg.Wait()
	for i := range l.done {
		queries += max(0, l.done[i].Load())
	}
	return queries
}

// turn waits until each goroutine has begun and finished another query.
func (l *load) turn() {
	from := make([]int64, len(l.done))
	for i := range l.done {
		from[i] = l.done[i].Load()
	}
	for i := range l.done {
		for n := from[i]; n >= 0 && n < from[i]+2; n = l.done[i].Load() {
			time.Sleep(time.Millisecond)
		}
	}
}

// Rotations of a single user's password under load cost no query, and at most
// MaxLogins wrong logins each.
func TestRotationUnderLoad(t *testing.T) {
	t.Parallel()
	const rotations = 8
	for _, b := range backends {
		for _, max := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s/%d", b.name, max), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, b, nil)
				db := sql.OpenDB(r.connector(&sqlcred.Options{MaxLogins: max}))
				defer db.Close()
				l := r.load(db, 20, rest)
				l.turn()
				for i := range rotations {
					before := r.wrongLogins()
					finish := r.setSecret()
					time.Sleep(rand.N(rest))
					finish()
					l.turn()
					if got := r.wrongLogins() - before; got > max || max == 1 && got != 1 {
						t.Errorf("rotation %d: %d wrong logins, want at most %d, and 1 of 1", i, got, max)
					}
				}
				t.Logf("%d queries, %d wrong logins in %d rotations", l.stop(), r.wrongLogins(), rotations)
			})
		}
	}
}

// With one login at a time a server that blocks after three wrong passwords
// never does.
func TestRotationNeverBlocksTheAccount(t *testing.T) {
	t.Parallel()
	r := newRig(t, backends[2], &dbserver.Options{Settings: []string{"max_password_errors=3"}})
	db := sql.OpenDB(r.connector(&sqlcred.Options{MaxLogins: 1}))
	defer db.Close()
	l := r.load(db, 20, rest)
	for range 12 {
		finish := r.setSecret()
		l.turn()
		finish()
		l.turn()
	}
	l.stop()
}

// Logins that are given up do not add up to a blocked host: each rotation ends
// with one that succeeds.
func TestRotationNeverBlocksTheHost(t *testing.T) {
	t.Parallel()
	needNames(t)
	b := backends[2]
	b.open = openFarMySQL
	r := newRig(t, b, hostOptions("4")) // one more than a rotation can give up
	db := sql.OpenDB(r.connector(nil))
	defer db.Close()
	l := r.load(db, 20, time.Millisecond) // all of them are logging in all the time
	for range 20 {
		finish := r.setSecret()
		time.Sleep(rand.N(100 * time.Millisecond))
		finish()
		// Once the rotation is known to be over there are four logins at a
		// time, of which three may have to be given up.
		if err := r.client.Refresh(t.Context(), secretID); err != nil {
			t.Fatal(err)
		}
		l.turn()
	}
	l.stop()
	var name string
	var aborted int
	if err := r.admin.QueryRowContext(t.Context(), "SHOW GLOBAL STATUS LIKE 'Aborted_connects_preauth'").Scan(&name, &aborted); err != nil {
		t.Fatal(err)
	}
	if aborted == 0 {
		t.Error("no login was given up in its handshake: this shows nothing")
	}
	t.Logf("%d logins were given up in their handshake, %d were refused, in 20 rotations", aborted, r.wrongLogins())

	// The server would have blocked the host, had they been more.
	for range 4 {
		conn, err := elsewhere.Dial("tcp", r.s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		conn.Read(make([]byte, 1))
		conn.Close()
	}
	for range 100 {
		if r.hostErrors() >= 4 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	var myErr *mysql.MySQLError
	if err := r.login(r.user, fmt.Sprint("p", r.n), r.s.Database); !errors.As(err, &myErr) || myErr.Number != 1129 {
		t.Errorf("after 4 more: got %v, want the host blocked", err)
	}
}

// openFarMySQL is openMySQL to a server that is some milliseconds away.
func openFarMySQL(l sqlcred.Login) (driver.Connector, error) {
	dsn, err := l.DSN("mysql", nil)
	if err != nil {
		return nil, err
	}
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := elsewhere.DialContext(ctx, network, addr)
		return farConn{conn}, err
	}
	return mysql.NewConnector(cfg)
}

type farConn struct{ net.Conn }

func (c farConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	time.Sleep(rand.N(5 * time.Millisecond))
	return n, err
}

// With alternating users the password in use is valid until the rotation after
// next: no login is refused.
func TestAlternatingUsers(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		users := [2]string{r.user, r.user + "_clone"}
		r.addUser(users[1], "p0")
		db := sql.OpenDB(r.connector(nil))
		defer db.Close()
		for i := range 6 {
			l := r.load(db, 20, rest)
			next := users[(i+1)%2]
			password := fmt.Sprint("p", i+1)
			pending := r.fake.PutPending(secretID, r.secret(next, password))
			r.exec(r.alter, next, password)
			time.Sleep(50 * time.Millisecond)
			r.fake.MoveStage(secretID, secrets.Current, pending)
			time.Sleep(50 * time.Millisecond)
			if err := r.client.Refresh(t.Context(), secretID); err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
			l.stop() // the next rotation is days later: no login that began before is still waiting
		}
		if got := r.wrongLogins(); got != 0 {
			t.Errorf("wrong logins: got %d, want 0", got)
		}
	})
}
