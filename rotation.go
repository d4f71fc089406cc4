package secrets

import (
	"cmp"
	"context"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// TryOptions are the options of a handle that [Try] is used with. A nil
// *TryOptions and every zero field mean the default.
type TryOptions struct {
	// Stages are the staging labels whose versions may be offered. AWSCURRENT
	// always may. The default is AWSCURRENT, AWSPENDING and AWSPREVIOUS.
	Stages []string

	// Wait is for how long Try waits for another version when all were
	// rejected. The default, and a negative value, is for as long as the
	// context lasts.
	Wait time.Duration
}

// WithTry returns a new handle of the same secret with other options for
// [Try]. It shares nothing with r that was learnt of a rotation.
func (r *Ref[T]) WithTry(o *TryOptions) *Ref[T] {
	n := newRef(r.c, r.id, r.kind, r.bound)
	if o != nil {
		n.try.stages = slices.Clone(o.Stages)
		n.try.wait = o.Wait
	}
	return n
}

// Rotating reports, from memory and without waiting, whether a rotation of the
// secret is known to be outstanding, or whether Try is making do with a version
// other than the current one.
func (r *Ref[T]) Rotating() bool {
	if r.try.busy.Load() {
		return true
	}
	e, _ := r.c.lookup(r.id)
	return e != nil && r.c.isRotating(e)
}

// Try calls use with the current version of a secret and, if use rejects it
// with an error made by [Rejected], with the versions that may be valid in its
// place while the secret is being rotated: the current one as the service has
// it now, the pending one, and the previous one. What use returns for the
// version it accepts, Try returns. An error that is no rejection is returned
// as it is; network errors should be such.
//
// A version other than the current one that worked is used first from then on,
// by this handle alone, until it is rejected or has become current. When a
// version was rejected one caller offers the others, each once, while the
// callers that share the handle wait for what it finds. A rejected version is
// not offered again until it has come to another label, a version that worked
// in its place is rejected, or, at the earliest, a minute has passed. So a
// rotation costs one rejection, or as many as uses of the old version were
// under way; Try does not limit those.
//
// When every version was rejected Try asks the service, not the resource,
// until there is another; it ends with ctx, or after TryOptions.Wait, with a
// [*RejectedError].
//
// use may be called several times, with different versions; never again with
// one that it rejected a moment ago.
func Try[T, R any](ctx context.Context, r *Ref[T], use func(context.Context, T) (R, error)) (R, error) {
	var zero R
	var patience context.Context // how long to wait for another version
	w := walker[T, R]{r: r, use: use}
	for {
		o, err := r.offer(ctx)
		if err != nil {
			return zero, err
		}
		if !o.wait && w.mayUse(o.held.secret) {
			res, err := use(ctx, r.own(o.held))
			if !w.note(o.held.secret, o.stage, err, o.gen) {
				return res, err
			}
			continue // there may be another by now
		}
		if patience == nil {
			var cancel context.CancelFunc
			patience, cancel = r.try.patience(ctx)
			defer cancel()
		}
		if err := patience.Err(); err != nil {
			return zero, w.rejected(err)
		}
		if res, err, settled := w.tryOthers(ctx, patience, o); settled {
			return res, err
		}
	}
}

func (t *trial[T]) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	if t.wait > 0 {
		return context.WithTimeout(ctx, t.wait)
	}
	return ctx, func() {}
}

// own returns the value of h, for a use to have.
func (r *Ref[T]) own(h *held[T]) T {
	if r.clone != nil {
		return r.clone(&h.value)
	}
	return h.value
}

// trial is what a handle learnt of a rotation.
type trial[T any] struct {
	stages []string      // see TryOptions
	wait   time.Duration // see TryOptions; 0 or less: no bound

	busy atomic.Bool // there is a pin or a rejection; false lets uses pass without a lock

	mu       sync.Mutex          // guards the fields below; cache.mu may be taken while it is held
	pin      *pin[T]             // the version that worked in place of the current one
	rejected map[string]*refused // by version id
	gen      uint64              // counts rejections

	probing bool          // there is a prober
	walking bool          // and it is offering versions, not waiting for the service
	changed chan struct{} // closed, and replaced, when those who wait should look again; nil: nobody waits

	// The prober's view of the service. It outlives the prober, so that the
	// next one does not ask sooner than the last one would have.
	labels labels        // as last seen, nil: not known
	seen   time.Time     // when
	news   bool          // a version was rejected since
	delay  time.Duration // the last between two looks
	next   time.Time     // when there may be another without news
	failed error         // why the last one failed
}

// pin is a version that is used before the current one.
type pin[T any] struct {
	held  *held[T]
	stage string
	e     *entry // the secret's
	free  func() // lets the cache evict e again
}

// offered is the version that a use gets first.
type offered[T any] struct {
	held  *held[T]
	stage string
	gen   uint64 // how many rejections there were, 0: there was no trouble
	wait  bool   // only the prober may offer it
}

