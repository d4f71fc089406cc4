package secrets

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/region"
)

// healthRules are the settings of every target's health: a region that failed is
// asked again by one call after half a second to a second, and at longer
// intervals up to half a minute while it goes on failing.
var healthRules = region.Rules{MinProbe: time.Second, MaxProbe: 30 * time.Second}

// calling says how a call is made.
type calling struct {
	quick  bool      // without the SDK's own retries
	hedged bool      // a reader waits that has no cached value
	only   *endpoint // ask no other region; nil: ask any

	has func(*endpoint) bool // reports the regions to ask; nil: all
}

// ask makes one call in the first of t's regions that answers, and returns that
// region. A definite error of the first region is final. The same error from
// another region is not, as long as the first region has not answered; the call
// then fails with the error of the first region.
func ask[T any](ctx context.Context, f *fetcher, t *target, q request, how calling, fn func(context.Context, *endpoint) (T, error)) (T, *endpoint, error) {
	e := how.only
	if len(t.regions) == 1 {
		e = t.regions[0]
	}
	if e == nil {
		return askInTurn(ctx, f, t, q, how, fn)
	}
	began := f.now()
	q.region = e.region
	v, err := call(ctx, f, q, f.timeout, errFetchTimeout, e, fn)
	if err != nil {
		err = e.named(err)
	}
	f.report(t, e, began, err)
	return v, e, err
}

// named adds the region's name to a definite error.
func (e *endpoint) named(err error) error {
	if e.region == "" {
		return err
	}
	if c := classOf(err); c != notFoundError && c != deniedError {
		return err
	}
	return fmt.Errorf("in %s: %w", e.region, err)
}

// A turn is the call of one region and its result.
type turn[T any] struct {
	region.Ask
	e   *endpoint
	v   T
	err error
}

// An inTurn is one call that asks several regions. It asks the next region when
// one has failed or is late. One goroutine uses it, except results and end.
type inTurn[T any] struct {
	f   *fetcher
	t   *target
	q   request
	fn  func(context.Context, *endpoint) (T, error)
	ctx context.Context // of the calls; it ends when the caller leaves, or at Close

	plan    []region.Ask
	next    int // the first of plan that was not asked yet
	running int
	results chan turn[T]
	failed  regionsError
	refused bool // a replica returned a definite error

	users atomic.Int32 // the running calls and the caller
	end   func()       // called by the last of them
}

// askInTurn asks t's regions in the order of their health. When one has
// answered, calls of other regions continue, because their results update the
// regions' health.
func askInTurn[T any](ctx context.Context, f *fetcher, t *target, q request, how calling, fn func(context.Context, *endpoint) (T, error)) (T, *endpoint, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, nil, err
	}
	calls, stop := context.WithCancel(context.WithoutCancel(ctx))
	unlink := context.AfterFunc(f.base, stop)
	a := &inTurn[T]{f: f, t: t, q: q, fn: fn, ctx: calls, plan: t.plan(f.now(), how), end: func() { unlink(); stop() }}
	a.results = make(chan turn[T], len(a.plan))
	a.users.Store(1)
	defer a.leave()
	ctx, cancel := context.WithTimeoutCause(ctx, f.timeout, errFetchTimeout)
	defer cancel()
	late := time.NewTimer(longest)
	defer late.Stop()
	if !a.begin() {
		return none, nil, a.error()
	}
	for {
		late.Reset(a.hedgeAfter(ctx, how))
		select {
		case r := <-a.results:
			if done, err := a.take(r); done {
				return r.v, r.e, err
			}
		case <-late.C:
			a.begin()
		case <-ctx.Done():
			return none, nil, a.givenUp(context.Cause(ctx), stop)
		}
		if a.running == 0 && !a.begin() {
			return none, nil, a.error()
		}
	}
}

// leave ends the caller's use of a, or that of one call.
func (a *inTurn[T]) leave() {
	if a.users.Add(-1) == 0 {
		a.end()
	}
}

// hedgeAfter returns how long to wait for the last asked region before the next
// one is asked. If the caller's context ends soon, it is half of the remaining
// time, but never so short that a healthy region seems late.
func (a *inTurn[T]) hedgeAfter(ctx context.Context, how calling) time.Duration {
	switch {
	case a.next == len(a.plan):
		return longest
	case a.plan[a.next-1].Probe:
		return probePatience
	}
	wait := a.f.try
	if how.hedged {
		wait = min(wait, a.f.hedge)
	}
	if d, ok := deadlineOf(ctx); ok {
		wait = min(wait, max(time.Until(d)/2, minHedge))
	}
	return wait
}

const (
	minHedge      = 250 * time.Millisecond
	probePatience = 100 * time.Millisecond // most likely there is no answer
)

// begin asks the next region, if there is one that may be asked.
func (a *inTurn[T]) begin() bool {
	if a.next == len(a.plan) || a.refused && a.plan[a.next].Resort {
		a.next = len(a.plan)
		return false
	}
	r := turn[T]{Ask: a.plan[a.next]}
	r.e = a.t.regions[r.Region]
	a.next++
	a.running++
	q := a.q
	q.region = r.e.region
	limit, cause := a.f.try, errRegionTimeout
	if a.next == len(a.plan) {
		limit, cause = a.f.timeout, errFetchTimeout
	}
	a.users.Add(1)
	a.f.running.Go(func() {
		defer a.leave()
		began := a.f.now()
		r.v, r.err = call(a.ctx, a.f, q, limit, cause, r.e, a.fn)
		a.f.report(a.t, r.e, began, r.err)
		a.results <- r
	})
	return true
}

