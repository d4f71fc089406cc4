package secrets

import (
	"container/heap"
	"log/slog"
	"time"
)

// agenda is a heap of entries by the moment at which they are due. It knows
// where each is, so that one can be moved. Guarded by cache.mu.
type agenda []*entry

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].due < a[j].due }

func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].place, a[j].place = int32(i), int32(j)
}

func (a *agenda) Push(x any) {
	e := x.(*entry)
	e.place = int32(len(*a))
	*a = append(*a, e)
}

func (a *agenda) Pop() any {
	old := *a
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*a = old[:len(old)-1]
	e.place = -1
	return e
}

// scheduleLocked makes e due at the given moment and no other.
func (c *cache) scheduleLocked(e *entry, at instant) {
	if c.onRead || e.gone || c.closed {
		return
	}
	e.due = at
	switch {
	case e.place >= 0:
		heap.Fix(&c.agenda, int(e.place))
	default:
		heap.Push(&c.agenda, e)
	}
	c.armLocked()
}

func (c *cache) unscheduleLocked(e *entry) {
	if e.place >= 0 {
		heap.Remove(&c.agenda, int(e.place))
	}
	e.due = never
}

// armLocked sets the one timer to the first entry that is due, if that is
// earlier than what it is set to; a timer that fires too early does no harm.
func (c *cache) armLocked() {
	if len(c.agenda) == 0 {
		return
	}
	if first := c.agenda[0].due; c.armed == 0 || first < c.armed {
		c.armed = first
		c.timer.Reset(max(0, first.sub(c.now())))
	}
}

// tick is what the timer calls: it sees to every entry that is due.
func (c *cache) tick() {
	if !c.enter() {
		return
	}
	defer c.wg.Done()
	c.mu.Lock()
	c.armed = 0
	c.workDueLocked(c.now())
	c.armLocked()
	work := c.dispatchLocked(true)
	c.mu.Unlock()
	if work {
		c.work()
	}
}

// workDueLocked sees to every entry that is due. Refreshes are also begun that
// are due in a moment, so that thousands of secrets do not mean thousands of
// timers a minute; nothing expires early.
func (c *cache) workDueLocked(now instant) {
	type later struct {
		e  *entry
		at instant
	}
	var early []later
	soon := now.add(min(100*time.Millisecond, c.ttl/1000))
	for len(c.agenda) > 0 && c.agenda[0].due <= soon {
		e := c.agenda[0]
		at := e.due
		c.unscheduleLocked(e)
		if at > now && !e.hotLocked() {
			early = append(early, later{e, at})
			continue
		}
		c.dueLocked(e, max(now, at))
	}
	for _, l := range early {
		c.scheduleLocked(l.e, l.at)
	}
}

// hotLocked reports whether e is to be refreshed when it is due.
func (e *entry) hotLocked() bool {
	e.gatherLocked()
	return e.inflight == nil && e.cur != nil && e.seldom().trouble == nil &&
		(e.forced || e.holds > 0 || e.flags.Load()&readSinceLook != 0)
}

// dueLocked decides what becomes of e: a secret that is being read is
// refreshed, one that is not is left to expire and, in the end, to go.
func (c *cache) dueLocked(e *entry, now instant) {
	e.gatherLocked()
	trouble := e.seldom().trouble
	hot := e.forced || e.holds > 0 || e.flags.Load()&readSinceLook != 0
	switch {
	case e.inflight != nil:
		c.hideLocked(e) // its last moment has come; the refresh's end will schedule it
	case e.cur != nil && now >= c.lastMoment(e) && (trouble != nil || !hot):
		c.expireForGoodLocked(e, now)
	case hot && (trouble == nil || now >= trouble.retry):
		c.queueLocked(e, false)
	case e.cur == nil && hot:
		c.scheduleLocked(e, trouble.retry)
	case e.cur == nil:
		c.removeLocked(e) // whoever watched it gave up
	case trouble != nil && now < trouble.retry:
		c.scheduleLocked(e, min(trouble.retry, c.lastMoment(e)))
	case now < e.expires:
		c.scheduleLocked(e, e.expires)
	default:
		c.hideLocked(e)
		c.scheduleLocked(e, c.lastMoment(e))
	}
}

// expireForGoodLocked ends the service of a value that was not confirmed for
// Options.MaxStale. A secret that somebody watches stays, without a value.
func (c *cache) expireForGoodLocked(e *entry, now instant) {
	trouble := e.seldom().trouble
	if trouble != nil {
		c.mu.logLocked(slog.LevelError, "secrets: value too old to be served any longer", "secret", e.id, "error", trouble.err)
	}
	if e.holds == 0 {
		c.removeLocked(e)
		return
	}
	c.hideLocked(e)
	for _, s := range e.slotsLocked() {
		s.emptyLocked()
	}
	e.cur, e.mayBe().others = nil, nil
	e.announceLocked()
	if trouble != nil {
		c.scheduleLocked(e, trouble.retry)
	} else {
		c.scheduleLocked(e, now.add(c.minBackoff))
	}
}
