package lease

import "time"

// recovery returns within what time all are checked of so many that fail, once
// the service answers. A few are checked within Rules.Recovered. A fleet whose
// secrets have all failed asks about one and a half times as often as on any
// other day if each process takes three fifths of the TTL.
func (r *Rules) recovery(failing int) time.Duration {
	if failing <= maxPrompt {
		return r.Recovered
	}
	return max(r.Recovered, r.TTL/10*8)
}

// maxPrompt is how many failing leases are checked within Rules.Recovered.
const maxPrompt = 100

// fetchDue reports whether the value itself is to be fetched.
func (l *Lease) fetchDue(r *Rules, now Time) bool {
	return now < l.fetched || now.Sub(l.fetched) >= r.FetchAtLeast
}

// recovering reports whether checks failed that ended well before. After a long
// outage every value is due to be fetched, of every secret in every process: it
// is enough that DescribeSecret answers, and the fetches are spread.
func (l *Lease) recovering() bool { return l.coldState().failures > 0 && l.settled != 0 }

// spreadFetch puts off a fetch that is due, by up to Rules.FetchAtLeast, when
// DescribeSecret confirms the version of a lease that recovers. One of the
// checks to come fetches, any of them as likely: as many as there are between
// two fetches otherwise.
func (l *Lease) spreadFetch(r *Rules, m Moment) {
	if l.recovering() && l.fetchDue(r, m.Now) {
		each := max(1, ahead(r.TTL-r.TTL/20))
		checks := (r.FetchAtLeast-1)/each + 1
		l.fetched = m.Now.Add(-r.FetchAtLeast).Add(min(r.FetchAtLeast, m.upTo(checks*each)))
	}
}

// crowdInterval is how often one of a crowd tries, at most.
const crowdInterval = 20 * time.Second

// crowdSkips is after how many failures a lease of a crowd tries without
// DescribeSecret: it is not DescribeSecret alone that fails, as far as is known.
// If each second try were a fetch, so would be the first ones after the outage.
const crowdSkips = 8

// backoffIn returns the delay after the nth failure in a row of a lease that
// fails in a crowd.
func (r *Rules) backoffIn(crowd, n int, m Moment) time.Duration {
	bound := min(time.Duration(crowd)*crowdInterval, max(r.MaxBackoff, r.TTL))
	return max(r.backoff(n, m), m.upTo(bound))
}

// Crowd returns how many leases fail together, for Failed: failing is how many
// fail, and unanswered how many checks have failed since one was answered. While
// others are answered, and at first, each is alone.
func Crowd(failing, unanswered int) int { return max(0, min(failing, unanswered-maxAlone)) }

// maxAlone is how many checks may fail in a row before that is an outage.
const maxAlone = 16
