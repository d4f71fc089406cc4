package secrets

import (
	"context"
	"errors"
	"slices"
	"time"
)

// TryOptions are the options of [Try] for one handle. A nil *TryOptions and
// every zero field mean the default.
type TryOptions struct {
	// Stages are the staging labels whose versions may be offered. AWSCURRENT is
	// always included. Nil means AWSCURRENT, AWSPENDING and AWSPREVIOUS. An
	// empty slice that is not nil means AWSCURRENT alone.
	Stages []string

	// Wait is how long Try waits for another version after all were rejected,
	// requests to the service included. By default it waits until its context
	// ends. If Wait is negative, Try does not wait for a new version: it asks
	// the service once, offers the versions in the answer, and returns if they
	// are rejected too. If another call is already doing this, Try waits only
	// until that call ends.
	Wait time.Duration

	// Pause is how long a rejected version is not offered again, apart from the
	// cases that [TryOffer] lists. It doubles with each further rejection, up to
	// 15 times its initial length. The default is one minute, which suits
	// databases that lock accounts after several wrong passwords. Negative means
	// no pause: each call, and each round of a call that waits, offers a
	// rejected version again.
	Pause time.Duration
}

// WithTry returns a new handle of the same secret with other options for [Try].
// The new handle does not share what r has learned about a rotation.
func (r *Ref[T]) WithTry(o *TryOptions) *Ref[T] {
	r.made()
	n := newRef(r.c, r.id, r.kind, r.bound)
	if o != nil {
		n.try.stages = slices.Clone(o.Stages)
		n.try.wait, n.try.pause = o.Wait, o.Pause
	}
	return n
}

// Rotating reports whether the secret is being rotated, as far as the client
// knows. It answers from memory and does not block. It returns true if a
// rotation is known to be outstanding, or if [Try] uses a version other than
// the current one. A rotation counts as outstanding while DescribeSecret says
// so. While the service does not answer, it counts as outstanding for 15
// minutes, or for twice Options.TTL if that is longer.
func (r *Ref[T]) Rotating() bool {
	r.made()
	return r.try.busy.Load() || r.c.outstanding(r.id)
}

// Peek returns the value that [Ref.Get] would return, if it is in memory. It
// does not block and causes no request. If there is no value, if the value is
// too old to be served, or after Close, it returns the zero value and false. A
// version that was never read as a T is decoded.
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

// peekedHits notes a read of h from memory by Peek, and returns the counter for
// it.
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

// Try is [TryOffer] for a use that needs only the value.
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

// ofOffer converts a use of a value to a use of an offer. It allocates, so Try
// calls it only if necessary.
func ofOffer[T, R any](use func(context.Context, T) (R, error)) func(context.Context, Offer[T]) (R, error) {
	return func(ctx context.Context, o Offer[T]) (R, error) { return use(ctx, o.Value) }
}

// TryOffer calls use with versions of a secret until use accepts one. It begins
// with the current version. If use returns an error made by [Rejected],
// TryOffer offers the versions that may be valid instead during a rotation: the
// current version as the service has it now, the pending version, and the
// previous version. It returns what use returns for the accepted version. An
// error that is not a rejection is returned unchanged; use should return
// network errors in this way.
//
// If a version other than the current one is accepted, this handle uses it
// first until it is rejected or becomes current. Other handles are not
// affected. After a rejection one caller, the prober, offers the other
// versions, each once. Other callers of the handle wait for its result. A
// rejected version is offered again only after one of these events: it becomes
// current or pending; the version that was accepted in its place is rejected;
// or TryOptions.Pause, one minute by default, has passed. So a rotation costs
// one rejection, or one for each use of the old version that was under way;
// TryOffer does not limit those.
//
// The previous version is offered only if the service was just asked and the
// pending version is known not to help: it does not exist, it was rejected,
// access to it is denied, or it has no value. The previous version is not
// offered merely because the pending one cannot be fetched at the moment.
//
// If every version was rejected, TryOffer keeps asking the service, not the
// resource, until there is another version. When ctx ends or TryOptions.Wait is
// over, it returns a [*RejectedError]. If TryOptions.Wait is negative, it asks
// the service once. Close ends TryOffer with [ErrClosed], but does not
// interrupt a call of use.
//
// use may be called several times with different versions, but not again with
// one that it has just rejected. It may call TryOffer for another handle. If
// the prober's use calls TryOffer for the same handle and would have to wait
// for itself, TryOffer returns an error instead. It detects this by the context
// that was passed to use, so use must pass that context on.
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
// and nothing is pinned, so that the version may be used without asking the
// protocol.
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

// own returns the value of h in a form that a use may keep.
func (r *Ref[T]) own(h *decoded[T]) T {
	if r.clone != nil {
		return r.clone(&h.value)
	}
	return h.value
}

func (r *Ref[T]) offerOf(h *decoded[T], stage string, fallback bool) Offer[T] {
	return Offer[T]{Value: r.own(h), VersionID: h.secret.v.id, Stage: stage, Fallback: fallback}
}

var errWaitsForItself = errors.New("the use called Try for its own handle while it offers another version: Try would wait for itself")
