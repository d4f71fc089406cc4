package gate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

const (
	// grace is how long a caller whose context has ended waits for the driver.
	// The driver has the same deadline and may return a more useful error.
	grace = 10 * time.Millisecond

	// verdictWait is how long a login goes on after its caller has left. The
	// server may have counted its password as wrong. If the login were canceled
	// at this point, there would be no verdict, and the next login would be
	// wrong too.
	verdictWait = time.Second

	// lingering is how long the gate waits for a driver that was told to stop. A
	// driver that ignores its context then finishes in the background.
	lingering = 100 * time.Millisecond
)

var errStopped = errors.New("gate: another login with the same version was refused")

// A Conn is a connection that a login makes.
type Conn interface{ Close() error }

// A Login is one login with one version of a secret, for [Run]. Only the field
// Connect is required.
type Login[C Conn] struct {
	Ticket   Ticket // the caller's place in the queue
	Version  string // the version id
	Stage    string // the staging label under which the version is offered
	Fallback bool   // see [secrets.Offer]

	// Connect logs in. It returns an error of [Refused] if the server refused
	// the version. Its context has the values and the deadline of Run's
	// context. It ends one second after the caller's context ends, or when
	// another login with the version is refused.
	Connect func(context.Context) (C, error)

	// Final reports whether Run returns an error of Connect even if the login
	// was told to stop. Nil means that it returns no such error.
	Final func(error) bool

	// Alive reports whether a connection is usable although its login was told
	// to stop. Nil means that no such connection is.
	Alive func(context.Context, C) bool

	// Release, if not nil, is called once, when the login is over or if it
	// does not begin.
	Release func()

	// Target describes the account and the server, for errors.
	Target string
}

// Run waits for the login's turn at the gate, logs in, and returns the
// connection.
//
// If the server refused the version, in this login or in another one a moment
// ago, the error is [secrets.Rejected] of a [*RefusedError]. If ctx ends first, it
// is the error of ctx. After [Gate.Close] it is [secrets.ErrClosed]. Otherwise Run
// returns the error of Connect unchanged. Run panics if Connect panics.
//
// If ctx ends while the login is under way, the login goes on in the background
// for up to one second to learn whether the server accepts the password. Its
// connection is closed.
func Run[C Conn](ctx context.Context, g *Gate, l Login[C]) (C, error) {
	var none C
	g.isMade()
	if l.Connect == nil {
		panic("gate: Run: Login.Connect is nil")
	}
	if l.Ticket == 0 {
		l.Ticket = g.Ticket()
	}
	if l.Release == nil {
		l.Release = func() {}
	}
	p, err := g.enter(ctx, uint64(l.Ticket), l.Version, l.Stage, l.Fallback)
	if err != nil {
		l.Release()
		return none, rejectedIf(err)
	}
	r := &run[C]{g: g, login: &l, place: p}
	conn, err := r.do(ctx)
	return conn, rejectedIf(err)
}

// rejectedIf marks a refusal for secrets.Try.
func rejectedIf(err error) error {
	return secrets.RejectedIf(err, func(err error) bool { return errors.As(err, new(*RefusedError)) })
}

// A run is one login under way. It occupies a place at the gate until it is over.
type run[C Conn] struct {
	g     *Gate
	login *Login[C]
	place *pass

	caller context.Context
	ctx    *loginContext   // Connect's
	done   chan outcome[C] // buffered: the goroutine of Connect never waits
}

// An outcome is the result of Connect.
type outcome[C Conn] struct {
	conn     C
	err      error
	panicked any
}

// do lets Connect connect until ctx ends or another login's refusal stops it.
//
// The caller does not wait for a Connect that continues. The login then finishes
// in the background, and its connection is closed.
func (r *run[C]) do(ctx context.Context) (none C, err error) {
	r.caller, r.ctx = ctx, newLoginContext(ctx, r.place)
	r.done = make(chan outcome[C], 1)
	go r.connect()
	select {
	case o := <-r.done:
		return r.finish(o, false)
	case <-r.place.stop:
		r.ctx.cancel()
		if o, ok := r.wait(lingering); ok {
			return r.finish(o, true)
		}
		go r.abandon()
		return none, barred(r.place.reason)
	case <-r.g.closing.Done():
		r.ctx.cancel()
		if o, ok := r.wait(lingering); ok {
			return r.finishClosed(o)
		}
		go r.abandon()
		return none, errClosed
	case <-ctx.Done():
	}
	if o, ok := r.wait(grace); ok {
		return r.finish(o, false)
	}
	go r.seeThrough()
	if r.login.Target == "" {
		return none, fmt.Errorf("gate: login: no answer: %w", ctx.Err())
	}
	return none, fmt.Errorf("login of %s: no answer: %w", r.login.Target, ctx.Err())
}

