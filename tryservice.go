package secrets

import (
	"context"
	"errors"
	"runtime"
	"slices"

	"github.com/seed-74dc7b3e/secrets/internal/fresh"
	"github.com/seed-74dc7b3e/secrets/internal/lease"
	"github.com/seed-74dc7b3e/secrets/internal/rotation"
)

// This file is the only part of the cache that Try and Rotating use. It returns
// the current version in memory, checks the labels with the service, returns a
// version by its label, and holds a secret in the cache. Close cancels the
// requests that it makes, and waits for them.

// noVersionID replaces the version ids of an endpoint that returns none.
const noVersionID = "(no version id)"

// versionIDOf returns the id under which the protocol knows a version.
func versionIDOf(s *Secret) string {
	if s.v.id == "" {
		return noVersionID
	}
	return s.v.id
}

// sameSecret reports whether s and t, read by one id, are versions of one
// secret. They are not if the secret was deleted and recreated in between.
func sameSecret(s, t *Secret, id string) bool { return s.identity(id).Key == t.identity(id).Key }

// closing returns a channel that Close closes.
func (c *cache) closing() <-chan struct{} { return c.base.Done() }

// attend runs fn as a request that Close cancels and waits for. It returns
// ErrClosed if the client was already closed.
func (c *cache) attend(ctx context.Context, fn func(context.Context) error) error {
	if !c.enter() {
		return ErrClosed
	}
	defer c.wg.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.base, cancel)()
	err := fn(ctx)
	if c.base.Err() != nil {
		return ErrClosed
	}
	return err
}

// A sighting is the result of a check of the labels.
type sighting struct {
	labels    rotation.Labels // nil: the service returned only the current version
	informed  bool            // whether the service answered
	withdrawn bool            // whether it returned a definite error: the secret is deleted or access denied
	err       error           // why it did not answer, or returned only the labels
}

// sight asks the service now which versions a secret has, without using the
// cache, and adopts the current one.
func (c *cache) sight(ctx context.Context, id string) (k sighting) {
	k.err = c.attend(ctx, func(ctx context.Context) error {
		e, s := c.lookup(id)
		if s == nil {
			var err error
			if e, _, err = c.current(ctx, id); err != nil {
				return err
			}
		}
		ck, err := c.check(fresh.With(ctx), e, id, byTry, (*lease.Lease).Begin, true)
		if seen := ck.labels(); seen != nil && (err == nil || answerOf(err) == transient) {
			k.informed, k.labels = true, rotation.Labels(seen)
		}
		k.informed = k.informed || err == nil
		return err
	})
	if a := answerOf(k.err); k.err != nil && (a == gone || a == denied) {
		e, _ := c.lookup(id)
		k.withdrawn = e == nil || c.isEmpty(e)
	}
	return k
}

var errNotInMemory = errors.New("the version is not in memory")

// versionBy returns the version that a label names. If a version id is given
// and that version is in memory, it returns that one. Otherwise it asks the
// service, unless memory is set.
func (c *cache) versionBy(ctx context.Context, id, stage, version string, memory bool) (s *Secret, err error) {
	if s := c.versionInMemory(id, stage, version); s != nil {
		return s, nil
	}
	if memory {
		return nil, errNotInMemory
	}
	err = c.attend(fresh.With(ctx), func(ctx context.Context) error {
		if stage == Current {
			s, err = c.adoptNow(ctx, id)
			return err
		}
		k, _, err := c.fetchVersion(ctx, id, Stage(stage), true)
		if err == nil {
			s = k.s
		}
		return err
	})
	return s, err
}

// adoptNow fetches the current version and adopts it, unless the secret went
// back to an older one: the request follows a check within moments, so it does
// not confirm that check. A failure is the prober's alone, and is not
// remembered.
func (c *cache) adoptNow(ctx context.Context, id string) (*Secret, error) {
	q := c.claim(id, byTry)
	defer c.release(q)
	q.check = lease.BeginUnknown(q.n)
	s, err := c.fetcher.value(ctx, id, Selector{}, true)
	if err == nil {
		_, _, err = c.adopt(q, s, nil)
	}
	return s, err
}

