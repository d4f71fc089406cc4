package secrets

import (
	"slices"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/lease"
)

// What noticed a version, see Event.How.
const (
	byRead     = "read"
	byCheck    = "check"
	byRefresh  = "refresh"
	byPrefetch = "prefetch"
	byTry      = "try"
)

// The operations of the API.
const (
	opGet      = "GetSecretValue"
	opDescribe = "DescribeSecret"
	opBatch    = "BatchGetSecretValue"
)

// A history holds what only Status and events need of an entry. Most entries
// have none. Guarded by cache.mu.
type history struct {
	recent      []moment // oldest first, at most maxRecent
	pending     lease.Pending
	plan        *plan     // what DescribeSecret last said; nil: nothing of a rotation
	stages      *[]string // the labels of the current version when a check last saw them; nil: as it was fetched
	lastFailure instant
	lastClass   FailureClass
	pins        []pin
	watchers    int
	call        uint64 // the number of the call that last answered a check; 0 without Options.OnEvent
}

// maxRecent is how many events a history keeps.
const maxRecent = 16

// A moment is the part of an event that a history keeps.
type moment struct {
	kind                           EventKind
	at                             time.Time
	since                          time.Time
	version, from, stage, typ, how string
	attempt                        int
	class                          FailureClass
}

// A pin records that a handle uses a version other than the current one.
type pin struct {
	key   *pinKey
	event Event
}

// A pinKey identifies a pin by its address. It is not empty, because addresses
// of empty structs need not be distinct.
type pinKey struct{ _ byte }

var noHistory history

// past returns e's history for reading.
func (e *entry) past() *history {
	if h := e.coldState().history; h != nil {
		return h
	}
	return &noHistory
}

// growPast returns e's history for writing. It creates it if there is none.
func (e *entry) growPast() *history {
	r := e.growCold()
	if r.history == nil {
		r.history = &history{}
	}
	return r.history
}

// wall converts an instant to wall-clock time. The zero instant is the zero
// time.
func (c *cache) wall(t instant) time.Time {
	switch {
	case t == 0 || t == lease.Never:
		return time.Time{}
	case c.rules.OnRead:
		return time.Unix(0, int64(t))
	}
	return c.clock.start.Add(time.Duration(t - 1))
}

// aboutLocked returns an event with the fields that identify the secret of e.
func (c *cache) aboutLocked(e *entry) Event {
	ev := Event{Secret: e.id, Version: e.lease.Version()}
	if s := e.cur; s != nil {
		ev.Secret, ev.ARN = s.v.name, s.v.arn
	}
	return ev
}

// tellLocked emits an event about e and keeps the part of it that Status shows.
func (c *cache) tellLocked(e *entry, ev Event) {
	about := c.aboutLocked(e)
	if ev.Secret == "" {
		ev.Secret = about.Secret
	}
	if ev.ARN == "" {
		ev.ARN = about.ARN
	}
	if ev.Time.IsZero() {
		ev.Time = time.Now()
	}
	c.keepEventLocked(e, &ev)
	c.events.add(ev)
}

// tellOf is tellLocked for the secret that id names, called without the lock.
func (c *cache) tellOf(id string, ev Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v, ok := c.index.Load(id); ok {
		c.tellLocked(v.(*entry), ev)
		return
	}
	if ev.Secret == "" {
		ev.Secret = id
	}
	c.events.add(ev)
}

// keepEventLocked keeps the part of an event that Status shows. It does not
// keep the first version, because most secrets have no other, and of several
// failures in a row it keeps only the first.
func (c *cache) keepEventLocked(e *entry, ev *Event) {
	if e.lease.Gone() || ev.Kind == EventAdopted && ev.From == "" || ev.Kind == EventFailed && ev.Attempt > 1 {
		return
	}
	h := e.growPast()
	if len(h.recent) == maxRecent {
		copy(h.recent, h.recent[1:])
		h.recent = h.recent[:maxRecent-1]
	}
	h.recent = append(h.recent, moment{
		kind: ev.Kind, at: ev.Time, since: ev.Since, version: ev.Version, from: ev.From,
		stage: ev.Stage, typ: ev.Type, how: ev.How, attempt: ev.Attempt, class: ev.Class,
	})
}

// adoptedLocked counts e's new version, which replaced old, and emits the
// event.
func (c *cache) adoptedLocked(e *entry, old *Secret, how string) {
	ev := Event{Kind: EventAdopted, Version: e.cur.v.id, How: how}
	if old != nil {
		c.counts.newVersions.Add(1)
		ev.From = versionIDOf(old)
	}
	e.since = c.now()
	if h := e.coldState().history; h != nil {
		h.stages = nil
	}
	if !c.closed {
		c.tellLocked(e, ev)
	}
}

// failureLocked emits the event of a failed refresh.
func (c *cache) failureLocked(e *entry, rep lease.Report, err error) {
	class, now := ClassOf(err), c.now()
	h := e.growPast()
	h.lastFailure, h.lastClass = now, class
	ev := Event{
		Kind: EventFailed, Version: e.lease.Version(), Class: class, Err: err,
		Attempt: rep.Failures, Since: c.wall(rep.Since),
	}
	if next, planned := e.lease.Next(); planned {
		ev.Next = c.wall(next)
	}
	c.tellLocked(e, ev)
}

