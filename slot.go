package secrets

import (
	"context"
	"reflect"
	"sync/atomic"
	"weak"

	"github.com/seed-74dc7b3e/secrets/internal/lease"
)

// A slot holds a secret as one type. It decodes each version once. If the
// current version does not decode, it keeps the last one that did.
type slot interface {
	prepare(c *cache, e *entry, s *Secret) (ran bool) // decodes s before its adoption, if necessary; no lock may be held
	showLocked(e *entry)                              // shows the value to hits
	staleLocked(stale bool)                           // says whether the shown value has expired
	refusedLocked(cur *Secret) (refusal, bool)        // the refusal, if the slot does not decode cur
	remindLocked(now instant) (times int, due bool)   // whether to report a refusal again
	hideLocked()                                      // hides the value from hits
	emptyLocked()                                     // drops the value
	retireLocked()                                    // drops the value for good, because the entry has ended
	wasRead() bool                                    // reports whether there were hits since the last call
}

// slotHead links the slots of an entry. It is a field of the slot, so that the
// list costs only the links. It does not change once it is linked.
type slotHead struct {
	slot slot
	next *slotHead
}

// typedSlot is the slot of one type.
type typedSlot[T any] struct {
	shown atomic.Pointer[decoded[T]] // what hits get; nil: the slow path decides
	noted atomic.Uint32              // slotRead and slotStale; beside shown, so that a hit loads one cache line of the slot

	// Guarded by cache.mu.
	retired bool          // the entry has ended: no value is shown any more
	good    *decoded[T]   // the last version that decoded well
	bad     *badVersion   // a version that did not; nil: none
	busy    chan struct{} // closed when a decode ends; nil: none is under way

	kind   *kind[T]
	head   slotHead
	others atomic.Pointer[otherVersion[T]] // single versions that were read decoded; nil: none
}

// A badVersion is a version that did not decode as a slot's type.
type badVersion struct {
	s    *Secret
	err  *DecodeError
	told lease.Reminder // for reports of it
}

// is reports whether s is that version. It returns false if b is nil.
func (b *badVersion) is(s *Secret) bool { return b != nil && (b.s == s || b.s.sameValue(s)) }

