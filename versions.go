package secrets

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
)

// maxVersions bounds the number of other versions that are kept of a secret.
// The service allows 20 staging labels; the rest is for version ids.
const maxVersions = 64

// versions are an entry's versions other than the current one. Only the lease
// decides which version is current. A nil *versions is empty. Guarded by
// cache.mu.
type versions struct {
	kept map[Selector]*kept // by the selectors of GetVersion
	list *list              // the result of Versions; nil: never read

	labels  labels    // as last seen by a check that settled the current version
	seen    instant   // when that check saw them
	changed time.Time // LastChangedDate in that check
}

// kept is one version, with the times that bound its use.
type kept struct {
	s         *Secret
	check     uint64 // the number of the check that found or confirmed it
	confirmed instant
	fetched   instant
	expires   instant
}

// versionsLocked returns e's versions. It creates them if there are none.
func (e *entry) versionsLocked() *versions {
	r := e.growCold()
	if r.versions == nil {
		r.versions = &versions{kept: map[Selector]*kept{}}
	}
	return r.versions
}

// valueLocked returns the value of a version if it is in memory and the service
// returned it within the last hour.
func (v *versions) valueLocked(id string, now instant) *Secret {
	if k := v.keptLocked(id, now); k != nil {
		return k.s
	}
	return nil
}

func (v *versions) keptLocked(id string, now instant) *kept {
	if v == nil || id == "" {
		return nil
	}
	good := func(k *kept) bool { return k.s.v.id == id && now >= k.fetched && now.Sub(k.fetched) < fetchAtLeast }
	for _, k := range v.kept {
		if good(k) {
			return k
		}
	}
	if v.list != nil {
		for _, k := range v.list.others {
			if good(k) {
				return k
			}
		}
	}
	return nil
}

// hasLocked reports whether the cache has a version of e with that value.
func (e *entry) hasLocked(value *string) bool {
	if e.cur != nil && e.cur.v.value == value {
		return true
	}
	v := e.coldState().versions
	if v == nil {
		return false
	}
	for _, k := range v.kept {
		if k.s.v.value == value {
			return true
		}
	}
	return v.list != nil && slices.ContainsFunc(v.list.others, func(k *kept) bool { return k.s.v.value == value })
}

// saw keeps the labels that a check saw, if any.
func (v *versions) saw(d *description, now instant) {
	if d != nil && d.labels != nil && !d.lags {
		v.labels, v.seen, v.changed = d.labels, now, d.rotation.changed
	}
}

// caughtUpLocked replaces the labels in a lagging replica's description by
// those that were seen before. The replica has the current version, but its
// other labels are from before the last change of the secret; replicas apply
// changes in order. Labels that were seen longer than maxStale ago are not
// used.
func (v *versions) caughtUpLocked(d *description, now instant, maxStale time.Duration) {
	if v == nil || !d.replica || v.seenLocked(d.labels[Current], now, maxStale) == nil || !d.rotation.changed.Before(v.changed) {
		return
	}
	d.labels, d.lags = v.labels, true
	d.rotation.changed, d.rotation.pending = v.changed, v.labels.outstanding()
}

// seenLocked returns the labels that were seen within maxStale while id was
// current. It returns nil if there are none.
func (v *versions) seenLocked(id string, now instant, maxStale time.Duration) labels {
	if v == nil || v.labels[Current] != id || now < v.seen || now >= v.seen.Add(maxStale) {
		return nil
	}
	return v.labels
}

// newerLocked returns the kept version with sel's label if s, an answer of a
// replica, is not newer. The label may have moved back to s, but a replica's
// answer does not prove that. newerLocked returns nil if there is no such
// version.
func (v *versions) newerLocked(sel Selector, s *Secret, now instant, maxStale time.Duration) *kept {
	if v == nil || !s.v.replica || sel.stage == "" {
		return nil
	}
	k := v.kept[sel]
	if k == nil {
		k = v.keptLocked(v.labels[sel.stage], now)
	}
	if k == nil || now < k.confirmed || now >= k.confirmed.Add(maxStale) || s.v.id == k.s.v.id || s.v.created > k.s.v.created {
		return nil
	}
	return k
}

