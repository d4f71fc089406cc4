package lease

// A Check is one question to the service, in one request or two: which version
// is current, and what is its value. Every check that was begun ends with one
// call of [Lease.End], whatever happens in between: only then does the lease
// know whether the check saw a version that nobody adopted.
type Check struct {
	N        uint64 // its number; later checks have greater ones
	Describe bool   // DescribeSecret may be called
	Fetch    bool   // the value is to be fetched even if the version is the same
	Urgent   bool   // what a cache on the way to the service has kept will not do

	own       bool
	cold      bool
	suspect   string // the version that was suspected of going back when it began
	suspected bool
	saw       bool   // it observed a version
	version   string // that version
	older     bool   // it is known to be older than the lease's
	observed  Time   // when it did
	preparing bool   // it observed a version to adopt, which is not adopted yet
	doubts    uint32 // how many there had been when it began
	hints     uint32 // likewise
	said      string // the version that DescribeSecret named
	against   string // the version of the lease when it observed another
	settled   bool   // it has had its effect, or is known to have none
	described bool
	fetched   bool // the service gave the value it observed
	replica   bool // a replica gave it
	lagged    bool // a replica was behind
}

// A Step says how a check goes on.
type Step uint8

const (
	Done    Step = iota // it has its result
	Fetch               // GetSecretValue for AWSCURRENT
	Prepare             // decode the observed version without a lock, then call Prepared
)

// A Report says what an event changed, for counters, logs and whoever waits.
type Report struct {
	Step      Step
	Adopted   bool   // the observed version is the current one now
	From      string // the version that it replaced, "" if there was none
	Confirmed bool   // the version is still current
	PutOff    bool   // it went back, which one check alone does not prove
	Behind    bool   // it went back, which a replica cannot prove: nothing has changed
	Answered  bool   // the service answered for the secret: reads count anew
	Recovered int    // the answer ended so many failures
	Since     Time   // the first of the failures that Recovered or Failures counts
	Failed    bool   // the check failed, for the first time in a row if Failures is 1
	Failures  int    // failures in a row
	No        bool   // the answer was no: the lease has ended
	TooOld    bool   // the value was not confirmed for so long that it is served no longer
}

// Begin begins a check that a caller wants, number n.
func (l *Lease) Begin(r *Rules, now Time, n uint64) Check {
	m := l.coldState()
	describe := now >= m.describeAfter && !m.skipDescribe
	return Check{
		N:         n,
		Describe:  describe,
		Fetch:     !l.has || l.fetchDue(r, now) && !(describe && l.recovering()),
		Urgent:    l.urgent(),
		suspect:   m.suspect,
		suspected: m.suspected,
		doubts:    m.doubts,
		hints:     m.told.hints,
	}
}

// urgent reports whether something says that the present version may not be the
// current one.
func (l *Lease) urgent() bool {
	m := l.coldState()
	return m.suspected || l.doubtful() || l.hinted() || m.told.version != "" || m.rotation.pending != ""
}

// BeginRefresh begins the lease's own refresh.
func (l *Lease) BeginRefresh(r *Rules, now Time, n uint64) Check {
	ck := l.Begin(r, now, n)
	ck.own = true
	return ck
}

// BeginUnknown returns check n that began when no lease for its secret was known.
func BeginUnknown(n uint64) Check { return Check{N: n, Fetch: true, cold: true} }

// BeginCold begins the check of a read that the lease could not answer.
func (l *Lease) BeginCold(r *Rules, now Time, n uint64) Check {
	ck := l.Begin(r, now, n)
	ck.Fetch, ck.cold = true, true
	return ck
}

// Cold reports whether the check is that of a cold read.
func (ck *Check) Cold() bool { return ck.cold }

// A Description is what DescribeSecret says of a secret's versions.
type Description struct {
	Current string // id of the version with AWSCURRENT
	Pending string // id of the version that an outstanding rotation makes

	Windowed      bool // the rotation window is known
	Opens, Closes Time

	Replica bool // a replica says so, which may lag
}

// behind is the answer of a replica with a version that went back. It proves
// nothing, however often it is repeated: the check goes on elsewhere, or fails.
func (l *Lease) behind(ck *Check, id string) Report {
	ck.saw, ck.preparing, ck.lagged = false, false, true
	if ck.said == id {
		ck.described, ck.said = false, "" // nobody owes it another check
	}
	return Report{Behind: true}
}

// Described is the answer of DescribeSecret. For a secret that is scheduled for
// deletion, and where nothing is said of labels, it must not be called.
func (l *Lease) Described(r *Rules, m Moment, ck *Check, d Description) Report {
	if l.gone || ck.settled {
		return Report{}
	}
	ck.described, ck.said = true, d.Current
	if l.overtaken(ck) {
		return Report{}
	}
	l.learn(m.Now, d)
	switch {
	case ck.Fetch || !l.has:
		return Report{Step: Fetch}
	case d.Current == l.version:
		l.spreadFetch(r, m)
		return l.confirm(r, m, ck, m.Now)
	case d.Replica && l.wasBefore(d.Current, false):
		return l.behind(ck, d.Current)
	case l.goesBack(ck, d.Current, false):
		return l.putOff(r, m, ck, d.Current)
	}
	return Report{Step: Fetch}
}

