package secrets

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/rotation"
)

// An attempt is one call of [TryOffer] that needs more than the current
// version. It may become the handle's prober, which offers other versions than
// the rejected one.
type attempt[T, R any] struct {
	r       *Ref[T]
	use     func(context.Context, Offer[T]) (R, error)
	call    rotation.Call
	current *decoded[T]      // what the handle's last read returned
	errs    map[string]error // by version id: the errors of this call's own uses

	waiting context.Context // ends when the wait ends; nil: the call has not begun to wait
	cancel  context.CancelFunc
}

func attemptOf[T, R any](r *Ref[T], use func(context.Context, Offer[T]) (R, error)) *attempt[T, R] {
	return &attempt[T, R]{r: r, use: use, cancel: func() {}}
}

// resume continues after a use rejected h, the current version.
func (a *attempt[T, R]) resume(ctx context.Context, h *decoded[T], err error) (R, error) {
	a.current = h
	a.note(rotation.Version{ID: versionIDOf(h.secret), Stage: Current}, err, func(v view[T], w rotation.Version) {
		v.Rejected(&a.call, w, v.now)
	})
	return a.run(ctx)
}

// run carries out what the protocol says. It ends when a use returns anything
// but a rejection, or when waiting ends.
func (a *attempt[T, R]) run(ctx context.Context) (res R, err error) {
	defer func() { a.cancel() }()
	for {
		if a.current, err = a.read(ctx); err != nil {
			return res, err
		}
		turn, h, changed := a.begin(ctx)
		switch turn.Do {
		case rotation.Use:
			got, err := a.use(ctx, a.r.offerOf(h, turn.Stage, false))
			if !isRejection(err) {
				a.accepted(turn, err)
				return got, err
			}
			a.note(turn.Version, err, func(v view[T], w rotation.Version) { v.Rejected(&a.call, w, v.now) })
		case rotation.GiveUp:
			return res, a.rejected(a.waitContext(ctx).Err())
		case rotation.Probe:
			return a.probe(ctx)
		case rotation.Wait:
			if ctx.Value(probing{a.r}) == a.r.prober() {
				return res, opError("try", a.r.id, errWaitsForItself)
			}
			select {
			case <-changed:
			case <-a.waitContext(ctx).Done():
			case <-a.r.c.closing():
				return res, ErrClosed
			}
		}
	}
}

// read returns the current version. If it is not in memory and a use has
// rejected a version, the time counts as waiting for another version.
func (a *attempt[T, R]) read(ctx context.Context) (*decoded[T], error) {
	if a.waiting == nil && len(a.errs) > 0 && a.r.inMemory() == nil {
		a.waitContext(ctx)
	}
	if a.waiting == nil {
		return a.r.decodedCurrent(ctx)
	}
	h, err := a.r.decodedCurrent(a.waiting)
	if err != nil && err != ErrClosed && a.waiting.Err() != nil {
		err = a.rejected(a.waiting.Err())
	}
	return h, err
}

// waitContext returns the context of waiting. The first call starts the wait.
func (a *attempt[T, R]) waitContext(ctx context.Context) context.Context {
	switch {
	case a.waiting != nil:
	case a.r.try.wait > 0:
		a.waiting, a.cancel = context.WithTimeout(ctx, a.r.try.wait)
	default:
		a.waiting = ctx
	}
	return a.waiting
}

// begin asks the protocol for the call's next step. It returns the version to
// use, or, if the call must wait, a channel that is closed when it should ask
// again.
func (a *attempt[T, R]) begin(ctx context.Context) (turn rotation.Turn, h *decoded[T], changed <-chan struct{}) {
	t := &a.r.try
	stays := ctx.Err() == nil && (a.waiting == nil || a.waiting.Err() == nil)
	a.r.apply(a.current, func(v view[T]) {
		turn = v.Begin(&a.call, v.current, v.now, stays)
		switch turn.Do {
		case rotation.Use:
			h = v.held
			if _, pinned := v.Pin(); pinned {
				h = t.pinned
			}
		case rotation.Wait:
			changed = t.changes()
		case rotation.Probe:
			t.prober = a
			v.StartRound(v.now, v.current, spread())
		}
	})
	return turn, h, changed
}

