package secrets

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// An eventQueue accepts events from code that holds a lock or that others wait
// for. It delivers them in order, without a lock, to the logger and to
// Options.OnEvent. Both are foreign code, which may block, panic, or read
// secrets. The delivering goroutine exists only while there are events. An
// eventQueue is safe for concurrent use by multiple goroutines.
type eventQueue struct {
	log     *slog.Logger
	hook    func(Event) // nil: only the logger receives events
	dropped atomic.Uint64

	mu      sync.Mutex // guards the fields below
	waiting []*Event   // from head on
	head    int
	lost    uint64        // dropped since the last delivered event
	running bool          // deliver is running
	idle    chan struct{} // closed when all events are delivered; nil: nobody waits for that
}

// maxWaiting bounds how many events wait.
const maxWaiting = 4096

// hears reports whether e has a receiver.
func (q *eventQueue) hears(e *Event) bool { return q.hook != nil || e.logged() }

// add queues e. It never blocks, and the caller may hold locks. Events are
// large: a function that is called often has another one create the event, so
// that its own stack frame stays small.
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

// deliver delivers all queued events.
func (q *eventQueue) deliver() {
	ended := false
	defer func() {
		if !ended { // foreign code ended the goroutine
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

// next removes and returns the first queued event. If there is none, it ends
// the goroutine's role as the deliverer.
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

// tell delivers e to the logger and to Options.OnEvent.
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

// callHook is guard for Options.OnEvent.
func (q *eventQueue) callHook(e *Event) (p any) {
	defer q.recovered(&p)
	q.hook(*e)
	return nil
}

func (q *eventQueue) warn(msg string, args ...any) {
	q.log.Log(context.Background(), slog.LevelWarn, msg, args...)
}

// guard calls fn and returns the value that fn panicked with. The value may
// contain anything, so only its type may be shown.
func (q *eventQueue) guard(fn func()) (p any) {
	defer q.recovered(&p)
	fn()
	return nil
}

// recovered recovers from a panic and notes it. It must be deferred.
func (q *eventQueue) recovered(p *any) {
	if *p = recover(); *p != nil {
		q.dropped.Add(1)
	}
}

// drain waits briefly until every event is delivered. It does not wait longer,
// because the receiver of an event may be the caller.
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
