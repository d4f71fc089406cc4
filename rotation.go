package secrets

import (
	"context"
	"errors"
	"slices"
	"time"
)

// TryOptions are the options of a handle that [Try] is used with. A nil
// *TryOptions and every zero field mean the default.
type TryOptions struct {
	// Stages are the staging labels whose versions may be offered. AWSCURRENT
	// always may. Nil means AWSCURRENT, AWSPENDING and AWSPREVIOUS; an empty
	// slice that is not nil means AWSCURRENT alone.
	Stages []string

	// Wait is for how long Try waits for another version when all were
	// rejected, requests to the service included. The default is for as long as
	// the context lasts. Negative means that Try does not wait for a version to
	// come: the service is asked once, what it has is offered, and if that is
	// rejected too Try returns. A call that finds another one doing so waits
	// for it to end, and no longer.
	Wait time.Duration

	// Pause is for how long a version that was rejected is not offered again,
	// unless something speaks for it: see [TryOffer]. It doubles with each
	// further rejection, up to 15 times itself. The default is a minute, which
	// suits databases that lock accounts after some wrong passwords. Negative
	// means none: a rejected version is offered again by every call, and at
	// every round of one that waits.
	Pause time.Duration
}

// WithTry returns a new handle of the same secret with other options for
// [Try]. It shares nothing with r that was learnt of a rotation.
func (r *Ref[T]) WithTry(o *TryOptions) *Ref[T] {
	r.made()
	n := newRef(r.c, r.id, r.kind, r.bound)
	if o != nil {
		n.try.stages = slices.Clone(o.Stages)
		n.try.wait, n.try.pause = o.Wait, o.Pause
	}
	return n
}

// Rotating reports, from memory and without waiting, whether a rotation of the
// secret is known to be outstanding, or whether Try is making do with a version
// other than the current one. That a rotation is outstanding is believed for as
// long as DescribeSecret says so, and where the service does not answer, for 15
// minutes, or twice Options.TTL if that is longer.
func (r *Ref[T]) Rotating() bool {
	r.made()
	return r.try.busy.Load() || r.c.outstanding(r.id)
}

// Peek returns the value that [Ref.Get] would return, if it is in memory. It
// neither blocks nor makes a request, and starts none. Where there is nothing,
// or only a value that is too old to be served, and after Close, it returns the
// zero value and false. A version that was never read as a T is decoded.
func (r *Ref[T]) Peek() (T, bool) {
	r.made()
	h := r.peek()
	if h == nil {
		var zero T
		return zero, false
	}
	r.peekedHits(h).add()
	return r.own(h), true
}

// peekedHits notes a read of h that only looked into memory, and returns the
// counter that counts it.
func (r *Ref[T]) peekedHits(h *decoded[T]) *striped {
	c := &r.c.cache
	if sl := r.slot.Load(); sl != nil {
		n := sl.hits(c)
		if sl.shown.Load() == h {
			return n
		}
	}
	if _, _, fresh := c.fresh(r.id); !fresh {
		return &c.counts.staleHits
	}
	return &c.counts.hits
}

// Try is [TryOffer] for a use that needs to know no more than the value.
func Try[T, R any](ctx context.Context, r *Ref[T], use func(context.Context, T) (R, error)) (R, error) {
	if use == nil {
		panic("secrets: Try: use is nil")
	}
	h, quiet, err := r.first(ctx)
	if err != nil {
		var zero R
		return zero, err
	}
	if !quiet {
		return attemptOf(r, ofOffer(use)).run(ctx)
	}
	res, err := use(ctx, r.own(h))
	if !isRejection(err) {
		return res, err
	}
	return attemptOf(r, ofOffer(use)).resume(ctx, h, err)
}

// ofOffer makes a use of an offer of one of a value. Try calls it where it must:
// it allocates.
func ofOffer[T, R any](use func(context.Context, T) (R, error)) func(context.Context, Offer[T]) (R, error) {
	return func(ctx context.Context, o Offer[T]) (R, error) { return use(ctx, o.Value) }
}

// TryOffer calls use with the current version of a secret and, if use rejects
// it with an error made by [Rejected], with the versions that may be valid in
// its place while the secret is being rotated: the current one as the service
// has it now, the pending one, and the previous one. What use returns for the
// version it accepts, TryOffer returns. An error that is no rejection is
// returned as it is; network errors should be such.
//
// A version other than the current one that worked is used first from then on,
// by this handle alone, until it is rejected or has become current. When a
// version was rejected one caller, the prober, offers the others, each once,
// while the callers that share the handle wait for what it finds. A rejected
// version is not offered again until it has become current or pending, a
// version that worked in its place is rejected, or, at the earliest,
// TryOptions.Pause has passed, a minute by default. So a rotation costs one rejection, or as many as uses of the old
// version were under way; TryOffer does not limit those.
//
// The previous version is offered only where the service was just asked, and
// the pending one is known to be of no help: there is none, it was rejected, it
// may not be read, or it has no value. It is not offered because the pending
// one is out of reach at the moment.
//
// When every version was rejected TryOffer asks the service, not the resource,
// until there is another; it ends with ctx, or after TryOptions.Wait, with a
// [*RejectedError]. Where that is negative it asks once. Close ends it with [ErrClosed], but for a use under way.
//
// use may be called several times, with different versions; never again with
// one that it rejected a moment ago. It may call TryOffer for another handle.
// Where the prober's use calls it for its own and would have to wait for itself,
// an error is returned in place of waiting; that is found out by the context
// that use was given, so use must hand that on.
func TryOffer[T, R any](ctx context.Context, r *Ref[T], use func(context.Context, Offer[T]) (R, error)) (R, error) {
	if use == nil {
		panic("secrets: TryOffer: use is nil")
	}
	h, quiet, err := r.first(ctx)
	if err != nil {
		var zero R
		return zero, err
	}
	if !quiet {
		return attemptOf(r, use).run(ctx)
	}
	res, err := use(ctx, r.offerOf(h, Current, false))
	if !isRejection(err) {
		return res, err
	}
	return attemptOf(r, use).resume(ctx, h, err)
}

// first returns the current version. quiet reports that nothing was rejected
// and nothing is pinned, so that it may be used without asking further.
func (r *Ref[T]) first(ctx context.Context) (h *decoded[T], quiet bool, err error) {
	r.made()
	quiet = !r.try.busy.Load()
	h, err = r.decodedCurrent(ctx)
	return h, quiet && !r.try.busy.Load(), err
}

// decodedCurrent returns the current version with its value.
func (r *Ref[T]) decodedCurrent(ctx context.Context) (*decoded[T], error) {
	if sl := r.slot.Load(); sl != nil {
		if h := sl.shown.Load(); h != nil {
			sl.hits(&r.c.cache).add()
			return h, nil
		}
	}
	r.made()
	h, err := r.slow(ctx)
	if err != nil {
		return nil, opError("get", r.id, err)
	}
	return h, nil
}

// own returns the value of h, for a use to have.
func (r *Ref[T]) own(h *decoded[T]) T {
	if r.clone != nil {
		return r.clone(&h.value)
	}
	return h.value
}

func (r *Ref[T]) offerOf(h *decoded[T], stage string, fallback bool) Offer[T] {
	return Offer[T]{Value: r.own(h), VersionID: h.secret.v.id, Stage: stage, Fallback: fallback}
}

var errWaitsForItself = errors.New("the use that offers another version called Try for its own handle, which would wait for that use")
