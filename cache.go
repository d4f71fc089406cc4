package secrets

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/singleflight"
)

// cache is what a Client is made of.
//
// A hit reads index, then one atomic pointer of the entry, and takes no lock.
// Everything else happens under mu, which is held for moments only: never
// during a call to the service and never while a user's function runs.
type cache struct {
	index  sync.Map // id as asked for (string) → *entry; written under mu
	counts counts

	api       API
	describer describer // nil: api has no DescribeSecret
	batcher   batcher   // nil: api has no BatchGetSecretValue

	cold singleflight.Group // reads of what is not cached

	ttl, maxStale, staleWait, fetchTimeout, minBackoff, maxBackoff time.Duration

	size     int
	onRead   bool // nothing runs in the background
	log      *slog.Logger
	start    time.Time
	opts     []func(*secretsmanager.Options) // of calls somebody waits for
	quickOpt []func(*secretsmanager.Options) // of calls that are tried again anyway

	base context.Context // ends at Close
	stop context.CancelFunc
	wg   sync.WaitGroup // flights, workers and timer functions; added to under mu while open

	mu                       loggingMutex // guards the fields below and those of entries and slots that say so
	closed                   bool
	seq                      uint64                         // counts looks at the service, in the order in which they began
	lru                      *simplelru.LRU[string, *entry] // every entry by its key; the bound is kept by makeRoomLocked
	forgotten                *simplelru.LRU[question, *refusal]
	agenda                   agenda // entries by the moment at which they are due
	timer                    *time.Timer
	armed                    instant             // when timer fires, 0: it does not
	failing                  map[*entry]struct{} // those whose last look failed
	lastSuccess, lastTrouble instant             // of any look
	queue                    []*entry            // refreshes that wait for a worker
	workers                  int                 // at most maxWorkers
	noDescribe               bool                // the endpoint has no such operation
	noBatch                  instant             // until then BatchGetSecretValue is not asked
}

// maxWorkers is how many refreshes run at a time.
const maxWorkers = 16

// An instant is a moment in nanoseconds: since the client was made by the
// monotonic clock or, where the process may be frozen, by the wall clock.
type instant int64

const never instant = 1<<63 - 1

func (c *cache) now() instant {
	if c.onRead {
		return instant(time.Now().UnixNano())
	}
	return instant(time.Since(c.start)) + 1
}

func (i instant) add(d time.Duration) instant { return i + instant(d) }
func (i instant) sub(j instant) time.Duration { return time.Duration(i - j) }

// keyOf returns what identifies a secret in the cache, by what the service says
// its ARN is: the part after the region, in which replicas differ. It lies in
// the ARN's own memory. An endpoint that says no ARN gets the id asked for.
func keyOf(arn, asked string) string {
	rest, ok := strings.CutPrefix(arn, "arn:")
	for range 3 { // partition, service, region
		_, rest, _ = strings.Cut(rest, ":")
	}
	if !ok || rest == "" {
		return asked
	}
	return rest
}

// An entry is one cached secret. There may be many thousands: what most of them
// never need is in rare.
type entry struct {
	// Read by hits, without a lock; written under cache.mu.
	fast     atomic.Pointer[Secret]    // nil: not to be served without a look at the clock
	typed    atomic.Pointer[slotHead]  // one slot for each type it was read as
	all      atomic.Pointer[[]*Secret] // what Versions returns
	flags    atomic.Uint32             // readSinceLook, readSinceScan, allRead: also set by hits
	rotating atomic.Bool               // a rotation is known to be outstanding

	// Guarded by cache.mu.
	gone      bool    // dropped or evicted
	forced    bool    // look when due, read or not
	place     int32   // in the agenda, -1: not there
	holds     int32   // watchers and pins: while there are any it is hot and stays
	key       string  // see keyOf
	id        string  // the id that last worked, by which index knows it
	cur       *Secret // the last adopted current version; nil: none
	curSeq    uint64  // the look that cur, or its confirmation, comes from
	confirmed instant // when the service last said that cur is current
	fetched   instant // when the service last gave cur's value
	expires   instant // cur's TTL
	due       instant // when the agenda next looks at it
	inflight  *flight // a refresh that waits or runs
	rare      *rare   // nil: all zero
}

