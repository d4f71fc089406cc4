package rediscred

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/internal/resp"
)

const (
	// verdictWait is how long a login goes on after its caller has left. The
	// password has been sent; without the verdict the next login would send
	// it again.
	verdictWait = time.Second

	// verdictLimit is how long a login may take after the password was sent,
	// whatever its caller's patience: others wait at the gate meanwhile.
	verdictLimit = 10 * time.Second

	// reuse is how long after it was dialed a connection may still be used for
	// another version, after the server refused one: it may close those that
	// do not log in.
	reuse = time.Second
)

// An attempt is one call of DialContext. It is used by one goroutine at a time.
type attempt struct {
	d      *Dialer
	n      *node
	ticket uint64

	conn   *resp.Conn // dialed, not logged in; nil: there is none
	dialed time.Time
	tls    bool // conn uses TLS
}

// offer is a use for secrets.TryOffer: it offers one version to the server.
// The connection is made before there is a place at the gate, so that nobody
// waits for somebody else's handshake.
func (a *attempt) offer(ctx context.Context, o secrets.Offer[*version]) (*Conn, error) {
	v := o.Value
	if err := a.connect(ctx, v); err != nil {
		return nil, err
	}
	p, err := a.n.gate.enter(ctx, a.ticket, v.id, o.Fallback)
	if err != nil {
		return nil, a.rejectedIf(v, err)
	}
	opened := a.n.current()
	if err := a.login(ctx, v, p); err != nil {
		return nil, a.rejectedIf(v, err)
	}
	c := &Conn{Conn: a.conn.Conn, node: a.n, version: v.id, opened: opened, over: a.d.options.retireOver()}
	a.conn = nil
	return c, nil
}

// connect makes a.conn, unless there is one that will do.
func (a *attempt) connect(ctx context.Context, v *version) error {
	cfg := a.d.options.tls(a.n.addr, v.tls)
	if a.conn != nil && a.tls == (cfg != nil) && time.Since(a.dialed) < reuse {
		return nil
	}
	a.drop()
	c, err := a.d.options.dial(ctx, a.n.network, a.n.addr)
	if err != nil {
		return err
	}
	if c == nil {
		return errors.New("rediscred: Options.Dial returned neither a connection nor an error")
	}
	if cfg != nil {
		t := tls.Client(c, cfg)
		if err := t.HandshakeContext(ctx); err != nil {
			c.Close()
			return fmt.Errorf("rediscred: TLS with %s: %w", a.n.addr, err)
		}
		c = t
	}
	a.conn, a.dialed, a.tls = resp.New(c), time.Now(), cfg != nil
	return nil
}

// drop closes the connection that nobody was given.
func (a *attempt) drop() {
	if a.conn != nil {
		a.conn.Close()
		a.conn = nil
	}
}

// login sends the password and waits for the verdict, until ctx ends. Then the
// verdict is waited for in the background. p is left either way.
func (a *attempt) login(ctx context.Context, v *version, p *admission) error {
	conn := a.conn
	_ = conn.SetDeadline(time.Now().Add(verdictLimit)) // a connection that has none is bounded by ctx
	verdict := make(chan error, 1)                     // buffered: the goroutine below never waits
	go func() { verdict <- authenticate(conn, v) }()
	select {
	case err := <-verdict:
		return a.judge(v, p, err, false)
	case <-ctx.Done():
	}
	a.conn = nil
	_ = conn.SetDeadline(time.Now().Add(verdictWait))
	stop := context.AfterFunc(a.d.closing, func() { conn.Close() })
	go func() {
		defer stop()
		_ = a.judge(v, p, <-verdict, true)
		conn.Close()
	}()
	return fmt.Errorf("rediscred: login of user %q at %s: no answer: %w", v.username, a.n.addr, ctx.Err())
}

// authenticate logs in. The error is the server's answer, a protocol error, or
// the connection's.
func authenticate(conn *resp.Conn, v *version) error {
	reply, err := conn.Do(v.auth()...)
	if err != nil {
		return err
	}
	if reply != "OK" || conn.Buffered() > 0 {
		return resp.ErrProtocol
	}
	return conn.SetDeadline(time.Time{})
}

// judge ends a login with the server's verdict.
func (a *attempt) judge(v *version, p *admission, err error, left bool) error {
	var refused error
	answer, isAnswer := errors.AsType[resp.Error](err)
	switch {
	case isAnswer:
		said := &LoginError{Username: v.username, Addr: a.n.addr, Err: scrub(answer, v)}
		err = said
		if IsRefused(answer) {
			refused = refusedError{said}
			err = refused
		}
	case err != nil:
		err = fmt.Errorf("rediscred: login of user %q at %s: %w", v.username, a.n.addr, scrub(err, v))
	}
	a.n.gate.leave(p, err == nil, refused, left)
	return err
}

// rejectedIf marks a refusal for secrets.TryOffer, and notes it for explain. A
// connection whose login failed otherwise is of no further use.
func (a *attempt) rejectedIf(v *version, err error) error {
	refusal, refused := errors.AsType[refusedError](err)
	_, barred := errors.AsType[*barredError](err)
	if !refused && !barred {
		a.drop()
		return err
	}
	answer := fmt.Sprintf("the last answer of %s to user %q: %v", a.n.addr, v.username, refusal.Err)
	a.n.answer.Store(&answer)
	if refused && !barred {
		err = refusal.LoginError
	}
	return secrets.Rejected(err)
}

// explain adds to the error that DialContext ends with what the dialer knows.
func (a *attempt) explain(err error) error {
	if answer := a.n.answer.Load(); answer != nil && errors.As(err, new(*secrets.RejectedError)) {
		return fmt.Errorf("%w; %s", err, *answer)
	}
	return a.d.explain(err)
}
