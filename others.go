package secrets

import (
	"context"
	"maps"
	"slices"
	"time"
)

// maxOthers bounds how many versions beside the current one a secret keeps.
// The service allows 20 staging labels; the rest is room for version ids.
const maxOthers = 64

// others are an entry's versions as they were asked for by label or id.
// Guarded by cache.mu. A nil *others is an empty one.
type others struct {
	byName map[Selector]*other

	all        []*Secret // what Versions returns; nil: not asked for. Never changed in place.
	allLabels  labels    // the labels it was made from, nil if they are not known
	allMade    instant
	allExpires instant
}

type other struct {
	s                           *Secret
	confirmed, fetched, expires instant
}

// valueLocked returns the value of a version if it is at hand.
func (o *others) valueLocked(id string) *Secret {
	if o == nil {
		return nil
	}
	for _, v := range o.byName {
		if v.s.v.id == id {
			return v.s
		}
	}
	for _, s := range o.all {
		if s.v.id == id {
			return s
		}
	}
	return nil
}

// labelsMovedLocked confirms the versions that DescribeSecret still shows under
// the name by which they were asked for, and forgets labels that moved.
func (o *others) labelsMovedLocked(lk *look, now, expires instant) {
	if o == nil || !lk.described {
		return
	}
	for sel, v := range o.byName {
		switch {
		case now.sub(v.fetched) >= fetchAtLeast:
			continue
		case sel.id != "" && len(lk.labels.of(sel.id)) == 0:
			continue // it has no label, so DescribeSecret does not show it
		case sel.stage != "" && lk.labels[sel.stage] != v.s.v.id:
			delete(o.byName, sel)
			continue
		}
		v.confirmed, v.expires = now, expires
	}
}

func (c *cache) othersLocked(e *entry) *others {
	r := e.mayBe()
	if r.others == nil {
		r.others = &others{byName: map[Selector]*other{}}
	}
	return r.others
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
	c.counts.misses.Add(1)
	fetch := func(ctx context.Context) (any, error) { return c.fetchVersion(ctx, id, sel) }
	ctx, cancel := c.patience(ctx, old != nil)
	defer cancel()
	v, err := c.join(ctx, "version\x00"+id+"\x00"+sel.stage+"\x00"+sel.id, fetch)
	switch a := answerOf(err); {
	case err == nil:
		return v.(*Secret), nil
	case old != nil && (a == transient || a == canceled) && err != ErrClosed:
		c.counts.stale.Add(1)
		return old, nil
	}
	return nil, err
}

// patience bounds how long a read waits that can be served an old value.
func (c *cache) patience(ctx context.Context, old bool) (context.Context, context.CancelFunc) {
	if !old {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.staleWait)
}

