package lease

import (
	"slices"
	"strconv"
	"time"
)

// tick is the model's unit of time. Every threshold is a whole number of ticks.
const tick = time.Millisecond

// epoch is what the model's clock shows in every state: moments in a state are
// relative to now.
const epoch = Time(1_000_000 * tick)

// almost1 is the greatest draw.
const almost1 = 1 - 1.0/(1<<53)

// A model is a lease and what surrounds it, bounded so that the states are
// finite. What is false, zero or empty here does not happen.
type model struct {
	rules    Rules
	versions uint8 // the service names any of so many, in any order
	checks   int   // that overlap, at most
	holders  uint8 // at most

	describe  bool // checks may begin with DescribeSecret
	denied    bool // which may be denied
	inMemory  bool // a described version's value may be in memory
	hourly    bool // the age of the value itself matters: Rules.FetchAtLeast
	replica   bool // a replica may answer
	undated   bool // whether an unknown version is older cannot be told
	noIDs     bool // the value may change while the version's id does not
	failures  bool // checks may fail
	noes      bool // the answer may be no
	unknown   bool // checks may begin while no lease is known
	manual    bool // callers may check besides the lease's own refresh
	dies      bool // checks may end without a result
	slow      bool // time may pass while a check is under way
	hints     bool // CheckSoon
	told      bool // hints from outside name versions, or none
	restores  bool // values of an earlier process
	answering bool // the service answers again
	removes   bool // the owner may remove the lease
	early     bool // Wake may come a tick before it is due
	waits     bool // readers wait, and give up
	back      bool // the clock is set back now and then
	pending   bool // a rotation may be outstanding
	windows   [][2]int8

	seen map[string]int
}

// A state is a lease, its shell and what a rule has to know about the past,
// with moments in ticks relative to now and limited to what comparisons can
// tell apart. It is comparable, and all its bytes count.
type state struct {
	alive, has, shown, stale, planned, wanted, running bool

	version, holders, settled            uint8
	confirmed, fetched, expires, next    int8
	failures                             uint8
	skipDescribe, suspected, windowed    bool
	suspect, past, pending               uint8
	describeAfter, pendingSeen, interval int8
	doubtful                             bool

	told, tries     uint8 // the rest of told
	hinted          bool
	hintAt, hintGap int8
	opens, closes   int8

	clock   int8 // where it can be set back
	read    bool // since the last confirmation
	waiting bool // a reader waits for the refresh

	answered uint8 // number of the check whose answer counts
	no       uint8 // number of the last check whose answer was no
	age      int8  // when the present version was last confirmed, as the model knows it
	was      uint8 // versions that others have replaced
	back     uint8 // versions that checks saw come back since the last confirmation
	lastBack uint8 // the one that the last answer was about
	owed     uint8 // a newer version that was seen and neither adopted nor checked again

	checks [2]checkState
}

type checkState struct {
	phase                                          phase
	n                                              uint8
	own, unknown, fetch, hints                     bool
	suspected, described, got, doubts, seen, older bool
	replica, lagged                                bool
	suspect, version, said, against                uint8
	observed                                       int8

	back, lastBack uint8 // of the state when it began
	saw            uint8 // a newer version
	sinceOwed      bool  // it began after the version that is owed was seen
	sinceOther     bool  // it began after the other check saw a newer version
}

type phase uint8

const (
	unused phase = iota
	describing
	getting
	preparing
	settled
)

// never is a moment that has not come.
const never = -128

// first is a lease that nothing has happened to.
func (m *model) first() state {
	m.seen = map[string]int{}
	s := state{alive: true, describeAfter: never}
	m.limit(&s)
	return s
}

func id(v uint8) string {
	if v == 0 {
		return ""
	}
	return strconv.Itoa(int(v))
}

func version(id string) uint8 {
	if id == "" {
		return 0
	}
	return id[0] - '0'
}

func at(ticks int8) Time { return epoch.Add(time.Duration(ticks) * tick) }

// ticks returns the whole number of ticks nearest to t, and at least one where
// t is to come.
func ticks(t Time) int8 {
	d := t.Sub(epoch)
	if d > 0 {
		return int8(min(100, max(1, (d+tick/2)/tick)))
	}
	return int8(max(-100, -((-d + tick/2) / tick)))
}

// scratch is where a state becomes a lease again.
type scratch struct {
	l    Lease
	more more
	past [maxPast + 1]string
	ck   [2]Check
}