// rare is the part of an entry that most never need. Guarded by cache.mu.
type rare struct {
	aliases       []string      // the ids, beside entry.id, by which index knows it
	trouble       *trouble      // nil: the last look went well
	looks         time.Duration // the interval of looks while a rotation is outstanding
	looksFor      string        // the version that it makes
	past          []string      // version ids that were current before cur, newest last
	suspect       string        // a version that one look saw as current again
	describeAfter instant       // DescribeSecret was denied: not asked until then
	rotation      *schedule     // what DescribeSecret said of the rotation; nil: nothing
	bound         []boundSlot   // of BindFunc handles
	others        *others       // versions other than cur; nil: none was asked for
	changed       chan struct{} // closed when cur changes or the entry goes; nil: nobody waits
}

var nothingRare rare

// seldom returns e's rare part to be read.
func (e *entry) seldom() *rare {
	if e.rare == nil {
		return &nothingRare
	}
	return e.rare
}

// mayBe returns e's rare part to be written, and makes it where there is none.
func (e *entry) mayBe() *rare {
	if e.rare == nil {
		e.rare = &rare{}
	}
	return e.rare
}

// The bits of entry.flags.
const (
	readSinceLook = 1 << iota // decides whether it is refreshed ahead
	readSinceScan             // decides whether it is evicted
	allRead                   // the same as the first for Versions
	touched       = readSinceLook | readSinceScan
)

// trouble is a run of failed looks.
type trouble struct {
	n            int     // how many
	since        instant // the first
	retry        instant // when the next look is due
	err          error
	skipDescribe bool // the next look asks GetSecretValue alone
}

// A flight is a refresh under way.
type flight struct {
	done chan struct{} // closed by the worker that ran it
	err  error         // set before done is closed
}

// touch notes a read. Its common case writes nothing that cores would contend for.
func (e *entry) touch() {
	if e.flags.Load()&touched != touched {
		e.flags.Or(touched)
	}
}

// gatherLocked brings the reads that hits noted in e's slots into its flags.
func (e *entry) gatherLocked() {
	for _, s := range e.slotsLocked() {
		if s.wasRead() {
			e.flags.Or(touched)
		}
	}
}

// lookup is the hit path: the entry and its secret if they can be served as
// they are.
func (c *cache) lookup(id string) (*entry, *Secret) {
	v, ok := c.index.Load(id)
	if !ok {
		return nil, nil
	}
	e := v.(*entry)
	return e, e.fast.Load()
}

// current returns the current version and its entry, from memory or, at the
// caller's leisure, from the service.
func (c *cache) current(ctx context.Context, id string) (*entry, *Secret, error) {
	if id == "" {
		return nil, nil, errNoID
	}
	for range 8 {
		e, s, f, err := c.serve(id)
		if err != nil || s != nil && f == nil {
			return e, s, err
		}
		if f == nil {
			return c.fetchCold(ctx, id)
		}
		if e, s, err, ok := c.await(ctx, e, f); ok {
			return e, s, err
		}
	}
	return c.fetchCold(ctx, id)
}

// serve answers from memory if it can: s alone is served, s and f are an
// expired version and its refresh, and neither means a cold read.
func (c *cache) serve(id string) (e *entry, s *Secret, f *flight, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, nil, ErrClosed
	}
	if e = c.knownLocked(id); e == nil || e.cur == nil {
		return nil, nil, nil, c.rememberedLocked(question{id: id})
	}
	now := c.now()
	switch {
	case now < e.expires && now >= e.confirmed:
		c.counts.hits.add()
	case !c.servableLocked(e, now):
		return nil, nil, nil, c.rememberedLocked(question{id: id})
	case e.seldom().trouble != nil && now < e.rare.trouble.retry:
		c.counts.stale.Add(1)
	default:
		e.touch()
		return e, e.cur, c.refreshLocked(e, true), nil
	}
	e.touch()
	c.showLocked(e, now)
	return e, e.cur, nil, nil
}

