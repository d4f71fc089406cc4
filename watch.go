package secrets

import (
	"context"
	"errors"
	"iter"
	"net"
	"slices"
	"time"

	"github.com/aws/smithy-go"

	"github.com/seed-74dc7b3e/secrets/internal/lease"
)

// Watch returns an iterator over the current version and each later one. It
// yields the present version first and then each version that becomes current;
// in between it blocks. If several versions become current while the body of
// the loop runs, only the last of them is yielded.
//
// While a loop runs, its secret is refreshed even if nothing reads it, and is
// not evicted. A failure, or a version that does not decode, is yielded as an
// error, once for each run of equal errors, and the loop continues. The loop
// ends without an error when ctx ends, and with [ErrClosed] when the client is
// closed. In [RefreshOnRead] mode nothing runs in the background, and the loop
// itself asks the service once in each TTL.
func (r *Ref[T]) Watch(ctx context.Context) iter.Seq2[T, error] {
	r.made()
	return func(yield func(T, error) bool) {
		w := watch[T]{r: r}
		for ctx.Err() == nil {
			e, changed, goOn := w.step(ctx, yield)
			if !goOn || !w.wait(ctx, e, changed) {
				return
			}
		}
	}
}

// watch is one loop over the iterator of Watch.
type watch[T any] struct {
	r       *Ref[T]
	version *Secret // the last one yielded
	failure string  // the last error yielded since, see failureOf
	failed  int     // reads that failed in a row
}

// step yields what is new. It returns the entry, held for the loop, and a
// channel that is closed when the entry changes. Both are nil if there is no
// entry.
func (w *watch[T]) step(ctx context.Context, yield func(T, error) bool) (_ *entry, _ <-chan struct{}, goOn bool) {
	var zero T
	c := &w.r.c.cache
	e, _, err := w.r.fresh(ctx)
	switch {
	case err == ErrClosed:
		yield(zero, err)
		return nil, nil, false
	case err != nil && ctx.Err() != nil:
		return nil, nil, false
	case err != nil:
		w.failed++
		return nil, nil, w.report(opError("watch", w.r.id, err), yield)
	}
	s, changed, ok := c.hold(e)
	if !ok {
		return nil, nil, true // the entry has just gone: start over
	}
	defer func() { // also if the loop's body panics
		if !goOn {
			c.unwatch(e)
		}
	}()
	w.failed = 0
	sl := w.r.slotIn(e)
	h, err := sl.value(ctx, c, e, s)
	if err == nil {
		err = sl.refused(c, s)
	}
	if c.ended(e) {
		return e, changed, true // it was replaced or refused in the meantime: read again
	}
	more := true
	if h != nil && (w.version == nil || !w.version.sameAs(h.secret)) {
		w.version, w.failure = h.secret, ""
		v := h.value
		if w.r.clone != nil {
			v = w.r.clone(&h.value)
		}
		more = yield(v, nil)
	}
	if more && err != nil && ctx.Err() == nil {
		more = w.report(err, yield)
	}
	return e, changed, more
}

// report yields an error if it differs from the last one.
func (w *watch[T]) report(err error, yield func(T, error) bool) bool {
	failure := failureOf(err)
	if w.failure == failure {
		return true
	}
	w.failure = failure
	var zero T
	return yield(zero, err)
}

// failureOf returns the part of an error that is equal for errors of the same
// failure. Their messages differ, because they contain request ids and port
// numbers.
func failureOf(err error) string {
	var de *DecodeError
	var api smithy.APIError
	var dns *net.DNSError
	switch {
	case errors.As(err, &de):
		return de.Error()
	case errors.As(err, &api):
		return api.ErrorCode() + ": " + api.ErrorMessage()
	case errors.As(err, &dns):
		return "lookup of " + dns.Name
	}
	return rootOf(err).Error()
}

// rootOf returns the innermost error of err.
func rootOf(err error) error {
	for {
		var next error
		switch u := err.(type) {
		case interface{ Unwrap() error }:
			next = u.Unwrap()
		case interface{ Unwrap() []error }: // the SDK joins an explanation of its own to an error
			next = slices.Concat(u.Unwrap(), []error{nil})[0]
		}
		if next == nil {
			return err
		}
		err = next
	}
}

// wait blocks until the loop should read again, and ends the hold of e. It
// reports whether the loop goes on. If the client was closed it returns true,
// and the next step yields the error.
func (w *watch[T]) wait(ctx context.Context, e *entry, changed <-chan struct{}) bool {
	c := &w.r.c.cache
	if e != nil {
		defer c.unwatch(e)
	}
	var tick <-chan time.Time
	switch {
	case e == nil:
		t := time.NewTimer(min(time.Minute, time.Second<<min(w.failed, 6)))
		defer t.Stop()
		tick = t.C
	case c.rules.OnRead:
		t := time.NewTimer(c.untilExpired(e))
		defer t.Stop()
		tick = t.C
	}
	select {
	case <-changed:
	case <-tick:
	case <-c.base.Done():
	case <-ctx.Done():
		return false
	}
	return true
}

// hold keeps e in the cache and refreshed until unwatch. It returns the current
// version and a channel that is closed when it changes. ok is false if e is
// gone.
func (c *cache) hold(e *entry) (s *Secret, changed <-chan struct{}, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.lease.Gone() || e.cur == nil {
		return nil, nil, false
	}
	c.holdLocked(e)
	e.growPast().watchers++
	r := e.growCold()
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return e.cur, r.changed, true
}

// untilExpired returns how long reading e again would not show anything new in
// RefreshOnRead mode.
func (c *cache) untilExpired(e *entry) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(e.lease.Expires().Sub(c.now()), min(c.rules.TTL, time.Second))
}

func (c *cache) holdLocked(e *entry) {
	c.applyLocked(e, func(l *lease.Lease) lease.Report { l.Hold(&c.rules, c.now()); return lease.Report{} })
}

// let ends one hold.
func (c *cache) let(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.applyLocked(e, func(l *lease.Lease) lease.Report { l.Release(); return lease.Report{} })
}

// unwatch ends the hold of a Watch loop.
func (c *cache) unwatch(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := e.coldState().history; h != nil {
		h.watchers--
	}
	c.applyLocked(e, func(l *lease.Lease) lease.Report { l.Release(); return lease.Report{} })
}

// refused returns why s was not adopted for this type, nil if it was.
func (sl *typedSlot[T]) refused(c *cache, s *Secret) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if sl.bad.is(s) {
		return sl.bad.err
	}
	return nil
}
