package lease

// An Answer says what becomes of a read that the lease was asked about.
type Answer uint8

const (
	Cold       Answer = iota // the service has to be asked by the reader's own flight
	Serve                    // the value is served
	ServeStale               // it is served although it has expired
	Wait                     // the reader waits for the refresh, for a moment
)

// Read is a read that is no hit. Where it answers Wait the lease is refreshing.
func (l *Lease) Read(r *Rules, m Moment) Answer {
	switch {
	case !l.Servable(r, m.Now):
		return Cold
	case m.Now < l.expires:
		l.show(r, m.Now)
		return Serve
	case l.running:
		return Wait
	case l.coldState().failures > 0 && l.planned && m.Now < l.next:
		l.show(r, m.Now)
		return ServeStale
	}
	l.refresh()
	return Wait
}

// Waited is the end of a wait that Read asked for: the refresh has ended, or
// the reader has waited as long as readers do. From then on others need not
// wait for the same refresh.
func (l *Lease) Waited(r *Rules, now Time) Answer {
	switch {
	case !l.Servable(r, now):
		return Cold
	case now < l.expires:
		l.show(r, now)
		return Serve
	}
	l.show(r, now)
	return ServeStale
}

// Left is the end of a wait whose reader gave up: nothing is learned from it.
func (l *Lease) Left(r *Rules, now Time) Answer {
	switch {
	case !l.Servable(r, now):
		return Cold
	case now < l.expires:
		return Serve
	}
	return ServeStale
}

// refresh makes the lease's own refresh due at once.
func (l *Lease) refresh() {
	l.running, l.planned, l.wanted = true, false, false
}

// Wake is the moment that Due named, or one shortly before it: early says how
// much earlier a check may begin, so that many begin together; nothing expires
// early. read says whether the secret was read since its last confirmation.
func (l *Lease) Wake(r *Rules, m Moment, early Time, read bool) Report {
	rep := l.wake(r, m, early, read)
	if !r.OnRead {
		l.stale = l.shown && m.Now >= l.expires
	}
	return rep
}

func (l *Lease) wake(r *Rules, m Moment, early Time, read bool) Report {
	hot := read || l.wanted || l.holders > 0
	switch {
	case l.gone || r.OnRead:
	case l.has && m.Now >= l.last(r):
		return l.outlive(m.Now, hot, r)
	case l.running:
	case l.planned && early >= l.next && hot:
		l.refresh()
	case l.planned && m.Now >= l.next && !l.has:
		l.gone = true // whoever held it left
	case l.planned && m.Now >= l.next && m.Now < l.late():
		l.plan(l.late(), false) // it was planned early, for a rotation: there is time for reads yet
	case l.planned && m.Now >= l.next:
		l.planned = false // left to expire
		l.expire(m.Now, hot)
	case l.has && !l.planned && m.Now >= l.expires:
		l.expire(m.Now, hot)
	}
	return Report{}
}

// late returns the last moment for a check that readers do not wait for.
func (l *Lease) late() Time { return l.confirmed.Add(ahead(l.expires.Sub(l.confirmed))) }

// expire ends the service of an unchecked value whose TTL is over, or has it
// checked if it is being read.
func (l *Lease) expire(now Time, hot bool) {
	switch {
	case now < l.expires:
	case hot:
		l.refresh()
	default:
		l.shown = false
	}
}

// outlive is the last moment of a value. A lease that is held, or whose refresh
// is under way, goes on without showing it.
func (l *Lease) outlive(now Time, hot bool, r *Rules) Report {
	l.shown = false
	if l.running {
		return Report{} // its end decides
	}
	if l.coldState().failures == 0 && hot {
		l.refresh()
		return Report{}
	}
	return l.discard(r, now)
}

// discard lets go of a value that is too old to be served.
func (l *Lease) discard(r *Rules, now Time) Report {
	l.shown, l.has, l.stale = false, false, false
	rep := Report{TooOld: l.coldState().failures > 0, Failures: l.coldState().failures}
	if l.holders == 0 {
		l.gone = true
		return rep
	}
	if !l.planned {
		l.plan(now.Add(r.MinBackoff), true)
	}
	return rep
}

// Hold keeps the lease, and has it refreshed read or not, until Release. One
// that has no value yet is given the time to get it: whoever made the lease is
// about to tell it of one.
func (l *Lease) Hold(r *Rules, now Time) {
	l.holders++
	if l.gone || r.OnRead || l.running || l.planned {
		return
	}
	at := max(now, l.late())
	if !l.has {
		at = now.Add(r.MinBackoff)
	}
	l.plan(at, false)
}

// Release ends one Hold.
func (l *Lease) Release() { l.holders-- }

// CheckSoon asks for a check within about SecondCheck: something else hints
// that the current version is no longer it.
func (l *Lease) CheckSoon(r *Rules, m Moment) {
	if l.gone || !l.has {
		return
	}
	if l.Rotating() {
		l.more.rotation.interval = r.RotationCheck
	}
	l.doubt(r, m.Now.Add(around(r.SecondCheck, m)))
}

// Answering is the news that the service answers again, last seen to answer at
// lastSuccess: a lease that has failed only since then is checked within
// Rules.Recovered, or somewhat later if many are failing. described says that it
// was DescribeSecret that answered: then it is asked first, though it failed
// before.
func (l *Lease) Answering(r *Rules, m Moment, lastSuccess Time, described bool, failing int) {
	if l.gone || l.coldState().failures == 0 || l.more.since <= lastSuccess || !l.planned {
		return
	}
	if described {
		l.more.skipDescribe = false
	}
	if within := r.recovery(failing); l.next > m.Now.Add(within) { // what comes sooner is at random already
		l.next = m.Now.Add(m.upTo(within))
	}
}

// Remove ends the lease because its owner wants it gone: it is evicted,
// superseded by another secret, or the cache is closed.
func (l *Lease) Remove() {
	l.gone, l.shown, l.has, l.stale = true, false, false, false
}
