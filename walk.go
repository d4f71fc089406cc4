package secrets

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/probe"
)

// A walker is one call of [Try], which may become the handle's prober: the one
// that offers versions other than the one that was rejected.
type walker[T, R any] struct {
	r    *Ref[T]
	use  func(context.Context, T) (R, error)
	res  R
	mine map[string]*refused // what this call's own uses rejected; trial.mu guards what it points to

	e      *entry
	atHand bool // this round makes do with what is in memory
	first  bool // this is the walk's first round
}

// note takes note of how a use ended, and reports whether it was a rejection.
// gen is what the offer said.
func (w *walker[T, R]) note(s *Secret, stage string, err error, gen uint64) bool {
	if err == nil {
		if w.r.try.busy.Load() {
			w.r.try.noteAccepted(s, gen)
		}
		return false
	}
	return w.noteError(s, stage, err, false)
}

func (w *walker[T, R]) noteError(s *Secret, stage string, err error, prober bool) bool {
	var rej *rejection
	if !errors.As(err, &rej) {
		return false
	}
	w.r.c.counts.rejections.Add(1)
	f := w.r.try.noteRejected(s, stage, rej.err, prober)
	if w.mine == nil {
		w.mine = map[string]*refused{}
	}
	w.mine[s.v.id] = f
	return true
}

// mayUse reports whether this call may use the version: one that it rejected a
// moment ago it may not, even if others found it to work.
func (w *walker[T, R]) mayUse(s *Secret) bool {
	if w.mine == nil {
		return true
	}
	w.r.try.mu.Lock()
	defer w.r.try.mu.Unlock()
	return w.mayUseLocked(s.v.id)
}

func (w *walker[T, R]) mayUseLocked(id string) bool {
	f := w.mine[id]
	return f == nil || f.moved || !time.Now().Before(f.again())
}

// rejected returns the error that names what was rejected.
func (w *walker[T, R]) rejected(end error) error {
	t := &w.r.try
	t.mu.Lock()
	defer t.mu.Unlock()
	all := map[string]*refused{}
	maps.Copy(all, w.mine)
	maps.Copy(all, t.rejected)
	return rejectedError(w.r.id, all, end, t.failed)
}

// tryOthers makes the caller the prober, or lets it wait until there is
// something to look at again. o is what may not be used. It reports whether
// the call has its result.
func (w *walker[T, R]) tryOthers(ctx, patience context.Context, o offered[T]) (res R, err error, settled bool) {
	t := &w.r.try
	t.mu.Lock()
	if w.betterLocked(o) {
		t.mu.Unlock()
		return res, nil, false
	}
	if t.probing {
		changed := t.waitLocked()
		t.mu.Unlock()
		select {
		case <-changed:
		case <-patience.Done():
		case <-w.r.c.base.Done():
			return res, ErrClosed, true
		}
		return res, nil, false
	}
	t.probing = true
	t.mu.Unlock()
	defer func() { // also where the use panics or ends its goroutine
		t.mu.Lock()
		t.probing, t.walking = false, false
		t.wakeLocked()
		t.mu.Unlock()
	}()
	res, err = w.walk(ctx, patience)
	return res, err, true
}

// betterLocked reports whether something else than o is on offer by now.
func (w *walker[T, R]) betterLocked(o offered[T]) bool {
	t := &w.r.try
	if t.pin != nil {
		return w.mayUseLocked(t.pin.held.secret.v.id)
	}
	s := o.held.secret
	return t.rejected[s.v.id] == nil && !t.walking && w.mayUseLocked(s.v.id)
}

const (
	minPoll = 250 * time.Millisecond
	maxPoll = 5 * time.Second

	// maxRetry bounds the interval while the service does not answer: then
	// nothing is known of whether there is a version to be had.
	maxRetry = time.Second

	// maxLabels is how old labels may be that are gone by when the service
	// cannot be asked.
	maxLabels = time.Minute
)