// recoveredLocked emits the event for the end of failures.
func (c *cache) recoveredLocked(e *entry, rep lease.Report) {
	c.tellLocked(e, Event{Kind: EventRecovered, Version: e.lease.Version(), Attempt: rep.Recovered, Since: c.wall(rep.Since)})
}

// staleLocked emits the event for the end of the TTL of a version that stays in
// service.
func (c *cache) staleLocked(e *entry) {
	l := &e.lease
	c.tellLocked(e, Event{Kind: EventStale, Version: l.Version(), Attempt: l.Failures(), Since: c.wall(l.Expires())})
}

// inService holds what an event needs of a version after the version left the
// cache.
type inService struct {
	s         *Secret
	id        string // of the entry
	confirmed instant
}

func (c *cache) inServiceLocked(e *entry) inService {
	return inService{e.cur, e.id, e.lease.Confirmed()}
}

// tooOldLocked emits the event that the version in service became too old.
func (c *cache) tooOldLocked(e *entry, was inService) {
	ev := Event{Kind: EventTooOld, Secret: was.id, Since: c.wall(was.confirmed)}
	if was.s != nil {
		ev.Secret, ev.ARN, ev.Version = was.s.v.name, was.s.v.arn, was.s.v.id
	}
	c.outdated.addLocked(c.size, ev.Since, was.id, ev.Secret, ev.ARN)
	c.tellLocked(e, ev)
}

// refusalLocked emits the event that a slot has just failed to decode a
// version.
func (c *cache) refusalLocked(e *entry, sl slot, s *Secret) {
	r, ok := sl.refusedLocked(s)
	if !ok {
		return
	}
	e.setFlagLocked(wasRefused, true)
	times, _ := sl.remindLocked(c.now())
	c.tellRefusalLocked(e, r, s.v.id, times)
}

func (c *cache) tellRefusalLocked(e *entry, r refusal, version string, times int) {
	c.tellLocked(e, r.event(version, times))
}

// refusalsLocked returns how many types do not decode e's version.
func (e *entry) refusalsLocked() (n uint64) {
	for _, sl := range e.slotsLocked() {
		if _, ok := sl.refusedLocked(e.cur); ok {
			n++
		}
	}
	return n
}

// event returns the EventRefused of a version.
func (r refusal) event(version string, times int) Event {
	return Event{
		Kind: EventRefused, Version: version, From: r.serving, Type: r.kind, Field: r.err.Field,
		Class: ClassDecode, Err: r.err, Attempt: times,
	}
}

// remindLocked emits an hourly event for each type that does not decode e's
// version.
func (c *cache) remindLocked(e *entry) {
	for _, sl := range e.slotsLocked() {
		if r, ok := sl.refusedLocked(e.cur); ok {
			if times, due := sl.remindLocked(c.now()); due {
				c.tellRefusalLocked(e, r, e.cur.v.id, times)
			}
		}
	}
}

// describedPastLocked keeps what a description says of the labels and of a
// rotation, and emits the events.
func (c *cache) describedPastLocked(e *entry, d *description) {
	if e.cur != nil && d.labels[Current] == e.cur.v.id {
		e.seeStagesLocked(d.labels)
	}
	pending := d.labels.outstanding()
	if pending == "" && !d.rotation.known() && e.coldState().history == nil {
		return // like most
	}
	h := e.growPast()
	h.plan = d.rotation
	if rep := h.pending.Seen(c.now(), pending); rep.Ended != "" || rep.Began != "" || rep.Stuck > 0 {
		c.rotationLocked(e, pending, rep)
	}
}

// rotationLocked emits the event for a change in a rotation.
func (c *cache) rotationLocked(e *entry, pending string, rep lease.PendingReport) {
	if rep.Ended != "" {
		c.tellLocked(e, Event{Kind: EventRotated, Version: rep.Ended, Since: c.wall(rep.EndedSince)})
	}
	if rep.Began != "" {
		c.tellLocked(e, Event{Kind: EventRotating, Version: rep.Began, Stage: Pending})
	}
	if rep.Stuck > 0 {
		c.tellLocked(e, Event{Kind: EventRotationStuck, Version: pending, Stage: Pending, Since: c.wall(rep.Since), Attempt: rep.Stuck})
	}
}

// seeStagesLocked keeps the labels of the current version if they differ from
// those that it was fetched with.
func (e *entry) seeStagesLocked(l labels) {
	stages, n, same := *e.cur.v.stages, 0, true
	for name, id := range l {
		if id == e.cur.v.id {
			n++
			same = same && slices.Contains(stages, name)
		}
	}
	switch same = same && n == len(stages); {
	case !same:
		names := l.of(e.cur.v.id)
		e.growPast().stages = &names
	case e.coldState().history != nil:
		e.cold.history.stages = nil
	}
}