// DescribeDenied is the answer that DescribeSecret is not permitted: it is not
// called for this secret for Rules.DescribeAgain. first says that it was
// permitted before, as far as is known.
func (l *Lease) DescribeDenied(r *Rules, now Time) (first bool) {
	m := l.grow()
	first = m.describeAfter == 0
	m.describeAfter = now.Add(r.DescribeAgain)
	return first
}

// An Observation is a value that the service gave, or that is in memory for the
// version that it named.
type Observation struct {
	Version string
	Same    bool // it is the lease's version, and its value is the same
	Older   bool // it was created before the lease's version
	Fetched bool // the service gave the value in this check
	Replica bool // a replica did, which may lag
}

// Observed is the current version as the service gives it.
func (l *Lease) Observed(r *Rules, m Moment, ck *Check, o Observation) Report {
	if l.gone || ck.settled {
		return Report{}
	}
	ck.version, ck.observed, ck.fetched, ck.older = o.Version, m.Now, o.Fetched, o.Older
	ck.saw = true
	if l.overtaken(ck) {
		return Report{}
	}
	if !ck.described {
		l.unlearn(r, m.Now)
	}
	switch {
	case l.has && o.Same:
		if o.Fetched {
			l.fetched = m.Now
		}
		return l.confirm(r, m, ck, m.Now)
	case o.Replica && l.wasBefore(o.Version, o.Older):
		return l.behind(ck, o.Version)
	case l.goesBack(ck, o.Version, o.Older):
		return l.putOff(r, m, ck, o.Version)
	}
	ck.preparing, ck.against, ck.replica = true, l.Version(), o.Replica
	return Report{Step: Prepare}
}

// Prepared is the end of a preparation that Observed asked for. The version is
// adopted unless a later check has settled otherwise in the meantime, or an
// earlier one another version that older says was created after it.
func (l *Lease) Prepared(r *Rules, m Moment, ck *Check, older bool) Report {
	if l.gone || ck.settled || !ck.preparing || l.overtaken(ck) {
		return Report{}
	}
	if ck.against != l.Version() {
		ck.suspected = false // what it agreed with was about another version
		if ck.replica && l.wasBefore(ck.version, older) {
			return l.behind(ck, ck.version)
		}
		if l.goesBack(ck, ck.version, older) {
			return l.putOff(r, m, ck, ck.version) // an earlier check saw a newer one
		}
	}
	rep := Report{Adopted: true, From: l.Version()}
	if l.has {
		l.supersede(ck.version)
		l.believed(ck)
	}
	if ck.fetched || !l.has {
		l.fetched = ck.observed
	}
	l.version, l.has = ck.version, true
	c := l.confirm(r, m, ck, ck.observed)
	rep.Answered, rep.Recovered, rep.Since = c.Answered, c.Recovered, c.Since
	return rep
}

// supersede remembers the present version as a past one, now that id replaces it.
func (l *Lease) supersede(id string) {
	if id == l.version {
		return
	}
	m := l.grow()
	past := make([]string, 0, maxPast+1)
	for _, p := range m.past {
		if p != id {
			past = append(past, p)
		}
	}
	past = append(past, l.version)
	m.past = past[max(0, len(past)-maxPast):]
}

// overtaken reports whether a later check has settled what is current.
func (l *Lease) overtaken(ck *Check) bool {
	if ck.N >= l.settled {
		return false
	}
	ck.settled, ck.preparing = true, false
	return true
}

func (l *Lease) wasPast(id string) bool {
	for _, p := range l.coldState().past {
		if p == id {
			return true
		}
	}
	return false
}

// goesBack reports whether ck is the first to see an older version, or one that
// was superseded, as current. It may have been answered by a replica that lags;
// a second check, begun after that, proves a rollback.
func (l *Lease) goesBack(ck *Check, id string, older bool) bool {
	return l.wasBefore(id, older) && (!ck.suspected || ck.suspect != id)
}

// wasBefore reports whether the version with the given id, which may be known to
// be older, was current before the present one.
func (l *Lease) wasBefore(id string, older bool) bool {
	return l.has && id != l.version && (older || l.wasPast(id))
}

// confirm notes that the service said at the given moment that the version is
// current.
func (l *Lease) confirm(r *Rules, m Moment, ck *Check, at Time) Report {
	rep := l.settle(ck)
	if l.more != nil {
		l.more.suspect, l.more.suspected = "", false
	}
	life := r.life(m)
	next, wanted := l.hear(r, m, ck, l.interval(r, m, life))
	if r.OnRead && next < ahead(life) {
		life = next // no other check comes sooner
	}
	l.replan(r, m.Now, ck, at.Add(life), at.Add(next), wanted)
	l.confirmed = at
	l.show(r, m.Now)
	rep.Confirmed = true
	return rep
}

