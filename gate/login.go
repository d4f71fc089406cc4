package gate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

const (
	// grace is how long a caller whose context has ended waits for the
	// driver, which has the same deadline and can say better what was wrong.
	grace = 10 * time.Millisecond

	// verdictWait is how long a login goes on after its caller has left. The
	// password may have been sent, and counted as wrong. Cancelled there, the
	// login would leave no verdict, and the next one would be wrong again.
	verdictWait = time.Second

	// lingering is how long a driver that was told to stop is given to
	// return. One that ignores its context is then left to finish by itself.
	lingering = 100 * time.Millisecond
)

var errStopped = errors.New("gate: another login with the same version was refused")

// A Conn is what a login makes.
type Conn interface{ Close() error }

// A Login is one login with one version of a secret, for [Run]. Only Connect is
// required.
type Login[C Conn] struct {
	Ticket   Ticket // the caller's place in the queue
	Version  string // the version's id
	Stage    string // the label by which it is offered
	Fallback bool   // see [secrets.Offer]

	// Connect logs in. It returns an error made by [Refused] if the server
	// refused the version. Its context has the values and the deadline of
	// Run's, but ends when the login has become pointless: a second after the
	// caller's has, or when another login with the version is refused.
	Connect func(context.Context) (C, error)

	// Final reports whether an error of Connect stands also where the login
	// was told to stop. Nil means that none does.
	Final func(error) bool

	// Alive tells whether a connection can be used of a login that was told
	// to stop and connected all the same. Nil means that none can.
	Alive func(context.Context, C) bool

	// Release is called once, when the login is over or was not begun.
	Release func()

	// Target describes the account and the server, for errors.
	Target string
}

// Run waits for the login's turn at the gate and logs in. It returns the
// connection, and as error [secrets.Rejected] of a [*RefusedError] if the server
// refused the version, now or in another login a moment ago; ctx's error if that
// ends first; [secrets.ErrClosed] after [Gate.Close]; or the error of Connect as
// it is. It panics if Connect does.
//
// A login that is under way when ctx ends goes on in the background, for a
// second at most, to learn whether the server takes the password; the
// connection it may bring is closed.
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

// A run is one login under way. It has a place at the gate, and returns it when
// it is over.
type run[C Conn] struct {
	g     *Gate
	login *Login[C]
	place *pass

	caller context.Context
	ctx    *loginContext   // Connect's
	done   chan outcome[C] // buffered: the goroutine of Connect never waits
}

// An outcome is how Connect ended.
type outcome[C Conn] struct {
	conn     C
	err      error
	panicked any
}

// do lets Connect connect until ctx ends or another login's refusal stops it.
//
// The caller does not wait for a Connect that goes on: the login is finished in
// the background, and the connection it may bring is closed.
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
	o := outcome[C]{err: errors.New("gate: the driver ended its goroutine")} // so it stays if Connect does not return
	defer func() {
		o.panicked = recover()
		r.done <- o
	}()
	o.conn, o.err = r.login.Connect(r.ctx)
	if o.err == nil && any(o.conn) == nil {
		o.err = errors.New("gate: the driver returned neither a connection nor an error")
	}
}

// wait waits for Connect, for at most d, or until Close or another login's
// refusal makes that pointless.
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

// abandon frees the place at the gate and waits for Connect, which has been told
// to stop.
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

// quiet drops a panic of a Connect whose caller has left.
func quiet() { _ = recover() }

// finishClosed ends a login that Close has stopped.
func (r *run[C]) finishClosed(o outcome[C]) (none C, err error) {
	conn, err := r.finish(o, false)
	if err == nil {
		conn.Close()
	}
	return none, errClosed
}

// finish judges how Connect ended, and ends the login.
func (r *run[C]) finish(o outcome[C], stopped bool) (none C, err error) {
	v, answer := failed, error(nil)
	defer func() { // also when Connect has panicked
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
		// The server's answer is that to the other login: what this one
		// failed with is that it was stopped.
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

// alive tells whether the connection can be used of a login that was told to
// stop.
func (r *run[C]) alive(conn C) bool {
	return r.login.Alive != nil && r.login.Alive(r.caller, conn)
}

// A loginContext is the context of one login: that of its caller, but for its
// end. The end of the caller's context does not end it: the login goes on to
// its verdict, and a connection once made survives, also with a driver that
// keeps watching the context. It has the caller's deadline,
// for drivers that bound dialing by it.
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
