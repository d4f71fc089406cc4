package gate

import "time"

const (
	// patience is how long the first of the queue waits before one more login
	// may be under way, or for the mean time of a login if that is longer.
	patience = 10 * time.Millisecond

	// near is the time of a login up to which a server counts as near.
	near = 10 * time.Millisecond

	// fewLogins is how many logins may be under way with a near server, and with
	// one that is far unless the queue is long.
	fewLogins = 2

	// spacing is which part of a login's mean time lies between two that begin,
	// spacingLong which with a long queue.
	spacing     = 2
	spacingLong = 4

	// longQueue is how many logins wait in a long queue, as when a pool fills. For
	// as long as afterwards no queue counts as long that follows a refusal: it is
	// long because of the rotation, and another one may follow.
	longQueue  = 8
	afterwards = time.Minute
)

// A pace decides how many logins may be under way. It is told when logins
// begin and end, and knows no lock and no clock.
//
// As long as nothing is known of the driver, or the driver sends its password
// without asking first, a password that has become wrong is sent by as many
// logins as are under way. So there is one, and one more each time that the
// first of the queue has waited for the patience: two, and as many as allowed where
// the server is far and the queue long, and they begin at intervals. With a driver that asks, one login at a time sends its password in any case.
type pace struct {
	asks bool // the driver asks before it sends its password, as far as is known

	limit   int           // how many more than one; grows by one after each patience
	raised  time.Time     // when the limit grew last
	last    time.Time     // when a login began last
	refused time.Time     // when a version was refused last
	mean    time.Duration // of the time of a login, recent ones foremost
	fastest time.Duration // of a login; rises slowly, so that it follows the server
}

// most returns how many logins may be under way at the most.
func (p *pace) most(limit int, long bool) int {
	if limit == 1 || p.asks || long && p.fastest >= near {
		return limit
	}
	return min(limit, fewLogins)
}

// long reports whether so many logins that wait are a long queue.
func (p *pace) long(now time.Time, waiting int) bool {
	return waiting >= longQueue && now.Sub(p.refused) >= afterwards
}

// next says when a login may begin that has waited since the given moment: now
// or before if the result is not later than now, and not before another one
// ends if ok is false.
func (p *pace) next(now, since time.Time, underWay, waiting, limit int) (at time.Time, ok bool) {
	long := p.long(now, waiting)
	switch {
	case limit == 0 || underWay == 0:
		return now, true
	case underWay >= p.most(limit, long):
		return time.Time{}, false
	case p.asks:
		return now, true
	}
	at = p.last.Add(p.interval(long))
	if underWay <= p.limit {
		return at, true
	}
	if since.Before(p.raised) {
		since = p.raised
	}
	if waited := since.Add(max(patience, p.mean)); waited.After(at) {
		at = waited
	}
	return at, true
}

// interval is the time between two logins that begin.
func (p *pace) interval(long bool) time.Duration {
	if long {
		return p.mean / spacingLong
	}
	return p.mean / spacing
}

// begin notes that a login begins, with so many under way before it.
func (p *pace) begin(now time.Time, underWay int) {
	p.last = now
	if !p.asks && underWay > p.limit {
		p.limit, p.raised = underWay, now
	}
}

// empty notes that nobody waits.
func (p *pace) empty() { p.limit = 0 }

// verdict notes that the server accepted or refused a login, which took a time, and
// whether the driver had asked before it sent its password.
func (p *pace) verdict(took time.Duration, asked bool) {
	p.asks = asked
	if p.mean == 0 {
		p.mean, p.fastest = took, took
		return
	}
	p.mean += (took - p.mean) / 8
	p.fastest = min(took, p.fastest+p.fastest/64+1)
}
