package secrets

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// An eventQueue takes events where a lock is held or others wait, and tells the
// logger and the program's function of them where neither is so, in their order:
// both are somebody else's code, which may block, panic, and read secrets. A
// goroutine exists while there is something to tell. It is safe for concurrent
// use by multiple goroutines.
type eventQueue struct {
	log     *slog.Logger
	hook    func(Event) // nil: the logger alone is told
	dropped atomic.Uint64

	mu      sync.Mutex // guards the fields below
	waiting []*Event   // from head on
	head    int
	lost    uint64        // dropped since the last that was told
	running bool          // somebody is being told
	idle    chan struct{} // closed when nobody is told any more; nil: nobody waits for that
}

// maxWaiting bounds how many events wait.
const maxWaiting = 4096

// hears reports whether anybody is told of e.
func (q *eventQueue) hears(e *Event) bool { return q.hook != nil || e.logged() }

// add queues e. It never blocks. The caller may hold locks. Events are large: who
// is called often has another function make them, lest its stack grow for
// what seldom happens.
func (q *eventQueue) add(e Event) {
	if q.hears(&e) {
		kept := new(Event)
		*kept = e
		q.push(kept)
	}
}

func (q *eventQueue) push(e *Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting)-q.head >= maxWaiting {
		q.dropped.Add(1)
		q.lost++
		return
	}
	q.waiting = append(q.waiting, e)
	if !q.running {
		q.running = true
		go q.deliver()
	}
}

// deliver tells of everything that waits.
func (q *eventQueue) deliver() {
	ended := false
	defer func() {
		if !ended { // somebody else's code ended the goroutine
			q.dropped.Add(1)
			go q.deliver()
		}
	}()
	for {
		e, lost, ok := q.next()
		if !ok {
			ended = true
			return
		}
		if lost > 0 {
			q.guard(func() { q.warn(msgLost, "dropped", lost) })
		}
		q.tell(e)
	}
}

// next takes the first event that waits. Where there is none it ends the
// goroutine's role.
func (q *eventQueue) next() (e *Event, lost uint64, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head == len(q.waiting) {
		q.running = false
		if q.idle != nil {
			close(q.idle)
			q.idle = nil
		}
		if q.head = 0; cap(q.waiting) > 64 {
			q.waiting = nil
		}
		q.waiting = q.waiting[:0]
		return nil, 0, false
	}
	e, q.waiting[q.head] = q.waiting[q.head], nil
	q.head++
	lost, q.lost = q.lost, 0
	return e, lost, true
}

// tell tells the logger and the program's function of e.
func (q *eventQueue) tell(e *Event) {
	if e.logged() {
		q.guard(func() { e.record(q.log) })
	}
	if q.hook == nil {
		return
	}
	if p := q.callHook(e); p != nil {
		q.guard(func() {
			q.warn(msgPanicked, "event", e.Kind.String(), "secret", e.Secret, "panic", typeOf(p))
		})
	}
}

// callHook is guard for the program's function.
func (q *eventQueue) callHook(e *Event) (p any) {
	defer q.recovered(&p)
	q.hook(*e)
	return nil
}

func (q *eventQueue) warn(msg string, args ...any) {
	q.log.Log(context.Background(), slog.LevelWarn, msg, args...)
}

// guard calls fn, and returns what it panicked with. That may hold anything: its
// type alone is fit to be shown.
func (q *eventQueue) guard(fn func()) (p any) {
	defer q.recovered(&p)
	fn()
	return nil
}

// recovered, deferred, notes a panic.
func (q *eventQueue) recovered(p *any) {
	if *p = recover(); *p != nil {
		q.dropped.Add(1)
	}
}

// drain waits until everything has been told, for a moment only: whoever is told
// may be the caller.
func (q *eventQueue) drain() {
	q.mu.Lock()
	if q.running && q.idle == nil {
		q.idle = make(chan struct{})
	}
	idle, running := q.idle, q.running
	q.mu.Unlock()
	if !running {
		return
	}
	grace := time.NewTimer(callGrace)
	defer grace.Stop()
	select {
	case <-idle:
	case <-grace.C:
	}
}
