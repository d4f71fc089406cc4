package gate

import "time"

const (
	// patience is how long the first of the queue waits before one more login
	// may be under way, or for the mean time of a login if that is longer.
	patience = 10 * time.Millisecond

	// near is the time of a login up to which a server counts as near.
	near = 10 * time.Millisecond

	// nearLimit is how many logins may be under way with a near server.
	nearLimit = 2

	// spacing is the part of a login's mean time that lies between two that
	// begin, in thousandths: with it two are under way at a time. With a
	// long queue, as when a pool fills, it is spacingLong, but not in the minute
	// after a refusal: the queue is long then because of the rotation, and another
	// one may follow.
	spacing     = 500
	spacingLong = 250
	afterwards  = time.Minute

	// longQueue is how many logins wait in a long one.
	longQueue = 8
)

// A pace decides how many logins may be under way. It is told when logins
// begin and end, and knows no lock and no clock.
//
// As long as nothing is known of the driver, or the driver sends its password
// without asking first, a password that has become wrong is sent by as many
// logins as are under way. So there is one, and one more each time that the
// first of the queue has waited for the patience: two with a near server, whose
// verdict comes soon, and as many as allowed with one that is far, where they begin
// at intervals. With a driver that asks, one login at a time sends its password in any case.
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
func (p *pace) most(limit int) int {
	if limit == 1 || p.asks {
		return limit
	}
	if p.fastest < near {
		return min(limit, nearLimit)
	}
	return limit
}

// next says when a login may begin that has waited since the given moment: now
// or before if the result is not later than now, and not before another one
// ends if ok is false.
func (p *pace) next(now, since time.Time, underWay, waiting, limit int) (at time.Time, ok bool) {
	switch {
	case limit == 0 || underWay == 0:
		return now, true
	case underWay >= p.most(limit):
		return time.Time{}, false
	case p.asks:
		return now, true
	}
	at = p.last.Add(p.interval(now, waiting))
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

// interval is the time between two logins that begin, with so many in the queue.
func (p *pace) interval(now time.Time, waiting int) time.Duration {
	if waiting >= longQueue && now.Sub(p.refused) >= afterwards {
		return p.mean * spacingLong / 1000
	}
	return p.mean * spacing / 1000
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