// take handles the result of one call. done means that it is the result of the
// whole.
func (a *inTurn[T]) take(r turn[T]) (done bool, err error) {
	a.running--
	if r.err == nil {
		if r.e.at > 0 {
			a.f.counts.failovers.Add(1)
		}
		return true, nil
	}
	c := classOf(r.err)
	switch {
	case r.e.at == 0 && isAnswer(c, r.err) || c == credentialsError && a.t.oneAPI:
		return true, r.e.named(r.err)
	case isAnswer(c, r.err):
		a.refused = true
	}
	a.failed.add(r.e, r.err)
	return false, nil
}

// isAnswer reports whether an error of class c is the service's answer to the
// question, which it would repeat.
func isAnswer(c class, err error) bool {
	switch c {
	case notFoundError, deniedError, missingError:
		return true
	case unknownError:
		api, _ := originOf(err, fromService)
		return api != nil
	}
	return false
}

// givenUp returns the error of a call that ended by cause before a region
// answered. If nobody needs the answer any more, the running calls are
// canceled. Calls that are merely late end by their own timeout, so that their
// regions count as failed.
func (a *inTurn[T]) givenUp(cause error, stop func()) error {
	switch {
	case cause != errFetchTimeout:
		stop()
		return cause
	case len(a.failed.failed) == 0:
		return cause
	}
	return a.error()
}

// error returns why no region answered. The first region's failure comes first.
func (a *inTurn[T]) error() error {
	failed := a.failed.failed
	for i := range failed {
		if failed[i].e.at == 0 {
			failed[0], failed[i] = failed[i], failed[0]
		}
	}
	if first := a.t.regions[0]; len(failed) == 0 || failed[0].e != first {
		failed = append([]regionFailure{{first, errRegionFailed}}, failed...)
	}
	return &regionsError{failed}
}

var errRegionFailed = errors.New("the region failed recently and is being probed")

// report notes the result of a call for its region's health.
func (f *fetcher) report(t *target, e *endpoint, began instant, err error) {
	if len(t.regions) == 1 {
		return
	}
	var c class
	if err != nil {
		c = classOf(err)
	}
	now := f.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil || isAnswer(c, err):
		if t.health.Answered(e.at, int64(now)) {
			f.events.add(Event{Kind: EventRegionBack, Region: e.region})
		}
	case c == networkError || c == timeoutError || c == serverError && !errors.Is(err, errEmptyAnswer) || c == credentialsError && !t.oneAPI:
		if t.health.Failed(&healthRules, e.at, int64(began), int64(now), rand.Float64()) {
			f.events.add(Event{Kind: EventRegionFailed, Region: e.region, Class: ClassOf(err), Err: err})
		}
	}
}

// plan returns the regions that a call asks, in order.
func (t *target) plan(now instant, how calling) []region.Ask {
	t.mu.Lock()
	defer t.mu.Unlock()
	plan := t.health.Plan(&healthRules, int64(now), rand.Float64())
	return slices.DeleteFunc(plan, func(a region.Ask) bool { return how.has != nil && !how.has(t.regions[a.Region]) })
}

// failing reports whether a region failed when it was last asked.
func (t *target) failing(e *endpoint) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.health.Failing(e.at)
}

// A regionsError is the failure of a call in all regions that could be asked.
// It wraps all failures, and has the meaning of the first region's: definite
// errors of other regions do not count.
type regionsError struct{ failed []regionFailure }

type regionFailure struct {
	e   *endpoint
	err error
}

func (e *regionsError) add(at *endpoint, err error) {
	e.failed = append(e.failed, regionFailure{at, err})
}

func (e *regionsError) Error() string {
	var b strings.Builder
	b.WriteString("no region answered")
	for i, f := range e.failed {
		sep := "; in "
		if i == 0 {
			sep = ": in "
		}
		name := f.e.region
		if name == "" {
			name = "the client's own"
		}
		fmt.Fprintf(&b, "%s%s: %v", sep, name, f.err)
	}
	return b.String()
}

// Unwrap returns the failures.
func (e *regionsError) Unwrap() []error {
	errs := make([]error, len(e.failed))
	for i, f := range e.failed {
		errs[i] = f.err
	}
	return errs
}

// replicaAnswer returns what err means for versions other than the current one.
// For these, a definite error of a replica counts.
func replicaAnswer(err error) answer {
	var several *regionsError
	if !errors.As(err, &several) {
		return answerOf(err)
	}
	for _, f := range several.failed {
		if a := answerOf(f.err); a == gone || a == denied {
			return a
		}
	}
	return answerOf(err)
}

// A behindError says that a replica has an older version than the cached one,
// and that the home region, which knows whether the secret went back, is
// unavailable.
type behindError struct{ t *target }

func (e *behindError) Error() string {
	return fmt.Sprintf("a replica still has an older version, and region %s is unavailable", e.t.home.region)
}

// deadlineKey is the context key of the deadline of the caller that began a
// flight. A flight has no deadline of its own.
type deadlineKey struct{}

// withoutCancel returns a context that does not end with ctx, but knows ctx's
// deadline.
func withoutCancel(ctx context.Context) context.Context {
	shared := context.WithoutCancel(ctx)
	if d, ok := ctx.Deadline(); ok {
		return context.WithValue(shared, deadlineKey{}, d)
	}
	return shared
}

// deadlineOf returns the deadline of the caller's context.
func deadlineOf(ctx context.Context) (time.Time, bool) {
	d, ok := ctx.Value(deadlineKey{}).(time.Time)
	if own, has := ctx.Deadline(); has && (!ok || own.Before(d)) {
		return own, true
	}
	return d, ok
}
