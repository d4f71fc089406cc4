package secrets

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/seed-74dc7b3e/secrets/internal/identity"
	"github.com/seed-74dc7b3e/secrets/internal/lease"
)

// cache implements Client. The leases make the decisions, and cache carries
// them out.
//
// A hit reads the index and one atomic pointer of the entry, and takes no lock.
// Everything else happens under mu. It is held for short moments only, and
// never during a call to the service or while a user's function runs.
type cache struct {
	registry          // guarded by mu, except what hits read
	fetcher  *fetcher // what asks the service
	counts   counts
	events   eventQueue
	flights  singleflight.Group // requests that several callers wait for

	rules     lease.Rules
	staleWait time.Duration
	clock     clock

	base context.Context // ends at Close
	stop context.CancelFunc
	wg   sync.WaitGroup // flights, workers and timer functions; added to under mu while open

	mu                       sync.Mutex // guards the fields below and those of entries and slots that say so
	closed                   bool
	checks                   uint64 // counts checks, in the order in which they began
	scheduler                scheduler
	negative                 negativeCache
	outdated                 outdated            // secrets whose values became too old to be served
	snapshot                 *keeper             // nil: there is none
	failing                  map[*entry]struct{} // those whose last check failed
	pinned                   int                 // handles that use another version than the current one
	lastSuccess, lastFailure instant             // of any check; lastFailure: the first in a row
	lastDescribed            instant             // the last success in which DescribeSecret answered
	unanswered               int                 // checks that failed since one was answered
}

// An instant is a time in nanoseconds. It is counted from the creation of the
// client by the monotonic clock; in RefreshOnRead mode it is the wall clock's
// time.
type instant = lease.Time

func (c *cache) now() instant {
	if c.rules.OnRead {
		return instant(c.clock.now().UnixNano())
	}
	return instant(c.clock.since()) + 1
}

func (c *cache) draw() float64 { return rand.Float64() }

// moment returns the present instant and a random number, for an event of a
// lease.
func (c *cache) moment() lease.Moment { return lease.Moment{Now: c.now(), Draw: c.draw()} }

// An entry is one cached secret. There may be many thousands, so fields that
// most of them never need are in coldState.
type entry struct {
	// Hits read these fields without a lock. They are written under cache.mu;
	// only projectLocked writes them, except flags.
	fast  atomic.Pointer[Secret]   // nil: a read must ask the lease
	typed atomic.Pointer[slotHead] // one slot for each type that it was read as, and for lists of its versions
	flags atomic.Uint32            // see the constants below

	// Guarded by cache.mu.
	place int32       // in the scheduler's heap
	id    string      // the id that last worked, by which index knows it
	lease lease.Lease // changed by applyLocked alone
	since instant     // when cur became the current version
	cur   *Secret     // the current version; nil: none
	cold  *coldState  // nil: all zero
}

// coldState holds the fields that most entries never need. It is guarded by
// cache.mu.
type coldState struct {
	aliases   []string        // the ids, beside entry.id, by which index knows it
	who       identity.Secret // the identity, if cur is nil
	former    []string        // keys of secrets whose place it took, see identity.Known
	suspectAt uint64          // the number of the last check that had begun when suspect was set
	suspect   string          // the key in former that an answer showed again
	found     uint64          // the number of the last check that found another version than the current one
	bound     []boundSlot     // of BindFunc handles
	versions  *versions       // other versions than cur; nil: none was asked for
	history   *history        // nil: there is nothing for Status to show beyond the lease
	changed   chan struct{}   // closed when cur changes or the entry goes; nil: nobody waits
}

var noColdState coldState

// coldState returns e's cold state for reading.
func (e *entry) coldState() *coldState {
	if e.cold == nil {
		return &noColdState
	}
	return e.cold
}

// growCold returns e's cold state for writing. It creates it if there is none.
func (e *entry) growCold() *coldState {
	if e.cold == nil {
		e.cold = &coldState{}
	}
	return e.cold
}

// settleLocked makes s the current version.
func (e *entry) settleLocked(s *Secret) {
	old := e.cur
	e.cur = s
	e.newCurrentLocked(old)
	if e.cold != nil {
		if e.cold.who = (identity.Secret{}); e.cold.idle() {
			e.cold = nil
		}
	}
}

