package rotate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/resp"
)

// redisPatience bounds a connection whose context has no deadline.
const redisPatience = time.Minute

// dial connects to a node, with TLS unless the secret is against it.
func (a *RedisACL) dial(ctx context.Context, addr string, l Login) (net.Conn, error) {
	dial := a.opts.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	c, err := dial(ctx, "tcp", addr)
	if err != nil || l.NoTLS {
		return c, err
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if a.opts.TLS != nil {
		cfg = a.opts.TLS.Clone()
	}
	if host, _, err := net.SplitHostPort(addr); cfg.ServerName == "" && err == nil {
		cfg.ServerName = host
	}
	t := tls.Client(c, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return t, nil
}

// login logs in at a node. If the node refuses, the error wraps ErrRefused and
// the server's error. The connection closes when ctx ends.
func (p *redisPlan) login(ctx context.Context, addr string, l Login, label string) (*resp.Conn, error) {
	c, err := p.dial(ctx, addr, l)
	if err != nil {
		return nil, fmt.Errorf("log in with %s: %w", label, err)
	}
	conn := resp.New(endsWith(ctx, c))
	_, err = conn.Do("AUTH", l.Username, l.Password())
	if err == nil {
		return conn, nil
	}
	conn.Close()
	said := p.r.scrub(err)
	if resp.Refused(err) {
		return nil, fmt.Errorf("log in with %s: %w: %w", label, ErrRefused, said)
	}
	return nil, fmt.Errorf("log in with %s: %w", label, errors.Join(said, ctx.Err()))
}

// loginOld logs in at a node with the current password, or with the previous
// one if that is refused. A password that was refused before is not tried.
func (p *redisPlan) loginOld(ctx context.Context, addr string) (*resp.Conn, Login, error) {
	refused := fmt.Errorf("%s: %w", current, ErrRefused) // pending's password, and refused as that
	if p.cur.Password() != p.pend.Password() {
		c, err := p.login(ctx, addr, p.cur, current)
		if err == nil || !errors.Is(err, ErrRefused) {
			return c, p.cur, err
		}
		refused = err
	}
	old, err := p.reader().previous(ctx, p.r, p.cur, p.pend, refused)
	if err != nil {
		return nil, p.cur, err
	}
	c, err := p.login(ctx, addr, old, previous)
	if errors.Is(err, ErrRefused) {
		err = fmt.Errorf("AWSCURRENT is refused, and: %w", err)
	}
	return c, old, err
}

// admin logs in as a user who may ask a node about itself. It tries AWSPENDING
// last, because that may not work yet.
func (p *redisPlan) admin(ctx context.Context, addr string) (*resp.Conn, error) {
	if p.master != nil {
		return p.login(ctx, addr, *p.master, "the master's secret")
	}
	c, _, err := p.loginOld(ctx, addr)
	if errors.Is(err, ErrRefused) {
		if c, e := p.login(ctx, addr, p.pend, pending); !errors.Is(e, ErrRefused) {
			return c, e
		}
		err = fmt.Errorf("AWSPENDING is refused, and: %w", err)
	}
	return c, err
}

// endsWith makes reads and writes of c fail when ctx ends, or after
// redisPatience if ctx has no deadline.
func endsWith(ctx context.Context, c net.Conn) net.Conn {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(redisPatience)
	}
	_ = c.SetDeadline(deadline) // a connection that has none ends by itself
	return &boundConn{c, context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })}
}

type boundConn struct {
	net.Conn
	stop func() bool
}

func (b *boundConn) Close() error {
	b.stop()
	return b.Conn.Close()
}
