package secrets

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// fetchAtLeast is how often the value itself is asked for, however often
	// DescribeSecret says that nothing changed: it decrypts nothing, so it
	// cannot see that a permission or a key went away.
	fetchAtLeast = time.Hour

	// describeAgain is when DescribeSecret is tried again after it was denied.
	describeAgain = time.Hour

	// recovered is within what time all failed secrets are tried again once
	// the service is seen to answer.
	recovered = time.Minute

	// secondLook is about when a version that went back is looked at again.
	secondLook = 2 * time.Second
)

// A look is what one request, or two, found out about a secret's versions.
type look struct {
	seq       uint64
	described bool // labels and rotation are known
	deleted   bool // scheduled for deletion
	labels    labels
	rotation  *schedule
}

// refreshLocked returns e's refresh that is under way, or queues one. Those
// that a reader waits for go first.
func (c *cache) refreshLocked(e *entry, first bool) *flight {
	f := c.queueLocked(e, first)
	c.dispatchLocked(false)
	return f
}

// queueLocked is refreshLocked, but for a worker to see to it.
func (c *cache) queueLocked(e *entry, first bool) *flight {
	if e.inflight != nil {
		return e.inflight
	}
	e.inflight = &flight{done: make(chan struct{})}
	if e.cur != nil {
		c.scheduleLocked(e, c.lastMoment(e)) // should the refresh hang
	} else {
		c.unscheduleLocked(e)
	}
	if first {
		c.queue = slices.Insert(c.queue, 0, e)
	} else {
		c.queue = append(c.queue, e)
	}
	return e.inflight
}

// dispatchLocked begins as many workers as there is work for and as may be. If
// self is set the caller is to be one of them where it returns true; then
// nobody waits, and workers get a few refreshes each: to begin a goroutine costs
// about as much as a refresh.
func (c *cache) dispatchLocked(self bool) (work bool) {
	n := len(c.queue)
	if self {
		n = max(min(n, 4), n/4)
	}
	for range min(n, maxWorkers-c.workers) {
		c.workers++
		if self && !work {
			work = true
			continue
		}
		c.wg.Go(c.work)
	}
	return work
}

// work runs refreshes until none waits. There is no worker at rest.
func (c *cache) work() {
	for {
		c.mu.Lock()
		if c.closed || len(c.queue) == 0 {
			c.workers--
			c.mu.Unlock()
			return
		}
		e := c.queue[0]
		c.queue[0] = nil
		c.queue = c.queue[1:]
		c.mu.Unlock()

		lk, err := c.look(c.base, e, c.quickOpt)
		if err == nil {
			c.refreshAll(c.base, e, lk)
		}

		c.mu.Lock()
		f := e.inflight
		e.inflight = nil
		f.err = err
		close(f.done)
		c.mu.Unlock()
	}
}

// look asks the service whether e's version is still current, and adopts the
// one that is. It asks DescribeSecret first, which decrypts nothing, and
// fetches the value if it changed or was not fetched for an hour.
func (c *cache) look(ctx context.Context, e *entry, opts callOpts) (*look, error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, ErrClosed
	}
	if e.gone {
		c.mu.Unlock()
		return nil, errGone
	}
	c.seq++
	lk := &look{seq: c.seq}
	id, cur, now := e.id, e.cur, c.now()
	e.forced = false
	describe := c.describer != nil && !c.noDescribe && now >= e.seldom().describeAfter && (e.seldom().trouble == nil || !e.rare.trouble.skipDescribe)
	fetch := cur == nil || now.sub(e.fetched) >= fetchAtLeast || now < e.fetched
	c.mu.Unlock()

	if describe {
		if err := c.describe(ctx, id, lk, opts); err != nil {
			if !c.withoutDescribe(e, err) {
				return lk, c.failed(ctx, e, lk, err, true)
			}
		} else if done, err := c.decided(ctx, e, cur, lk, fetch); done {
			return lk, err
		}
	}
	return lk, c.fetchCurrent(ctx, e, id, lk, opts)
}

// decided ends a look with what DescribeSecret said, where that is enough.
func (c *cache) decided(ctx context.Context, e *entry, cur *Secret, lk *look, fetch bool) (bool, error) {
	if !lk.described || lk.deleted || cur == nil {
		return false, nil
	}
	switch id := lk.labels[Current]; {
	case id == "":
		return true, c.failed(ctx, e, lk, errNoCurrent, false)
	case fetch:
		return false, nil
	case id == cur.v.id:
		return true, c.confirm(e, cur, lk)
	default:
		return c.takeKnown(e, id, lk), nil
	}
}