// idle reports whether r is all zero.
func (r *coldState) idle() bool {
	return r.aliases == nil && r.former == nil && r.bound == nil && r.versions == nil && r.changed == nil && r.suspect == "" && r.found == 0 && r.history == nil
}

// The bits of entry.flags.
const (
	readSinceCheck = 1 << iota // by hits: decides whether it is refreshed ahead
	readSinceScan              // by hits: decides whether it is evicted
	listedSince                // by hits: the first, for Versions
	isRotating                 // a rotation is known to be outstanding
	isStale                    // hits are served a version whose TTL has ended
	toldStale                  // EventStale was emitted for it
	wasRefused                 // a type did not decode a version
	touched        = readSinceCheck | readSinceScan
)

// touch notes a read. In the common case it writes nothing, so cores do not
// contend.
func (e *entry) touch() {
	if e.flags.Load()&touched != touched {
		e.flags.Or(touched)
	}
}

// noted reports whether a hit has nothing to note: a read of e is already
// noted, and its version has not expired.
func (e *entry) noted() bool { return e.flags.Load()&(touched|isStale) == touched }

// hitsOf notes a read from memory and returns the counter that counts it.
func (c *cache) hitsOf(e *entry) *striped {
	e.touch()
	if e.flags.Load()&isStale != 0 {
		return &c.counts.staleHits
	}
	return &c.counts.hits
}

// gatherLocked transfers the reads that hits noted in e's slots to e's flags.
func (e *entry) gatherLocked() {
	for _, s := range e.slotsLocked() {
		if s.wasRead() {
			e.flags.Or(touched)
		}
	}
}

// readLocked reports whether e was read since its last confirmation.
func (e *entry) readLocked() bool {
	e.gatherLocked()
	return e.flags.Load()&readSinceCheck != 0
}

// lookup is the path of hits. It returns the entry, and its secret if that can
// be served without asking the lease.
func (c *cache) lookup(id string) (*entry, *Secret) {
	v, ok := c.index.Load(id)
	if !ok {
		return nil, nil
	}
	e := v.(*entry)
	return e, e.fast.Load()
}

// applyLocked passes an event to e's lease and carries out what the lease
// decides. Nothing else changes a lease.
func (c *cache) applyLocked(e *entry, event func(*lease.Lease) lease.Report) lease.Report {
	rep := event(&e.lease)
	if rep.Answered {
		e.gatherLocked()
		e.flags.And(^uint32(readSinceCheck))
	}
	c.projectLocked(e)
	return rep
}

// projectLocked makes the pointers that hits read, the slots, the scheduler,
// the queue and the registry agree with e's lease. No other function shows,
// hides, schedules or removes an entry.
func (c *cache) projectLocked(e *entry) {
	l := &e.lease
	if l.Gone() {
		c.unregisterLocked(e)
	}
	if !l.HasValue() && e.cur != nil {
		c.emptyLocked(e)
	}
	switch {
	case !l.Shown():
		c.hideLocked(e)
	case e.fast.Load() != e.cur:
		c.showLocked(e)
	}
	e.showListLocked()
	if running := l.Refreshing(); running != (c.scheduler.refreshes[e] != nil) {
		c.scheduler.setRefreshingLocked(e, running)
	}
	if _, failing := l.Failing(); failing && !l.Gone() {
		c.failing[e] = struct{}{}
	} else if len(c.failing) > 0 {
		delete(c.failing, e)
	}
	e.setFlagLocked(isRotating, l.Rotating())
	c.showStaleLocked(e)
	c.fixLocked(e)
	if agree != nil {
		agree(c, e)
	}
}

func (e *entry) setFlagLocked(bit uint32, on bool) {
	switch had := e.flags.Load()&bit != 0; {
	case on && !had:
		e.flags.Or(bit)
	case had && !on:
		e.flags.And(^bit)
	}
}

// showStaleLocked has hits of an expired version counted as stale. It emits
// EventStale if the version is stale because the service fails. Called by
// projectLocked.
func (c *cache) showStaleLocked(e *entry) {
	l := &e.lease
	if stale := l.Stale(); stale != (e.flags.Load()&isStale != 0) {
		e.setFlagLocked(isStale, stale)
		for _, s := range e.slotsLocked() {
			s.staleLocked(stale)
		}
	}
	told := l.Stale() && l.Failures() > 0
	if told && e.flags.Load()&toldStale == 0 {
		c.staleLocked(e)
	}
	e.setFlagLocked(toldStale, told)
}