// replan sets the end of the TTL and the moment of the next check after an
// answer to ck. It does not settle a doubt that arose since ck began: neither
// comes later than it was going to, and the check within SecondCheck: a backoff
// ends with the failures.
func (l *Lease) replan(r *Rules, now Time, ck *Check, expires, next Time, wanted bool) {
	if l.more != nil {
		l.more.resolved = ck.doubts
	}
	if l.doubtful() {
		if r.OnRead {
			expires = min(expires, l.expires)
		}
		if l.planned {
			next = min(next, l.next)
		}
		next, wanted = min(next, now.Add(r.SecondCheck)), true
	}
	l.expires = expires
	l.plan(next, wanted)
}

// doubtful reports whether no check has answered that began after the last
// doubt.
func (l *Lease) doubtful() bool { return l.coldState().resolved != l.coldState().doubts }

// putOff keeps the version in service, and no longer than before, until a second
// check.
func (l *Lease) putOff(r *Rules, m Moment, ck *Check, id string) Report {
	rep := l.settle(ck)
	more := l.grow()
	more.suspect, more.suspected = id, true
	next, _ := l.hear(r, m, ck, around(r.SecondCheck, m))
	at := m.Now.Add(next)
	expires := l.expires
	if r.OnRead {
		expires = min(expires, at)
	}
	l.replan(r, m.Now, ck, expires, at, true)
	l.show(r, m.Now)
	rep.PutOff = true
	return rep
}

// settle ends ck with an answer, and the failures before it.
func (l *Lease) settle(ck *Check) Report {
	ck.settled, ck.preparing = true, false
	l.settled = ck.N
	rep := Report{Answered: true}
	if m := l.more; m != nil {
		rep.Recovered, rep.Since = m.failures, m.since
		m.failures, m.since, m.skipDescribe = 0, 0, false
	}
	return rep
}

// Failed is a check that found nothing out. The value stays in service until its
// last moment. describe says that it was DescribeSecret that failed, and crowd
// how many leases of the client fail together while none is answered: one of them
// soon finds out that the service is back, the others need not try as often.
func (l *Lease) Failed(r *Rules, m Moment, ck *Check, describe bool, crowd int) Report {
	if l.gone || ck.settled {
		return Report{}
	}
	ck.settled = true
	if ck.N < l.settled {
		return Report{}
	}
	more := l.grow()
	if more.failures == 0 {
		more.since = m.Now
	}
	more.failures++
	more.skipDescribe = describe && (crowd == 0 || more.failures%crowdSkips == 0)
	l.unlearn(r, m.Now)
	wait := r.backoffIn(crowd, more.failures, m)
	if ck.lagged {
		wait = min(wait, r.Recovered/2) // the service answers, if not in every region
	}
	l.plan(m.Now.Add(wait), l.wanted || l.doubtful() || l.hinted())
	l.show(r, m.Now)
	return Report{Failed: true, Failures: more.failures, Since: more.since}
}

// No is the answer that the secret is deleted or access to it denied: it ends
// the lease, unless a later check has found otherwise.
func (l *Lease) No(ck *Check) Report {
	if l.gone || ck.settled {
		return Report{}
	}
	ck.settled, ck.preparing = true, false
	if ck.N < l.settled {
		return Report{}
	}
	l.settled = ck.N
	l.Remove()
	return Report{No: true}
}

// End ends a check. One that had no result, since its goroutine ended or its
// caller left, is repeated if nobody else is going to.
func (l *Lease) End(r *Rules, m Moment, ck *Check) Report {
	died := !ck.settled
	if !l.gone && l.missed(ck) {
		at := m.Now.Add(r.SecondCheck)
		if failed := !died && ck.N > l.settled; failed && l.Failures() > 0 && l.planned {
			at = max(at, l.next) // when the backoff says
		}
		l.doubt(r, at)
	}
	ck.settled, ck.preparing = true, false
	if !ck.own {
		return Report{}
	}
	l.running = false
	switch {
	case l.gone || r.OnRead:
		return Report{}
	case l.has && m.Now >= l.last(r):
		return l.discard(r, m.Now)
	case !l.has && l.holders == 0:
		l.gone = true
	case !l.planned:
		l.plan(m.Now.Add(r.backoff(1, m)), true)
	case died && (l.doubtful() || l.Suspects()):
		l.soon(r, m.Now.Add(r.SecondCheck)) // what is planned is for a hint, and may be late
	}
	return Report{}
}

// missed reports whether ck saw a version, in either of its requests, that is
// neither the present one nor known to be past: another check has overtaken it,
// its requests disagree, or it ended before the version was adopted.
func (l *Lease) missed(ck *Check) bool {
	return l.has && (ck.saw && !ck.older && l.unknown(ck.version) || ck.described && l.unknown(ck.said))
}

func (l *Lease) unknown(id string) bool { return id != l.version && !l.wasPast(id) }
