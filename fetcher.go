package secrets

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// API is the part of *secretsmanager.Client that a [Client] requires. If the
// value also has DescribeSecret and BatchGetSecretValue, with the signatures of
// *secretsmanager.Client, they are used.
//
// A panic in a method of the API, or the end of its goroutine, is a failed
// request: a transient error, like a lost connection. If a method ignores its
// context, the client waits for it for about a second after the context has
// ended.
type API interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

type describer interface {
	DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
}

type batcher interface {
	BatchGetSecretValue(context.Context, *secretsmanager.BatchGetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.BatchGetSecretValueOutput, error)
}

type callOpts = []func(*secretsmanager.Options)

// A fetcher calls the service. It chooses the region, makes the calls, counts
// them and bounds their duration. It does not know the cache. It is safe for
// concurrent use by multiple goroutines.
type fetcher struct {
	*router
	timeout time.Duration // of a call, including its retries and other regions
	try     time.Duration // of one region while there are others to ask
	hedge   time.Duration // delay before a cold read also asks the next region
	counts  *counts
	events  *eventQueue
	calls   atomic.Uint64 // numbers calls

	now     func() instant
	base    context.Context // ends at Close
	running sync.WaitGroup  // abandoned calls that are still running
}

// availability says whether an operation can be used: the API has it and the
// endpoint supports it.
type availability struct{ lost atomic.Bool }

// has reports whether the operation can be used, as far as is known.
func (a *availability) has() bool { return !a.lost.Load() }

// lose notes that the operation cannot be used. It returns true the first time.
func (a *availability) lose() bool { return !a.lost.Swap(true) }

// newFetcher returns the fetcher of c, which calls api. It returns an error if
// the options do not fit the API.
func newFetcher(api API, o *Options, c *cache) (*fetcher, error) {
	f := &fetcher{
		router: newRouter(api, o), timeout: o.fetchTimeout(), try: o.regionTimeout(), hedge: o.hedgeDelay(),
		counts: &c.counts, events: &c.events, now: c.now, base: c.base,
	}
	if err := o.checkRegions(f.router.home); err != nil {
		return nil, err
	}
	var err error
	f.named, err = f.targetOf("", f.router.home, nil)
	return f, err
}

// value fetches the value of a version.
func (f *fetcher) value(ctx context.Context, id string, sel Selector, quick bool) (*Secret, error) {
	return f.valueOf(ctx, id, sel, calling{quick: quick})
}

// quickValue is value without the SDK's own retries.
func (f *fetcher) quickValue(ctx context.Context, id string, sel Selector) (*Secret, error) {
	return f.value(ctx, id, sel, true)
}

// coldValue is value for a reader that waits and has no cached value.
func (f *fetcher) coldValue(ctx context.Context, id string, sel Selector) (*Secret, error) {
	return f.valueOf(ctx, id, sel, calling{hedged: true})
}

// homeValue is value from the home region, whose answer about labels is final.
// If that region is unavailable, homeValue returns an error without a call.
func (f *fetcher) homeValue(ctx context.Context, id string, sel Selector, quick bool) (*Secret, error) {
	t, err := f.route(id)
	if err != nil {
		return nil, err
	}
	if t.failing(t.home) {
		return nil, &behindError{t}
	}
	s, err := f.valueOf(ctx, id, sel, calling{quick: quick, only: t.home})
	if err != nil && t.home.at > 0 {
		err = &regionsError{[]regionFailure{{t.regions[0], &behindError{t}}, {t.home, err}}}
	}
	return s, err
}

func (f *fetcher) valueOf(ctx context.Context, id string, sel Selector, how calling) (*Secret, error) {
	t, err := f.route(id)
	if err != nil {
		return nil, err
	}
	in := secretsmanager.GetSecretValueInput{}
	switch {
	case sel.id != "":
		in.VersionId = &sel.id
	case sel.stage != "":
		in.VersionStage = &sel.stage
	default:
		stage := Current
		in.VersionStage = &stage
	}
	s, e, err := ask(ctx, f, t, request{op: opGet, n: &f.counts.get, id: id}, how, func(ctx context.Context, e *endpoint) (*Secret, error) {
		in, asked := in, e.id(id)
		in.SecretId = &asked
		out, err := e.api.GetSecretValue(ctx, &in, e.options(how.quick)...)
		if err != nil {
			return nil, err
		}
		return fromOutput(id, out)
	})
	if err != nil {
		return nil, err
	}
	return s.from(t, e), nil
}

// from returns s as the answer of e, one of t's regions. Its ARN is the one
// that the secret has in t's first region.
func (s *Secret) from(t *target, e *endpoint) *Secret {
	s.v.arn = t.arn(e, s.v.arn)
	s.v.replica = t.foreign(e)
	return s
}

// arn converts an ARN in an answer of e to the ARN in the first region.
func (t *target) arn(e *endpoint, arn string) string {
	if e.at == 0 {
		return arn
	}
	return inRegion(arn, t.regions[0].region)
}

// A description is an answer of DescribeSecret.
type description struct {
	arn      string
	name     string
	deleted  bool   // it is scheduled for deletion
	labels   labels // nil: the endpoint returns no labels, so GetSecretValue decides
	rotation *plan  // never nil
	replica  bool   // the answer is from a replica, which may lag
	lags     bool   // the replica lags: labels and rotation are from an earlier answer
}