// offer returns the pinned version, or the current one.
func (r *Ref[T]) offer(ctx context.Context) (offered[T], error) {
	h, err := r.heldCurrent(ctx)
	if !r.try.busy.Load() {
		return offered[T]{held: h, stage: Current}, err
	}
	if err != nil {
		return offered[T]{}, err
	}
	t := &r.try
	t.mu.Lock()
	defer t.mu.Unlock()
	r.checkPinLocked(h.secret)
	if p := t.pin; p != nil {
		return offered[T]{held: p.held, stage: p.stage, gen: t.gen}, nil
	}
	wait := t.walking || t.rejected[h.secret.v.id] != nil
	return offered[T]{held: h, stage: Current, gen: t.gen, wait: wait}, nil
}

// checkPinLocked lets the pin go if it has become current, or belongs to a
// secret that was deleted and made again. It holds on to the entry that the
// cache now has, should the secret have left it in between.
func (r *Ref[T]) checkPinLocked(cur *Secret) {
	t := &r.try
	if t.pin == nil {
		return
	}
	v := t.pin.held.secret.v
	if cur.v.id == v.id || keyOf(cur.v.arn, r.id) != keyOf(v.arn, r.id) {
		t.unpinLocked()
		t.settledLocked()
		return
	}
	if e, _ := r.c.lookup(r.id); e != nil && e != t.pin.e {
		t.pin.free()
		t.pin.e, t.pin.free = e, r.hold(e)
	}
}

// hold keeps e in the cache and hot. The function it returns ends that; so
// does the collection of a handle that is dropped without being used again.
func (r *Ref[T]) hold(e *entry) (free func()) {
	c := &r.c.cache
	c.mu.Lock()
	c.holdLocked(e)
	c.mu.Unlock()
	let := runtime.AddCleanup(r, func(e *entry) { c.let(e) }, e)
	return func() { let.Stop(); c.let(e) }
}

// heldCurrent returns the current version with its value.
func (r *Ref[T]) heldCurrent(ctx context.Context) (*held[T], error) {
	if sl := r.slot.Load(); sl != nil {
		if h := sl.shown.Load(); h != nil {
			sl.touch()
			r.c.counts.hits.add()
			return h, nil
		}
	}
	h, err := r.slow(ctx)
	if err != nil {
		return nil, opError("get", r.id, err)
	}
	return h, nil
}

// noteRejected takes note of a rejection, and returns it. prober says that the
// version was offered because of the label that the service shows.
func (t *trial[T]) noteRejected(s *Secret, stage string, err error, prober bool) *refused {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.busy.Store(true)
	t.gen++
	id, now := s.v.id, time.Now()
	if t.pin != nil && t.pin.held.secret.v.id == id {
		t.unpinLocked()
		for _, f := range t.rejected {
			f.other = true
		}
	}
	f, known := t.rejected[id], false
	switch {
	case f == nil:
		f = &refused{n: 1}
		t.rememberLocked(id, f)
	case f.moved || f.other:
		f.n = 1
	case f.mayOffer(now):
		f.n++
	default:
		known = true // this use was under way when another was rejected
	}
	f.stage, f.at, f.seq, f.err, f.moved, f.other = stage, now, t.gen, err, false, false
	switch {
	case known:
	case prober:
		f.under = append(f.under, stage)
	default:
		f.fresh, t.news = true, true
	}
	return f
}

// maxRejected bounds how many rejections a handle remembers.
const maxRejected = 32

func (t *trial[T]) rememberLocked(id string, f *refused) {
	if t.rejected == nil {
		t.rejected = map[string]*refused{}
	}
	if len(t.rejected) >= maxRejected {
		delete(t.rejected, slices.MinFunc(slices.Collect(maps.Keys(t.rejected)), func(a, b string) int {
			return cmp.Compare(t.rejected[a].seq, t.rejected[b].seq)
		}))
	}
	t.rejected[id] = f
}

// noteAccepted ends the trouble if a version works that nobody rejected and
// whose use began after the last rejection.
func (t *trial[T]) noteAccepted(s *Secret, gen uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pin == nil && gen == t.gen && t.rejected[s.v.id] == nil {
		t.settledLocked()
	}
}

// settledLocked forgets the trouble.
func (t *trial[T]) settledLocked() {
	clear(t.rejected)
	t.news, t.delay, t.next, t.failed = false, 0, time.Time{}, nil
	t.restLocked()
	t.wakeLocked()
}

func (t *trial[T]) restLocked() {
	t.busy.Store(t.pin != nil || len(t.rejected) > 0)
}

// wakeLocked makes those who wait look again.
func (t *trial[T]) wakeLocked() {
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

// waitLocked returns what is closed by the next wakeLocked.
func (t *trial[T]) waitLocked() <-chan struct{} {
	if t.changed == nil {
		t.changed = make(chan struct{})
	}
	return t.changed
}

func (t *trial[T]) unpinLocked() {
	t.pin.free()
	t.pin = nil
}

func (t *trial[T]) allows(stage string) bool {
	return stage == Current || len(t.stages) == 0 || slices.Contains(t.stages, stage)
}
