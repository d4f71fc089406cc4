package secrets

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// API is what a [Client] needs of the service; *secretsmanager.Client has it.
// DescribeSecret and BatchGetSecretValue are used where the value has them,
// with the signatures of *secretsmanager.Client.
//
// An API that panics, or whose goroutine ends, has failed: that is a transient
// error, like a lost connection. One that ignores its context is waited for no
// longer than about a second after the context has ended.
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

// A fetcher asks the service: it makes the calls, counts them and bounds how
// long they take. It knows nothing of the cache. It is safe for concurrent use
// by multiple goroutines.
type fetcher struct {
	api     API
	opts    callOpts // of calls that somebody waits for
	quick   callOpts // of calls that are repeated anyway: without the SDK's own retries
	timeout time.Duration
	counts  *counts
	events  *eventQueue
	calls   atomic.Uint64 // numbers calls

	describer    describer
	batcher      batcher
	describing   availability
	batching     availability
	batchingNext atomic.Int64 // when a batch may be tried again, in nanoseconds since 1970
}

// availability is whether an operation can be used at all: the API has it, the
// endpoint knows it.
type availability struct{ lost atomic.Bool }

// has reports whether it can, as far as is known.
func (a *availability) has() bool { return !a.lost.Load() }

// lose notes that it cannot. It reports true the first time.
func (a *availability) lose() bool { return !a.lost.Swap(true) }

// newFetcher returns a fetcher that asks api.
func newFetcher(api API, o *Options, n *counts, q *eventQueue) *fetcher {
	f := &fetcher{api: api, opts: callOptions(o), timeout: o.fetchTimeout(), counts: n, events: q}
	f.quick = append(f.opts[:len(f.opts):len(f.opts)], withoutRetries)
	f.describer, _ = api.(describer)
	f.batcher, _ = api.(batcher)
	f.describing.lost.Store(f.describer == nil)
	f.batching.lost.Store(f.batcher == nil)
	return f
}

func (f *fetcher) options(quick bool) callOpts {
	if quick {
		return f.quick
	}
	return f.opts
}

// value asks for the value of a version.
func (f *fetcher) value(ctx context.Context, id string, sel Selector, quick bool) (*Secret, error) {
	in := &secretsmanager.GetSecretValueInput{SecretId: &id}
	switch {
	case sel.id != "":
		in.VersionId = &sel.id
	case sel.stage != "":
		in.VersionStage = &sel.stage
	default:
		stage := Current
		in.VersionStage = &stage
	}
	return call(ctx, f, request{op: opGet, n: &f.counts.get, id: id}, func(ctx context.Context) (*Secret, error) {
		out, err := f.api.GetSecretValue(ctx, in, f.options(quick)...)
		if err != nil {
			return nil, err
		}
		return fromOutput(id, out)
	})
}

// A description is what DescribeSecret says of a secret.
type description struct {
	arn      string
	name     string
	deleted  bool   // it is scheduled for deletion
	labels   labels // nil: endpoints that say nothing of labels leave it to GetSecretValue
	rotation *plan  // never nil
}

// describes reports whether DescribeSecret is worth a try.
func (f *fetcher) describes() bool { return f.describing.has() }

// describe asks which labels the versions have. Where the endpoint has no such
// operation, that is remembered.
func (f *fetcher) describe(ctx context.Context, id string, quick bool) (*description, error) {
	if !f.describes() {
		return nil, errNoDescribe
	}
	in := &secretsmanager.DescribeSecretInput{SecretId: &id}
	return call(ctx, f, request{op: opDescribe, n: &f.counts.describe, id: id}, func(ctx context.Context) (*description, error) {
		out, err := f.describer.DescribeSecret(ctx, in, f.options(quick)...)
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
}

// batches reports whether BatchGetSecretValue is worth a try.
func (f *fetcher) batches() bool {
	return f.batcher != nil && (f.batching.has() || time.Now().UnixNano() >= f.batchingNext.Load())
}

// noBatches notes that it is not, for an hour. It reports true the first time.
func (f *fetcher) noBatches() bool {
	f.batchingNext.Store(time.Now().Add(batchAgain).UnixNano())
	return f.batching.lose()
}

// batch asks for the current versions of up to 20 secrets.
func (f *fetcher) batch(ctx context.Context, in *secretsmanager.BatchGetSecretValueInput) (*secretsmanager.BatchGetSecretValueOutput, error) {
	return call(ctx, f, request{op: opBatch, n: &f.counts.batch, ids: in.SecretIdList}, func(ctx context.Context) (*secretsmanager.BatchGetSecretValueOutput, error) {
		out, err := f.batcher.BatchGetSecretValue(ctx, in, f.opts...)
		if err == nil && out == nil {
			err = errEmptyAnswer
		}
		return out, err
	})
}

// callGrace is how long a call is waited for whose context has ended. Those that
// heed their context end at once.
const callGrace = time.Second

// call makes one call of the API, with the fetcher's timeout, and counts it. The
// API is somebody else's code: it runs in a goroutine of its own, which it may
// end or make panic, and which is left behind if it does not heed its context.
// An error is fit to be shown. A call whose context has ended is not made.
func call[T any](ctx context.Context, f *fetcher, q request, fn func(context.Context) (T, error)) (T, error) {
	var zero T
	if err := ctx.Err(); err != nil {
		return zero, err
	}
	whole := ctx
	ctx, cancel := context.WithTimeoutCause(ctx, f.timeout, errFetchTimeout)
	defer cancel()
	q.begin(whole, f)
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		r := result{err: errCallEnded}
		defer func() {
			if p := recover(); p != nil {
				r = result{err: panicError(p)}
			}
			done <- r
		}()
		r.v, r.err = fn(ctx)
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		grace := time.NewTimer(callGrace)
		defer grace.Stop()
		select {
		case r = <-done:
		case <-grace.C:
			r = result{err: ctx.Err()}
		}
	}
	if r.err != nil {
		r.v, r.err = zero, shown(ctx, r.err)
	}
	q.ended(whole, f, arnOf(r.v), r.err)
	return r.v, r.err
}

// shown makes the error of a failed call fit to be shown.
func shown(ctx context.Context, err error) error {
	if context.Cause(ctx) == errFetchTimeout {
		return errFetchTimeout
	}
	return clean(err)
}
