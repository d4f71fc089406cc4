package lease

import "time"

// recovery returns the time within which all failing leases are checked once the
// service answers. A few leases are checked within Rules.Recovered. Many are
// checked within four fifths of the TTL, so that a fleet whose secrets have all
// failed asks less than twice as often as usual.
func (r *Rules) recovery(failing int) time.Duration {
	if failing <= maxPrompt {
		return r.Recovered
	}
	return max(r.Recovered, r.TTL/10*8)
}

// maxPrompt is how many failing leases are checked within Rules.Recovered.
const maxPrompt = 100

// fetchDue reports whether the next check must fetch the value itself.
func (l *Lease) fetchDue(r *Rules, now Time) bool {
	return now < l.fetched || now.Sub(l.fetched) >= r.FetchAtLeast
}

// recovering reports whether checks fail that succeeded before. After a long
// outage, every value in every process is due to be fetched. It is enough then
// that DescribeSecret answers, and the fetches are spread over time.
func (l *Lease) recovering() bool { return l.coldState().failures > 0 && l.settled != 0 }

// spreadFetch postpones a due fetch by up to Rules.FetchAtLeast when DescribeSecret
// confirms the version of a recovering lease. One of the next checks fetches, each
// with the same probability; their number is that of the checks between two
// fetches in normal operation.
func (l *Lease) spreadFetch(r *Rules, m Moment) {
	if l.recovering() && l.fetchDue(r, m.Now) {
		each := max(1, ahead(r.TTL-r.TTL/20))
		checks := (r.FetchAtLeast-1)/each + 1
		l.fetched = m.Now.Add(-r.FetchAtLeast).Add(min(r.FetchAtLeast, m.upTo(checks*each)))
	}
}

// crowdInterval, times the size of a crowd of failing leases, is the limit of each
// lease's random delay. So the crowd tries about twice per crowdInterval.
const crowdInterval = 20 * time.Second

// crowdSkips is the number of failures after which a lease of a crowd tries once
// without DescribeSecret. It is large because in a crowd probably more than
// DescribeSecret fails. If every second try were a fetch, so would be every second
// try at the end of an outage.
const crowdSkips = 8

// backoffIn returns the delay after the nth failure in a row of a lease in a crowd
// of the given size.
func (r *Rules) backoffIn(crowd, n int, m Moment) time.Duration {
	bound := min(time.Duration(crowd)*crowdInterval, max(r.MaxBackoff, r.TTL))
	return max(r.backoff(n, m), m.upTo(bound))
}

// Crowd returns how many leases fail together, for Failed. failing is the number of
// failing leases, and unanswered the number of failed checks since one was
// answered. While other checks are answered, and at the beginning of an outage, it
// returns 0.
func Crowd(failing, unanswered int) int { return max(0, min(failing, unanswered-maxAlone)) }

// maxAlone is how many checks may fail in a row before this counts as an outage.
const maxAlone = 16
