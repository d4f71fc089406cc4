package rediscred

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/gate"
	"github.com/seed-74dc7b3e/secrets/internal/resp"
)

// verdictLimit is how long a login may take after the password was sent,
// regardless of its caller's deadline. Other logins wait for the verdict.
const verdictLimit = 10 * time.Second

// connect logs in with one version of the secret. It makes the connection before
// it waits at the gate to send the password, so that no login waits for the
// handshake of another one.
func (d *Dialer) connect(ctx context.Context, n *node, o secrets.Offer[*version]) (*Conn, error) {
	v := o.Value
	opened := n.current()
	conn, err := d.dial(ctx, n, v)
	if err != nil {
		return nil, err
	}
	if err := gate.Hold(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	if err := authenticate(ctx, conn, v); err != nil {
		conn.Close()
		return nil, n.judge(v, err)
	}
	return &Conn{Conn: conn.Conn, node: n, version: v.id, opened: opened, over: d.options.retireOver()}, nil
}

// dial makes a connection that is not logged in.
func (d *Dialer) dial(ctx context.Context, n *node, v *version) (*resp.Conn, error) {
	c, err := d.options.dial(ctx, n.network, n.addr)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, errors.New("rediscred: Options.Dial returned neither a connection nor an error")
	}
	cfg := d.options.tls(n.addr, v.tls)
	if cfg == nil {
		return resp.New(c), nil
	}
	t := tls.Client(c, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("rediscred: TLS with %s: %w", n.addr, err)
	}
	return resp.New(t), nil
}

// authenticate logs in. The error is the server's answer, a protocol error, or
// an error of the connection. authenticate returns when ctx ends.
func authenticate(ctx context.Context, conn *resp.Conn, v *version) error {
	if err := conn.SetDeadline(time.Now().Add(verdictLimit)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	reply, err := conn.Do(v.auth()...)
	switch {
	case !stop():
		return context.Cause(ctx)
	case err != nil:
		return err
	case reply != "OK", conn.Buffered() > 0:
		return resp.ErrProtocol
	}
	return conn.SetDeadline(time.Time{})
}

// judge returns the error of a login without passwords. It marks a refusal for
// the gate and records it for explain.
func (n *node) judge(v *version, err error) error {
	answer, ok := errors.AsType[resp.Error](err)
	if !ok {
		return fmt.Errorf("rediscred: login of user %q at %s: %w", v.username, n.addr, scrub(err, v))
	}
	said := &LoginError{Username: v.username, Addr: n.addr, Err: scrub(answer, v)}
	if !IsRefused(answer) {
		return said
	}
	text := fmt.Sprintf("the last answer of %s to user %q: %v", n.addr, v.username, said.Err)
	n.answer.Store(&text)
	return gate.Refused(said)
}

// explain adds what is known about the node to the error of DialContext.
func (n *node) explain(err error) error {
	if answer := n.answer.Load(); answer != nil && errors.As(err, new(*secrets.RejectedError)) {
		return fmt.Errorf("%w; %s", err, *answer)
	}
	return err
}
