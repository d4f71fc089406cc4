package lease

// Restore gives a lease that was never answered one that was confirmed at an
// earlier moment, by another process perhaps: the service cannot be asked. It
// reports whether the value may be served. It is served as one whose checks
// fail: as expired, until MaxStale after its confirmation, and checked after a
// backoff, read or not, by fetching it. A value confirmed in the future is none.
//
// The caller sees to it that no check was answered no since: a lease knows of
// none that came before it.
func (l *Lease) Restore(r *Rules, m Moment, version string, confirmed Time) bool {
	if l.gone || l.has || l.settled != 0 || m.Now < confirmed || m.Now >= confirmed.Add(r.MaxStale) {
		return false
	}
	l.version, l.has = version, true
	l.confirmed, l.expires = confirmed, confirmed
	l.fetched = confirmed.Add(-r.FetchAtLeast) // this process may not be permitted to fetch it
	more := l.grow()
	if more.failures == 0 {
		more.failures, more.since = 1, m.Now
	}
	l.plan(m.Now.Add(r.backoff(more.failures, m)), true)
	l.show(r, m.Now)
	return true
}
