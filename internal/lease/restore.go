package lease

// Restore gives a lease without any answer an earlier version, perhaps one that
// another process confirmed. It is for times when the service cannot be reached.
// Restore reports whether the value may be served. The lease then acts like one
// whose checks fail: it serves the value as expired, until MaxStale after its
// confirmation, and fetches it after a backoff, whether or not the secret is read.
// Restore does not accept a value that was confirmed in the future.
//
// The caller must ensure that no check was answered no since the confirmation. A
// lease does not know about checks before it was made.
func (l *Lease) Restore(r *Rules, m Moment, version string, confirmed Time) bool {
	if l.gone || l.has || l.settled != 0 || m.Now < confirmed || m.Now >= confirmed.Add(r.MaxStale) {
		return false
	}
	l.version, l.has = version, true
	l.confirmed, l.expires = confirmed, confirmed
	l.fetched = confirmed.Add(-r.FetchAtLeast) // so the next check fetches: this process may lack the permission
	more := l.grow()
	if more.failures == 0 {
		more.failures, more.since = 1, m.Now
	}
	l.plan(m.Now.Add(r.backoff(more.failures, m)), true)
	l.show(r, m.Now)
	return true
}