// describes reports whether a call of DescribeSecret may succeed.
func (f *fetcher) describes(id string) bool {
	t, err := f.route(id)
	return err == nil && t.regions[0].describing.has()
}

func describes(e *endpoint) bool { return e.describer != nil }

// loseDescribe notes that DescribeSecret is unavailable. It returns true the
// first time.
func (f *fetcher) loseDescribe(id string) bool {
	t, err := f.route(id)
	return err == nil && t.regions[0].describing.lose()
}

// describe fetches the labels of all versions. If the endpoint does not support
// the operation, the fetcher remembers it.
func (f *fetcher) describe(ctx context.Context, id string, quick bool) (*description, error) {
	t, err := f.route(id)
	switch {
	case err != nil:
		return nil, err
	case !t.regions[0].describing.has():
		return nil, errNoDescribe
	}
	d, e, err := ask(ctx, f, t, request{op: opDescribe, n: &f.counts.describe, id: id}, calling{quick: quick, has: describes}, func(ctx context.Context, e *endpoint) (*description, error) {
		var in struct {
			secretsmanager.DescribeSecretInput
			id string
		}
		in.id = e.id(id)
		in.SecretId = &in.id
		out, err := e.describer.DescribeSecret(ctx, &in.DescribeSecretInput, e.options(quick)...)
		switch {
		case err != nil:
			return nil, err
		case out == nil:
			return nil, errEmptyAnswer
		}
		d := &description{arn: str(out.ARN), name: str(out.Name), deleted: out.DeletedDate != nil, rotation: scheduleOf(out)}
		if len(out.VersionIdsToStages) > 0 {
			d.labels = labelsOf(out.VersionIdsToStages)
		}
		return d, nil
	})
	if err != nil {
		return nil, err
	}
	d.arn, d.replica = t.arn(e, d.arn), t.foreign(e)
	return d, nil
}

// batches reports whether a call of an endpoint's BatchGetSecretValue may
// succeed.
func (f *fetcher) batches(e *endpoint) bool { return e.batches(f.now()) }

// A batch is one page of an answer of BatchGetSecretValue, with its endpoint.
type batch struct {
	*secretsmanager.BatchGetSecretValueOutput
	t *target
	e *endpoint
}

// batch fetches the current versions of up to 20 secrets of one target. A
// further page must come from the region of the previous one, at.
func (f *fetcher) batch(ctx context.Context, t *target, at *endpoint, ids []string, token *string) (batch, error) {
	q := request{op: opBatch, n: &f.counts.batch, ids: ids}
	out, e, err := ask(ctx, f, t, q, calling{only: at, has: f.batches}, func(ctx context.Context, e *endpoint) (*secretsmanager.BatchGetSecretValueOutput, error) {
		in := &secretsmanager.BatchGetSecretValueInput{SecretIdList: make([]string, len(ids)), NextToken: token}
		for i, id := range ids {
			in.SecretIdList[i] = e.id(id)
		}
		out, err := e.batcher.BatchGetSecretValue(ctx, in, e.opts...)
		if err == nil && out == nil {
			err = errEmptyAnswer
		}
		return out, err
	})
	return batch{out, t, e}, err
}

// callGrace is how long the client waits for a call after the call's context
// ended. Calls that heed their context end at once.
const callGrace = time.Second

// call makes one call of e's API and counts it. The call's context ends after
// limit, with the given cause. The API is foreign code, so it runs in a
// goroutine of its own: it may panic or end that goroutine, and is abandoned if
// it ignores its context. Returned errors contain no secret value. If the
// context has already ended, the call is not made.
func call[T any](ctx context.Context, f *fetcher, q request, limit time.Duration, cause error, e *endpoint, fn func(context.Context, *endpoint) (T, error)) (T, error) {
	var zero T
	if err := ctx.Err(); err != nil {
		return zero, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, limit, cause)
	defer cancel()
	m := &apiCall[T]{traced: traced{Context: limited}, done: make(chan struct{})}
	q.begin(ctx, f)
	go m.run(e, fn)
	v, err := zero, error(nil)
	if m.wait() {
		v, err = m.v, m.err
	} else {
		err = limited.Err()
	}
	if err != nil {
		v, err = zero, shown(limited, &m.trace, err)
	}
	q.ended(ctx, f, arnOf(v), err)
	return v, err
}

// An apiCall is one call of the API: its context and its result.
type apiCall[T any] struct {
	traced
	done chan struct{} // closed when the call has ended; the fields below are valid only then
	v    T
	err  error
}

func (m *apiCall[T]) run(e *endpoint, fn func(context.Context, *endpoint) (T, error)) {
	defer close(m.done)
	m.err = errCallEnded
	defer func() {
		if p := recover(); p != nil {
			m.err = panicError(p)
		}
	}()
	m.v, m.err = fn(&m.traced, e)
}

// wait waits for the end of the call. It returns false if the call ignores its
// context.
func (m *apiCall[T]) wait() bool {
	select {
	case <-m.done:
		return true
	case <-m.Done():
	}
	grace := time.NewTimer(callGrace)
	defer grace.Stop()
	select {
	case <-m.done:
		return true
	case <-grace.C:
		return false
	}
}

// shown returns the error of a failed call in a form without secret values.
func shown(ctx context.Context, tr *trace, err error) error {
	switch cause := context.Cause(ctx); {
	case cause == errFetchTimeout || cause == errRegionTimeout:
		return tr.late(cause)
	case ctx.Err() == nil && isContextError(err):
		err = &lostError{err}
	}
	return clean(err)
}
