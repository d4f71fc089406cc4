package secrets

import (
	"slices"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/seed-74dc7b3e/secrets/internal/identity"
	"github.com/seed-74dc7b3e/secrets/internal/lease"
	"github.com/seed-74dc7b3e/secrets/secretsevents"
)

// A registry knows which secret every id names. One secret has one entry,
// whatever it is called, and a name has one secret at a time. Guarded by
// cache.mu, but for index, which hits read.
type registry struct {
	index sync.Map                       // id as asked for (string) → *entry
	lru   *simplelru.LRU[string, *entry] // every entry by its space, see identity.Secret; makeRoomLocked keeps the bound
	size  int                            // the bound
	asked map[*claim]struct{}            // questions under way
}

// A claim is a question to the service about a secret that is asked for by id. A
// no that is heard in the meantime by a later question refuses its answer.
type claim struct {
	id     string
	how    string // see Event.How
	n      uint64 // the check's number
	e      *entry // what id named when it began, nil: nothing
	check  lease.Check
	placed func(*entry)         // called with the entry of the answer, with cache.mu held; may be nil
	no     *no                  // guarded by cache.mu; nil: none was heard
	heard  *secretsevents.Event // guarded by cache.mu; an event that came meanwhile, see HandleEvent
	ran    bool                 // the user's code ran between the answer and its adoption; of the goroutine that asks
}

// A no is an answer that a secret is deleted, or access to it denied.
type no struct {
	err error
	id  string // what was asked for
	key string // the secret that was cached as that, "" if none was
}

// refuses returns the error for the answer s to q, nil if it may be taken: it was
// given before the no, or is about another secret.
func (q *claim) refuses(s *Secret) error {
	if q.no != nil && (q.no.id == q.id || q.no.key == s.identity(q.id).Key) {
		return q.no.err
	}
	return nil
}

// claim begins a question. release ends it.
func (c *cache) claim(id, how string) *claim {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checks++
	q := &claim{id: id, how: how, n: c.checks}
	q.check = lease.BeginUnknown(q.n)
	if q.e = c.knownLocked(id); q.e != nil {
		q.check = q.e.lease.BeginCold(&c.rules, c.now(), q.n)
	}
	c.asked[q] = struct{}{}
	return q
}

func (c *cache) release(q *claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.asked, q)
	if q.heard != nil && !c.closed {
		c.heardLocked(q.heard)
	}
}

// refuseLocked refuses what was asked by the given ids before check n, as far as
// it is about the secret that x is about.
func (c *cache) refuseLocked(n uint64, x *no, ids ...string) {
	for q := range c.asked {
		if q.n < n && (q.id == x.id || slices.Contains(ids, q.id)) {
			q.no = x
		}
	}
}

// knownLocked returns the entry that id names, as far as that is certain: it was
// asked for by that id before, or the id is its very ARN.
func (c *cache) knownLocked(id string) *entry {
	if v, ok := c.index.Load(id); ok {
		return v.(*entry)
	}
	for _, named := range [...]bool{true, false} {
		who := identity.Of(id, "", "")
		if who.Named = named; who.Key == "" || named && !nameable(who.Key) {
			continue
		}
		if e, ok := c.lru.Peek(who.Space()); ok && e.cur != nil && e.cur.v.arn == id {
			c.alsoLocked(e, id)
			return e
		}
	}
	return nil
}

// nameable reports whether a key may end with a suffix.
func nameable(key string) bool { return len(key) > len("-XXXXXX") }

// placeLocked finds or makes the entry of the secret that the answer s is
// about. Where a later check knows better, or one check alone does not prove what
// s shows, s is not placed, and the entry is the one that id names, or nil.
func (c *cache) placeLocked(q *claim, s *Secret) (e *entry, placed bool) {
	who := s.identity(q.id)
	var named, there *entry
	if v, ok := c.index.Load(q.id); ok {
		named = v.(*entry)
	}
	there, _ = c.lru.Peek(who.Space())
	suspect := ""
	for _, k := range [...]*entry{named, there} {
		if k != nil && k.coldState().suspect == who.Key && k.coldState().suspectAt < q.n {
			suspect = who.Key
		}
	}
	switch identity.Place(identity.Question{N: q.n, Suspect: suspect, Created: s.v.created}, who, named.known(), there.known()) {
	case identity.Overtaken:
		for _, k := range [...]*entry{named, there} {
			if k != nil {
				c.checkSoonLocked(k)
			}
		}
		return named, false
	case identity.PutOff:
		for _, k := range [...]*entry{named, there} {
			if k != nil && k.secret().Key != who.Key {
				c.putOffLocked(k, who.Key)
			}
		}
		return named, false
	case identity.Found:
		if named != nil && named != there {
			c.replaceLocked(named, there, who.Key, q.id)
		}
		if e = there; named != there && c.negative.no(question{id: q.id}) > e.lease.Settled() {
			c.removeLocked(e) // by this name it was refused since
			return c.placeLocked(q, s)
		}
	case identity.New:
		e = &entry{place: unscheduled, cold: &coldState{who: who}}
		for _, old := range [...]*entry{named, there} {
			if old != nil && !old.lease.Gone() {
				c.replaceLocked(old, e, who.Key, q.id)
			}
		}
		c.makeRoomLocked()
		c.lru.Add(who.Space(), e)
	}
	c.aliasLocked(e, q.id)
	return e, true
}

