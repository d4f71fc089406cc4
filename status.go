package secrets

import (
	"iter"
	"slices"
	"time"
)

// A Status is what a [Client] knows of a cached secret. It contains no secret
// value and nothing derived from one. Unknown times are zero.
type Status struct {
	ID    string // the id that the client uses to ask for the secret
	Name  string
	ARN   string
	Alias []string // other ids of the secret

	Version string    // the current version that the client knows; "" if it is too old to be served
	Serving string    // the version that a handle serves, see Ref.Status; otherwise equal to Version
	Stages  []string  // the staging labels of Version when they were last seen
	Created time.Time // when Version was created
	Adopted time.Time // when Version became the current one in this cache

	Fetched   time.Time // when the service last returned the value
	Confirmed time.Time // when the service last confirmed that Version is current
	Expires   time.Time // the end of the TTL
	NextCheck time.Time // when the service is asked next; zero if the next read decides
	Checking  bool      // whether a check is under way

	// StaleSince is the end of the TTL if the service has not answered since and
	// the old version is in service. It is zero if the secret is not stale. A
	// secret that nobody reads expires without becoming stale.
	StaleSince time.Time

	Failures     int       // failed refreshes in a row
	FailingSince time.Time // when the first of them failed
	LastFailure  time.Time // when one last failed, even if the service has answered since
	LastClass    FailureClass

	// Rotation is what DescribeSecret last returned, with Phase computed for the
	// present. Without permission for DescribeSecret it is empty, with the phase
	// idle.
	Rotation RotationState

	Recent   []Event // the last events, at most 16, oldest first, without Err
	Pins     []Event // the EventPinned of each handle that uses a version other than the current one
	Refused  []Event // the EventRefused, with Err, of each type that does not decode Version
	Watchers int     // Watch loops under way
}

// Status returns what the client knows of a secret, by any of its ids. It makes
// no request, does not block, and does not count as a read. For a secret that
// is not cached it returns false. If the last read of such a secret has just
// failed, the Status has ID, LastFailure and LastClass, and nothing else.
func (c *Client) Status(id string) (Status, bool) {
	c.made()
	c.mu.Lock()
	defer c.mu.Unlock()
	if v, ok := c.index.Load(id); ok {
		return c.statusLocked(v.(*entry), c.now()), true
	}
	if e := c.knownLocked(id); e != nil {
		return c.statusLocked(e, c.now()), true
	}
	st := Status{ID: id}
	if f, ok := c.negative.failures.Peek(question{id: id}); ok {
		st.LastFailure, st.LastClass = c.wall(f.since), ClassOf(f.err)
	}
	return st, false
}

// Statuses returns the Status of every cached secret, in no particular order.
// It makes no request and does not count as a read. No lock is held while the
// body of the loop runs, so changes during the loop may or may not be seen.
func (c *Client) Statuses() iter.Seq[Status] {
	c.made()
	return func(yield func(Status) bool) {
		c.mu.Lock()
		all := c.lru.Values()
		c.mu.Unlock()
		var chunk [64]Status
		for len(all) > 0 {
			var n int
			n, all = c.statuses(chunk[:], all)
			for i := range n {
				if !yield(chunk[i]) {
					return
				}
			}
		}
	}
}

// statuses fills chunk with the Status of the first entries that are still
// cached. It returns their number and the remaining entries.
func (c *cache) statuses(chunk []Status, all []*entry) (n int, left []*entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	for n < len(chunk) && len(all) > 0 {
		if e := all[0]; e.id != "" {
			chunk[n] = c.statusLocked(e, now)
			n++
		}
		all = all[1:]
	}
	return n, all
}

// Status returns what the client knows of the handle's secret. It is like
// [Client.Status], with three differences. Serving is the version that the
// handle serves, which differs from Version if that does not decode as a T; it
// is empty if the secret was not read as a T yet. Pins lists the pins of this
// handle only. Refused lists the refusals of type T only.
func (r *Ref[T]) Status() (Status, bool) {
	r.made()
	c := &r.c.cache
	st, ok := r.c.Status(r.id)
	if !ok {
		return st, false
	}
	kind := typeName[T]()
	st.Serving = ""
	st.Refused = slices.DeleteFunc(st.Refused, func(e Event) bool { return e.Type != kind })
	r.try.mu.Lock()
	key := r.try.pinHold.key
	r.try.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.knownLocked(r.id)
	if e == nil {
		return st, ok
	}
	st.Pins = e.pinsLocked(func(p pin) bool { return p.key == key })
	sl := r.slot.Load()
	if !r.bound {
		sl = slotFor[T](e)
	}
	if sl == nil || e.cur == nil {
		return st, ok
	}
	if h, _, known := sl.knownLocked(e.cur); known && h != nil {
		st.Serving = h.secret.v.id
	} else if sl.good != nil {
		st.Serving = sl.good.secret.v.id
	}
	return st, ok
}

