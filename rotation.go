package secrets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/probe"
)

// Rejected marks err as the answer of a resource that refused the credentials
// it was offered, so that [Try] goes on to the next version. A nil err stays
// nil.
func Rejected(err error) error {
	if err == nil {
		return nil
	}
	return &rejection{err}
}

// RejectedIf is [Rejected] if is(err) holds, and err otherwise. A nil err stays
// nil and is not asked about.
func RejectedIf(err error, is func(error) bool) error {
	if err != nil && is(err) {
		return Rejected(err)
	}
	return err
}

type rejection struct{ err error }

func (r *rejection) Error() string { return "rejected: " + r.err.Error() }
func (r *rejection) Unwrap() error { return r.err }

// An Attempt is a version that a use rejected.
type Attempt struct {
	VersionID string
	Stage     string // the label by which it was offered
}

// A RejectedError says that no version of a secret was accepted. errors.Is and
// errors.As find the last rejection, as the use returned it, and the error of
// the context that ended; neither is part of the message.
type RejectedError struct {
	SecretID string
	Attempts []Attempt // the versions that were rejected, in order

	causes *[]error // behind a pointer, so that nothing prints what a use returned
}

func (e *RejectedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "secrets: every version of %q that could be offered was rejected", e.SecretID)
	for i, a := range e.Attempts {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		fmt.Fprintf(&b, "%s%s (version %s)", sep, a.Stage, a.VersionID)
	}
	return b.String()
}

// Unwrap returns the last rejection and the context's error.
func (e *RejectedError) Unwrap() []error {
	if e.causes == nil {
		return nil
	}
	return *e.causes
}