// labelsLocked applies the labels that a check saw when it settled the current
// version. Kept versions that the same label or id still names are confirmed;
// others are dropped.
func (c *cache) labelsLocked(e *entry, ck *checked) {
	v := e.coldState().versions
	if v == nil {
		return
	}
	now, seen := c.now(), ck.labels()
	at, until := now, e.lease.Expires()
	if ck.desc != nil && ck.desc.lags {
		at, until = v.seen, min(until, v.seen.Add(c.rules.MaxStale))
	}
	v.saw(ck.desc, now)
	if l := v.list; l != nil && l.check < ck.N {
		l.current = seen != nil && maps.Equal(l.labels, seen) && !slices.ContainsFunc(l.others, func(k *kept) bool {
			return now < k.fetched || now.Sub(k.fetched) >= fetchAtLeast
		})
		l.updating = !l.current && !ck.Cold()
		if l.current {
			l.check, l.confirmed, l.expires = ck.N, at, until
		}
	}
	if seen == nil {
		return
	}
	for sel, k := range v.kept {
		switch {
		case k.check > ck.N || now < k.fetched || now.Sub(k.fetched) >= fetchAtLeast:
		case sel.id != "" && len(seen.of(sel.id)) == 0:
			// It has no label, so DescribeSecret does not show it.
		case sel.stage != "" && seen[sel.stage] != k.s.v.id:
			delete(v.kept, sel)
		default:
			k.check, k.expires = ck.N, until
			if k.confirmed < at || at == now {
				k.confirmed = at
			}
		}
	}
}

// newCurrentLocked puts a new current version at the front of the result of
// Versions. The check that found it updates the rest later.
func (e *entry) newCurrentLocked(old *Secret) {
	v := e.coldState().versions
	if v == nil || v.list == nil {
		return
	}
	if old != nil && old.v.id != e.cur.v.id {
		v.list.others = append([]*kept{{s: old}}, v.list.others...)
	}
	v.list.build(e.cur)
}

// version returns the version that sel names, from memory or the service.
func (c *cache) version(ctx context.Context, id string, sel Selector) (*Secret, error) {
	if id == "" {
		return nil, errNoID
	}
	old, fresh, err := c.serveVersion(id, sel)
	if err != nil || fresh {
		return old, err
	}
	if old == nil || c.staleWait > 0 {
		c.counts.misses.Add(1)
	}
	ctx, cancel := c.staleContext(ctx, old != nil)
	defer cancel()
	v, err := c.join(ctx, "version\x00"+id+"\x00"+sel.stage+"\x00"+sel.id, func(ctx context.Context) (any, error) {
		k, _, err := c.fetchVersion(ctx, id, sel, false)
		return k, err
	})
	switch a := answerOf(err); {
	case err == nil:
		return v.(*kept).s, nil
	case old != nil && (a == transient || a == canceled) && err != ErrClosed:
		c.counts.stale.Add(1)
		return old, nil
	}
	return nil, err
}

// staleContext returns a context that bounds the wait of a read that has an old
// value.
func (c *cache) staleContext(ctx context.Context, old bool) (context.Context, context.CancelFunc) {
	if !old {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.staleWait)
}

// serveVersion answers from memory. A version that is not fresh has expired,
// but may be served if the service is unavailable.
func (c *cache) serveVersion(id string, sel Selector) (s *Secret, fresh bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, false, ErrClosed
	}
	if e := c.knownLocked(id); e != nil {
		e.touch()
		if v := e.coldState().versions; v != nil && v.kept[sel] != nil {
			k, now := v.kept[sel], c.now()
			switch {
			case now >= k.confirmed && now < k.expires:
				c.counts.hits.add()
				return k.s, true, nil
			case now >= k.confirmed && now < k.confirmed.Add(c.rules.MaxStale):
				s = k.s
			}
		}
	}
	if err := c.rememberedLocked(question{id, sel}); err != nil {
		if s != nil && answerOf(err) == transient {
			c.counts.stale.Add(1)
			return s, true, nil
		}
		return nil, false, err
	}
	return s, false, nil
}

