package sqlcred

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/gate"
	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

// An attempt is one call of Connect. It is used by one goroutine.
type attempt struct {
	c         *Connector
	ticket    gate.Ticket
	began     time.Time
	passwords []string              // of the versions that were offered
	tried     atomic.Pointer[Login] // the last of them
	underWay  atomic.Bool           // the driver is logging in
}

// An end says why the connector ended a Connect early.
type end uint8

const (
	running   end = iota
	hasMoved      // the secret names another server
	noVersion     // every version is refused, and other callers queue behind this one
)

// run calls [secrets.TryOffer], and again if the secret turns out to name
// another server. background says that the caller has no deadline.
func (a *attempt) run(ctx context.Context, background bool) (driver.Conn, error) {
	for range 3 {
		conn, ended, err := a.try(ctx, background)
		switch {
		case err == nil || ctx.Err() != nil || ended == noVersion:
			return conn, err
		case ended == hasMoved:
		case !a.unreached(err):
			return nil, err
		case !a.c.moved(ctx, *a.tried.Load()):
			return nil, err
		}
	}
	conn, _, err := a.try(ctx, background)
	return conn, err
}

// unreached reports whether the server, rather than the account, may be the
// cause of a failed login.
func (a *attempt) unreached(err error) bool {
	return a.tried.Load() != nil && !errors.As(err, new(*secrets.RejectedError)) && !errors.As(err, new(*AccountError)) &&
		!errors.Is(err, secrets.ErrClosed)
}

// try calls [secrets.TryOffer] once. It ends the call when the secret turns out
// to name another server while a login is under way, and, for a caller in the
// background, when every version is refused.
func (a *attempt) try(ctx context.Context, background bool) (driver.Conn, end, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var why atomic.Int32
	stop := func(e end) { why.CompareAndSwap(int32(running), int32(e)); cancel() }
	hung := time.AfterFunc(hungAfter, func() {
		if tried := a.tried.Load(); tried != nil && a.c.moved(ctx, *tried) {
			stop(hasMoved)
		}
	})
	defer hung.Stop()
	if background {
		defer a.watch(func() { stop(noVersion) })()
	}
	conn, err := secrets.TryOffer(ctx, a.c.ref, a.offer)
	return conn, end(why.Load()), err
}

// watch calls stop when every version has been refused for rejectedWait, the
// call has waited for rejectedLeast, and it has no login under way. The returned
// function ends the watch.
func (a *attempt) watch(stop func()) (end func() bool) {
	var timer *time.Timer
	var mu sync.Mutex // guards timer until it is set
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(rejectedLeast, func() {
		mu.Lock()
		defer mu.Unlock()
		wait := rejectedLeast
		if since, ok := a.c.state.refusing(); ok && !a.underWay.Load() {
			if wait = max(rejectedWait-time.Since(since), rejectedLeast-time.Since(a.began)); wait <= 0 {
				stop()
				return
			}
		}
		timer.Reset(wait)
	})
	return timer.Stop
}

// offer offers one version to the server. secrets.TryOffer calls it.
func (a *attempt) offer(ctx context.Context, o secrets.Offer[*version]) (driver.Conn, error) {
	v := o.Value
	a.tried.Store(&v.login)
	a.passwords = append(a.passwords, v.login.Password())
	m, err := a.c.acquire(v)
	if err != nil {
		return nil, a.scrub(err)
	}
	l := &login{c: a.c, version: v, made: m, scrub: a.scrubber()}
	conn, err := gate.Run(ctx, a.c.gate, gate.Login[driver.Conn]{
		Ticket: a.ticket, Version: v.id, Stage: o.Stage, Fallback: o.Fallback,
		Connect: func(ctx context.Context) (driver.Conn, error) {
			a.underWay.Store(true)
			defer a.underWay.Store(false)
			return l.connect(ctx)
		},
		Final:   func(err error) bool { return errors.As(err, new(*AccountError)) },
		Alive:   alive,
		Release: func() { a.c.made.release(m) },
		Target:  v.login.target(),
	})
	if err != nil {
		a.note(v, err)
		return nil, err
	}
	if after, told := a.c.state.accepted(); told {
		a.c.recovered(v.login, after)
	}
	return a.c.wrap(conn, v.id, l.current), nil
}

// note records a refusal for [attempt.explain].
func (a *attempt) note(v *version, err error) {
	var refusal *gate.RefusedError
	if errors.As(err, &refusal) && a.c.state.refused(v, refusal) {
		a.c.warn(v.login, refusal.Err.Error())
	}
}

// scrub removes the passwords that this call offered, and the passwords of all
// versions for which the connector has an open driver's connector.
func (a *attempt) scrub(err error) error { return a.scrubber()(err) }

func (a *attempt) scrubber() func(error) error {
	passwords := slices.Concat(a.passwords, a.c.made.passwords())
	return func(err error) error { return dblogin.Scrub(err, passwords...) }
}

// explain adds what the connector knows to the error of Try.
func (a *attempt) explain(err error) error {
	rejected := errors.As(err, new(*secrets.RejectedError))
	if _, refusing := a.c.state.refusing(); rejected || refusing && ended(err) {
		if answer := a.c.state.answer(); answer != "" {
			return fmt.Errorf("%w; %s; waited %v for the server to accept a version", a.scrub(err), answer, time.Since(a.began).Round(time.Millisecond))
		}
	}
	if rejected || errors.As(err, new(*AccountError)) {
		return err // contains only scrubbed errors
	}
	return a.scrub(err)
}

// ended reports whether err is a context's error.
func ended(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
