package secretsdebug

import (
	"cmp"
	"container/list"
	"slices"
	"sync"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// DefaultLogSize is how many events a [Log] keeps by default.
const DefaultLogSize = 10_000

// perSecret is how many events are kept for one secret.
const perSecret = 50

// maxErrorText is how long an error's text may be, in bytes.
const maxErrorText = 400

// A Log keeps events for the page of a [Handler]. Set its OnEvent as the hook
// in the client's options. The zero value is ready for use. Its memory is
// bounded: it keeps the last 50 events of each secret. When it is full, it
// drops the events of the secrets that have had no event for the longest time.
// It stores consecutive failures as one event.
//
// A Log is safe for concurrent use by multiple goroutines, and for use by
// several clients.
type Log struct {
	// Size is how many events the Log keeps. The default is DefaultLogSize. It
	// must not be changed once the Log is in use.
	Size int

	mu    sync.Mutex // guards the fields below
	lines map[string]*list.Element
	order list.List // of *line, the one heard of last in front
	total int
	calls map[string]*callTotals
	since time.Time
}

// A line is the timeline of one secret, oldest event first. The events about no
// secret have one too, under the key "".
type line struct {
	key    string
	events []moment
}

// A moment is a stored event. It has the text of the error instead of the
// error, and no context, so that it keeps no other objects alive.
type moment struct {
	secrets.Event
	text  string // the error's
	times int    // how many events this stands for
}

// callTotals sum up the calls of one operation.
type callTotals struct {
	Calls  uint64        `json:"calls"`
	Failed uint64        `json:"failed"`
	Total  time.Duration `json:"totalNanoseconds"`
	Max    time.Duration `json:"maxNanoseconds"`
}

// OnEvent adds an event to the log. Use it as secrets.Options.OnEvent.
func (l *Log) OnEvent(e secrets.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines == nil {
		l.lines, l.calls, l.since = make(map[string]*list.Element), make(map[string]*callTotals), e.Time
	}
	switch e.Kind {
	case secrets.EventCall:
		l.countLocked(e)
	case secrets.EventWait:
	default:
		l.addLocked(e)
	}
}

// countLocked adds a call to the totals of its operation. There are three
// operations; all others count as one more.
func (l *Log) countLocked(e secrets.Event) {
	c := l.calls[e.Operation]
	if c == nil && len(l.calls) < 8 {
		c = &callTotals{}
		l.calls[e.Operation] = c
	}
	if c == nil {
		return
	}
	c.Calls++
	c.Total += e.Duration
	c.Max = max(c.Max, e.Duration)
	if e.Class != "" {
		c.Failed++
	}
}

// addLocked adds an event to the timeline of its secret.
func (l *Log) addLocked(e secrets.Event) {
	key := cmp.Or(e.ARN, e.Secret)
	at := l.lines[key]
	if at == nil {
		at = l.order.PushFront(&line{key: key})
		l.lines[key] = at
	}
	l.order.MoveToFront(at)
	ln := at.Value.(*line)
	m := keep(e)
	if last := len(ln.events) - 1; last >= 0 && same(ln.events[last], m) {
		m.times += ln.events[last].times
		ln.events[last] = m
		return
	}
	ln.events = append(ln.events, m)
	l.total++
	if len(ln.events) > perSecret {
		ln.events = slices.Delete(ln.events, 0, 1)
		l.total--
	}
	for l.total > l.size() && l.order.Len() > 1 {
		l.forgetLocked(l.order.Back())
	}
}

func (l *Log) size() int { return cmp.Or(max(0, l.Size), DefaultLogSize) }

func (l *Log) forgetLocked(at *list.Element) {
	ln := at.Value.(*line)
	l.total -= len(ln.events)
	delete(l.lines, ln.key)
	l.order.Remove(at)
}

// keep returns the stored form of e.
func keep(e secrets.Event) moment {
	m := moment{Event: secrets.Event{
		Kind: e.Kind, Time: e.Time, Secret: e.Secret, ARN: e.ARN, Version: e.Version, From: e.From, Stage: e.Stage,
		Type: e.Type, Field: e.Field, How: e.How, Class: e.Class, Attempt: e.Attempt, Since: e.Since, Next: e.Next,
		Operation: e.Operation,
	}, times: 1}
	if e.Err != nil {
		m.text = e.Err.Error()
		if len(m.text) > maxErrorText {
			m.text = m.text[:maxErrorText] + "…"
		}
	}
	return m
}

// same reports whether b only repeats a: the next consecutive failure of the
// same class, or an hourly reminder of a lasting state. Of such events only the
// latest is kept.
func same(a, b moment) bool {
	switch b.Kind {
	case secrets.EventFailed, secrets.EventRefused, secrets.EventRotationStuck, secrets.EventRejected:
		return a.Kind == b.Kind && a.Class == b.Class && a.Version == b.Version && a.Type == b.Type && a.Field == b.Field
	}
	return false
}

// timeline returns the stored events of a secret with these names, oldest
// first.
func (l *Log) timeline(names ...string) []moment {
	l.mu.Lock()
	defer l.mu.Unlock()
	var events []moment
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if at := l.lines[name]; at != nil {
			events = append(events, at.Value.(*line).events...)
		}
	}
	slices.SortStableFunc(events, func(a, b moment) int { return a.Time.Compare(b.Time) })
	return events
}

// lostFor is how long a secret is shown after it left the cache because reads
// of it fail. By then somebody has seen it, or nobody reads it anymore.
const lostFor = 24 * time.Hour

// lost returns the last event of each secret that recently left the cache
// because the service refused it or because it was too old.
func (l *Log) lost(now time.Time) []moment {
	l.mu.Lock()
	defer l.mu.Unlock()
	var events []moment
	for at := l.order.Front(); at != nil; at = at.Next() {
		ln := at.Value.(*line)
		last := ln.events[len(ln.events)-1]
		if now.Sub(last.Time) < lostFor && (last.Kind == secrets.EventDropped || last.Kind == secrets.EventTooOld) {
			events = append(events, last)
		}
	}
	return events
}

// totals returns the totals of each operation, and when counting began.
func (l *Log) totals() (map[string]callTotals, time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	calls := make(map[string]callTotals, len(l.calls))
	for op, c := range l.calls {
		calls[op] = *c
	}
	return calls, l.since
}
