package sqlcred

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"
)

// lingering is how long a driver is given to come back after its context
// ended. One that does not heed its context is then left behind.
const lingering = 100 * time.Millisecond

var errStopped = errors.New("sqlcred: another login with the same password was refused")

// dial lets the driver connect until ctx ends or stop is closed. stopped tells
// that stop was closed before the driver came back.
//
// A driver that does not heed its context does not hold up the caller: it is
// left to finish by itself, and what it returns is closed. dial panics if the
// driver does.
func dial(ctx context.Context, to driver.Connector, stop <-chan struct{}) (conn driver.Conn, stopped bool, err error) {
	type result struct {
		conn     driver.Conn
		err      error
		panicked any
	}
	login := newLoginContext(ctx)
	done := make(chan result, 1)
	go func() {
		r := result{}
		defer func() {
			r.panicked = recover()
			done <- r
		}()
		r.conn, r.err = to.Connect(login)
	}()
	finish := func(r result) (driver.Conn, bool, error) {
		if r.panicked != nil {
			panic(r.panicked)
		}
		return r.conn, stopped, r.err
	}
	select {
	case r := <-done:
		return finish(r)
	case <-ctx.Done():
		err = ctx.Err()
	case <-stop:
		err, stopped = errStopped, true
	}
	login.cancel()
	linger := time.NewTimer(lingering)
	defer linger.Stop()
	select {
	case r := <-done:
		return finish(r)
	case <-linger.C:
	}
	go func() {
		// With an error, lib/pq returns a nil pointer as a connection.
		if r := <-done; r.err == nil && r.panicked == nil {
			r.conn.Close()
		}
	}()
	return nil, stopped, err
}

// A loginContext is the context of one login: that of its caller, but for its
// end. It does not end with the caller's by itself, so that a connection once
// made is safe from whatever becomes of the caller, also with a driver that
// goes on looking at the context.
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
