package secrets

import (
	"slices"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/seed-74dc7b3e/secrets/internal/identity"
	"github.com/seed-74dc7b3e/secrets/internal/lease"
	"github.com/seed-74dc7b3e/secrets/secretsevents"
)

// A registry maps ids to secrets. A secret has one entry under all of its ids,
// and a name has one secret at a time. Guarded by cache.mu, except index, which
// hits read.
type registry struct {
	index sync.Map                       // id as asked for (string) → *entry
	lru   *simplelru.LRU[string, *entry] // every entry by its space, see identity.Secret; makeRoomLocked keeps the bound
	size  int                            // the bound
	asked map[*claim]struct{}            // questions under way
}

// A claim is a question to the service about the secret that id names. Its
// answer is refused if a later question gets a definite error in the meantime.
type claim struct {
	id     string
	how    string // see Event.How
	n      uint64 // the check's number
	e      *entry // id's entry when the question began; nil: none
	check  lease.Check
	placed func(*entry)         // called with the entry of the answer, with cache.mu held; may be nil
	no     *no                  // guarded by cache.mu; nil: no definite error so far
	heard  *secretsevents.Event // guarded by cache.mu; an event that arrived since, see HandleEvent
	ran    bool                 // the user's code ran between the answer and its adoption; of the goroutine that asks
}

// A no is a definite error: the secret is deleted, or access to it is denied.
type no struct {
	err error
	id  string // the id that was asked for
	key string // the key of the secret cached under id; "" if none
}

// refuses returns the error if the answer s to q must not be used, because a
// definite error came after it. It returns nil if there was none, or one about
// another secret.
func (q *claim) refuses(s *Secret) error {
	if q.no != nil && (q.no.id == q.id || q.no.key == s.identity(q.id).Key) {
		return q.no.err
	}
	return nil
}

// claim begins a question. Each claim must be ended by release.
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

// refuseLocked applies x to the questions by the given ids that began before
// check n, as far as they are about x's secret.
func (c *cache) refuseLocked(n uint64, x *no, ids ...string) {
	for q := range c.asked {
		if q.n < n && (q.id == x.id || slices.Contains(ids, q.id)) {
			q.no = x
		}
	}
}

// knownLocked returns the entry that id names, if that is certain: the secret
// was read by that id before, or the id is exactly its ARN.
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

// nameable reports whether a key is long enough to end with a suffix.
func nameable(key string) bool { return len(key) > len("-XXXXXX") }

// placeLocked finds or creates the entry of the secret in the answer s. If a
// later check contradicts s, or if s needs a second check as proof, s is not
// placed. Then placeLocked returns the entry that id names, or nil.
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
			c.removeLocked(e) // the service refused this id since
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

// known returns what identity.Place needs to know of e. It returns nil if e is
// nil.
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

// secret returns the identity of e's secret.
func (e *entry) secret() identity.Secret {
	if e.cur == nil {
		return e.coldState().who
	}
	return e.cur.identity(e.id)
}

// identity returns the identity of the secret that s, read by the given id,
// belongs to.
func (s *Secret) identity(asked string) identity.Secret {
	name := s.v.name
	if s.v.unnamed {
		name = ""
	}
	return identity.Of(s.v.arn, name, asked)
}

// replaceLocked removes old because its name id now names another secret, e.
// Reads by old's other ids ask the service again.
func (c *cache) replaceLocked(old, e *entry, key, id string) {
	e.growCold().former = identity.Succeed(key, old.known())
	told := c.aboutLocked(old)
	told.Kind, told.Secret = EventRecreated, id
	c.removeLocked(old)
	c.events.add(told)
}

// putOffLocked keeps e although a check returned a secret that e had replaced.
// A second check decides.
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

// checkSoonLocked schedules a check of e within moments.
func (c *cache) checkSoonLocked(e *entry) {
	c.applyLocked(e, func(l *lease.Lease) lease.Report {
		l.CheckSoon(&c.rules, c.moment())
		return lease.Report{}
	})
}

// aliasLocked adds id to e's ids. From now on e is refreshed by it.
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

// alsoLocked adds id to e's ids, although the service was not asked by it yet.
func (c *cache) alsoLocked(e *entry, id string) {
	r := e.growCold()
	r.aliases = append(slices.Clip(r.aliases), id)
	c.index.Store(id, e)
}

// namesLocked returns every id under which index has e.
func (e *entry) namesLocked() []string {
	if e.id == "" {
		return nil
	}
	return append([]string{e.id}, e.coldState().aliases...)
}

// makeRoomLocked evicts the least recently read entry if there is no room for
// another one. An entry that was read since it was last considered, or that is
// held, is moved to the other end instead. After 64 such entries, or after all
// were considered once, the next entry that is not held is evicted.
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

// unregisterLocked removes all ids of e. Called by projectLocked when e's lease
// has ended.
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
