package secrets

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/rotation"
)

// trial is what a handle knows about a rotation: the protocol, which decides,
// and the values, which the protocol does not see.
type trial[T any] struct {
	stages []string      // see TryOptions
	wait   time.Duration // see TryOptions
	pause  time.Duration // see TryOptions

	busy atomic.Bool // whether there is a pin or a rejection; if not, uses take no lock

	mu       sync.Mutex // guards the fields below; cache.mu may be taken while it is held
	protocol *rotation.Protocol
	began    time.Time        // instants are counted from here
	changed  chan struct{}    // closed and replaced when waiting calls should ask again; nil: no call waits
	prober   any              // identifies the prober's call; nil: there is none
	pinned   *decoded[T]      // the version that the protocol pins
	pinHold  hold             // keeps its secret in the cache
	pinEvent Event            // the EventPinned
	decoded  []decoding[T]    // versions that the prober decoded, oldest first
	errs     map[string]error // by version id: what the last use that rejected it returned
	failed   error            // why the service was unavailable; nil: it answered
}

// A decoding is a version and the result of decoding it.
type decoding[T any] struct {
	secret *Secret
	held   *decoded[T] // nil: it does not decode
}

// pauseGrowth is the factor by which the pause of a rejected version can grow.
const pauseGrowth = 15

// maxDecoded bounds how many decoded versions a handle keeps while a rotation
// is under way.
const maxDecoded = 8

// view is the protocol and the present state, for a function that apply runs.
type view[T any] struct {
	*rotation.Protocol
	now     rotation.Instant
	held    *decoded[T] // what reads of the handle return; nil: not known
	current string      // its version id
}

// apply passes an event to the protocol and carries out the consequences. cur
// is what a read of the handle returned; it is used if the secret has left the
// cache.
func (r *Ref[T]) apply(cur *decoded[T], fn func(view[T])) {
	t := &r.try
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.protocol == nil {
		t.protocol, t.began = rotation.New(t.config()), time.Now()
	}
	if h := r.inMemory(); h != nil {
		cur = h
	} else if _, s := r.c.peek(r.id); s != nil && cur != nil && !sameSecret(cur.secret, s, r.id) {
		cur = nil // it was deleted and recreated
	}
	v := view[T]{Protocol: t.protocol, now: rotation.Instant(time.Since(t.began)), held: cur}
	if cur != nil {
		v.current = versionIDOf(cur.secret)
		if t.pinned != nil && !sameSecret(cur.secret, t.pinned.secret, r.id) {
			t.protocol.Forget()
		}
	}
	fn(v)
	r.project()
}

func (t *trial[T]) config() rotation.Config {
	c := rotation.Default()
	c.Stages = t.stages
	c.Once = t.wait < 0
	if t.pause != 0 {
		c.MinPause = min(max(t.pause, 1), longest/pauseGrowth)
		c.MaxPause = pauseGrowth * c.MinPause
	}
	return c
}

// project makes the handle's state agree with the protocol. The caller holds
// t.mu.
func (r *Ref[T]) project() {
	t := &r.try
	t.busy.Store(!t.protocol.Quiet())
	if pin, ok := t.protocol.Pin(); !ok {
		t.pinned = nil
		t.pinHold.release()
		t.pinHold = hold{}
		r.unpinned()
	} else if t.pinned != nil && versionIDOf(t.pinned.secret) == pin.ID {
		t.pinHold = r.holdSecret(t.pinHold, t.pinEvent)
	}
	if t.protocol.Quiet() {
		t.decoded, t.errs, t.failed = nil, nil, nil
	}
	if t.protocol.TakeWake() {
		t.wakeAll()
	}
}

// pin makes h, which the protocol pins, the version to use in place of the
// current one. The caller holds t.mu.
func (r *Ref[T]) pin(h *decoded[T], stage, current string) {
	t := &r.try
	r.unpinned()
	t.pinned = h
	t.pinEvent = Event{
		Kind: EventPinned, Time: time.Now(), Secret: h.secret.v.name, ARN: h.secret.v.arn,
		Version: h.secret.v.id, From: current, Stage: stage, Type: typeName[T](),
	}
	r.c.tellOf(r.id, t.pinEvent)
}

// unpinned emits the event for the end of a pin, if there was one. The caller
// holds t.mu.
func (r *Ref[T]) unpinned() {
	ev := r.try.pinEvent
	if ev.Kind == 0 {
		return
	}
	r.try.pinEvent = Event{}
	ev.Kind, ev.From, ev.Since, ev.Time = EventUnpinned, "", ev.Time, time.Now()
	r.c.tellOf(r.id, ev)
}

// wakeAll makes waiting calls ask the protocol again. The caller holds t.mu.
func (t *trial[T]) wakeAll() {
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

// changes returns a channel that is closed when waiting calls should ask the
// protocol again. The caller holds t.mu.
func (t *trial[T]) changes() <-chan struct{} {
	if t.changed == nil {
		t.changed = make(chan struct{})
	}
	return t.changed
}

// noteError keeps the error with which a use rejected a version. The caller
// holds t.mu.
func (t *trial[T]) noteError(id string, err error) {
	if t.errs == nil {
		t.errs = map[string]error{}
	}
	t.errs[id] = err
	for known := range t.errs {
		if !slices.ContainsFunc(t.protocol.Rejections(), func(a rotation.Attempt) bool { return a.ID == known }) {
			delete(t.errs, known)
		}
	}
}

// decode returns s decoded, or nil if it does not decode. During a rotation it
// decodes each version once.
func (r *Ref[T]) decode(s *Secret) *decoded[T] {
	if h, known := r.decodedBySlot(s); known {
		return h
	}
	t := &r.try
	t.mu.Lock()
	for _, d := range t.decoded {
		if d.secret.sameValue(s) {
			t.mu.Unlock()
			return d.held
		}
	}
	t.mu.Unlock()
	d := decoding[T]{secret: s}
	v, err := r.kind.decode(s)
	if err == nil {
		d.held = &decoded[T]{value: v, secret: s}
	} else {
		r.c.counts.decodeErrors.Add(1)
		r.c.tellOf(r.id, refusal{typeName[T](), err, ""}.event(s.v.id, 1))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.decoded = append(t.decoded, d); len(t.decoded) > maxDecoded {
		t.decoded = slices.Delete(t.decoded, 0, 1)
	}
	return d.held
}
