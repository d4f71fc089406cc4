package lease

// A Check asks the service, in one or two requests, which version is current and
// what its value is. Every check ends with one call of [Lease.End], regardless of
// what happens in between. Only then does the lease know whether the check saw a
// version that was not adopted.
type Check struct {
	N        uint64 // the check's number; later checks have greater numbers
	Describe bool   // DescribeSecret may be called
	Fetch    bool   // the value must be fetched even if the version is the same
	Urgent   bool   // an answer from a cache on the way to the service is not good enough

	own       bool
	cold      bool
	suspect   string // the lease's suspect when the check began
	suspected bool
	saw       bool   // the check observed a version
	version   string // that version
	older     bool   // that version is known to be older than the lease's
	observed  Time   // when the check observed that version
	preparing bool   // the observed version is to be adopted and is not adopted yet
	doubts    uint32 // the lease's doubts when the check began
	hints     uint32 // the lease's hints when the check began
	said      string // the version that DescribeSecret named
	against   string // the lease's version when the check observed another
	settled   bool   // the check has had its effect, or is known to have none
	described bool
	fetched   bool // the service returned the observed value
	replica   bool // a replica returned it
	lagged    bool // a replica was behind
}

// A Step says how a check continues.
type Step uint8

const (
	Done    Step = iota // the check has its result
	Fetch               // call GetSecretValue for AWSCURRENT
	Prepare             // decode the observed version without a lock, then call Prepared
)

// A Report says what an event changed, for counters, logs and waiting readers.
type Report struct {
	Step      Step
	Adopted   bool   // the observed version is now current
	From      string // the version that it replaced, "" if there was none
	Confirmed bool   // the version is still current
	PutOff    bool   // the check saw an earlier version, which one check alone does not prove
	Behind    bool   // a replica returned an earlier version, which proves nothing: nothing has changed
	Answered  bool   // the service answered for the secret: the count of reads starts again
	Recovered int    // number of failures that the answer ended
	Since     Time   // time of the first failure that Recovered or Failures counts
	Failed    bool   // the check failed, for the first time in a row if Failures is 1
	Failures  int    // failures in a row
	No        bool   // the answer was no: the lease has ended
	TooOld    bool   // the value was unconfirmed for too long and is no longer served
}

// Begin begins check number n on behalf of a caller.
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

// urgent reports whether there is a sign that the lease's version may no longer be
// current.
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

// BeginUnknown begins check number n when no lease for its secret is known.
func BeginUnknown(n uint64) Check { return Check{N: n, Fetch: true, cold: true} }

// BeginCold begins the check of a read that the lease could not answer.
func (l *Lease) BeginCold(r *Rules, now Time, n uint64) Check {
	ck := l.Begin(r, now, n)
	ck.Fetch, ck.cold = true, true
	return ck
}

// Cold reports whether the check belongs to a cold read.
func (ck *Check) Cold() bool { return ck.cold }

// A Description is what DescribeSecret returns about a secret's versions.
type Description struct {
	Current string // id of the version labeled AWSCURRENT
	Pending string // id of the pending version of an outstanding rotation

	Windowed      bool // the rotation window is known
	Opens, Closes Time

	Replica bool // the answer comes from a replica, which may lag
}

// behind handles a replica's answer with an earlier version. Such an answer proves
// nothing, even if it is repeated: the check goes on in another region, or fails.
func (l *Lease) behind(ck *Check, id string) Report {
	ck.saw, ck.preparing, ck.lagged = false, false, true
	if ck.said == id {
		ck.described, ck.said = false, "" // this version needs no other check
	}
	return Report{Behind: true}
}

// Described handles the answer of DescribeSecret. Do not call it for a secret that
// is scheduled for deletion, or if the answer has no labels.
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

// DescribeDenied handles a denial of DescribeSecret. The lease does not call it
// again for Rules.DescribeAgain. first reports that this is the first known denial.
func (l *Lease) DescribeDenied(r *Rules, now Time) (first bool) {
	m := l.grow()
	first = m.describeAfter == 0
	m.describeAfter = now.Add(r.DescribeAgain)
	return first
}

// An Observation describes a value that the service returned, or that is in memory
// for the version that the service named.
type Observation struct {
	Version string
	Same    bool // the lease's version with the same value
	Older   bool // created before the lease's version
	Fetched bool // the service returned the value in this check
	Replica bool // a replica returned it, which may lag
}

// Observed handles the current version as reported by the service.
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

// Prepared ends a preparation that Observed requested, and adopts the version. It
// does not adopt the version if a later check has settled otherwise in the
// meantime. Nor does it if an earlier check has adopted another version in the
// meantime, and older says that the check's version was created before that one.
func (l *Lease) Prepared(r *Rules, m Moment, ck *Check, older bool) Report {
	if l.gone || ck.settled || !ck.preparing || l.overtaken(ck) {
		return Report{}
	}
	if ck.against != l.Version() {
		ck.suspected = false // its suspicion was about another version
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

// supersede records the lease's version as a past one, because id replaces it.
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

// goesBack reports whether ck is the first check to see an older or superseded
// version as current. The answer may come from a part of the service that lags.
// A second check that begins after this one proves a rollback.
func (l *Lease) goesBack(ck *Check, id string, older bool) bool {
	return l.wasBefore(id, older) && (!ck.suspected || ck.suspect != id)
}

// wasBefore reports whether version id was current before the lease's version.
// older says that it is known to be older.
func (l *Lease) wasBefore(id string, older bool) bool {
	return l.has && id != l.version && (older || l.wasPast(id))
}

// confirm records that the service said at time at that the version is current.
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

// replan sets the end of the TTL and the time of the next check after an answer to
// ck. An answer does not resolve a doubt that arose after ck began. In that case
// replan delays neither, and the check comes within SecondCheck: a backoff ends with
// the failures.
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

// doubtful reports whether the last doubt is unresolved: no check that began after
// it has been answered.
func (l *Lease) doubtful() bool { return l.coldState().resolved != l.coldState().doubts }

// putOff keeps serving the version until a second check, but not longer than was
// planned before.
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

// settle ends ck with an answer, and ends the failures before it.
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

// Failed handles a check without a result. The value is served until its last
// moment. describe says that DescribeSecret failed. crowd is the number of leases
// of the client that fail together while none is answered. One of them soon finds
// out that the service is back, so the others need not try as often.
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

// No handles the answer that the secret is deleted or access is denied. It ends
// the lease, unless a later check has settled otherwise.
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

// End ends a check. If the check had no result, because its goroutine ended or its
// caller left, End plans another check unless one is planned already.
func (l *Lease) End(r *Rules, m Moment, ck *Check) Report {
	died := !ck.settled
	if !l.gone && l.missed(ck) {
		at := m.Now.Add(r.SecondCheck)
		if failed := !died && ck.N > l.settled; failed && l.Failures() > 0 && l.planned {
			at = max(at, l.next) // the check failed, so the backoff decides
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
		l.soon(r, m.Now.Add(r.SecondCheck)) // the planned check is for a hint and may be too late
	}
	return Report{}
}

// missed reports whether ck saw a version, in either of its requests, that is
// neither the lease's version nor a known past one. This happens if another check
// has overtaken ck, if its requests disagree, or if it ended before the version
// was adopted.
func (l *Lease) missed(ck *Check) bool {
	return l.has && (ck.saw && !ck.older && l.unknown(ck.version) || ck.described && l.unknown(ck.said))
}

func (l *Lease) unknown(id string) bool { return id != l.version && !l.wasPast(id) }
