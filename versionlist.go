package secrets

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/lease"
)

// list is every labeled version as one check found them.
type list struct {
	others    []*kept
	all       *[]*Secret // the current version, and the others; never changed in place
	labels    labels     // nil: not known
	check     uint64     // the number of the check
	current   bool       // whether the last check that settled something is that one, or found the same labels
	updating  bool       // whether a check that found other labels is updating the list
	confirmed instant    // when the labels were last seen
	expires   instant    // end of their TTL
	retry     instant    // the earliest next attempt after a failed update
}

// build computes the result of Versions.
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
	l.all = &all // hits may still be reading the previous slice
}

// showListLocked shows the result of Versions to hits, or hides it. Only
// projectLocked calls it.
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

// A listSlot holds the result of Versions for hits.
type listSlot struct {
	shown atomic.Pointer[[]*Secret] // nil: the slow path decides
	head  slotHead
}

// listed returns the result of Versions for hits. It returns nil if the slow
// path decides.
func (e *entry) listed() *[]*Secret {
	if sl := slotOfType[*listSlot](e); sl != nil {
		return sl.shown.Load()
	}
	return nil
}

// A listSlot decodes nothing, and only showListLocked shows its value.
func (sl *listSlot) prepare(*cache, *entry, *Secret) bool  { return false }
func (sl *listSlot) showLocked(*entry)                     {}
func (sl *listSlot) staleLocked(bool)                      {}
func (sl *listSlot) refusedLocked(*Secret) (refusal, bool) { return refusal{}, false }
func (sl *listSlot) remindLocked(instant) (int, bool)      { return 0, false }
func (sl *listSlot) hideLocked()                           { sl.shown.Store(nil) }
func (sl *listSlot) emptyLocked()                          { sl.shown.Store(nil) }
func (sl *listSlot) retireLocked()                         { sl.shown.Store(nil) }
func (sl *listSlot) wasRead() bool                         { return false }

// allVersions returns every labeled version, the current one first.
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

// readVersions is the part of allVersions that is not a hit. The caller counts
// it.
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

// listOf returns the result of Versions if it is not a hit. A read that has
// already waited for the refresh of an expired secret does not wait again.
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

// serveList returns the result of Versions from memory.
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

// collect checks which labels exist and makes e's list.
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

// settledCheck returns the check that last settled e's current version. It
// returns nil if that version is not fresh, or if DescribeSecret is available
// and can tell more.
func (c *cache) settledCheck(e *entry) *checked {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if ck := e.lease.Begin(&c.rules, now, 0); ck.Describe && c.fetcher.describes(e.id) || !e.lease.Fresh(&c.rules, now) {
		return nil
	}
	return &checked{Check: lease.BeginUnknown(e.lease.Settled()), e: e}
}

// updateList updates e's list after a check, if the list was read since the
// previous check.
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
		c.makeList(ctx, e, ck) // if it fails, the old list stays in service
	}
}

// listTriedLocked notes whether the update of e's list succeeded.
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

// makeList collects the labeled versions that a check saw and keeps them.
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
	// A later check may have settled the current version; the next one confirms the rest.
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

// labelsFor returns the labels that a check saw, or nil. If a lagging replica
// answered and the home region returned only the current version, it returns
// the labels that were seen earlier with that version.
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

// listed returns the version that a label names. It returns nil without an
// error for the current version, for a pending version without a value, and for
// a version to which access is denied.
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
			// The label has moved, or a replica lags: fetch the version that was seen.
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