// decoded is a version and its decoded value.
type decoded[T any] struct {
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
	if typed == nil && len(e.coldState().bound) == 0 {
		return nil
	}
	var all []slot
	for h := typed; h != nil; h = h.next {
		all = append(all, h.slot)
	}
	r := e.coldState()
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

// slotFor returns e's slot for type T, except slots of BindFunc. It returns nil
// if there is none.
func slotFor[T any](e *entry) *typedSlot[T] { return slotOfType[*typedSlot[T]](e) }

// slotOfType returns e's linked slot of type S, nil if there is none.
func slotOfType[S slot](e *entry) (none S) {
	for h := e.typed.Load(); h != nil; h = h.next {
		if s, ok := h.slot.(S); ok {
			return s
		}
	}
	return none
}

// linkLocked adds s to e's slots. h is s's own head.
func (e *entry) linkLocked(h *slotHead, s slot) {
	*h = slotHead{s, e.typed.Load()}
	e.typed.Store(h)
}

// slotOf is slotFor, but creates the slot if there is none.
func slotOf[T any](c *cache, e *entry, k *kind[T]) *typedSlot[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := slotFor[T](e); s != nil {
		return s
	}
	s := &typedSlot[T]{kind: k, retired: e.lease.Gone()}
	if !s.retired {
		e.linkLocked(&s.head, s)
	}
	return s
}

// bind returns the slot in e of a handle made by BindFunc. That is sl, unless
// sl is nil or its entry has ended.
func bind[T any](c *cache, e *entry, sl *typedSlot[T], k *kind[T]) *typedSlot[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if sl != nil && !sl.retired {
		return sl
	}
	sl = &typedSlot[T]{kind: k, retired: e.lease.Gone()}
	if !sl.retired {
		r := e.growCold()
		r.bound = append(r.bound, weakly(sl))
	}
	return sl
}

// value returns s decoded, or the last good version if s does not decode. One
// goroutine decodes; others wait for it or for the end of their context.
func (sl *typedSlot[T]) value(ctx context.Context, c *cache, e *entry, s *Secret) (*decoded[T], error) {
	for {
		c.mu.Lock()
		h, err, known := sl.knownLocked(s)
		busy := sl.busy
		if !known && busy == nil {
			sl.busy = make(chan struct{})
		}
		if known && e.fast.Load() != nil && e.fast.Load() == e.cur {
			sl.showLocked(e)
		}
		c.mu.Unlock()
		switch {
		case known:
			return h, err
		case busy == nil:
			sl.run(c, e, s)
		default:
			select {
			case <-busy:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
}

// knownLocked returns the known result of decoding s for this type.
func (sl *typedSlot[T]) knownLocked(s *Secret) (*decoded[T], error, bool) {
	switch {
	case sl.good != nil && (sl.good.secret == s || sl.good.secret.sameValue(s)):
		return sl.good, nil, true
	case !sl.bad.is(s):
		return nil, nil, false
	case sl.good != nil && !sl.kind.always:
		return sl.good, nil, true
	}
	return nil, sl.bad.err, true
}

// run decodes s in a goroutine of its own, because the user's code may end the
// goroutine that it runs in. The caller has set busy.
func (sl *typedSlot[T]) run(c *cache, e *entry, s *Secret) {
	var v T
	err := sl.kind.undecodable(s, "was ended by its own goroutine's exit")
	done := make(chan struct{})
	go func() {
		defer close(done)
		v, err = sl.kind.decode(s)
	}()
	<-done
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		sl.good = &decoded[T]{value: v, secret: s}
		sl.bad = nil
	} else {
		sl.bad = &badVersion{s: s, err: err}
		c.counts.decodeErrors.Add(1)
		c.refusalLocked(e, sl, s)
	}
	close(sl.busy)
	sl.busy = nil
}

// prepare decodes s if the slot is in use, or waits for another goroutine that
// does.
func (sl *typedSlot[T]) prepare(c *cache, e *entry, s *Secret) (ran bool) {
	for {
		c.mu.Lock()
		_, _, known := sl.knownLocked(s)
		unused := sl.good == nil && sl.bad == nil && sl.busy == nil
		busy := sl.busy
		if known || unused || sl.retired {
			c.mu.Unlock()
			return ran
		}
		if busy == nil {
			sl.busy = make(chan struct{})
		}
		c.mu.Unlock()
		if busy == nil {
			sl.run(c, e, s)
			return true
		}
		<-busy
		ran = true
	}
}

func (sl *typedSlot[T]) showLocked(e *entry) {
	h, err, known := sl.knownLocked(e.cur)
	if !known || err != nil || sl.retired {
		sl.shown.Store(nil)
		return
	}
	sl.staleLocked(e.flags.Load()&isStale != 0)
	sl.shown.Store(h)
}

// The bits of typedSlot.noted.
const (
	slotRead  = 1 << iota // set by hits, cleared by wasRead
	slotStale             // the shown value has expired
)

func (sl *typedSlot[T]) staleLocked(stale bool) {
	if stale {
		sl.noted.Or(slotStale)
	} else {
		sl.noted.And(^uint32(slotStale))
	}
}

// hits is cache.hitsOf without the loads that a handle does not need.
func (sl *typedSlot[T]) hits(c *cache) *striped {
	if sl.noted.Load() == slotRead {
		return &c.counts.hits
	}
	if sl.noted.Or(slotRead)&slotStale != 0 {
		return &c.counts.staleHits
	}
	return &c.counts.hits
}

func (sl *typedSlot[T]) wasRead() bool {
	return sl.noted.Load()&slotRead != 0 && sl.noted.And(^uint32(slotRead))&slotRead != 0
}

// A refusal is a version that did not decode as a type.
type refusal struct {
	kind    string // the type
	err     *DecodeError
	serving string // the version that readers of it keep, "" if there is none
}

// typeName returns the name of a type for events.
func typeName[T any]() string { return reflect.TypeFor[T]().String() }

func (sl *typedSlot[T]) refusedLocked(cur *Secret) (refusal, bool) {
	if cur == nil || !sl.bad.is(cur) {
		return refusal{}, false
	}
	r := refusal{kind: typeName[T](), err: sl.bad.err}
	if sl.good != nil && !sl.kind.always {
		r.serving = sl.good.secret.v.id
	}
	return r, true
}

func (sl *typedSlot[T]) remindLocked(now instant) (int, bool) { return sl.bad.told.Due(now) }

func (sl *typedSlot[T]) hideLocked() { sl.shown.Store(nil) }

func (sl *typedSlot[T]) emptyLocked() {
	sl.shown.Store(nil)
	sl.good, sl.bad = nil, nil
	sl.others.Store(nil)
}

func (sl *typedSlot[T]) retireLocked() {
	sl.emptyLocked()
	sl.retired = true
}