// spread returns a random factor near one, in thousandths.
func spread() int64 { return 900 + rand.Int64N(201) }

func (a *attempt[T, R]) accepted(turn rotation.Turn, err error) {
	if err == nil && a.r.try.busy.Load() {
		a.r.apply(a.current, func(v view[T]) { v.Accepted(turn) })
	}
}

// note records a rejection.
func (a *attempt[T, R]) note(w rotation.Version, err error, tell func(view[T], rotation.Version)) {
	if wasOffered(err) {
		a.r.c.counts.rejections.Add(1)
		a.r.c.tellOf(a.r.id, Event{Kind: EventRejected, Version: w.ID, Stage: w.Stage, Type: typeName[T](), Class: ClassRejected})
	}
	if a.errs == nil {
		a.errs = map[string]error{}
	}
	a.errs[w.ID] = err
	a.r.apply(a.current, func(v view[T]) {
		tell(v, w)
		a.r.try.noteError(w.ID, err)
	})
}

// rejected returns the error that names the rejected versions. end is what
// ended the waiting.
func (a *attempt[T, R]) rejected(end error) (err error) {
	a.r.apply(a.current, func(v view[T]) {
		t := &a.r.try
		all := merged(v.Rejections(), a.call.Rejections())
		errs := maps.Clone(t.errs)
		if errs == nil {
			errs = map[string]error{}
		}
		for id, own := range a.errs {
			if errs[id] == nil {
				errs[id] = own
			}
		}
		var last error
		if len(all) > 0 {
			last = errs[all[len(all)-1].ID]
		}
		err = rejectedError(a.r.id, all, last, end, t.failed)
	})
	return err
}

// probing is the context key that marks a use by a handle's prober. The value
// is the prober.
type probing struct{ ref any }

// prober returns a non-nil value that identifies the handle's prober.
func (r *Ref[T]) prober() any {
	r.try.mu.Lock()
	defer r.try.mu.Unlock()
	if r.try.prober == nil {
		return &r.try
	}
	return r.try.prober
}

// probe does the prober's work: it offers versions, round after round, until
// one is accepted.
func (a *attempt[T, R]) probe(ctx context.Context) (res R, err error) {
	defer a.r.apply(nil, func(v view[T]) { // also if the use panics or ends its goroutine
		v.Leave()
		a.r.try.prober = nil
	})
	waiting := a.waitContext(ctx)
	for {
		switch {
		case a.r.c.base.Err() != nil:
			return res, ErrClosed
		case waiting.Err() != nil:
			return res, a.rejected(waiting.Err())
		case a.current != nil && a.r.c.replaced(a.r.id, a.current.secret):
			if a.current, err = a.read(ctx); err != nil {
				return res, err
			}
		}
		step, changed, wait := a.next()
		switch step.Do {
		case rotation.Ask:
			if err := a.ask(waiting); err != nil {
				return res, opError("try", a.r.id, err)
			}
		case rotation.Fetch:
			if h := a.get(waiting, step); h != nil {
				if res, err, done := a.offer(ctx, step, h); done {
					return res, err
				}
			}
		case rotation.Pause:
			a.pause(waiting, changed, wait)
		case rotation.Stop:
			return res, a.rejected(nil)
		}
	}
}

// next asks the protocol for the prober's next step. For a pause it also
// returns the duration, and a channel that ends the pause early.
func (a *attempt[T, R]) next() (step rotation.Step, changed <-chan struct{}, wait time.Duration) {
	a.r.apply(a.current, func(v view[T]) {
		a.current = v.held
		if step = v.Next(&a.call, v.now, v.current); step.Do == rotation.Pause {
			if v.TakeWake() {
				a.r.try.wakeAll()
			}
			changed, wait = a.r.try.changes(), time.Duration(step.At-v.now)
		}
	})
	return step, changed, wait
}

