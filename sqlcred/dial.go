package sqlcred

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
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

var errStopped = errors.New("sqlcred: another login with the same password was refused")

// A refusedError says that the server refused a login.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return e.err.Error() }

// A login is one login under way. It has a place at the gate and a driver's
// connector, and returns both when it is over.
type login struct {
	c       *Connector
	version *version
	made    *made
	place   *admission
	current string // the version that was current when it began
	scrub   func(error) error

	caller context.Context
	ctx    *loginContext // the driver's
	done   chan outcome  // buffered: the driver's goroutine never waits
}

// An outcome is how a driver's Connect ended.
type outcome struct {
	conn     driver.Conn
	err      error
	panicked any
}

// run lets the driver connect until ctx ends or a sibling's refusal stops it.
// The error is a *refusedError if the server refused the version, and a
// *barredError if it refused the sibling's. It panics if the driver does.
//
// The caller does not wait for a driver that goes on: the login is finished in
// the background, and the connection it may bring is closed.
func (l *login) run(ctx context.Context) (driver.Conn, error) {
	l.caller, l.ctx = ctx, newLoginContext(ctx)
	l.done = make(chan outcome, 1)
	go l.connect()
	select {
	case o := <-l.done:
		return l.finish(o, false)
	case <-l.place.stop:
		l.ctx.cancel()
		if o, ok := l.wait(lingering); ok {
			return l.finish(o, true)
		}
		go l.abandon()
		return nil, &barredError{l.place.reason}
	case <-ctx.Done():
	}
	if o, ok := l.wait(grace); ok {
		return l.finish(o, false)
	}
	go l.seeThrough()
	to := l.version.login
	return nil, fmt.Errorf("sqlcred: login of user %q at %s: no answer: %w", to.Username, to.plain().Address(), ctx.Err())
}

// connect has the driver connect.
func (l *login) connect() {
	o := outcome{err: errors.New("sqlcred: the driver ended its goroutine")} // so it stays if Connect does not return
	defer func() {
		o.panicked = recover()
		l.done <- o
	}()
	o.conn, o.err = l.made.connector.Connect(l.ctx)
	if o.err == nil && o.conn == nil {
		o.err = errors.New("sqlcred: the driver returned neither a connection nor an error")
	}
}

// wait waits for the driver, for at most d, or until Close or a sibling's
// refusal makes that pointless.
func (l *login) wait(d time.Duration) (outcome, bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	stop := l.place.stop
	if l.ctx.Err() != nil {
		stop = nil // the driver has been told to stop already
	}
	select {
	case o := <-l.done:
		return o, true
	case <-stop:
	case <-l.c.closing.Done():
	case <-timer.C:
	}
	return outcome{}, false
}

// seeThrough waits for the verdict on a login whose caller has left.
func (l *login) seeThrough() {
	l.place.left = true
	o, ok := l.wait(verdictWait)
	if !ok {
		l.ctx.cancel()
		if o, ok = l.wait(lingering); !ok {
			l.abandon()
			return
		}
	}
	defer quiet()
	if conn, err := l.finish(o, false); err == nil {
		conn.Close()
	}
}

// abandon frees the place at the gate and waits for the driver, which has been
// told to stop.
func (l *login) abandon() {
	l.c.gate.leave(l.place, false, nil)
	o := <-l.done
	defer quiet()
	defer l.c.made.release(l.made)
	switch {
	case o.panicked != nil:
	case o.err == nil:
		o.conn.Close()
	case l.c.options.isRefused(o.err):
		l.c.wrong.Add(1)
		l.c.gate.refuse(l.version.id, l.shown(o.err))
	}
}

// quiet drops a panic of a driver whose caller has left.
func quiet() { _ = recover() }

// finish judges what the driver returned, and ends the login.
func (l *login) finish(o outcome, stopped bool) (driver.Conn, error) {
	var ok bool
	var refused error
	defer func() { // also when the driver panics
		l.c.gate.leave(l.place, ok, refused)
		l.c.made.release(l.made)
	}()
	if o.panicked != nil {
		panic(l.shownPanic(o.panicked))
	}
	if o.err == nil && stopped && !alive(l.caller, o.conn) {
		o.conn.Close()
		o.err = errStopped
	}
	if o.err == nil {
		ok = true
		return l.c.wrap(o.conn, l.version.id, l.current), nil
	}
	said := l.shown(o.err)
	if account := accountError(o.err, said, l.version.login.Username); account != nil {
		return nil, account
	}
	wrong := l.c.options.isRefused(o.err)
	if wrong {
		l.c.wrong.Add(1)
	}
	switch {
	case stopped:
		// The server's answer is that to the sibling: what this login
		// failed with is that it was stopped.
		return nil, &barredError{l.place.reason}
	case wrong:
		refused = said
		return nil, &refusedError{said}
	}
	return nil, said
}

// shown returns a driver's error as it may leave Connect: without passwords,
// and never as driver.ErrBadConn, for which database/sql would connect again.
func (l *login) shown(err error) error {
	return dblogin.Without(l.scrub(err), driver.ErrBadConn)
}

// shownPanic returns what a driver panicked with, or an error in its place if
// it shows a password.
func (l *login) shownPanic(v any) any {
	printed := fmt.Errorf("%v %+v %#v", v, v, v)
	if scrubbed := l.scrub(printed); scrubbed != printed {
		return fmt.Errorf("sqlcred: panic of the driver: %w", scrubbed)
	}
	return v
}

// alive tells whether a driver that was told to stop, and connected all the
// same, has left the connection usable.
func alive(ctx context.Context, conn driver.Conn) bool {
	if v, ok := conn.(driver.Validator); ok && !v.IsValid() {
		return false
	}
	if p, ok := conn.(driver.Pinger); ok {
		return p.Ping(ctx) == nil
	}
	return true
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

func newLoginContext(parent context.Context) *loginContext {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
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
