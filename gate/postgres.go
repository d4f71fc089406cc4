package gate

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"net"
	"sync/atomic"
)

// Postgres wraps conn so that a PostgreSQL login on it calls [Hold].
//
// The returned connection calls Hold just before it sends the message with the
// password or its proof, and [Accepted] when the server has accepted it. Several
// logins can perform the earlier steps at a time, including the first half of
// SCRAM. Nothing may have been sent on conn before. If ctx does not belong to a
// login, Postgres returns conn itself.
//
// If conn is a [tls.Conn], Postgres calls Hold immediately and returns conn
// itself together with Hold's error. A login with channel binding needs the
// *tls.Conn. If conn has no TLS yet and the login requests it, the connection
// cannot see the password later. It then calls Hold before the request, and the
// verdict is known only when the login is over.
//
// Call Postgres in the hook AfterNetConnect of pgx, as package sqlcred does, or
// in a dialer for lib/pq. The returned connection has a method
// NetConn() net.Conn that returns conn.
func Postgres(ctx context.Context, conn net.Conn) (net.Conn, error) {
	p := passOf(ctx)
	if p == nil || conn == nil {
		return conn, nil
	}
	p.g.asks(p)
	if _, ok := conn.(*tls.Conn); ok {
		return conn, Hold(ctx)
	}
	return &postgresConn{Conn: conn, ctx: ctx}, nil
}

// Authentication requests in a message of type R.
const (
	authenticated = 0
	startSASL     = 10
)

// A postgresConn follows the protocol until the server has accepted the login.
// Until then only one goroutine at a time may use it.
type postgresConn struct {
	net.Conn
	ctx  context.Context
	over atomic.Bool // the server has accepted the login, or the protocol is not visible

	begun bool   // something was sent
	asks  uint32 // the server's last authentication request
	head  []byte // the relevant first bytes of the message that is being read
	skip  int    // number of message bytes to skip
}

// NetConn returns the connection below.
func (c *postgresConn) NetConn() net.Conn { return c.Conn }

func (c *postgresConn) Write(b []byte) (int, error) {
	if c.over.Load() {
		return c.Conn.Write(b)
	}
	secures := !c.begun && !isStartup(b)
	c.begun = true
	if secures || c.sendsPassword(b) {
		if err := Hold(c.ctx); err != nil {
			return 0, err
		}
	}
	if secures {
		c.over.Store(true)
	}
	return c.Conn.Write(b)
}

// isStartup reports whether b begins like a startup message. Any other first
// message requests TLS or GSS encryption.
func isStartup(b []byte) bool { return len(b) >= 8 && b[4] == 0 && b[5] == 3 }

// sendsPassword reports whether b is a message after which the server can refuse
// the password.
func (c *postgresConn) sendsPassword(b []byte) bool {
	if len(b) < 5 || b[0] != 'p' {
		return false
	}
	return c.asks != startSASL || !bytes.HasPrefix(b[5:], []byte("SCRAM-"))
}

func (c *postgresConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if !c.over.Load() {
		c.follow(b[:n])
	}
	return n, err
}

// follow parses the server's messages up to the verdict.
func (c *postgresConn) follow(b []byte) {
	for len(b) > 0 {
		if c.skip > 0 {
			n := min(c.skip, len(b))
			c.skip -= n
			b = b[n:]
			continue
		}
		n := min(c.missing(), len(b))
		c.head = append(c.head, b[:n]...)
		b = b[n:]
		if c.missing() > 0 {
			continue
		}
		if c.message(); c.over.Load() {
			return
		}
	}
}

// missing returns how many bytes of a message's head are missing. The head is the
// type and the length, and for a message of type R also the request.
func (c *postgresConn) missing() int {
	if len(c.head) > 0 && c.head[0] == 'R' {
		return 9 - len(c.head)
	}
	return 5 - len(c.head)
}

// message handles a complete head of a message.
func (c *postgresConn) message() {
	c.skip = int(binary.BigEndian.Uint32(c.head[1:5])) + 1 - len(c.head)
	if c.head[0] == 'R' {
		c.asks = binary.BigEndian.Uint32(c.head[5:9])
		if c.asks == authenticated {
			c.over.Store(true)
			Accepted(c.ctx)
		}
	}
	c.head = c.head[:0]
}