// load makes s a lease and its checks.
func (x *scratch) load(s *state) {
	x.l = Lease{
		version: id(s.version), settled: uint64(s.settled),
		confirmed: at(s.confirmed), fetched: at(s.fetched), expires: at(s.expires), next: at(s.next),
		holders: int32(s.holders), has: s.has, gone: !s.alive, shown: s.shown, stale: s.stale,
		planned: s.planned, wanted: s.wanted, running: s.running,
	}
	x.more = more{
		failures: int(s.failures), skipDescribe: s.skipDescribe,
		suspect: id(s.suspect), suspected: s.suspected, doubts: x.doubts(s),
		rotation: rotation{pending: id(s.pending), interval: time.Duration(s.interval) * tick, windowed: s.windowed},
	}
	x.more.told = told{version: id(s.told), tries: s.tries, hints: x.hints(s), gap: time.Duration(s.hintGap) * tick}
	if s.hintGap != 0 {
		x.more.told.at = at(s.hintAt)
	}
	if !s.hinted {
		x.more.told.heard = x.more.told.hints
	}
	x.more.resolved = x.more.doubts
	if s.doubtful {
		x.more.resolved = 0
	}
	if s.failures > 0 {
		x.more.since = epoch
	}
	if s.describeAfter != never {
		x.more.describeAfter = at(s.describeAfter)
	}
	if s.pending != 0 {
		x.more.rotation.seen = at(s.pendingSeen)
	}
	if s.windowed {
		x.more.rotation.opens, x.more.rotation.closes = at(s.opens), at(s.closes)
	}
	past := x.past[:0]
	for v := uint8(1); v < 8; v++ {
		if s.past&(1<<v) != 0 {
			past = append(past, id(v))
		}
	}
	if len(past) > 0 {
		x.more.past = past
	}
	if !x.bare() {
		x.l.more = &x.more
	}
	for i := range s.checks {
		x.ck[i] = s.checks[i].load(x.more.doubts, x.more.told.hints)
	}
}

// doubts is one where a check began before the last doubt or none has answered
// since, which is all that its number is compared for.
func (x *scratch) doubts(s *state) uint32 {
	if s.doubtful {
		return 1
	}
	for i := range s.checks {
		if s.checks[i].doubts {
			return 1
		}
	}
	return 0
}

// hints is doubts for hints from outside.
func (x *scratch) hints(s *state) uint32 {
	if s.hinted || s.checks[0].hints || s.checks[1].hints {
		return 1
	}
	return 0
}

// bare reports whether the lease has nothing in its rare part.
func (x *scratch) bare() bool {
	m := &x.more
	return m.failures == 0 && !m.skipDescribe && m.describeAfter == 0 && m.past == nil && !m.suspected &&
		m.doubts == 0 && m.rotation == rotation{} && m.told == told{}
}

func (c *checkState) load(doubts, hints uint32) Check {
	ck := Check{
		N: uint64(c.n), own: c.own, Fetch: c.fetch,
		suspect: id(c.suspect), suspected: c.suspected,
		version: id(c.version), observed: at(c.observed), preparing: c.phase == preparing,
		settled: c.phase == settled, described: c.described, lagged: c.lagged, said: id(c.said), saw: c.seen, older: c.older, against: id(c.against), fetched: c.got, replica: c.replica,
	}
	if !c.doubts {
		ck.doubts = doubts
	}
	if !c.hints {
		ck.hints = hints
	}
	return ck
}

// store is the state after an event: what the lease is now, and the rest of s.
func (x *scratch) store(m *model, s state) state {
	l := &x.l
	s.alive, s.has, s.shown, s.planned, s.wanted, s.running = !l.gone, l.has, l.shown, l.planned, l.wanted, l.running
	s.stale = l.stale && !m.rules.OnRead // where it decides nothing
	s.version, s.settled = version(l.version), uint8(l.settled)
	s.holders = uint8(l.holders)
	s.confirmed, s.fetched, s.expires, s.next = ticks(l.confirmed), ticks(l.fetched), ticks(l.expires), ticks(l.next)
	r := l.coldState()
	s.failures, s.skipDescribe = uint8(r.failures), r.skipDescribe
	s.suspect, s.suspected = version(r.suspect), r.suspected
	s.describeAfter = never
	if r.describeAfter != 0 {
		s.describeAfter = ticks(r.describeAfter)
	}
	s.doubtful = r.doubts != r.resolved
	s.told, s.tries, s.hinted = version(r.told.version), r.told.tries, l.hinted()
	s.hintAt, s.hintGap = ticks(r.told.at), int8((r.told.gap+tick/2)/tick)
	s.past = 0
	for _, p := range r.past {
		s.past |= 1 << version(p)
	}
	rot := r.rotation
	s.pending, s.interval, s.windowed = version(rot.pending), int8((rot.interval+tick/2)/tick), rot.windowed
	s.pendingSeen, s.opens, s.closes = ticks(rot.seen), ticks(rot.opens), ticks(rot.closes)
	for i := range s.checks {
		s.checks[i].store(&x.ck[i], r.doubts, r.told.hints)
	}
	m.limit(&s)
	return s
}

