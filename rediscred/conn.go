package rediscred

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrRetired is the error of [Conn.SyscallConn] for a connection that should
// leave its pool.
var ErrRetired = errors.New("rediscred: the connection was opened with a version of the secret that is no longer current")

// A Conn is a connection that was logged in by a [Dialer]. It is the connection
// under it (a *net.TCPConn, a *tls.Conn) but for [Conn.SyscallConn].
type Conn struct {
	net.Conn
	node    *node
	version string        // the version it was opened with
	opened  string        // the version that was current then; empty: not known
	over    time.Duration // Options.RetireOver
	leaves  atomic.Int64  // when it retires, in Unix nanoseconds; 0: it was not found out of date
}

// NetConn returns the connection under c.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// VersionID returns the id of the secret's version that c logged in with.
func (c *Conn) VersionID() string { return c.version }

// Retired reports whether c should leave its pool: another version of the
// secret has become current since it was opened, and not the one that it was
// opened with. It begins to report it within Options.RetireOver of the first
// call that finds this. It does no I/O. The server goes on serving the
// connection: Redis checks a password when a connection logs in.
//
// A connection that was opened with a version that was not current, as between
// setSecret and finishSecret, stays when that version becomes current.
func (c *Conn) Retired() bool {
	if c.over < 0 {
		return false
	}
	current := c.node.current()
	if current == "" || c.opened == "" || current == c.opened || current == c.version {
		return false
	}
	now := time.Now()
	if c.leaves.Load() == 0 {
		c.leaves.CompareAndSwap(0, now.Add(rand.N(c.over)).UnixNano())
	}
	return now.UnixNano() >= c.leaves.Load()
}

// SyscallConn implements [syscall.Conn]. go-redis calls it when it takes a
// connection out of its pool, and takes another one if it fails: with
// [ErrRetired], once [Conn.Retired]. For a connection without a file
// descriptor of its own, as with TLS, what it returns calls nothing.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	if c.Retired() {
		return nil, ErrRetired
	}
	if s, ok := c.Conn.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return noRawConn{}, nil
}

// Format prints the address and the version's id, whatever the verb.
func (c *Conn) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "rediscred.Conn(%s version %s)", c.node.addr, c.version)
}

// noRawConn is the raw connection of one that has none.
type noRawConn struct{}

func (noRawConn) Control(func(uintptr)) error    { return nil }
func (noRawConn) Read(func(uintptr) bool) error  { return nil }
func (noRawConn) Write(func(uintptr) bool) error { return nil }