// showLocked lets hits have e's value without a lock. Called by projectLocked.
func (c *cache) showLocked(e *entry) {
	e.fast.Store(e.cur)
	for _, s := range e.slotsLocked() {
		s.showLocked(e)
	}
}

// hideLocked sends readers to the slow path. Called by projectLocked.
func (c *cache) hideLocked(e *entry) {
	if e.fast.Load() == nil {
		return
	}
	e.fast.Store(nil)
	for _, s := range e.slotsLocked() {
		s.hideLocked()
	}
}

// emptyLocked drops e's values. Called by projectLocked.
func (c *cache) emptyLocked(e *entry) {
	if e.cur != nil {
		e.growCold().who = e.secret()
	}
	e.cur = nil
	e.fast.Store(nil)
	for _, s := range e.slotsLocked() {
		s.emptyLocked()
	}
	if e.cold != nil {
		e.cold.versions = nil
	}
	e.announceLocked()
}

// announceLocked wakes those who wait for a change of e.
func (e *entry) announceLocked() {
	if r := e.cold; r != nil && r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// removeLocked ends e: it was evicted, replaced, or the client is closed.
func (c *cache) removeLocked(e *entry) {
	c.applyLocked(e, func(l *lease.Lease) lease.Report { l.Remove(); return lease.Report{} })
}

// enter announces a flight. It reports false when the cache is closed; then
// the flight must not begin. Each enter is followed by a wg.Done.
func (c *cache) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.wg.Add(1)
	}
	return !c.closed
}

// run calls fn in a flight of its own. fn's context ends with ctx and at Close.
// run returns when fn returns, when ctx ends, or when the client is closed,
// whichever comes first.
func (c *cache) run(ctx context.Context, fn func(context.Context) error) error {
	if !c.enter() {
		return ErrClosed
	}
	flight, cancel := context.WithCancel(ctx)
	unlink := context.AfterFunc(c.base, cancel)
	done := make(chan error, 1)
	go func() {
		defer c.wg.Done()
		defer cancel()
		defer unlink()
		done <- fn(flight)
	}()
	select {
	case err := <-done:
		return c.endedBy(ctx, err)
	case <-ctx.Done():
		return c.endedBy(ctx, ctx.Err())
	case <-c.base.Done():
		return ErrClosed
	}
}

// endedBy returns what err means for a caller whose context is ctx.
func (c *cache) endedBy(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case c.base.Err() != nil:
		return ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return err
}

// join runs fn once for all callers with the same name, in a flight of its own.
// The flight ends by the timeouts of its requests or at Close, not when a
// caller's context ends.
func (c *cache) join(ctx context.Context, name string, fn func(context.Context) (any, error)) (v any, err error) {
	waiting := c.waits(ctx, askedFor(name))
	fl := c.newFlight()
	shared := c.withFlight(withoutCancel(ctx), fl)
	ch := c.flights.DoChan(name, func() (any, error) {
		if !c.enter() {
			return nil, ErrClosed
		}
		defer c.wg.Done()
		flight, cancel := context.WithCancel(shared)
		defer cancel()
		defer context.AfterFunc(c.base, cancel)()
		v, err := fn(flight)
		if err != nil && c.base.Err() != nil {
			err = ErrClosed
		}
		return fl.land(v), err
	})
	var call uint64
	defer func() { waiting.ended(call, err) }()
	select {
	case r := <-ch:
		v, call = fromFlight(r.Val)
		return v, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.base.Done():
		return nil, ErrClosed
	}
}

// close stops all background work and waits for what is running.
func (c *cache) close() {
	c.mu.Lock()
	last := func() {}
	if !c.closed {
		c.closed = true
		c.stop()
		c.scheduler.timer.Stop()
		last = c.snapshot.lastLocked(c)
		for _, e := range c.lru.Values() {
			c.removeLocked(e)
		}
		c.scheduler.queue = nil
		c.negative.clear()
	}
	c.mu.Unlock()
	c.wg.Wait()
	last()
	c.fetcher.running.Wait()
	c.events.drain()
}

// agree is set by tests: it checks that what projectLocked brings about agrees
// with the lease.
var agree func(*cache, *entry)
