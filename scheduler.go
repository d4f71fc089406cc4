package secrets

import (
	"container/heap"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/lease"
)

// A scheduler wakes entries when their leases are due, and runs their
// refreshes. One timer serves all entries, and goroutines exist only while
// there are refreshes. Guarded by cache.mu.
type scheduler struct {
	due       dueHeap
	timer     *time.Timer
	armed     instant                  // when timer fires; 0: it is stopped
	queue     []*entry                 // refreshes that wait for a worker
	refreshes map[*entry]chan struct{} // queued and running refreshes; each channel is closed at the end
	workers   int                      // at most maxWorkers
}

// maxWorkers is how many refreshes run at a time.
const maxWorkers = 16

// dueHeap orders entries by the times at which their leases are due. It knows
// the position of each, so that an entry can be moved.
type dueHeap struct {
	rules   *lease.Rules
	entries []*entry
}

func (h *dueHeap) Len() int { return len(h.entries) }

func (h *dueHeap) Less(i, j int) bool { return h.at(i) < h.at(j) }

func (h *dueHeap) at(i int) instant { return h.entries[i].lease.Due(h.rules) }

func (h *dueHeap) Swap(i, j int) {
	h.entries[i], h.entries[j] = h.entries[j], h.entries[i]
	h.entries[i].place, h.entries[j].place = int32(i), int32(j)
}

func (h *dueHeap) Push(x any) {
	e := x.(*entry)
	e.place = int32(len(h.entries))
	h.entries = append(h.entries, e)
}

func (h *dueHeap) Pop() any {
	last := len(h.entries) - 1
	e := h.entries[last]
	h.entries[last] = nil
	h.entries = h.entries[:last]
	e.place = unscheduled
	return e
}

// unscheduled is the place of an entry that is not in the heap.
const unscheduled = -1

// fixLocked moves e to its position in the heap after its lease's due time
// changed. Only projectLocked calls it.
func (c *cache) fixLocked(e *entry) {
	s := &c.scheduler
	switch never := e.lease.Due(&c.rules) == lease.Never; {
	case never && e.place >= 0:
		heap.Remove(&s.due, int(e.place))
	case never:
	case e.place >= 0:
		heap.Fix(&s.due, int(e.place))
	default:
		heap.Push(&s.due, e)
	}
	c.armLocked()
}

// armLocked sets the timer to the time of the first due entry, if that is
// earlier than the timer's present time. A timer that fires too early does no
// harm.
func (c *cache) armLocked() {
	s := &c.scheduler
	if s.due.Len() == 0 || c.closed {
		return
	}
	if first := s.due.at(0); s.armed == 0 || first < s.armed {
		s.armed = first
		s.timer.Reset(max(0, first.Sub(c.now())))
	}
}

// tick is called by the timer. It wakes every entry that is due.
func (c *cache) tick() {
	if !c.enter() {
		return
	}
	defer c.wg.Done()
	c.mu.Lock()
	c.scheduler.armed = 0
	c.wakeDueLocked(c.now())
	c.armLocked()
	work := c.dispatchLocked(true)
	c.mu.Unlock()
	if work {
		c.work()
	}
}

// wakeDueLocked wakes every lease that is due, and also refreshes those that
// are due shortly. Otherwise thousands of secrets would need thousands of
// timers a minute.
func (c *cache) wakeDueLocked(now instant) {
	early := now.Add(min(100*time.Millisecond, c.rules.TTL/1000))
	h := &c.scheduler.due
	var due []*entry
	for h.Len() > 0 && h.at(0) <= early {
		due = append(due, heap.Pop(h).(*entry))
	}
	for _, e := range due {
		c.wakeLocked(e, now, early) // this also moves it in the heap
	}
}

func (c *cache) wakeLocked(e *entry, now, early instant) {
	read, last := e.readLocked(), c.inServiceLocked(e)
	rep := c.applyLocked(e, func(l *lease.Lease) lease.Report {
		return l.Wake(&c.rules, lease.Moment{Now: now, Draw: c.draw()}, early, read)
	})
	if rep.TooOld {
		c.tooOldLocked(e, last)
	}
}

// setRefreshingLocked queues e's refresh or notes its end. Only projectLocked
// calls it.
func (s *scheduler) setRefreshingLocked(e *entry, refreshing bool) {
	if refreshing {
		s.refreshes[e] = make(chan struct{})
		s.queue = append(s.queue, e)
		return
	}
	close(s.refreshes[e])
	delete(s.refreshes, e)
}

// hurryLocked moves the refresh that was queued last to the front, because a
// reader waits for it.
func (c *cache) hurryLocked() {
	q := c.scheduler.queue
	last := len(q) - 1
	e := q[last]
	copy(q[1:], q[:last])
	q[0] = e
}

// dispatchLocked starts workers for the queued refreshes, up to maxWorkers. If
// self is set and it returns true, the caller must act as one of them. In that
// case no reader waits, and each worker gets several refreshes, because
// starting a goroutine costs about as much as a refresh.
func (c *cache) dispatchLocked(self bool) (work bool) {
	s := &c.scheduler
	n := len(s.queue)
	if self {
		n = max(min(n, 4), n/4)
	}
	for range min(n, maxWorkers-s.workers) {
		s.workers++
		if self && !work {
			work = true
			continue
		}
		c.wg.Go(c.work)
	}
	return work
}

// work runs refreshes until the queue is empty.
func (c *cache) work() {
	for {
		c.mu.Lock()
		s := &c.scheduler
		if c.closed || len(s.queue) == 0 {
			s.workers--
			c.mu.Unlock()
			return
		}
		e := s.queue[0]
		s.queue[0] = nil
		s.queue = s.queue[1:]
		c.mu.Unlock()
		c.refresh(e)
	}
}