// walk is the prober's work: round after round of versions, until one is
// accepted.
func (w *walker[T, R]) walk(ctx, patience context.Context) (R, error) {
	var zero R
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.r.c.base, cancel)()
	for w.first = true; ; w.first = false {
		done, err := w.round(ctx, asking)
		switch {
		case done:
			return w.res, err
		case w.r.c.base.Err() != nil:
			return zero, ErrClosed
		}
		changed, wait := w.r.try.pause()
		pause := time.NewTimer(wait)
		select {
		case <-pause.C:
		case <-changed:
			pause.Stop()
		case <-w.r.c.base.Done():
			pause.Stop()
			return zero, ErrClosed
		case <-patience.Done():
			pause.Stop()
			return zero, w.rejected(patience.Err())
		}
	}
}

// pause ends a round. It returns how long the prober waits, and what ends that
// early.
func (t *trial[T]) pause() (<-chan struct{}, time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.walking = false
	t.wakeLocked()
	return t.waitLocked(), time.Until(t.next)
}

// round offers each version that may be, once. It reports whether there is an
// answer for the caller. asking is the context for the service, ctx that of
// the use.
func (w *walker[T, R]) round(ctx, asking context.Context) (bool, error) {
	lk, err := w.view(asking)
	if err != nil {
		return true, opError("try", w.r.id, err)
	}
	if w.e == nil {
		return false, nil
	}
	if done, _, err := w.offer(ctx, asking, lk, Current); done {
		return true, err
	}
	done, again, err := w.offer(ctx, asking, lk, Pending)
	if done {
		return true, err
	}
	if again && !w.atHand {
		// finishSecret may have moved the labels in the meantime.
		if now, err := w.look(asking, false); err == nil {
			lk = now
			if done, _, err := w.offer(ctx, asking, lk, Current); done {
				return true, err
			}
		}
	}
	if done, _, err = w.offer(ctx, asking, lk, Previous); done {
		return true, err
	}
	for _, stage := range w.r.try.stages {
		if stage != Current && stage != Pending && stage != Previous {
			if done, _, err := w.offer(ctx, asking, lk, stage); done {
				return true, err
			}
		}
	}
	return false, nil
}

// view returns the labels for a round: from the service, if it is time to ask
// it and it answers, or as they were last seen. An error says that the secret
// is not to be had.
func (w *walker[T, R]) view(ctx context.Context) (*look, error) {
	w.atHand = false
	if w.r.try.ask() {
		lk, err := w.look(ctx, true)
		if err == nil {
			return lk, nil
		}
		if a := answerOf(err); (a == gone || a == denied) && ctx.Err() == nil && w.isGone() {
			return nil, err
		}
	}
	w.atHand = true
	w.e, _ = w.r.c.lookup(w.r.id)
	t := &w.r.try
	t.mu.Lock()
	defer t.mu.Unlock()
	lk := &look{}
	if time.Since(t.seen) < maxLabels {
		lk.labels, lk.described = t.labels, t.labels != nil
	}
	return lk, nil
}

func (w *walker[T, R]) isGone() bool {
	e, _ := w.r.c.lookup(w.r.id)
	return e == nil || w.r.c.isEmpty(e)
}

// ask reports whether the service may be asked now: when a version was
// rejected since it was, and otherwise at intervals that grow.
func (t *trial[T]) ask() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.walking = true
	now := time.Now()
	switch {
	case t.news:
		t.delay = minPoll
	case now.Before(t.next):
		return false
	case t.failed != nil:
		t.delay = min(maxRetry, max(minPoll, t.delay+t.delay/2))
	default:
		t.delay = min(maxPoll, max(minPoll, t.delay+t.delay/2))
	}
	t.news, t.next = false, now.Add(jitter(t.delay))
	return true
}

// look asks the service which labels there are. At the beginning of a round it
// lets versions be offered again that have come to another label; within one,
// each version is offered once.
func (w *walker[T, R]) look(ctx context.Context, begin bool) (*look, error) {
	c := &w.r.c.cache
	e, _, err := w.r.fresh(ctx)
	var lk *look
	if err == nil {
		lk, err = c.look(ctx, e)
	}
	t := &w.r.try
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = err
	if err != nil && (lk == nil || !lk.described || answerOf(err) != transient) {
		return nil, err
	}
	w.e = e // the labels are known, even if the value was not to be had
	t.seen, t.labels = time.Now(), nil
	if lk.described {
		t.labels = lk.labels
	}
	if begin && lk.described {
		for id, f := range t.rejected {
			f.relabel(lk.labels.offeredAs(id))
		}
	}
	return lk, nil
}

