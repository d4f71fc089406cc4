package gate

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"net"
	"sync/atomic"
)

// Postgres returns a connection for a login in PostgreSQL's protocol, which
// calls [Hold] just before it sends the message that holds the password or what
// stands for it, and [Accepted] when the server has accepted that. All before,
// the first half of SCRAM included, several logins do at a time. Nothing of the
// protocol has been sent on conn. With the context of no login it is conn itself.
//
// A conn that is a [tls.Conn] is returned as it is, because a login that is bound to
// the channel needs it: Hold is called at once, and its error returned. Where conn is not secured by TLS yet and the login asks the server for that,
// the password will be out of sight: then Hold is called before the request, and
// the login alone is what ends it.
//
// It fits the hook AfterNetConnect of pgx, where package sqlcred puts it by
// itself, and the dialer of lib/pq. A method NetConn() net.Conn returns conn.
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

// What the server asks for in a message of type R.
const (
	authenticated = 0
	startSASL     = 10
)

// A postgresConn reads along until the server has accepted the login. Until
// then it is used by one goroutine at a time.
type postgresConn struct {
	net.Conn
	ctx  context.Context
	over atomic.Bool // the server has accepted the login, or it cannot be followed

	begun bool   // something was sent
	asks  uint32 // what the server asked for last
	head  []byte // of the message that is being read, as far as it matters
	skip  int    // bytes of a message that do not matter
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

// isStartup reports whether b begins as the message does with which a login
// begins. What else comes first asks for TLS or another protocol below.
func isStartup(b []byte) bool { return len(b) >= 8 && b[4] == 0 && b[5] == 3 }

// sendsPassword reports whether the server can refuse a password by b.
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

// follow reads what the server sends, up to the verdict.
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

// missing returns how many bytes of the head of a message are missing: its type
// and length, and what a message of type R asks for.
func (c *postgresConn) missing() int {
	if len(c.head) > 0 && c.head[0] == 'R' {
		return 9 - len(c.head)
	}
	return 5 - len(c.head)
}

// message goes by the head of a message.
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