// statusLocked returns e's status.
func (c *cache) statusLocked(e *entry, now instant) Status {
	l, h := &e.lease, e.past()
	st := Status{
		ID: e.id, Version: l.Version(), Serving: l.Version(),
		Checking: l.Refreshing(),
		Failures: l.Failures(), LastFailure: c.wall(h.lastFailure), LastClass: h.lastClass,
		Watchers: h.watchers,
	}
	if since, failing := l.Failing(); failing {
		st.FailingSince = c.wall(since)
	}
	if at, planned := l.Next(); planned && !c.rules.OnRead {
		st.NextCheck = c.wall(at)
	}
	if names := e.coldState().aliases; len(names) > 0 {
		st.Alias = slices.Clone(names)
	}
	c.versionStatusLocked(e, now, &st)
	c.pastStatusLocked(e, &st)
	return st
}

// versionStatusLocked sets the fields of st about e's version.
func (c *cache) versionStatusLocked(e *entry, now instant, st *Status) {
	l, s := &e.lease, e.cur
	if s == nil {
		return
	}
	st.Name, st.ARN, st.Created = s.v.name, s.v.arn, s.CreatedDate()
	stages := s.v.stages
	if seen := e.past().stages; seen != nil {
		stages = seen
	}
	st.Stages = slices.Clone(*stages)
	st.Adopted, st.Fetched = c.wall(e.since), c.wall(l.Fetched())
	st.Confirmed, st.Expires = c.wall(l.Confirmed()), c.wall(l.Expires())
	if since, stale := l.StaleSince(&c.rules, now); stale {
		st.StaleSince = c.wall(since)
	}
}

// pastStatusLocked sets the fields of st that are empty for most secrets.
func (c *cache) pastStatusLocked(e *entry, st *Status) {
	for _, sl := range e.slotsLocked() {
		if r, ok := sl.refusedLocked(e.cur); ok {
			ev := r.event(e.cur.v.id, 1)
			ev.Secret, ev.ARN = e.cur.v.name, e.cur.v.arn
			st.Refused = append(st.Refused, ev)
		}
	}
	h := e.coldState().history
	if h == nil {
		return
	}
	about := c.aboutLocked(e)
	for _, m := range h.recent {
		st.Recent = append(st.Recent, Event{
			Kind: m.kind, Time: m.at, Secret: about.Secret, ARN: about.ARN, Version: m.version, From: m.from, Stage: m.stage,
			Type: m.typ, How: m.how, Class: m.class, Attempt: m.attempt, Since: m.since,
		})
	}
	st.Pins = e.pinsLocked(func(pin) bool { return true })
	st.Rotation = c.rotationStatusLocked(e, h)
}

// pinsLocked returns the events of those pins of e for which keep returns true.
func (e *entry) pinsLocked(keep func(pin) bool) (events []Event) {
	for _, p := range e.past().pins {
		if keep(p) {
			events = append(events, p.event)
		}
	}
	return events
}

// rotationStatusLocked returns the state of e's rotation as DescribeSecret last
// returned it.
func (c *cache) rotationStatusLocked(e *entry, h *history) RotationState {
	var st RotationState
	if r := h.plan; r != nil {
		st = RotationState{Enabled: r.enabled, LastRotated: r.last, NextRotation: r.next, Window: r.window}
	}
	pending, since := h.pending.Since()
	switch {
	case pending != "" && e.lease.Rotating():
		st.PendingVersion, st.Since = pending, c.wall(since)
		st.Phase = phaseSince(st.Since, time.Now())
	case h.plan.planned() && !time.Now().Before(h.plan.opens()):
		st.Phase = RotationDue
	}
	return st
}