// offeredAs returns the label by which a version would be offered, "" if by
// none that a rotation moves.
func (l labels) offeredAs(id string) string {
	for _, stage := range [...]string{Current, Pending, Previous} {
		if l[stage] == id {
			return stage
		}
	}
	return ""
}

// offer offers the version that a label names, unless it may not be. again
// says that the labels should be looked at once more.
func (w *walker[T, R]) offer(ctx, asking context.Context, lk *look, stage string) (done, again bool, err error) {
	if !w.r.try.allows(stage) || lk.described && (lk.labels[stage] == "" || !w.mayOffer(lk.labels[stage])) {
		return false, false, nil
	}
	s, err := w.version(asking, lk, stage)
	switch {
	case err != nil: // it has no value yet, is denied, or out of reach: wait
		w.r.try.noteFailed(err)
		return false, w.first, nil
	case !w.mayOffer(s.v.id):
		return false, false, nil
	}
	v, derr := w.r.kind.decode(s)
	if derr != nil {
		w.r.c.counts.decodeErrors.Add(1)
		return false, false, nil
	}
	h := &held[T]{value: v, secret: s}
	w.res, err = w.use(probe.With(ctx), w.r.own(h))
	switch {
	case err == nil:
		w.found(h, stage)
	case w.noteError(s, stage, err, true):
		var zero R
		w.res = zero
		return false, true, nil
	}
	return true, false, err
}

// noteFailed takes note of the failure to get a version that seems to be there.
func (t *trial[T]) noteFailed(err error) {
	if answerOf(err) != transient || err == errNotAtHand {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = err
}

// mayOffer reports whether a version is not to be left alone.
func (w *walker[T, R]) mayOffer(id string) bool {
	t := &w.r.try
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rejected[id].mayOffer(time.Now()) && w.mayUseLocked(id)
}

var errNotAtHand = errors.New("the version is not in memory")

// version returns the version that a label names.
func (w *walker[T, R]) version(ctx context.Context, lk *look, stage string) (*Secret, error) {
	c := &w.r.c.cache
	c.mu.Lock()
	cur, known := w.e.cur, w.e.seldom().versions.valueLocked(lk.labels[stage], c.now())
	c.mu.Unlock()
	switch {
	case cur != nil && (cur.v.id == lk.labels[stage] || stage == Current && (!lk.described || w.atHand)):
		return cur, nil
	case lk.described && known != nil:
		return known, nil
	case w.atHand:
		return nil, errNotAtHand
	}
	if stage == Current {
		return c.fetcher.value(ctx, w.r.id, Stage(stage), true)
	}
	k, err := c.fetchVersion(ctx, w.r.id, Stage(stage), true)
	if err != nil {
		return nil, err
	}
	return k.s, nil
}

// found pins the version that was accepted, unless it is the current one.
func (w *walker[T, R]) found(h *held[T], stage string) {
	c := &w.r.c.cache
	c.mu.Lock()
	current := w.e.cur != nil && w.e.cur.v.id == h.secret.v.id
	if !current {
		c.lookSoonLocked(w.e)
	}
	c.mu.Unlock()
	w.pin(h, stage, current)
	if !current {
		c.log.log.Info("secrets: a version other than the current one is in use", "secret", w.r.id, "version", h.secret.v.id, "stage", stage)
	}
}

func (w *walker[T, R]) pin(h *held[T], stage string, current bool) {
	t := &w.r.try
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pin != nil {
		t.unpinLocked()
	}
	delete(w.mine, h.secret.v.id)
	delete(t.rejected, h.secret.v.id)
	if current {
		t.settledLocked()
		return
	}
	t.pin = &pin[T]{held: h, stage: stage, e: w.e, free: w.r.hold(w.e)}
	t.busy.Store(true)
	t.wakeLocked()
}
