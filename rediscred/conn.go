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

// ErrRetired is the error of [Conn.SyscallConn] for a retired connection. The
// connection should leave its pool.
var ErrRetired = errors.New("rediscred: the connection was opened with a version of the secret that is no longer current")

// A Conn is a connection that a [Dialer] has logged in. Except for
// [Conn.SyscallConn], it behaves like the connection that it wraps, a
// *net.TCPConn or a *tls.Conn.
type Conn struct {
	net.Conn
	node    *node
	version string        // the version it was opened with
	opened  string        // the version that was current then; empty: not known
	over    time.Duration // Options.RetireOver
	leaves  atomic.Int64  // when it retires, in Unix nanoseconds; 0: it was not found out of date
}

// NetConn returns the connection that c wraps.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// VersionID returns the id of the secret version that c logged in with.
func (c *Conn) VersionID() string { return c.version }

// Retired reports whether c should leave its pool. c retires once a version
// other than its own has become current since it was opened.
//
// The first call that finds this starts a random delay of up to
// Options.RetireOver, after which Retired reports true. Retired does no I/O. The
// server keeps serving the connection, because Redis checks a password only when
// a connection logs in.
//
// A connection opened with a version that was not current, as between setSecret
// and finishSecret, does not retire when that version becomes current.
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

// SyscallConn implements [syscall.Conn]. Once [Conn.Retired] reports true, it
// returns [ErrRetired]. go-redis calls SyscallConn when it takes a connection out
// of its pool, and takes another connection if it fails.
//
// If the connection has no file descriptor of its own, as with TLS, the methods
// of the result call no function.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	if c.Retired() {
		return nil, ErrRetired
	}
	if s, ok := c.Conn.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return noRawConn{}, nil
}

// Format implements [fmt.Formatter]. Every verb prints the address and the
// version id.
func (c *Conn) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "rediscred.Conn(%s version %s)", c.node.addr, c.version)
}

// noRawConn is the raw connection for a connection without a file descriptor.
type noRawConn struct{}

func (noRawConn) Control(func(uintptr)) error    { return nil }
func (noRawConn) Read(func(uintptr) bool) error  { return nil }
func (noRawConn) Write(func(uintptr) bool) error { return nil }