// Format writes the error's message, whatever the verb.
func (e *RejectedError) Format(f fmt.State, _ rune) { io.WriteString(f, e.Error()) }

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
		n.try.wait = max(0, o.Wait)
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
	return e != nil && e.rotating.Load()
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
// not offered again until the labels have moved or, at the earliest, a minute
// later. So a rotation costs one rejection, or as many as uses of the old
// version were under way; Try does not limit those.
//
// When every version was rejected Try asks the service, not the resource,
// until there is another; it ends with ctx, or after TryOptions.Wait, with a
// [*RejectedError].
//
// use may be called several times, with different versions; never again with
// one that it rejected a moment ago. It must not keep the ctx it is given.
func Try[T, R any](ctx context.Context, r *Ref[T], use func(context.Context, T) (R, error)) (R, error) {
	var zero R
	var patience context.Context // how long to wait for another version
	for {
		o, err := r.offer(ctx)
		if err != nil {
			return zero, err
		}
		if !o.rejected {
			res, err := use(ctx, r.own(o.held))
			if !r.noteUse(o.held.secret, o.stage, err) {
				return res, err
			}
		}
		if patience == nil {
			var cancel context.CancelFunc
			patience, cancel = r.try.patience(ctx)
			defer cancel()
		}
		res, err, state := tryOthers(ctx, patience, r, o.held.secret.v.id, use)
		if state == settled {
			return res, err
		}
		if err := patience.Err(); err != nil {
			return zero, r.rejectedError(err)
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
	wait   time.Duration // see TryOptions, 0: no bound

	busy atomic.Bool // there is a pin, a rejection or a prober; false lets uses pass without a lock

	mu       sync.Mutex // guards the fields below
	pin      *pin[T]    // the version that worked in place of the current one
	rejected map[string]*refused
	labels   labels        // as the last walk saw them
	seen     time.Time     // when
	probing  chan struct{} // closed when the prober ends; nil: there is none
}

// pin is a version that is used before the current one.
type pin[T any] struct {
	held  *held[T]
	stage string
	free  func() // lets the cache evict the secret again
}

// refused is the memory of a rejection.
type refused struct {
	stage string
	at    time.Time
	n     int // in a row
	err   error
}

const (
	minRefused = time.Minute
	maxRefused = 15 * time.Minute
)

// again returns when the version may be offered again, the labels unmoved.
func (f *refused) again() time.Time {
	return f.at.Add(min(maxRefused, minRefused<<min(f.n-1, 10)))
}

// offered is the version that a use gets first.
type offered[T any] struct {
	held     *held[T]
	stage    string
	rejected bool // it was, and only the prober may offer it again
}

// offer returns the pinned version, or the current one.
func (r *Ref[T]) offer(ctx context.Context) (offered[T], error) {
	h, err := r.heldCurrent(ctx)
	if !r.try.busy.Load() {
		return offered[T]{held: h, stage: Current}, err
	}
	t := &r.try
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.pin; p != nil {
		a := answerOf(err)
		switch {
		case err == nil && h.secret.v.id == p.held.secret.v.id:
			t.unpinLocked()
			clear(t.rejected)
			t.restLocked()
		case err == nil || a == transient:
			return offered[T]{held: p.held, stage: p.stage}, nil
		}
	}
	if err != nil {
		return offered[T]{}, err
	}
	return offered[T]{held: h, stage: Current, rejected: t.rejected[h.secret.v.id] != nil}, nil
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

// noteUse takes note of how the use of a version ended, and reports whether
// it was rejected.
func (r *Ref[T]) noteUse(s *Secret, stage string, err error) bool {
	var rej *rejection
	if !errors.As(err, &rej) {
		if err == nil && r.try.busy.Load() {
			r.try.accepted(s)
		}
		return false
	}
	r.c.counts.rejections.Add(1)
	t := &r.try
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rejected == nil {
		t.rejected = map[string]*refused{}
	}
	id := s.v.id
	if t.pin != nil && t.pin.held.secret.v.id == id {
		t.unpinLocked()
		clear(t.rejected)
	}
	f := t.rejected[id]
	if f == nil {
		f = &refused{stage: stage}
		t.rejected[id] = f
	}
	f.at, f.err = time.Now(), rej.err
	f.n++
	t.busy.Store(true)
	return true
}

// accepted ends the trouble when a version that nobody rejected works and
// there is nothing else to be remembered.
func (t *trial[T]) accepted(s *Secret) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pin == nil && t.rejected[s.v.id] == nil {
		clear(t.rejected)
	}
	t.restLocked()
}

func (t *trial[T]) restLocked() {
	t.busy.Store(t.pin != nil || len(t.rejected) > 0 || t.probing != nil)
}

func (t *trial[T]) unpinLocked() {
	t.pin.free()
	t.pin = nil
}

func (t *trial[T]) allows(stage string) bool {
	if stage == Current || t.stages == nil {
		return true
	}
	return slices.Contains(t.stages, stage)
}

// rejectedError returns the error that names what was rejected.
func (r *Ref[T]) rejectedError(end error) error {
	t := &r.try
	t.mu.Lock()
	defer t.mu.Unlock()
	e := &RejectedError{SecretID: r.id}
	ids := sortedKeys(t.rejected)
	slices.SortStableFunc(ids, func(a, b string) int { return t.rejected[a].at.Compare(t.rejected[b].at) })
	var causes []error
	for _, id := range ids {
		e.Attempts = append(e.Attempts, Attempt{VersionID: id, Stage: t.rejected[id].stage})
		causes = []error{t.rejected[id].err}
	}
	if end != nil {
		causes = append(causes, end)
	}
	e.causes = &causes
	return e
}

// The outcomes of tryOthers.
type outcome int

const (
	settled   outcome = iota // the caller has its answer
	lookAgain                // something was found out: see what is on offer
)

// tryOthers makes the caller the prober, or lets it wait for the one there is.
// id is the version that was rejected.
func tryOthers[T, R any](ctx, patience context.Context, r *Ref[T], id string, use func(context.Context, T) (R, error)) (res R, err error, _ outcome) {
	t := &r.try
	t.mu.Lock()
	if t.rejected[id] == nil || t.pin != nil && t.pin.held.secret.v.id != id {
		t.mu.Unlock()
		return res, nil, lookAgain
	}
	if ch := t.probing; ch != nil {
		t.mu.Unlock()
		select {
		case <-ch:
		case <-patience.Done():
		case <-r.c.base.Done():
			return res, ErrClosed, settled
		}
		return res, nil, lookAgain
	}
	t.probing = make(chan struct{})
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		close(t.probing)
		t.probing = nil
		t.restLocked()
		t.mu.Unlock()
	}()
	res, err = walk(ctx, patience, r, use)
	return res, err, settled
}

const (
	minPoll = 250 * time.Millisecond
	maxPoll = 5 * time.Second
)

// walk is the prober's work: round after round of versions, until one is
// accepted.
func walk[T, R any](ctx, patience context.Context, r *Ref[T], use func(context.Context, T) (R, error)) (R, error) {
	var zero R
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.c.base, cancel)()
	w := &walker[T, R]{r: r, use: use}
	for delay := minPoll; ; delay = min(maxPoll, delay+delay/2) {
		done, err := w.round(ctx)
		switch {
		case r.c.base.Err() != nil:
			return zero, ErrClosed
		case done:
			return w.res, err
		}
		pause := time.NewTimer(jitter(delay))
		select {
		case <-pause.C:
		case <-r.c.base.Done():
			return zero, ErrClosed
		case <-patience.Done():
			return zero, r.rejectedError(patience.Err())
		}
	}
}

// walker offers versions to one use.
type walker[T, R any] struct {
	r   *Ref[T]
	use func(context.Context, T) (R, error)
	e   *entry
	res R

	looked bool // this walk has seen the labels
	moved  bool // and seen them move since the round began
}

// round offers each version that may be, once. It reports whether there is an
// answer for the caller.
func (w *walker[T, R]) round(ctx context.Context) (bool, error) {
	lk, err := w.look(ctx)
	if err != nil {
		return w.lookFailed(ctx, err)
	}
	w.forget()
	if done, _, err := w.offer(ctx, lk, Current); done {
		return true, err
	}
	done, tried, err := w.offer(ctx, lk, Pending)
	if done {
		return true, err
	}
	if tried {
		// finishSecret may have moved the labels in the meantime.
		if lk, err = w.look(ctx); err != nil {
			return w.lookFailed(ctx, err)
		}
		if done, _, err := w.offer(ctx, lk, Current); done {
			return true, err
		}
	}
	done, _, err = w.offer(ctx, lk, Previous)
	if done {
		return true, err
	}
	for _, stage := range w.r.try.stages {
		if stage != Current && stage != Pending && stage != Previous {
			if done, _, err := w.offer(ctx, lk, stage); done {
				return true, err
			}
		}
	}
	return false, nil
}