// serveVersion answers from memory. A version that is not fresh is expired,
// but fit to be served if the service cannot be asked.
func (c *cache) serveVersion(id string, sel Selector) (s *Secret, fresh bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, false, ErrClosed
	}
	if x, ok := c.index.Load(id); ok {
		e := x.(*entry)
		e.touch()
		if o := e.seldom().others; o != nil && o.byName[sel] != nil {
			v, now := o.byName[sel], c.now()
			switch {
			case now >= v.confirmed && now < v.expires:
				c.counts.hits.add()
				return v.s, true, nil
			case now >= v.confirmed && now < v.confirmed.add(c.maxStale):
				s = v.s
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

// fetchVersion asks the service for a version and keeps it.
func (c *cache) fetchVersion(ctx context.Context, id string, sel Selector) (*Secret, error) {
	s, err := c.fetch(ctx, id, sel, c.opts)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	if err != nil {
		c.rememberLocked(question{id, sel}, err)
		if a := answerOf(err); a == gone || a == denied {
			if x, ok := c.index.Load(id); ok {
				e := x.(*entry)
				if o := e.seldom().others; o != nil {
					delete(o.byName, sel)
				}
			}
		}
		return nil, err
	}
	c.forgotten.Remove(question{id, sel})
	c.keepVersionLocked(c.placeLocked(id, keyOf(s.v.arn, id)), sel, s)
	return s, nil
}

func (c *cache) keepVersionLocked(e *entry, sel Selector, s *Secret) {
	o, now := c.othersLocked(e), c.now()
	for len(o.byName) >= maxOthers && o.byName[sel] == nil {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(o.byName)), func(a, b Selector) int {
			return int(min(1, max(-1, o.byName[a].confirmed-o.byName[b].confirmed)))
		})
		delete(o.byName, oldest)
	}
	expires := now.add(jitter(c.ttl))
	if e.cur != nil {
		expires = max(expires, e.expires) // not before the look that will confirm it
	}
	o.byName[sel] = &other{s: s, confirmed: now, fetched: now, expires: expires}
}

// versions returns every labelled version, the current one first.
func (c *cache) versions(ctx context.Context, id string) ([]*Secret, error) {
	if v, ok := c.index.Load(id); ok {
		e := v.(*entry)
		if all := e.all.Load(); all != nil {
			if e.flags.Load()&(touched|allRead) != touched|allRead {
				e.flags.Or(touched | allRead)
			}
			c.counts.hits.add()
			return slices.Clone(*all), nil
		}
	}
	e, _, err := c.current(ctx, id)
	if err != nil {
		return nil, err
	}
	old, fresh := c.serveAll(e)
	if fresh {
		return old, nil
	}
	ctx, cancel := c.patience(ctx, old != nil)
	defer cancel()
	v, err := c.join(ctx, "all\x00"+id, func(ctx context.Context) (any, error) {
		lk := c.newLook()
		if err := c.describe(ctx, id, lk, c.opts); err != nil && !c.withoutDescribe(e, err) {
			return nil, err
		}
		return c.makeAll(ctx, e, id, lk, c.opts)
	})
	switch {
	case err == nil:
		return slices.Clone(v.([]*Secret)), nil
	case old != nil && err != ErrClosed:
		c.counts.stale.Add(1)
		return old, nil
	}
	return nil, err
}

// serveAll answers Versions from memory where hits cannot.
func (c *cache) serveAll(e *entry) (all []*Secret, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := e.seldom().others
	if o == nil || o.all == nil {
		return nil, false
	}
	now := c.now()
	if now < o.allMade || now >= max(o.allExpires, o.allMade.add(c.maxStale)) {
		return nil, false
	}
	fresh = now < o.allExpires
	if fresh {
		c.counts.hits.add()
	}
	return slices.Clone(o.all), fresh
}

// refreshAll brings what Versions returns up to date after a look at the
// service, if it was read since the look before.
func (c *cache) refreshAll(ctx context.Context, e *entry, lk *look) {
	c.mu.Lock()
	o := e.seldom().others
	read := e.flags.And(^uint32(allRead))&allRead != 0
	if o == nil || o.all == nil || e.gone {
		c.mu.Unlock()
		return
	}
	now := c.now()
	same := lk.described && maps.Equal(o.allLabels, lk.labels) && now.sub(o.allMade) < fetchAtLeast
	switch {
	case same:
		o.allExpires = e.expires
	case !read:
		o.all = nil
		e.all.Store(nil)
	}
	id := e.id
	c.mu.Unlock()
	if read && !same {
		// A failure leaves the old ones in service; the next look tries again.
		c.makeAll(ctx, e, id, lk, c.quickOpt)
	}
}

// makeAll collects the labelled versions and keeps them.
func (c *cache) makeAll(ctx context.Context, e *entry, id string, lk *look, opts callOpts) ([]*Secret, error) {
	stages := []string{Current, Pending, Previous}
	if lk.described {
		stages = lk.labels.ordered()
	}
	var all []*Secret
	for _, stage := range stages {
		s, err := c.oneOfAll(ctx, e, id, stage, lk, opts)
		if err != nil {
			return nil, err
		}
		if s != nil && !slices.ContainsFunc(all, func(t *Secret) bool { return t.v.id == s.v.id }) {
			all = append(all, s)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	if !e.gone {
		o, now := c.othersLocked(e), c.now()
		o.all, o.allLabels, o.allMade = all, lk.labels, now
		o.allExpires = max(e.expires, now.add(jitter(c.ttl)))
		c.showLocked(e, now)
	}
	return all, nil
}

// oneOfAll returns the version that a label names. A pending version without a
// value, and one that may not be read, is nil and no error.
func (c *cache) oneOfAll(ctx context.Context, e *entry, id, stage string, lk *look, opts callOpts) (*Secret, error) {
	c.mu.Lock()
	o := e.seldom().others
	cur, known := e.cur, o.valueLocked(lk.labels[stage])
	stale := o != nil && c.now().sub(o.allMade) >= fetchAtLeast
	c.mu.Unlock()
	switch {
	case stage == Current && cur != nil && (!lk.described || lk.labels[Current] == cur.v.id):
		known = cur
	case !lk.described || stale:
		known = nil
	}
	if known == nil {
		var err error
		known, err = c.fetch(ctx, id, Stage(stage), opts)
		switch a := answerOf(err); {
		case err != nil && stage != Current && (a == gone || a == denied):
			return nil, nil
		case err != nil:
			return nil, err
		case stage == Current:
			c.adopt(id, known, lk, true)
		}
	}
	if lk.described {
		if names := lk.labels.of(known.v.id); len(names) > 0 {
			known = known.withStages(names)
		}
	}
	return known, nil
}

// newCurrentLocked puts a new current version in front of what Versions
// returns, until the next look has brought it up to date.
func (c *cache) newCurrentLocked(e *entry) {
	o := e.seldom().others
	if o == nil || o.all == nil {
		return
	}
	all := []*Secret{e.cur}
	for _, s := range o.all {
		if s.v.id != e.cur.v.id {
			all = append(all, s)
		}
	}
	o.all, o.allLabels = all, nil
	o.allExpires = min(o.allExpires, c.now().add(time.Second))
}