func (c *cache) versionInMemory(id, stage, version string) *Secret {
	e, _ := c.lookup(id)
	if e == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch cur := e.cur; {
	case cur != nil && (versionIDOf(cur) == version || version == "" && stage == Current):
		return cur
	case version == "":
		return nil
	}
	return e.coldState().versions.valueLocked(version, c.now())
}

// missOf returns what a failure to get a version means for the protocol.
func missOf(err error) rotation.Result {
	switch answerOf(err) {
	case gone:
		return rotation.Absent
	case denied:
		return rotation.Denied
	}
	return rotation.Unreachable
}

// checkSoon schedules a check of a secret, because its labels are about to
// move.
func (c *cache) checkSoon(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, _ := c.lookup(id); e != nil {
		c.checkSoonLocked(e)
	}
}

// outstanding reports, from memory, whether a rotation is known to be
// outstanding.
func (c *cache) outstanding(id string) bool {
	e, _ := c.lookup(id)
	if e == nil || e.flags.Load()&isRotating == 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.lease.Outstanding(&c.rules, c.now())
}

// A hold keeps a secret in the cache and refreshed while a handle uses a
// version other than the current one.
type hold struct {
	e    *entry
	key  *pinKey
	free func()
}

// holdSecret holds r's secret until release, at most as long as r is reachable,
// and records the pin that needs the hold. h is the previous hold.
func (r *Ref[T]) holdSecret(h hold, pinned Event) hold {
	c := &r.c.cache
	e, _ := c.lookup(r.id)
	if e == nil || e == h.e {
		return h
	}
	h.release()
	key := &pinKey{}
	c.mu.Lock()
	c.holdLocked(e)
	c.pinned++
	if !e.lease.Gone() {
		past := e.growPast()
		past.pins = append(past.pins, pin{key, pinned})
	}
	c.mu.Unlock()
	unpin := func(e *entry) { c.unpin(e, key) }
	let := runtime.AddCleanup(r, unpin, e)
	return hold{e, key, func() { let.Stop(); unpin(e) }}
}

// unpin ends a hold.
func (c *cache) unpin(e *entry, key *pinKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pinned--
	if h := e.coldState().history; h != nil {
		h.pins = slices.DeleteFunc(h.pins, func(p pin) bool { return p.key == key })
	}
	c.applyLocked(e, func(l *lease.Lease) lease.Report { l.Release(); return lease.Report{} })
}

func (h hold) release() {
	if h.e != nil {
		h.free()
	}
}

// peek returns what a read would return if that is in memory. It decodes the
// version if necessary. It does not block, not even for another goroutine that
// decodes the version.
func (r *Ref[T]) peek() *decoded[T] { return r.find(true) }

// inMemory is peek without calls of the user's code: it does not find a version
// that has not been decoded yet.
func (r *Ref[T]) inMemory() *decoded[T] { return r.find(false) }

func (r *Ref[T]) find(decode bool) *decoded[T] {
	if sl := r.slot.Load(); sl != nil {
		if h := sl.shown.Load(); h != nil {
			return h
		}
	}
	c := &r.c.cache
	e, s := c.peek(r.id)
	if s == nil {
		return nil
	}
	return r.slotIn(e).peek(c, e, s, decode)
}

// peek returns s decoded, or the last good version if s does not decode. It
// returns nil in three cases: there is neither; another goroutine is decoding
// s; or s is not decoded yet and decode is false.
func (sl *typedSlot[T]) peek(c *cache, e *entry, s *Secret, decode bool) *decoded[T] {
	for range 2 {
		c.mu.Lock()
		h, err, known := sl.knownLocked(s)
		begin := !known && sl.busy == nil && decode
		if begin {
			sl.busy = make(chan struct{})
		}
		c.mu.Unlock()
		switch {
		case known && err == nil:
			return h
		case !begin:
			return nil
		}
		sl.run(c, e, s)
	}
	return nil
}

// decodedBySlot returns s as the handle's reads decoded it, or nil. known is
// true if s is known not to decode.
func (r *Ref[T]) decodedBySlot(s *Secret) (h *decoded[T], known bool) {
	sl := r.slot.Load()
	if sl == nil {
		return nil, false
	}
	c := &r.c.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case sl.good != nil && (sl.good.secret == s || sl.good.secret.sameValue(s)):
		return sl.good, true
	case sl.bad.is(s):
		return nil, true
	}
	return nil, false
}
