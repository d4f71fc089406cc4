package redistest

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/integration/redisclients"
	"github.com/seed-74dc7b3e/secrets/rediscred"
)

// With two passwords a rotation costs nothing: no command, no wrong login.
func TestTwoPasswords(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, k redisclients.Kind) {
		r := newRig(t, redis.Server(t), nil)
		stop := r.load(r.pool(k, 30*time.Millisecond), 10)
		before := r.wrongLogins()
		const rotations = 5
		for range rotations {
			r.rotate()
			r.settle()
			time.Sleep(20 * time.Millisecond)
		}
		if n := stop(); n < 100 {
			t.Errorf("%d commands are no load", n)
		}
		// The rotation itself asks whether it is done already.
		if got := r.wrongLogins() - before; got != rotations {
			t.Errorf("got %d wrong logins, want those of setSecret, %d", got, rotations)
		}
	})
}

// With a single password there is a window, which costs one wrong login. On a
// busy machine it may cost a second one, once in hundreds of rotations: see the
// package's documentation.
func TestSinglePassword(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, k redisclients.Kind) {
		r := newRig(t, redis.Server(t), nil)
		stop := r.load(r.pool(k, 30*time.Millisecond), 10)
		const rotations = 5
		var wrong []int // after each
		for range rotations {
			r.rotateSingle(func() { time.Sleep(100 * time.Millisecond) })
			r.settle()
			time.Sleep(20 * time.Millisecond)
			wrong = append(wrong, r.wrongLogins())
		}
		stop()
		if got := r.wrongLogins(); got > rotations+1 || got == 0 {
			t.Errorf("got %d wrong logins in %d rotations, want one in each, and two in one of them at most: %v so far after each", got, rotations, wrong)
		}
	})
}

// Connections that were opened with an old version leave the pool, and no
// command fails by it. rueidis does not ask a connection: its lifetime ends.
func TestOldConnectionsLeave(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, k redisclients.Kind) {
		r := newRig(t, redis.Server(t), &rediscred.Options{RetireOver: time.Millisecond})
		lifetime := time.Duration(0)
		if k.Name == "rueidis" {
			lifetime = 100 * time.Millisecond
		}
		c := r.pool(k, lifetime)
		stop := r.load(c, 4)
		first, err := c.ID(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r.rotate()
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if r.oldest() > first {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("a connection from before the rotation is still there, number %d", first)
			}
		}
		stop()
	})
}

// oldest returns the lowest number of the user's connections.
func (r *rig) oldest() int64 {
	r.Helper()
	oldest := int64(1 << 62)
	for _, c := range r.connections() {
		oldest = min(oldest, c)
	}
	return oldest
}

// A connection is logged in, for anything that can use one.
func TestPlainConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t, redis.Server(t), nil)
	addr, err := r.dialer.Addr(t.Context())
	if err != nil || addr != r.s.Addr() {
		t.Fatalf("got address %q, %v", addr, err)
	}
	c, err := r.dialer.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("ACL WHOAMI\r\n")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, err := c.Read(buf)
	if want := fmt.Sprintf("$%d\r\n%s\r\n", len(r.user), r.user); err != nil || string(buf[:n]) != want {
		t.Errorf("got %q, %v, want %q", buf[:n], err, want)
	}
	if _, ok := c.(*rediscred.Conn).NetConn().(*net.TCPConn); !ok {
		t.Errorf("got %T", c)
	}
}