// known returns what identity.Place wants to know of e, nil for a nil e.
func (e *entry) known() *identity.Known {
	if e == nil {
		return nil
	}
	r := e.coldState()
	k := &identity.Known{Secret: e.secret(), Settled: max(e.lease.Settled(), r.found), Former: r.former}
	if e.cur != nil {
		k.Created = e.cur.v.created
	}
	return k
}

// secret returns the identity of the secret that e is.
func (e *entry) secret() identity.Secret {
	if e.cur == nil {
		return e.coldState().who
	}
	return e.cur.identity(e.id)
}

// identity returns which secret s is a version of, asked for by the given id.
func (s *Secret) identity(asked string) identity.Secret {
	name := s.v.name
	if s.v.unnamed {
		name = ""
	}
	return identity.Of(s.v.arn, name, asked)
}

// replaceLocked ends old, whose name id turned out to name another secret, e.
// Whatever old was known by is asked for again.
func (c *cache) replaceLocked(old, e *entry, key, id string) {
	e.growCold().former = identity.Succeed(key, old.known())
	told := c.aboutLocked(old)
	told.Kind, told.Secret = EventRecreated, id
	c.removeLocked(old)
	c.events.add(told)
}

// putOffLocked keeps e although a check was answered with a secret that e took
// the place of, and has a second one decide.
func (c *cache) putOffLocked(e *entry, key string) {
	r := e.growCold()
	r.suspect, r.suspectAt = key, c.checks
	c.checkSoonLocked(e)
}

// replaced reports whether another secret has taken the place of the one that s,
// asked for by the given id, is a version of.
func (c *cache) replaced(id string, s *Secret) bool {
	who := s.identity(id)
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.lru.Peek(who.Space())
	return ok && e.secret().Key != who.Key
}

// checkSoonLocked asks for a check of e within moments.
func (c *cache) checkSoonLocked(e *entry) {
	c.applyLocked(e, func(l *lease.Lease) lease.Report {
		l.CheckSoon(&c.rules, c.moment())
		return lease.Report{}
	})
}

// aliasLocked makes id one of e's names, and the one that e is refreshed by.
func (c *cache) aliasLocked(e *entry, id string) {
	c.index.Store(id, e)
	if e.id == id {
		return
	}
	if e.id != "" {
		r := e.growCold()
		r.aliases = slices.DeleteFunc(slices.Clone(r.aliases), func(a string) bool { return a == id })
		r.aliases = append(r.aliases, e.id)
	}
	e.id = id
}

// alsoLocked makes id one of e's names, which nothing was asked by yet.
func (c *cache) alsoLocked(e *entry, id string) {
	r := e.growCold()
	r.aliases = append(slices.Clip(r.aliases), id)
	c.index.Store(id, e)
}

// namesLocked returns every id by which index knows e.
func (e *entry) namesLocked() []string {
	if e.id == "" {
		return nil
	}
	return append([]string{e.id}, e.coldState().aliases...)
}

// makeRoomLocked evicts the least recently read entry if there is no room for
// one more. An entry that was read since it was last considered, and one that
// is held, goes to the other end instead; after 64 of those, or when all were
// considered once, the next one that is not held goes.
func (c *cache) makeRoomLocked() {
	scanned := 0
	for n := 2 * c.lru.Len(); n > 0 && c.lru.Len() >= c.size; n-- {
		space, e, _ := c.lru.GetOldest()
		e.gatherLocked()
		read := e.flags.And(^uint32(readSinceScan))&readSinceScan != 0
		if e.lease.Held() || read && scanned < 64 {
			scanned++
			c.lru.Get(space) // to the other end
			continue
		}
		told := c.aboutLocked(e)
		told.Kind = EventEvicted
		c.removeLocked(e)
		c.counts.evictions.Add(1)
		c.events.add(told)
	}
}

// ended reports whether e was cached and is no longer.
func (c *cache) ended(e *entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.lease.Gone()
}

// unregisterLocked makes no id name e any longer. Called by projectLocked, for a
// lease that has ended.
func (c *cache) unregisterLocked(e *entry) {
	if e.id == "" {
		return
	}
	for _, a := range e.namesLocked() {
		c.index.CompareAndDelete(a, e)
	}
	space := e.secret().Space()
	if have, _ := c.lru.Peek(space); have == e {
		c.lru.Remove(space)
	}
	c.emptyLocked(e)
	for _, s := range e.slotsLocked() {
		s.retireLocked()
	}
	e.id, e.cold = "", nil
}
