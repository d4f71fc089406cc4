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

// This file is all that Try and Rotating know of the cache: what is current in
// memory, a check of the labels asked of the service, a version by its label,
// and holding a secret in the cache. What they ask of the service Close waits
// for and cancels.

// noVersionID stands for the ids of an endpoint that gives versions none.
const noVersionID = "(no version id)"

// versionIDOf returns the id by which the protocol knows a version.
func versionIDOf(s *Secret) string {
	if s.v.id == "" {
		return noVersionID
	}
	return s.v.id
}

// sameSecret reports whether s and t, versions read by one id, are of one
// secret: not of one that was deleted and another that took over its name.
func sameSecret(s, t *Secret, id string) bool { return s.identity(id).Key == t.identity(id).Key }

// closing returns what is closed by Close.
func (c *cache) closing() <-chan struct{} { return c.base.Done() }

// attend runs fn as a request that Close cancels and waits for. It returns
// ErrClosed if the client was closed by then.
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

// A sighting is what a check of the labels found out.
type sighting struct {
	labels    rotation.Labels // nil: the service told no more than which version is current
	informed  bool            // it answered
	withdrawn bool            // with a no: the secret is deleted, or may not be read
	err       error           // why it did not answer, or told the labels alone
}

// sight asks the service now which versions a secret has, whatever is cached, and
// adopts the current one.
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

// versionBy returns the version that a label names: the one with the given
// id if that is known and in memory, and otherwise what the service has, unless
// only memory will do.
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

// adoptNow asks for the current version and adopts it, unless it went back: it is
// asked for within moments of a check, and so confirms none. A failure is the
// prober's own: it is not remembered.
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

// missOf says what the failure to get a version means.
func missOf(err error) rotation.Result {
	switch answerOf(err) {
	case gone:
		return rotation.Absent
	case denied:
		return rotation.Denied
	}
	return rotation.Unreachable
}

// checkSoon has the cache check a secret soon: its labels are about to move.
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

// A hold keeps a secret in the cache, and hot, for a handle that uses another
// version of it than the current one.
type hold struct {
	e    *entry
	key  *pinKey
	free func()
}

// holdSecret holds r's secret for as long as r lives, or until release, and shows
// the pin that it is held for. h is what was held before.
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

// peek returns what a read would return if it is in memory, decoded if it was
// not. It waits for nobody, not even for another goroutine that decodes it.
func (r *Ref[T]) peek() *decoded[T] { return r.find(true) }

// inMemory is peek for where the user's code must not be called: what was not
// decoded yet is not found.
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

// peek returns s decoded, or the last good version if it does not decode; nil
// if there is neither, if another goroutine is just decoding s, and if it would
// have to be decoded first and decode is not set.
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

// decodedBySlot returns s as the handle's reads decoded it, if they did. known
// is true where s is known not to decode.
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
