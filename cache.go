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

	mu                       sync.Mutex // guards the fields below and those of entries and slots that say so
	closed                   bool
	seq                      uint64 // counts looks at the service, in the order in which they began
	byKey                    map[key]*entry
	lru                      *simplelru.LRU[*entry, struct{}] // every entry; the bound is kept by makeRoomLocked
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

// A key identifies a secret: its ARN without the region, which differs between
// replicas. Both parts lie in the ARN's own memory.
type key struct{ before, after string }

// keyOf returns the key of a secret by what the service says its ARN is. An
// endpoint that says none gets a key of the id asked for.
func keyOf(arn, asked string) key {
	rest, ok := strings.CutPrefix(arn, "arn:")
	if !ok {
		return key{before: asked}
	}
	partition, rest, _ := strings.Cut(rest, ":")
	service, rest, _ := strings.Cut(rest, ":")
	before := arn[:len("arn:")+len(partition)+1+len(service)]
	_, after, _ := strings.Cut(rest, ":")
	return key{before, after}
}

// An entry is one cached secret.
type entry struct {
	// Read by hits, without a lock; written under cache.mu.
	fast     atomic.Pointer[Secret]    // nil: not to be served without a look at the clock
	typed    atomic.Pointer[[]slot]    // one for each type it was read as
	all      atomic.Pointer[[]*Secret] // what Versions returns
	flags    atomic.Uint32             // readSinceLook, readSinceScan, allRead: also set by hits
	rotating atomic.Bool               // a rotation is known to be outstanding

	// Guarded by cache.mu.
	key           key
	aliases       []string      // the ids by which index knows it
	id            string        // the id that last worked
	cur           *Secret       // the last adopted current version; nil: none
	curSeq        uint64        // the look that cur, or its confirmation, comes from
	confirmed     instant       // when the service last said that cur is current
	fetched       instant       // when the service last gave cur's value
	expires       instant       // cur's TTL
	due           instant       // when the agenda next looks at it
	place         int           // in the agenda, -1: not there
	trouble       *trouble      // nil: the last look went well
	inflight      *flight       // a refresh that waits or runs
	holds         int           // watchers and pins: while there are any it is hot and stays
	gone          bool          // dropped or evicted
	forced        bool          // look when due, read or not
	looks         time.Duration // the interval of looks while a rotation is outstanding
	past          []string      // version ids that were current before cur, newest last
	suspect       string        // a version that one look saw as current again
	describeAfter instant       // DescribeSecret was denied: not asked until then
	rotation      *schedule     // what DescribeSecret said of the rotation; nil: nothing
	bound         []boundSlot   // of BindFunc handles
	others        *others       // versions other than cur; nil: none was asked for
	changed       chan struct{} // closed when cur changes or the entry goes; nil: nobody waits
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
	case e.trouble != nil && now < e.trouble.retry:
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
	e := c.byKey[keyOf(id, "")]
	if e == nil || e.cur == nil || e.cur.v.arn != id {
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
	if e.others != nil && e.others.all != nil {
		e.all.Store(&e.others.all)
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
func (c *cache) placeLocked(id string, k key) *entry {
	var named *entry
	if v, ok := c.index.Load(id); ok {
		named = v.(*entry)
	}
	e := c.byKey[k]
	switch {
	case e == nil && named == nil:
		e = &entry{key: k, place: -1, due: never}
		c.makeRoomLocked()
		c.byKey[k] = e
		c.lru.Add(e, struct{}{})
		c.aliasLocked(e, id)
	case e == nil:
		e = named // deleted and made again: another ARN under the old name
		c.rekeyLocked(e, id, k)
	case named == nil:
		c.aliasLocked(e, id)
	case named != e:
		c.unaliasLocked(named, id)
		c.retireSlotsLocked(named)
		if len(named.aliases) == 0 {
			c.removeLocked(named)
		}
		c.aliasLocked(e, id)
	}
	return e
}

func (c *cache) aliasLocked(e *entry, id string) {
	e.aliases = append(slices.Clip(e.aliases), id)
	c.index.Store(strings.Clone(id), e)
}

func (c *cache) unaliasLocked(e *entry, id string) {
	e.aliases = slices.DeleteFunc(e.aliases, func(a string) bool { return a == id })
	c.index.CompareAndDelete(id, e)
}

// rekeyLocked makes e the entry of another secret that has taken over the
// name id. What the other aliases name now, the service has to say.
func (c *cache) rekeyLocked(e *entry, id string, k key) {
	delete(c.byKey, e.key)
	for _, a := range slices.Clone(e.aliases) {
		if a != id {
			c.unaliasLocked(e, a)
		}
	}
	e.key, e.past, e.suspect, e.others, e.rotation = k, nil, "", nil, nil
	c.byKey[k] = e
	c.retireSlotsLocked(e)
	c.log.Info("secrets: secret was made again under its old name", "secret", id)
}

// makeRoomLocked evicts the least recently read entry if there is no room for
// one more. An entry that was read since it was last considered, and one that
// is held, goes to the other end instead; after 64 of those the next one that
// may go goes.
func (c *cache) makeRoomLocked() {
	scanned := 0
	for n := c.lru.Len(); n > 0 && c.lru.Len() >= c.size; n-- {
		e, _, _ := c.lru.GetOldest()
		e.gatherLocked()
		read := e.flags.And(^uint32(readSinceScan))&readSinceScan != 0
		if e.holds > 0 || read && scanned < 64 {
			scanned++
			c.lru.Get(e) // to the other end
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
	for _, a := range e.aliases {
		c.index.CompareAndDelete(a, e)
	}
	for _, s := range e.slotsLocked() {
		s.emptyLocked()
	}
	if c.byKey[e.key] == e {
		delete(c.byKey, e.key)
	}
	c.lru.Remove(e)
	delete(c.failing, e)
	c.unscheduleLocked(e)
	e.cur, e.others, e.aliases = nil, nil, nil
	e.announceLocked()
}

// announceLocked wakes those who wait for a change of e.
func (e *entry) announceLocked() {
	if e.changed != nil {
		close(e.changed)
		e.changed = nil
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
		for _, e := range c.lru.Keys() {
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
