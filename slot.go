package secrets

import (
	"context"
	"log/slog"
	"sync/atomic"
	"weak"
)

// A slot holds a secret as one type: decoded once for each version, and the
// last version that decoded well if the current one does not.
type slot interface {
	prepare(c *cache, s *Secret) // decodes s ahead of its adoption; no lock may be held
	showLocked(e *entry)         // lets hits have the value
	hideLocked()                 // takes it from them
	emptyLocked()                // lets go of it
	// retireLocked ends the slot, and links one that has what it held before next.
	retireLocked(next *slotHead) *slotHead
	wasRead() bool // reports whether hits got it since it was last asked
}

// slotHead links the slots of an entry. It lies in the slot itself, so that the
// list costs nothing but the links. It never changes once it is linked.
type slotHead struct {
	slot slot
	next *slotHead
}

// typedSlot is the slot of one type.
type typedSlot[T any] struct {
	shown atomic.Pointer[held[T]] // what hits get; nil: the slow path decides
	read  atomic.Bool             // a hit got it; beside shown, so that a hit loads one cache line of the slot

	// Guarded by cache.mu.
	good   *held[T]      // the last version that decoded well
	bad    *Secret       // a version that did not
	badErr *DecodeError  // why
	busy   chan struct{} // closed when a decode ends; nil: none is under way

	kind *kind[T]
	head slotHead
}

// held is a decoded version.
type held[T any] struct {
	value  T
	secret *Secret
}

// boundSlot is a slot that only its handle keeps alive.
type boundSlot func() slot

func weakly[T any](s *typedSlot[T]) boundSlot {
	w := weak.Make(s)
	return func() slot {
		if s := w.Value(); s != nil {
			return s
		}
		return nil
	}
}

// slotsLocked returns e's slots.
func (e *entry) slotsLocked() []slot {
	typed := e.typed.Load()
	if typed == nil && len(e.seldom().bound) == 0 {
		return nil
	}
	var all []slot
	for h := typed; h != nil; h = h.next {
		all = append(all, h.slot)
	}
	r := e.seldom()
	if len(r.bound) == 0 {
		return all
	}
	live := r.bound[:0]
	for _, b := range r.bound {
		if s := b(); s != nil {
			live = append(live, b)
			all = append(all, s)
		}
	}
	clear(r.bound[len(live):])
	r.bound = live
	return all
}

// retireSlotsLocked ends what handles hold of e, so that they ask again what
// their id names. The types keep their last good versions.
func (c *cache) retireSlotsLocked(e *entry) {
	var next *slotHead
	for h := e.typed.Load(); h != nil; h = h.next {
		next = h.slot.retireLocked(next)
	}
	e.typed.Store(next)
	for _, b := range e.seldom().bound {
		if s := b(); s != nil {
			s.hideLocked()
		}
	}
	if e.rare != nil {
		e.rare.bound = nil
	}
}

// slotFor returns e's slot for JSON and the like of type T, nil if there is none.
func slotFor[T any](e *entry) *typedSlot[T] {
	for h := e.typed.Load(); h != nil; h = h.next {
		if s, ok := h.slot.(*typedSlot[T]); ok {
			return s
		}
	}
	return nil
}

// slotOf is slotFor that makes the slot where there is none.
func slotOf[T any](c *cache, e *entry, k *kind[T]) *typedSlot[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := slotFor[T](e); s != nil {
		return s
	}
	s := &typedSlot[T]{kind: k}
	if !e.gone {
		e.typed.Store(s.linkLocked(e.typed.Load()))
	}
	return s
}

// linkLocked puts sl before next.
func (sl *typedSlot[T]) linkLocked(next *slotHead) *slotHead {
	sl.head = slotHead{sl, next}
	return &sl.head
}

// bind registers a handle's own slot with e.
func (c *cache) bind(e *entry, s slot, b boundSlot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, have := range e.slotsLocked() {
		if have == s {
			return
		}
	}
	if !e.gone {
		r := e.mayBe()
		r.bound = append(r.bound, b)
	}
}

// value returns s decoded, or the last good version if it does not decode. One
// goroutine decodes; the others wait for it, or for the end of their context.
func (sl *typedSlot[T]) value(ctx context.Context, c *cache, e *entry, s *Secret) (*held[T], error) {
	for {
		c.mu.Lock()
		h, err, known := sl.knownLocked(s)
		busy := sl.busy
		if !known && busy == nil {
			sl.busy = make(chan struct{})
		}
		if known && !c.onRead && e.fast.Load() != nil && e.fast.Load() == e.cur {
			sl.showLocked(e)
		}
		c.mu.Unlock()
		switch {
		case known:
			return h, err
		case busy == nil:
			sl.run(c, s)
		default:
			select {
			case <-busy:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
}

// knownLocked returns what is known of s for this type.
func (sl *typedSlot[T]) knownLocked(s *Secret) (*held[T], error, bool) {
	switch {
	case sl.good != nil && (sl.good.secret == s || sl.good.secret.sameValue(s)):
		return sl.good, nil, true
	case sl.bad == nil || sl.bad != s && !sl.bad.sameValue(s):
		return nil, nil, false
	case sl.good != nil && !sl.kind.always:
		return sl.good, nil, true
	}
	return nil, sl.badErr, true
}

// run decodes s. The caller has set busy.
func (sl *typedSlot[T]) run(c *cache, s *Secret) {
	var v T
	err := sl.kind.undecodable(s, "was ended by its own goroutine's exit")
	defer func() { // also where the decoder calls runtime.Goexit
		c.mu.Lock()
		defer c.mu.Unlock()
		if err == nil {
			sl.good = &held[T]{value: v, secret: s}
			sl.bad, sl.badErr = nil, nil
		} else {
			sl.bad, sl.badErr = s, err
			c.counts.decodeErrors.Add(1)
			c.mu.logLocked(slog.LevelError, "secrets: version not adopted", "error", error(err), "old version kept", sl.good != nil)
		}
		close(sl.busy)
		sl.busy = nil
	}()
	v, err = sl.kind.decode(s)
}

func (sl *typedSlot[T]) prepare(c *cache, s *Secret) {
	c.mu.Lock()
	_, _, known := sl.knownLocked(s)
	unused := sl.good == nil && sl.bad == nil
	begin := !known && !unused && sl.busy == nil
	if begin {
		sl.busy = make(chan struct{})
	}
	c.mu.Unlock()
	if begin {
		sl.run(c, s)
	}
}

func (sl *typedSlot[T]) showLocked(e *entry) {
	h, err, known := sl.knownLocked(e.cur)
	if !known || err != nil || e.gone {
		sl.shown.Store(nil)
		return
	}
	sl.shown.Store(h)
}

// touch is entry.touch, but for what a handle has no need to load.
func (sl *typedSlot[T]) touch() {
	if !sl.read.Load() {
		sl.read.Store(true)
	}
}

func (sl *typedSlot[T]) wasRead() bool { return sl.read.Load() && sl.read.Swap(false) }

func (sl *typedSlot[T]) hideLocked() { sl.shown.Store(nil) }

func (sl *typedSlot[T]) emptyLocked() {
	sl.shown.Store(nil)
	sl.good, sl.bad, sl.badErr = nil, nil, nil
}

func (sl *typedSlot[T]) retireLocked(next *slotHead) *slotHead {
	sl.shown.Store(nil)
	heir := &typedSlot[T]{kind: sl.kind, good: sl.good, bad: sl.bad, badErr: sl.badErr}
	return heir.linkLocked(next)
}
