package lease

import "time"

// Recovery returns Rules.Recovered for a TTL. A fleet whose secrets have all
// failed checks them all within that time; at half the TTL that is about 1.7
// times as many checks a second as on any other day.
func Recovery(ttl time.Duration) time.Duration { return max(time.Minute, ttl/2) }

// fetchDue reports whether the value itself is to be fetched.
func (l *Lease) fetchDue(r *Rules, now Time) bool {
	return now < l.fetched || now.Sub(l.fetched) >= r.FetchAtLeast
}

// recovering reports whether checks failed that ended well before. After a long
// outage every value is due to be fetched, of every secret in every process: it
// is enough that DescribeSecret answers, and the fetches are spread.
func (l *Lease) recovering() bool { return l.rare().failures > 0 && l.settled != 0 }

// spreadFetch puts off a fetch that is due, by up to Rules.FetchAtLeast, when
// DescribeSecret confirms the version of a lease that recovers.
func (l *Lease) spreadFetch(r *Rules, m Moment) {
	if l.recovering() && l.fetchDue(r, m.Now) {
		l.fetched = m.Now.Add(-r.FetchAtLeast).Add(m.upTo(r.FetchAtLeast))
	}
}