func (c *checkState) store(ck *Check, doubts, hints uint32) {
	if c.phase == unused {
		return
	}
	c.own, c.fetch, c.suspect, c.suspected = ck.own, ck.Fetch, version(ck.suspect), ck.suspected
	c.version, c.observed, c.described, c.said = version(ck.version), ticks(ck.observed), ck.described, version(ck.said)
	c.seen, c.older, c.replica, c.lagged = ck.saw, ck.older, ck.replica, ck.lagged
	c.hints = ck.hints != hints
	c.against, c.got, c.doubts = version(ck.against), ck.fetched, ck.doubts != doubts
	if ck.settled {
		c.phase = settled
	}
}

// limit makes states equal that no event can tell apart.
func (m *model) limit(s *state) {
	m.limitLease(s)
	for i := range s.checks {
		c := &s.checks[i]
		switch {
		case !s.alive && !c.unknown:
			*c = checkState{} // it ends with the lease that it was about
		case c.phase == settled:
			c.over(s)
		case c.phase != preparing:
			c.version, c.observed, c.against, c.replica = 0, 0, 0, false
		default:
			c.fetch, c.suspect, c.suspected = false, 0, false
			c.observed = max(c.observed, -m.oldest())
		}
		c.sinceOwed = c.sinceOwed && s.owed != 0
		c.sinceOther = c.sinceOther && s.checks[1-i].saw != 0
	}
	if s.checks[0].n > s.checks[1].n {
		s.checks[0], s.checks[1] = s.checks[1], s.checks[0]
	}
	renumber(s)
}

// over keeps what matters of a check that only has to end.
func (c *checkState) over(s *state) {
	o := checkState{phase: settled, n: c.n, own: c.own, unknown: c.unknown, doubts: c.doubts, hints: c.hints, saw: c.saw, sinceOwed: c.sinceOwed, sinceOther: c.sinceOther}
	missed := func(v uint8) bool { return !s.has || v != s.version && s.past&(1<<v) == 0 }
	if c.described && missed(c.said) {
		o.described, o.said = true, c.said
	}
	if c.seen && !c.older && missed(c.version) {
		o.seen, o.version = true, c.version
	}
	*c = o
}

// limitLease limits what is not about checks.
func (m *model) limitLease(s *state) {
	if !s.alive {
		*s = state{clock: s.clock, no: s.no, checks: s.checks, describeAfter: never}
	}
	if !s.has {
		s.confirmed, s.expires, s.fetched, s.age, s.read = 0, 0, 0, 0, false
		s.owed = 0
	}
	if !s.planned {
		s.next, s.wanted = 0, false
	}
	if s.failures > 1 && m.rules.backoff(int(s.failures-1), Moment{Draw: almost1}) == m.rules.MaxBackoff {
		s.failures--
	}
	if !m.hourly {
		s.fetched = 0
	}
	if s.hintGap == 0 || !s.hinted && s.hintAt+2*s.hintGap <= 0 {
		s.hintAt, s.hintGap = 0, 0 // the next hint begins anew
		if s.told == 0 {
			s.tries = 0
		}
	}
	s.hintAt = max(s.hintAt, -2*s.hintGap)
	if s.pending == 0 {
		s.pendingSeen = 0
	}
	if !s.windowed {
		s.opens, s.closes = 0, 0
	}
	if m.back {
		return // any moment may come again
	}
	s.confirmed, s.age = max(s.confirmed, -m.oldest()), max(s.age, -m.oldest())
	s.expires, s.next = max(s.expires, 0), max(s.next, 0)
	s.fetched = max(s.fetched, -int8(min(100, m.rules.FetchAtLeast/tick)))
	if s.describeAfter != never {
		s.describeAfter = max(s.describeAfter, 0)
	}
	s.pendingSeen = max(s.pendingSeen, -int8(min(100, m.rules.RotationKept/tick)))
	life := int8(m.rules.TTL / tick)
	s.opens, s.closes = max(s.opens, -life-1), max(s.closes, -life-1)
}

// oldest is an age that is too old for every purpose.
func (m *model) oldest() int8 {
	return int8(max(m.rules.TTL, m.rules.MaxStale)/tick) + 1
}

// renumber replaces the numbers of checks by their ranks.
func renumber(s *state) {
	numbers := []*uint8{&s.settled, &s.answered, &s.no, &s.checks[0].n, &s.checks[1].n}
	var used [6]uint8
	all := used[:0]
	for _, n := range numbers {
		if *n != 0 {
			all = append(all, *n)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	for _, n := range numbers {
		for rank, v := range all {
			if v == *n {
				*n = uint8(rank + 1)
				break
			}
		}
	}
}

// number returns that of a new check.
func (s *state) number() uint8 {
	return max(s.settled, s.answered, s.no, s.checks[0].n, s.checks[1].n) + 1
}
