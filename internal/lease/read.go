package lease

// An Answer says how to serve a read.
type Answer uint8

const (
	Cold       Answer = iota // the reader's own flight asks the service
	Serve                    // the value is served
	ServeStale               // the value is served although it has expired
	Wait                     // the reader waits for the refresh for a limited time
)

// Read handles a read that is not a hit. If it returns Wait, the lease is
// refreshing.
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

// Waited ends a wait that Read requested: the refresh has ended, or the reader has
// waited for the full time. After that, other readers do not wait for the same
// refresh.
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

// Left ends a wait whose reader gave up. It changes nothing.
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

// Wake handles the time that Due named, or a time shortly before it. A check that
// is planned for no later than early may begin now, so that many checks begin
// together. Nothing expires early. read says whether the secret was read since its
// last confirmation.
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
		l.gone = true // the holders have left
	case l.planned && m.Now >= l.next && m.Now < l.late():
		l.plan(l.late(), false) // planned early for a rotation: the secret may still be read in time
	case l.planned && m.Now >= l.next:
		l.planned = false // left to expire
		l.expire(m.Now, hot)
	case l.has && !l.planned && m.Now >= l.expires:
		l.expire(m.Now, hot)
	}
	return Report{}
}

// late returns the latest time for a check that no reader waits for.
func (l *Lease) late() Time { return l.confirmed.Add(ahead(l.expires.Sub(l.confirmed))) }

// expire handles the end of the TTL of an unchecked value: it refreshes the value
// if it is being read, and hides it otherwise.
func (l *Lease) expire(now Time, hot bool) {
	switch {
	case now < l.expires:
	case hot:
		l.refresh()
	default:
		l.shown = false
	}
}

// outlive handles the last moment of a value and hides it. A lease that is held,
// or whose refresh is under way, continues.
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

// discard drops a value that is too old to be served.
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

// Hold keeps the lease until Release, and refreshes it whether or not the secret
// is read. A lease without a value gets some time before its first check, because
// the caller that made it is about to report one.
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

// CheckSoon requests a check within about SecondCheck, because something else
// suggests that the version is no longer current.
func (l *Lease) CheckSoon(r *Rules, m Moment) {
	if l.gone || !l.has {
		return
	}
	if l.Rotating() {
		l.more.rotation.interval = r.RotationCheck
	}
	l.doubt(r, m.Now.Add(around(r.SecondCheck, m)))
}

// Answering reports that the service answers again. lastSuccess is the time of its
// last answer before. A lease that has failed only since then is checked within
// Rules.Recovered, or somewhat later if many are failing. described says that
// DescribeSecret answered; then the check calls it first although it failed before.
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

// Remove ends the lease for its owner: the entry is evicted, another secret
// supersedes it, or the cache is closed.
func (l *Lease) Remove() {
	l.gone, l.shown, l.has, l.stale = true, false, false, false
}