// fetchVersion fetches a version and keeps it. If the answer is about a secret
// that has been replaced, it asks again, and the second answer decides.
func (c *cache) fetchVersion(ctx context.Context, id string, sel Selector, quick bool) (*kept, *entry, error) {
	k, e, err := c.fetchVersionOnce(ctx, id, sel, quick)
	if err == errReplaced {
		k, e, err = c.fetchVersionOnce(ctx, id, sel, quick)
	}
	return k, e, err
}

func (c *cache) fetchVersionOnce(ctx context.Context, id string, sel Selector, quick bool) (*kept, *entry, error) {
	q := c.claim(id, byRead)
	defer c.release(q)
	fetch := c.fetcher.coldValue
	if quick {
		fetch = c.fetcher.quickValue
	}
	s, err := fetch(ctx, id, sel)
	var newer *kept
	if err == nil {
		if newer = c.newerThan(q, sel, s); newer != nil {
			s, err = c.fetcher.homeValue(ctx, id, sel, quick)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return nil, nil, ErrClosed
	case err != nil:
		if ctx.Err() == nil {
			c.noVersionLocked(q, sel, err)
		}
		if e := c.knownLocked(id); newer != nil && e != nil && answerOf(err) == transient {
			return newer, e, nil
		}
		return nil, nil, err
	case q.refuses(s) != nil:
		return nil, nil, q.refuses(s)
	}
	e, placed := c.placeLocked(q, s)
	if !placed {
		return nil, nil, errReplaced
	}
	c.negative.remove(question{id, sel})
	now := c.now()
	k := &kept{s: s, check: q.n, confirmed: now, fetched: now, expires: now.Add(c.rules.TTL - time.Duration(c.draw()*float64(c.rules.TTL/10)))}
	e.growCold().found = max(e.cold.found, q.n)
	c.keepLocked(e, sel, k)
	c.projectLocked(e)
	return k, e, nil
}

// newerThan returns the version that is known to have sel's label, if a replica
// answered q with an older one.
func (c *cache) newerThan(q *claim, sel Selector, s *Secret) *kept {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.knownLocked(q.id)
	if e == nil || q.refuses(s) != nil {
		return nil
	}
	return e.coldState().versions.newerLocked(sel, s, c.now(), c.rules.MaxStale)
}

// noVersionLocked notes that a version could not be fetched.
func (c *cache) noVersionLocked(q *claim, sel Selector, err error) {
	c.negative.add(question{q.id, sel}, err, c.now())
	if a := answerOf(err); a != gone && a != denied {
		return
	}
	if e := c.knownLocked(q.id); e != nil {
		if v := e.coldState().versions; v != nil && v.kept[sel] != nil && v.kept[sel].check < q.n {
			delete(v.kept, sel)
		}
	}
}

// keepLocked keeps a version, unless a later check has found it.
func (c *cache) keepLocked(e *entry, sel Selector, k *kept) {
	v := e.versionsLocked()
	if have := v.kept[sel]; have != nil && have.check > k.check {
		return
	}
	for len(v.kept) >= maxVersions && v.kept[sel] == nil {
		delete(v.kept, slices.MinFunc(slices.Collect(maps.Keys(v.kept)), func(a, b Selector) int {
			return cmp.Compare(v.kept[a].confirmed, v.kept[b].confirmed)
		}))
	}
	if e.cur != nil {
		k.expires = max(k.expires, e.lease.Expires()) // not before the check that will confirm it
	}
	v.kept[sel] = k
}
