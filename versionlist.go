package secrets

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/lease"
)

// list is every labelled version as one check found them.
type list struct {
	others    []*kept
	all       *[]*Secret // the current version, and the others; never changed in place
	labels    labels     // nil: not known
	check     uint64     // the number of the check
	current   bool       // the last check that settled something was that one, or found the same labels
	updating  bool       // a check that found others is bringing it up to date
	confirmed instant    // when the labels were last seen
	expires   instant    // end of their TTL
	retry     instant    // it could not be brought up to date: nobody tries before
}

// build makes what Versions returns.
func (l *list) build(cur *Secret) {
	if names := l.labels.of(cur.v.id); len(names) > 0 {
		cur = cur.withStages(names)
	}
	all := []*Secret{cur}
	for _, k := range l.others {
		if k.s.v.id != cur.v.id {
			all = append(all, k.s)
		}
	}
	l.all = &all // hits may be reading the one before
}

// showListLocked lets hits have what Versions returns, or not. It is called by
// projectLocked alone.
func (e *entry) showListLocked() {
	var all *[]*Secret
	if v := e.coldState().versions; v != nil && v.list != nil && v.list.current && e.lease.Shown() {
		all = v.list.all
	}
	switch sl := slotOfType[*listSlot](e); {
	case sl != nil:
		sl.shown.Store(all)
	case all != nil:
		sl = &listSlot{}
		sl.shown.Store(all)
		e.linkLocked(&sl.head, sl)
	}
}

// A listSlot is where hits find what Versions returns.
type listSlot struct {
	shown atomic.Pointer[[]*Secret] // nil: the slow path decides
	head  slotHead
}

// listed returns what hits of Versions get, nil if the slow path decides.
func (e *entry) listed() *[]*Secret {
	if sl := slotOfType[*listSlot](e); sl != nil {
		return sl.shown.Load()
	}
	return nil
}

// There is nothing to decode, and showListLocked alone shows.
func (sl *listSlot) prepare(*cache, *entry, *Secret) bool  { return false }
func (sl *listSlot) showLocked(*entry)                     {}
func (sl *listSlot) staleLocked(bool)                      {}
func (sl *listSlot) refusedLocked(*Secret) (refusal, bool) { return refusal{}, false }
func (sl *listSlot) remindLocked(instant) (int, bool)      { return 0, false }
func (sl *listSlot) hideLocked()                           { sl.shown.Store(nil) }
func (sl *listSlot) emptyLocked()                          { sl.shown.Store(nil) }
func (sl *listSlot) retireLocked()                         { sl.shown.Store(nil) }
func (sl *listSlot) wasRead() bool                         { return false }

// allVersions returns every labelled version, the current one first.
func (c *cache) allVersions(ctx context.Context, id string) ([]*Secret, error) {
	e, s := c.lookup(id)
	if s != nil {
		if all := e.listed(); all != nil {
			if e.flags.Load()&listedSince == 0 {
				e.flags.Or(listedSince)
			}
			c.hitsOf(e).add()
			return slices.Clone(*all), nil
		}
	}
	t := tally{id: id}
	all, err := c.readVersions(ctx, id, &t)
	c.count(t, err)
	return slices.Clone(all), err
}

// readVersions is allVersions where hits cannot answer, counted by the caller.
func (c *cache) readVersions(ctx context.Context, id string, t *tally) ([]*Secret, error) {
	for range 4 {
		e, s := c.lookup(id)
		if s == nil {
			var err error
			if e, _, err = c.read(ctx, id, t); err != nil {
				return nil, err
			}
		}
		if all, err := c.listOf(ctx, e, id, t); err != errGone {
			return all, err
		}
	}
	return nil, errGone
}

// listOf answers Versions where hits cannot. A read that has waited for the
// refresh of an expired secret does not wait again.
func (c *cache) listOf(ctx context.Context, e *entry, id string, t *tally) ([]*Secret, error) {
	old, fresh := c.serveList(e)
	if fresh || old != nil && t.stale {
		return old, nil
	}
	t.waited = t.waited || old == nil || c.staleWait > 0
	ctx, cancel := c.staleContext(ctx, old != nil)
	defer cancel()
	v, err := c.join(ctx, "all\x00"+id, func(ctx context.Context) (any, error) { return c.collect(ctx, e) })
	switch {
	case err == nil:
		return v.([]*Secret), nil
	case old != nil && err != ErrClosed && err != errGone:
		t.stale = true
		return old, nil
	}
	return nil, err
}

// serveList answers Versions from memory.
func (c *cache) serveList(e *entry) (all []*Secret, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, now := e.coldState().versions, c.now()
	if v == nil || v.list == nil || !e.lease.Servable(&c.rules, now) {
		return nil, false
	}
	l := v.list
	if now < l.confirmed || now >= max(l.expires, l.confirmed.Add(c.rules.MaxStale)) {
		return nil, false
	}
	e.flags.Or(touched | listedSince)
	return *l.all, l.updating || now < l.retry || now < l.expires && e.lease.Fresh(&c.rules, now)
}