// connect calls Connect.
func (r *run[C]) connect() {
	o := outcome[C]{err: errors.New("gate: the driver ended its goroutine")} // remains if Connect does not return
	defer func() {
		o.panicked = recover()
		r.done <- o
	}()
	o.conn, o.err = r.login.Connect(r.ctx)
	if o.err == nil && any(o.conn) == nil {
		o.err = errors.New("gate: the driver returned neither a connection nor an error")
	}
}

// wait waits for Connect for at most d. It stops waiting on Close and when
// another login with the version is refused.
func (r *run[C]) wait(d time.Duration) (outcome[C], bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	stop, closing := r.place.stop, r.g.closing.Done()
	if r.ctx.Err() != nil {
		stop, closing = nil, nil // Connect has been told to stop already
	}
	select {
	case o := <-r.done:
		return o, true
	case <-stop:
	case <-closing:
	case <-timer.C:
	}
	return outcome[C]{}, false
}

// seeThrough waits for the verdict on a login whose caller has left.
func (r *run[C]) seeThrough() {
	r.place.left = true
	o, ok := r.wait(verdictWait)
	if !ok {
		r.ctx.cancel()
		if o, ok = r.wait(lingering); !ok {
			r.abandon()
			return
		}
	}
	defer quiet()
	if conn, err := r.finish(o, false); err == nil {
		conn.Close()
	}
}

// abandon frees the place at the gate and waits for Connect to return. Connect
// has been told to stop.
func (r *run[C]) abandon() {
	r.g.leave(r.place, failed, nil)
	o := <-r.done
	defer quiet()
	defer r.login.Release()
	var refusal *RefusedError
	switch {
	case o.panicked != nil:
	case o.err == nil:
		o.conn.Close()
	case errors.As(o.err, &refusal) && !refusal.Barred:
		r.g.refuse(r.place, refusal.Err)
	}
}

// quiet ignores a panic of a Connect whose caller has left.
func quiet() { _ = recover() }

// finishClosed ends a login after Close has stopped it.
func (r *run[C]) finishClosed(o outcome[C]) (none C, err error) {
	conn, err := r.finish(o, false)
	if err == nil {
		conn.Close()
	}
	return none, errClosed
}

// finish evaluates the outcome of Connect and ends the login.
func (r *run[C]) finish(o outcome[C], stopped bool) (none C, err error) {
	v, answer := failed, error(nil)
	defer func() { // runs even if Connect has panicked
		r.g.leave(r.place, v, answer)
		r.login.Release()
		if v == refused {
			err.(*RefusedError).Next = r.g.nextRetry(r.place)
		}
	}()
	if o.panicked != nil {
		panic(o.panicked)
	}
	if o.err == nil && stopped && !r.alive(o.conn) {
		o.conn.Close()
		o.err = errStopped
	}
	if o.err == nil {
		v = accepted
		return o.conn, nil
	}
	var refusal *RefusedError
	switch {
	case r.login.Final != nil && r.login.Final(o.err):
	case !stopped && errors.As(o.err, &refusal) && !refusal.Barred:
		v, answer = refused, refusal.Err
		r.place.soon = refusal.Transient
		o.err = &RefusedError{Err: o.err, Transient: refusal.Transient}
	case stopped || r.place.stopped():
		// This login failed only because it was told to stop. The server's
		// answer is the one to the other login.
		return none, barred(r.place.reason)
	}
	return none, o.err
}

// stopped reports whether p's login was told to stop.
func (p *pass) stopped() bool {
	select {
	case <-p.stop:
		return true
	default:
		return false
	}
}

// alive reports whether conn is usable although its login was told to stop.
func (r *run[C]) alive(conn C) bool {
	return r.login.Alive != nil && r.login.Alive(r.caller, conn)
}

// A loginContext is the context of one login. It has the values and the deadline
// of the caller's context, but does not end with it. So the login goes on to its
// verdict, and its connection stays open even with a driver that keeps watching
// the context. Drivers need the deadline to limit dialing.
type loginContext struct {
	context.Context // ends with cancel
	parent          context.Context
	cancel          context.CancelFunc
}

func newLoginContext(parent context.Context, p *pass) *loginContext {
	ctx := context.WithValue(context.WithoutCancel(parent), passKey{}, p)
	ctx, cancel := context.WithCancel(ctx)
	p.cancel = cancel
	return &loginContext{ctx, parent, cancel}
}

func (c *loginContext) Deadline() (time.Time, bool) { return c.parent.Deadline() }

func (c *loginContext) Err() error {
	err := c.Context.Err()
	if err != nil && c.parent.Err() != nil {
		return c.parent.Err()
	}
	return err
}