// knownLocked returns the entry that id names, as far as that is certain: it was
// asked for by that id before, or the id is its very ARN.
func (c *cache) knownLocked(id string) *entry {
	if v, ok := c.index.Load(id); ok {
		return v.(*entry)
	}
	e, ok := c.lru.Peek(keyOf(id, ""))
	if !ok || e.cur == nil || e.cur.v.arn != id {
		return nil
	}
	c.aliasLocked(e, id)
	return e
}

// await waits for the refresh of an expired version, for a moment only: then
// the old value is served. ok is false if the read is to start over.
func (c *cache) await(ctx context.Context, e *entry, f *flight) (_ *entry, _ *Secret, _ error, ok bool) {
	c.counts.misses.Add(1)
	wait := time.NewTimer(c.staleWait)
	defer wait.Stop()
	select {
	case <-f.done:
	case <-wait.C:
	case <-ctx.Done():
	case <-c.base.Done():
		return nil, nil, ErrClosed, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if e.gone || !c.servableLocked(e, now) {
		return nil, nil, nil, false
	}
	if now >= e.expires {
		c.counts.stale.Add(1)
	}
	c.showLocked(e, now) // the next reader need not wait for the same flight
	return e, e.cur, nil, true
}

// servableLocked reports whether e's value may be served at all, expired or not.
func (c *cache) servableLocked(e *entry, now instant) bool {
	return e.cur != nil && now < c.lastMoment(e) && now >= e.confirmed
}

// lastMoment returns when e's value ceases to be served whatever happens.
func (c *cache) lastMoment(e *entry) instant {
	return max(e.expires, e.confirmed.add(c.maxStale))
}

// showLocked lets hits have e's value without a lock, until hideLocked.
func (c *cache) showLocked(e *entry, now instant) {
	if c.onRead || c.closed || e.gone || !c.servableLocked(e, now) {
		return
	}
	if e.due == never { // it had been left to expire
		c.scheduleLocked(e, min(now.add(c.ttl), c.lastMoment(e)))
	}
	e.fast.Store(e.cur)
	if o := e.seldom().others; o != nil && o.all != nil {
		all := o.all // hits read it without the lock
		e.all.Store(&all)
	}
	for _, s := range e.slotsLocked() {
		s.showLocked(e)
	}
}

// hideLocked sends readers to the slow path.
func (c *cache) hideLocked(e *entry) {
	e.fast.Store(nil)
	e.all.Store(nil)
	for _, s := range e.slotsLocked() {
		s.hideLocked()
	}
}

// placeLocked finds or makes the entry of the secret that the service says id
// is. One secret has one entry, whatever it is called.
func (c *cache) placeLocked(id string, k string) *entry {
	var named *entry
	if v, ok := c.index.Load(id); ok {
		named = v.(*entry)
	}
	e, _ := c.lru.Peek(k)
	switch {
	case e == nil && named == nil:
		e = &entry{key: k, place: -1, due: never}
		c.makeRoomLocked()
		c.lru.Add(k, e)
		c.aliasLocked(e, id)
	case e == nil:
		e = named // deleted and made again: another ARN under the old name
		c.rekeyLocked(e, id, k)
	case named == nil:
		c.aliasLocked(e, id)
	case named != e:
		c.unaliasLocked(named, id)
		c.retireSlotsLocked(named)
		if named.id == "" {
			c.removeLocked(named)
		}
		c.aliasLocked(e, id)
	}
	return e
}

func (c *cache) aliasLocked(e *entry, id string) {
	if e.id == "" {
		e.id = id
	} else {
		r := e.mayBe()
		r.aliases = append(slices.Clip(r.aliases), id)
	}
	c.index.Store(id, e)
}

func (c *cache) unaliasLocked(e *entry, id string) {
	c.index.CompareAndDelete(id, e)
	if e.rare != nil {
		e.rare.aliases = slices.DeleteFunc(e.rare.aliases, func(a string) bool { return a == id })
	}
	if e.id != id {
		return
	}
	if e.id = ""; len(e.seldom().aliases) > 0 {
		c.workedLocked(e, e.rare.aliases[0])
	}
}

// workedLocked makes id, one of e's names, the one that e is refreshed by.
func (c *cache) workedLocked(e *entry, id string) {
	if e.id == id {
		return
	}
	r := e.mayBe()
	r.aliases = slices.DeleteFunc(slices.Clone(r.aliases), func(a string) bool { return a == id })
	if e.id != "" {
		r.aliases = append(r.aliases, e.id)
	}
	e.id = id
}

// namesLocked returns every id by which index knows e.
func (e *entry) namesLocked() []string {
	if e.id == "" {
		return nil
	}
	return append([]string{e.id}, e.seldom().aliases...)
}

// rekeyLocked makes e the entry of another secret that has taken over the
// name id. What the other aliases name now, the service has to say.
func (c *cache) rekeyLocked(e *entry, id string, k string) {
	c.lru.Remove(e.key)
	for _, a := range e.namesLocked() {
		if a != id {
			c.unaliasLocked(e, a)
		}
	}
	r := e.mayBe()
	r.past, r.suspect, r.others, r.rotation = nil, "", nil, nil
	e.key = k
	c.lru.Add(k, e)
	c.retireSlotsLocked(e)
	c.mu.logLocked(slog.LevelInfo, "secrets: secret was made again under its old name", "secret", id)
}

// makeRoomLocked evicts the least recently read entry if there is no room for
// one more. An entry that was read since it was last considered, and one that
// is held, goes to the other end instead; after 64 of those, or when all were
// considered once, the next one that is not held goes.
func (c *cache) makeRoomLocked() {
	scanned := 0
	for n := 2 * c.lru.Len(); n > 0 && c.lru.Len() >= c.size; n-- {
		_, e, _ := c.lru.GetOldest()
		e.gatherLocked()
		read := e.flags.And(^uint32(readSinceScan))&readSinceScan != 0
		if e.holds > 0 || read && scanned < 64 {
			scanned++
			c.lru.Get(e.key) // to the other end
			continue
		}
		c.removeLocked(e)
		c.counts.evictions.Add(1)
	}
}

// removeLocked takes e and its values out of the cache.
func (c *cache) removeLocked(e *entry) {
	e.gone = true
	c.hideLocked(e)
	for _, a := range e.namesLocked() {
		c.index.CompareAndDelete(a, e)
	}
	for _, s := range e.slotsLocked() {
		s.emptyLocked()
	}
	if have, _ := c.lru.Peek(e.key); have == e {
		c.lru.Remove(e.key)
	}
	delete(c.failing, e)
	c.unscheduleLocked(e)
	e.announceLocked()
	e.cur, e.id, e.rare = nil, "", nil
}

// announceLocked wakes those who wait for a change of e.
func (e *entry) announceLocked() {
	if r := e.rare; r != nil && r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// jitter returns d give or take 10 %.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + time.Duration(rand.Int64N(int64(d/5)+1))
}

// enter announces a flight. It reports false when the cache is closed; then
// the flight must not begin. Each enter is followed by a wg.Done.
func (c *cache) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.wg.Add(1)
	}
	return !c.closed
}

// close ends everything. It waits for what runs.
func (c *cache) close() {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		c.stop()
		c.timer.Stop()
		for _, e := range c.lru.Values() {
			c.removeLocked(e)
		}
		for _, e := range c.queue {
			e.inflight.err = ErrClosed
			close(e.inflight.done)
		}
		c.queue = nil
		c.forgotten.Purge()
	}
	c.mu.Unlock()
	c.wg.Wait()
}