// collect checks which labels there are and makes e's list.
func (c *cache) collect(ctx context.Context, e *entry) ([]*Secret, error) {
	ck, err := c.settledCheck(e), error(nil)
	if ck == nil {
		ck, err = c.checkCurrent(ctx, e, "", byRead, (*lease.Lease).Begin, false)
		if err == nil && c.outlived(e, ck.claim.ran) {
			ck, err = c.checkCurrent(ctx, e, "", byRead, (*lease.Lease).Begin, false)
		}
		if err != nil {
			return nil, err
		}
	}
	return c.makeList(ctx, e, ck)
}

// settledCheck returns the check that last settled what is e's current version,
// where that is fresh and DescribeSecret is not there to say more; else nil.
func (c *cache) settledCheck(e *entry) *checked {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if ck := e.lease.Begin(&c.rules, now, 0); ck.Describe && c.fetcher.describes(e.id) || !e.lease.Fresh(&c.rules, now) {
		return nil
	}
	return &checked{Check: lease.BeginUnknown(e.lease.Settled()), e: e}
}

// updateList brings e's list up to date after a check, if it was read since the
// check before.
func (c *cache) updateList(ctx context.Context, e *entry, ck *checked) {
	c.mu.Lock()
	v := e.coldState().versions
	if v == nil || v.list == nil || v.list.current || e.lease.Gone() {
		c.mu.Unlock()
		return
	}
	read := e.flags.And(^uint32(listedSince))&listedSince != 0
	if !read {
		v.list = nil
		c.projectLocked(e)
	}
	c.mu.Unlock()
	if read {
		c.makeList(ctx, e, ck) // a failure leaves the old ones in service
	}
}

// listTriedLocked notes that e's list was brought up to date, or could not be.
func (c *cache) listTriedLocked(e *entry, ok bool) {
	v := e.coldState().versions
	if v == nil || v.list == nil {
		return
	}
	v.list.updating = false
	if !ok {
		v.list.retry = c.now().Add(min(30*time.Second, c.rules.TTL/10))
	}
}

// makeList collects the labelled versions that a check saw and keeps them.
func (c *cache) makeList(ctx context.Context, e *entry, ck *checked) ([]*Secret, error) {
	begun := c.now()
	l := &list{labels: c.labelsFor(ck)}
	lags := ck.labels() == nil && l.labels != nil || ck.desc != nil && ck.desc.lags
	stages := []string{Pending, Previous}
	if l.labels != nil {
		stages = l.labels.ordered()
	}
	for _, stage := range stages {
		k, err := c.listed(ctx, e, stage, l.labels, ck.quick)
		if err != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.listTriedLocked(e, false)
			return nil, err
		}
		if k != nil && !slices.ContainsFunc(l.others, func(o *kept) bool { return o.s.v.id == k.s.v.id }) {
			l.others = append(l.others, k)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return nil, ErrClosed
	case e.lease.Gone() || e.cur == nil:
		return nil, errGone
	}
	// A later check may have settled what is current: the next one confirms the rest.
	l.check, l.current = ck.N, ck.N == e.lease.Settled()
	l.confirmed, l.expires = begun, min(e.lease.Expires(), begun.Add(c.rules.TTL))
	v := e.versionsLocked()
	if lags {
		l.confirmed, l.expires = v.seen, min(l.expires, v.seen.Add(c.rules.MaxStale))
	} else if l.current {
		v.saw(ck.desc, begun)
	}
	l.build(e.cur)
	if v.list == nil || v.list.check <= l.check {
		v.list = l
	}
	c.listTriedLocked(e, true)
	e.flags.Or(listedSince)
	c.projectLocked(e)
	return *v.list.all, nil
}

// labelsFor returns the labels that a check saw or, where a replica was asked
// that lags and only the current version was asked for elsewhere, those that were
// seen with that before. It returns nil if there are none.
func (c *cache) labelsFor(ck *checked) labels {
	if seen := ck.labels(); seen != nil || !ck.home {
		return seen
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if ck.e.cur == nil {
		return nil
	}
	return ck.e.coldState().versions.seenLocked(ck.e.cur.v.id, c.now(), c.rules.MaxStale)
}

// listed returns the version that a label names, nil for the current one. A
// pending version without a value, and one that may not be read, is nil and no
// error.
func (c *cache) listed(ctx context.Context, e *entry, stage string, seen labels, quick bool) (*kept, error) {
	c.mu.Lock()
	id, cur := e.id, e.cur
	known := e.coldState().versions.keptLocked(seen[stage], c.now())
	c.mu.Unlock()
	switch {
	case cur == nil || id == "":
		return nil, errGone
	case stage == Current || seen != nil && seen[stage] == cur.v.id:
		return nil, nil
	case known == nil:
		k, of, err := c.fetchVersion(ctx, id, Stage(stage), quick)
		if err == nil && seen != nil && k.s.v.id != seen[stage] {
			// The label has moved, or a replica lags: the version is meant that was seen.
			k, of, err = c.fetchVersion(ctx, id, VersionID(seen[stage]), quick)
		}
		switch a := replicaAnswer(err); {
		case err != nil && (a == gone || a == denied):
			return nil, nil
		case err != nil:
			return nil, err
		case of != e:
			return nil, errGone
		}
		known = k
	}
	if names := seen.of(known.s.v.id); len(names) > 0 {
		labelled := *known
		labelled.s = known.s.withStages(names)
		return &labelled, nil
	}
	return known, nil
}
