package rediscred_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets/rediscred"
)

// rotate makes a version that the server takes too, and has it be current.
func (r *rig) rotate(password string) {
	r.Helper()
	id := r.srv.PutPending(secretID, secret(password))
	r.redis.password("app", "one", password)
	r.srv.MoveStage(secretID, "AWSCURRENT", id)
	if err := r.client.Refresh(r.Context(), secretID); err != nil {
		r.Fatal(err)
	}
}

// Connections of an old version retire after a rotation, not all at once.
func TestRetired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		var old []*rediscred.Conn
		for range 20 {
			old = append(old, r.mustDial())
		}
		retired := func() (n int) {
			for _, c := range old {
				if c.Retired() {
					n++
				}
			}
			return n
		}
		if n := retired(); n != 0 {
			t.Errorf("%d are retired before the rotation", n)
		}
		r.rotate("two")
		if n := retired(); n > 5 {
			t.Errorf("%d are retired at once, want few", n)
		}
		time.Sleep(5 * time.Second)
		if n := retired(); n == 0 || n == 20 {
			t.Errorf("%d are retired after half of RetireOver, want some", n)
		}
		time.Sleep(5 * time.Second)
		if n := retired(); n != 20 {
			t.Errorf("%d are retired after RetireOver, want 20", n)
		}
		if _, err := old[0].SyscallConn(); !errors.Is(err, rediscred.ErrRetired) {
			t.Errorf("got %v, want ErrRetired", err)
		}
		fresh := r.mustDial()
		if fresh.Retired() {
			t.Error("a new connection is retired")
		}
		raw, err := fresh.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		called := func(uintptr) bool { t.Error("there is no file descriptor"); return true }
		if err := errors.Join(raw.Read(called), raw.Write(called), raw.Control(func(uintptr) { called(0) })); err != nil {
			t.Error(err)
		}
	})
}

// A connection that was opened with the pending version stays when that
// becomes current; and with a negative RetireOver all stay.
func TestNotRetired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.mustDial()
		id := r.srv.PutPending(secretID, secret("two"))
		r.redis.password("app", "two")
		c := r.mustDial()
		if c.VersionID() != id {
			t.Fatalf("got version %s, want the pending one", c.VersionID())
		}
		for _, stage := range []string{"AWSPENDING", "AWSCURRENT"} {
			r.srv.MoveStage(secretID, stage, id)
			if err := r.client.Refresh(t.Context(), secretID); err != nil {
				t.Fatal(err)
			}
			c.Retired()
			time.Sleep(time.Minute)
			if c.Retired() {
				t.Errorf("the connection is retired while its version is %s", stage)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &rediscred.Options{RetireOver: -1})
		c := r.mustDial()
		r.rotate("two")
		time.Sleep(time.Minute)
		if c.Retired() {
			t.Error("the connection is retired, want it to stay")
		}
	})
}

// A connection with a file descriptor shows it, for health checks.
func TestSyscallConn(t *testing.T) {
	r := newRig(t, &rediscred.Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			r.redis.serve(c)
		}
	}()
	d := rediscred.New(r.client, secretID, nil)
	c, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	called := false
	if err := raw.Control(func(uintptr) { called = true }); err != nil || !called {
		t.Errorf("got %v, called: %t", err, called)
	}
	if _, ok := c.(*rediscred.Conn).NetConn().(*net.TCPConn); !ok {
		t.Errorf("got %T under the connection", c.(*rediscred.Conn).NetConn())
	}
}

// The nodes of a cluster change one after the other: what works at one of them
// is not offered to another because of that.
func TestNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		second := newFakeRedis("app", "one")
		servers := map[string]*fakeRedis{"a:6379": r.redis, "b:6379": second}
		r.dialer = rediscred.New(r.client, secretID, &rediscred.Options{
			Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				return servers[addr].dial(ctx, network, addr)
			},
		})
		r.srv.PutPending(secretID, secret("two"))
		r.redis.password("app", "two")
		for range 3 {
			for addr := range servers {
				if _, err := r.dial(t.Context(), addr); err != nil {
					t.Errorf("%s: %v", addr, err)
				}
			}
		}
		if wrong, _, _ := r.redis.counts(); wrong != 1 {
			t.Errorf("got %d wrong logins at the node that changed, want 1", wrong)
		}
		if wrong, _, _ := second.counts(); wrong != 0 || slices.Contains(second.sent(), "AUTH app two") {
			t.Errorf("got %d wrong logins at the other, sent %q", wrong, second.sent())
		}
	})
}

// A dialer remembers a bounded number of addresses, those in use among them.
func TestManyNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		kept := r.mustDial()
		for i := range 1000 {
			time.Sleep(time.Second)
			c, err := r.dialer.DialContext(t.Context(), "tcp", net.JoinHostPort("10.0.0.1", string(rune('a'+i))))
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		}
		if n := rediscred.Nodes(r.dialer); n != rediscred.MaxNodes {
			t.Errorf("%d addresses are remembered, want %d", n, rediscred.MaxNodes)
		}
		r.rotate("two")
		kept.Retired()
		time.Sleep(10 * time.Second)
		if !kept.Retired() {
			t.Error("a connection to an address that was forgotten does not retire")
		}
	})
}