// pause waits between two rounds and begins the next one.
func (a *attempt[T, R]) pause(waiting context.Context, changed <-chan struct{}, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	case <-waiting.Done():
		return
	case <-a.r.c.closing():
		return
	}
	a.r.apply(a.current, func(v view[T]) { v.StartRound(v.now, v.current, spread()) })
}

// ask asks the service for the labels. It returns an error if the service
// refused the secret.
func (a *attempt[T, R]) ask(waiting context.Context) error {
	k := a.r.c.sight(waiting, a.r.id)
	switch {
	case k.withdrawn && waiting.Err() == nil:
		return k.err
	case !k.informed && a.leavesOpen(waiting):
		return nil
	}
	a.r.apply(a.current, func(v view[T]) {
		a.r.try.failed = k.err
		if k.informed {
			v.Informed(v.now, k.labels, v.current)
		} else {
			v.Uninformed(v.now, v.current)
		}
	})
	return nil
}

// leavesOpen reports whether a call that asks only once ended before the answer
// came. The next prober then asks again, and the missing answer does not count
// as an outage.
func (a *attempt[T, R]) leavesOpen(waiting context.Context) bool {
	return a.r.try.wait < 0 && waiting.Err() != nil
}

// get returns the version of a step, ready to be offered. It returns nil if
// there is none or if it may not be offered.
func (a *attempt[T, R]) get(waiting context.Context, step rotation.Step) (h *decoded[T]) {
	if a.current != nil && versionIDOf(a.current.secret) == step.ID {
		h = a.current
	}
	var err error
	miss := rotation.Unusable
	if h == nil {
		var s *Secret
		if s, err = a.r.c.versionBy(waiting, a.r.id, step.Stage, step.ID, step.Memory); err == nil {
			h = a.r.decode(s)
		} else if a.leavesOpen(waiting) {
			return nil
		} else {
			miss = missOf(err)
		}
	}
	a.r.apply(a.current, func(v view[T]) {
		if h == nil {
			v.Missed(step, miss)
			if (miss == rotation.Unreachable || miss == rotation.Denied) && !step.Memory {
				a.r.try.failed = fmt.Errorf("version with %s: %w", step.Stage, err)
			}
		} else if !v.Fetched(&a.call, step, versionIDOf(h.secret), v.now) {
			h = nil
		}
	})
	return h
}

// offer calls use with a version, as the prober. done reports whether the call
// is finished.
func (a *attempt[T, R]) offer(ctx context.Context, step rotation.Step, h *decoded[T]) (res R, err error, done bool) {
	ctx = context.WithValue(ctx, probing{a.r}, a)
	res, err = a.use(ctx, a.r.offerOf(h, step.Stage, true))
	switch w := (rotation.Version{ID: versionIDOf(h.secret), Stage: step.Stage}); {
	case err == nil:
		a.found(w, h)
	case isRejection(err):
		a.note(w, err, func(v view[T], w rotation.Version) {
			v.ProberRejected(&a.call, step, w.ID, v.now)
			if at := nextOffer(err); !at.IsZero() {
				v.OfferAgain(w.ID, rotation.Instant(at.Sub(a.r.try.began)))
			}
		})
		var zero R
		return zero, nil, false
	}
	return res, err, true
}

// found records the version that was accepted. It is pinned unless it is
// current.
func (a *attempt[T, R]) found(w rotation.Version, h *decoded[T]) {
	var pinned bool
	a.r.apply(a.current, func(v view[T]) {
		v.ProberAccepted(&a.call, w, v.current)
		if _, pinned = v.Pin(); pinned {
			a.r.pin(h, w.Stage, v.current)
		}
	})
	if pinned {
		a.r.c.checkSoon(a.r.id)
	}
}