// takeKnown adopts the version id if its value is at hand, and puts off a
// version that is seen to go back.
func (c *cache) takeKnown(e *entry, id string, lk *look) bool {
	c.mu.Lock()
	if lk.seq >= e.curSeq && c.goesBackLocked(e, id, 0) {
		c.putOffLocked(e, lk)
		c.mu.Unlock()
		return true
	}
	s := e.seldom().others.valueLocked(id)
	asked := e.id
	c.mu.Unlock()
	if s == nil {
		return false
	}
	_, _, err := c.adopt(asked, s.withStages(lk.labels.of(id)), lk, false)
	return err == nil
}

// fetchCurrent ends a look by asking for the value.
func (c *cache) fetchCurrent(ctx context.Context, e *entry, id string, lk *look, opts callOpts) error {
	s, err := c.fetch(ctx, id, Selector{}, opts)
	if err == nil {
		_, _, err = c.adopt(id, s, lk, true)
		return err
	}
	if c.meansNo(ctx, id, err, lk, opts) {
		c.drop(e, lk, err)
		return err
	}
	return c.failed(ctx, e, lk, err, false)
}

// meansNo reports whether err, of GetSecretValue for AWSCURRENT, says that the
// secret is not to be had, rather than that it could not be asked for or that
// a label is missing.
func (c *cache) meansNo(ctx context.Context, id string, err error, lk *look, opts callOpts) bool {
	switch answerOf(err) {
	case denied:
		return true
	case gone:
	default:
		return false
	}
	if !lk.described && !lk.deleted && c.describer != nil {
		if derr := c.describe(ctx, id, lk, opts); derr != nil {
			// Not there either, or not to be asked: the answer stands.
			return answerOf(derr) != transient && answerOf(derr) != canceled
		}
	}
	return lk.deleted || !lk.described
}

// withoutDescribe reports whether a failed DescribeSecret leaves it to
// GetSecretValue to answer, and remembers where DescribeSecret cannot be had.
func (c *cache) withoutDescribe(e *entry, err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case errors.Is(err, errNoDescribe) || answerOf(err) == missing:
		if !c.noDescribe {
			c.mu.logLocked(slog.LevelWarn, "secrets: DescribeSecret is not to be had: every refresh fetches the value", "error", err)
		}
		c.noDescribe = true
		return true
	case answerOf(err) == denied:
		if e.seldom().describeAfter == 0 {
			c.mu.logLocked(slog.LevelWarn, "secrets: DescribeSecret is denied: every refresh fetches the value", "secret", e.id, "error", err)
		}
		e.mayBe().describeAfter = c.now().add(describeAgain)
		return true
	}
	return answerOf(err) == gone
}

// adopt makes s, which was asked for by id, the current version of its secret,
// and returns the entry and the version that it now holds. Types for which s
// does not decode keep what they have. fetched says that the service gave the
// value in this look.
func (c *cache) adopt(id string, s *Secret, lk *look, fetched bool) (*entry, *Secret, error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, nil, ErrClosed
	}
	k := keyOf(s.v.arn, id)
	if v, ok := c.index.Load(id); ok && v.(*entry).key != k && v.(*entry).curSeq > lk.seq {
		defer c.mu.Unlock()
		e := v.(*entry) // a later look found another secret under this name
		return e, firstOf(e.cur, s), nil
	}
	e := c.placeLocked(id, k)
	if lk.seq < e.curSeq {
		defer c.mu.Unlock()
		return e, firstOf(e.cur, s), nil // a later look has spoken
	}
	e.curSeq = lk.seq
	c.workedLocked(e, id)
	c.forgotten.Remove(question{id: id})
	if fetched {
		e.fetched = c.now()
	}
	if e.cur != nil && e.cur.sameValue(s) {
		defer c.mu.Unlock()
		c.confirmLocked(e, lk)
		return e, e.cur, nil
	}
	if e.cur != nil && c.goesBackLocked(e, s.v.id, s.v.created) {
		defer c.mu.Unlock()
		c.putOffLocked(e, lk)
		return e, e.cur, nil
	}
	slots := e.slotsLocked()
	c.mu.Unlock()

	for _, sl := range slots {
		sl.prepare(c, s) // runs the user's code
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, ErrClosed
	}
	if e.gone || e.curSeq != lk.seq {
		return e, firstOf(e.cur, s), nil
	}
	c.replaceLocked(e, s, lk)
	return e, s, nil
}

func firstOf(s, t *Secret) *Secret {
	if s != nil {
		return s
	}
	return t
}