// lookFailed decides whether a failed look ends the walk: only a secret that
// is not to be had does.
func (w *walker[T, R]) lookFailed(ctx context.Context, err error) (bool, error) {
	if a := answerOf(err); ctx.Err() == nil && (a == gone || a == denied) {
		if _, s := w.r.c.lookup(w.r.id); s == nil {
			return true, opError("try", w.r.id, err)
		}
	}
	return false, nil
}

// forget lets what was rejected under other labels be offered again. It is for
// the beginning of a round: within one, each version is offered once.
func (w *walker[T, R]) forget() {
	if w.moved {
		t := &w.r.try
		t.mu.Lock()
		clear(t.rejected)
		t.mu.Unlock()
	}
	w.moved = false
}

// look asks the service which labels there are. The first look of a walk
// forgets rejections from before the last one of the walk before it if the
// labels have moved in between; the rejection that began the walk is younger.
func (w *walker[T, R]) look(ctx context.Context) (*look, error) {
	c := &w.r.c.cache
	e, _, err := w.r.fresh(ctx)
	if err != nil {
		return nil, err
	}
	w.e = e
	lk, err := c.look(ctx, e, c.quickOpt)
	if err != nil {
		return nil, err
	}
	if !lk.described {
		return lk, nil
	}
	t := &w.r.try
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.labels != nil && !lk.labels.sameRotation(t.labels) {
		w.moved = w.moved || w.looked
		maps.DeleteFunc(t.rejected, func(_ string, f *refused) bool { return !w.looked && !f.at.After(t.seen) })
	}
	t.labels, t.seen, w.looked = lk.labels, time.Now(), true
	return lk, nil
}

// offer offers the version that a label names, unless it was rejected. tried
// says that there was something to offer, or seemed to be.
func (w *walker[T, R]) offer(ctx context.Context, lk *look, stage string) (done, tried bool, err error) {
	t := &w.r.try
	if !t.allows(stage) || lk.described && !w.mayOffer(lk.labels[stage]) {
		return false, false, nil
	}
	s, err := w.version(ctx, lk, stage)
	if err != nil || !w.mayOffer(s.v.id) {
		return false, err != nil, nil // without a value, denied, or out of reach: wait
	}
	v, derr := w.r.kind.decode(s)
	if derr != nil {
		w.r.c.counts.decodeErrors.Add(1)
		return false, true, nil
	}
	h := &held[T]{value: v, secret: s}
	w.res, err = w.use(probe.With(ctx), w.r.own(h))
	if w.r.noteUse(s, stage, err) {
		return false, true, nil
	}
	if err == nil {
		w.found(h, stage)
	}
	return true, true, err
}

// mayOffer reports whether the version exists and is not to be left alone.
func (w *walker[T, R]) mayOffer(id string) bool {
	t := &w.r.try
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.rejected[id]
	return id != "" && (f == nil || !time.Now().Before(f.again()))
}

// version returns the version that a label names.
func (w *walker[T, R]) version(ctx context.Context, lk *look, stage string) (*Secret, error) {
	c := &w.r.c.cache
	c.mu.Lock()
	cur, known := w.e.cur, w.e.others.valueLocked(lk.labels[stage])
	c.mu.Unlock()
	switch {
	case cur != nil && (cur.v.id == lk.labels[stage] || !lk.described && stage == Current):
		return cur, nil
	case lk.described && known != nil:
		return known, nil
	}
	s, err := c.fetch(ctx, w.r.id, Stage(stage), c.quickOpt)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !w.e.gone && stage != Current {
		c.keepVersionLocked(w.e, Stage(stage), s)
	}
	return s, nil
}

// found pins the version that was accepted, unless it is the current one.
func (w *walker[T, R]) found(h *held[T], stage string) {
	c := &w.r.c.cache
	c.mu.Lock()
	current := w.e.cur != nil && w.e.cur.v.id == h.secret.v.id
	if !current && !w.e.gone {
		w.e.holds++
	}
	e, gone := w.e, w.e.gone
	c.mu.Unlock()

	t := &w.r.try
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pin != nil {
		t.unpinLocked()
	}
	delete(t.rejected, h.secret.v.id)
	if current {
		clear(t.rejected)
		return
	}
	p := &pin[T]{held: h, stage: stage, free: func() {}}
	if !gone {
		// A handle that is dropped without ever being used again lets go too.
		let := runtime.AddCleanup(w.r, func(e *entry) { c.release(e) }, e)
		p.free = func() { let.Stop(); c.release(e) }
	}
	t.pin = p
	t.busy.Store(true)
	c.log.Info("secrets: a version other than the current one is in use", "secret", w.r.id, "version", h.secret.v.id, "stage", stage)
}