// replaceLocked puts s in the place of e's version.
func (c *cache) replaceLocked(e *entry, s *Secret, lk *look) {
	if old := e.cur; old != nil {
		c.counts.newVersions.Add(1)
		r := e.mayBe()
		r.past = append(r.past, old.v.id)
		r.past = r.past[max(0, len(r.past)-4):]
		c.mu.logLocked(slog.LevelInfo, "secrets: new current version", "secret", s.v.name, "version", s.v.id, "was", old.v.id)
	}
	e.cur = s
	c.newCurrentLocked(e)
	c.confirmLocked(e, lk)
	e.announceLocked()
}

// confirm notes that the service says that cur is still current.
func (c *cache) confirm(e *entry, cur *Secret, lk *look) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	if lk.seq >= e.curSeq && e.cur == cur {
		e.curSeq = lk.seq
		c.confirmLocked(e, lk)
	}
	return nil
}

func (c *cache) confirmLocked(e *entry, lk *look) {
	now := c.now()
	e.confirmed = now
	if e.rare != nil {
		e.rare.suspect = ""
	}
	c.succeededLocked(e, lk, now)
	life := jitter(c.ttl)
	e.expires = now.add(life)
	e.seldom().others.labelsMovedLocked(lk, now, e.expires)
	next := e.nextLookLocked(lk, life)
	if c.onRead && next < ahead(life) {
		e.expires = now.add(next) // no other look comes sooner
	}
	c.scheduleLocked(e, now.add(next))
	c.showLocked(e, now)
}

// succeededLocked ends e's trouble, and everybody's if this is the first
// success since theirs began.
func (c *cache) succeededLocked(e *entry, lk *look, now instant) {
	e.gatherLocked()
	e.flags.And(^uint32(readSinceLook))
	c.counts.refreshes.Add(1)
	if lk.described {
		if lk.rotation.planned() {
			e.mayBe().rotation = lk.rotation
		} else if e.rare != nil {
			e.rare.rotation = nil
		}
		e.rotating.Store(lk.labels.outstanding() != "")
	}
	if t := e.seldom().trouble; t != nil {
		c.mu.logLocked(slog.LevelInfo, "secrets: refreshed again", "secret", e.id, "failures", t.n)
		e.rare.trouble = nil
		delete(c.failing, e)
	}
	if c.lastTrouble > c.lastSuccess {
		c.retrySoonLocked(now)
	}
	c.lastSuccess = now
}

// retrySoonLocked makes all due within a minute whose trouble began after the
// last success: it may be over.
func (c *cache) retrySoonLocked(now instant) {
	for f := range c.failing {
		t := f.seldom().trouble
		if soon := now.add(rand.N(recovered)); t.since > c.lastSuccess && soon < t.retry {
			t.retry = soon
			if f.inflight == nil {
				c.scheduleLocked(f, soon)
			}
		}
	}
}

// goesBackLocked reports whether id, made at the given time, is a version from
// before e's, seen for the first time. One look may be a lagging replica's;
// two that agree are a rollback.
func (c *cache) goesBackLocked(e *entry, id string, created int64) bool {
	cur := e.cur
	if cur == nil || id == cur.v.id {
		return false
	}
	older := created != 0 && created < cur.v.created
	if !older && !slices.Contains(e.seldom().past, id) || e.seldom().suspect == id {
		return false
	}
	e.mayBe().suspect = id
	return true
}

// putOffLocked keeps e's version in service until the second look.
func (c *cache) putOffLocked(e *entry, lk *look) {
	now := c.now()
	e.curSeq = lk.seq
	c.succeededLocked(e, lk, now)
	e.forced = true
	e.expires = max(e.expires, now.add(2*secondLook))
	if c.onRead {
		e.expires = now.add(jitter(secondLook))
	}
	c.scheduleLocked(e, now.add(jitter(secondLook)))
	c.showLocked(e, now)
}

// failed notes a look that found nothing out. e's value stays in service.
// described says that it was DescribeSecret that failed.
func (c *cache) failed(ctx context.Context, e *entry, lk *look, err error, described bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	if e.gone || lk.seq < e.curSeq || ctx.Err() != nil {
		return err // overtaken, or given up by the caller, which says nothing of the service
	}
	now := c.now()
	r := e.mayBe()
	if r.trouble == nil {
		r.trouble = &trouble{since: now}
		c.lastTrouble = now
		c.failing[e] = struct{}{}
		c.mu.logLocked(slog.LevelWarn, "secrets: refresh failed: the old value stays in service", "secret", e.id, "error", err)
	}
	t := r.trouble
	t.n++
	t.err = err
	t.skipDescribe = described
	t.retry = now.add(c.backoff(t.n))
	if e.cur != nil {
		c.scheduleLocked(e, min(t.retry, max(now, c.lastMoment(e))))
		c.showLocked(e, now)
	} else {
		c.scheduleLocked(e, t.retry)
	}
	return err
}

// backoff returns the delay after the nth failure: full jitter.
func (c *cache) backoff(n int) time.Duration {
	bound := c.maxBackoff
	if n < 40 && c.minBackoff<<(n-1) > 0 {
		bound = min(bound, c.minBackoff<<(n-1))
	}
	return max(rand.N(bound)+1, min(c.minBackoff/10, bound))
}

// drop takes e out of the cache because the service said no.
func (c *cache) drop(e *entry, lk *look, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || e.gone || lk.seq < e.curSeq {
		return
	}
	for _, id := range e.namesLocked() {
		c.rememberLocked(question{id: id}, err)
	}
	c.counts.denials.Add(1)
	c.mu.logLocked(slog.LevelError, "secrets: secret is no longer to be had", "secret", e.id, "error", err)
	c.removeLocked(e)
}

// fetchCold reads a secret that is not cached: one request for any number of
// callers, each of which leaves when its context ends.
func (c *cache) fetchCold(ctx context.Context, id string) (*entry, *Secret, error) {
	c.counts.misses.Add(1)
	type found struct {
		e *entry
		s *Secret
	}
	v, err := c.join(ctx, "current\x00"+id, func(ctx context.Context) (any, error) {
		if e, s := c.lookup(id); s != nil {
			return found{e, s}, nil // it came while this flight was being begun
		}
		if e, s, ok := c.fresh(id); ok {
			return found{e, s}, nil
		}
		lk := c.newLook()
		s, err := c.fetch(ctx, id, Selector{}, c.opts)
		if err != nil {
			c.coldFailed(id, lk, err)
			return nil, err
		}
		e, s, err := c.adopt(id, s, lk, true)
		return found{e, s}, err
	})
	if err != nil {
		return nil, nil, err
	}
	f := v.(found)
	return f.e, f.s, nil
}

func (c *cache) newLook() *look {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	return &look{seq: c.seq}
}

// fresh returns what is cached under id and not expired.
func (c *cache) fresh(id string) (*entry, *Secret, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, now := c.knownLocked(id), c.now()
	if e == nil || e.cur == nil {
		return nil, nil, false
	}
	return e, e.cur, now < e.expires && now >= e.confirmed
}

// coldFailed remembers a failure for a moment, and lets go of a value that was
// too old to be served.
func (c *cache) coldFailed(id string, lk *look, err error) {
	if a := answerOf(err); a == gone || a == denied {
		if v, ok := c.index.Load(id); ok {
			c.drop(v.(*entry), lk, err)
			return
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rememberLocked(question{id: id}, err)
}

// join runs fn once for all callers with the same name, in a flight of its own:
// it ends by its requests' timeouts or at close, not with any caller's context.
func (c *cache) join(ctx context.Context, name string, fn func(context.Context) (any, error)) (any, error) {
	flight := context.WithoutCancel(ctx)
	ch := c.cold.DoChan(name, func() (any, error) {
		if !c.enter() {
			return nil, ErrClosed
		}
		defer c.wg.Done()
		ctx, cancel := context.WithCancel(flight)
		defer cancel()
		defer context.AfterFunc(c.base, cancel)()
		v, err := fn(ctx)
		if err != nil && c.base.Err() != nil {
			err = ErrClosed
		}
		return v, err
	})
	select {
	case r := <-ch:
		return r.Val, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A question is what a negative answer belongs to.
type question struct {
	id  string
	sel Selector
}

// A refusal is a remembered failure.
type refusal struct {
	err   error
	until instant
	n     int
}

const (
	minRefusal = time.Second
	maxRefusal = 10 * time.Second
)

// rememberLocked keeps err for a moment that grows with each repetition. The
// end of a context says nothing about the secret and is not kept.
func (c *cache) rememberLocked(q question, err error) {
	if isContextError(err) || errors.Is(err, ErrClosed) {
		return
	}
	r, ok := c.forgotten.Get(q)
	if !ok {
		r = &refusal{}
		c.forgotten.Add(q, r)
	}
	r.err = err
	r.until = c.now().add(min(maxRefusal, minRefusal<<min(r.n, 10)))
	r.n++
}

// rememberedLocked returns the failure that still stands for q.
func (c *cache) rememberedLocked(q question) error {
	r, ok := c.forgotten.Get(q)
	if !ok || c.now() >= r.until || c.now() < r.until.add(-maxRefusal) {
		return nil
	}
	c.counts.negative.Add(1)
	return r.err
}
