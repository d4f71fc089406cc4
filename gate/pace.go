package gate

import "time"

const (
	// patience is how long the first in the queue waits before one more login
	// may be under way. If the mean time of a login is longer, that applies.
	patience = 10 * time.Millisecond

	// near is the time of a login below which a server counts as near.
	near = 10 * time.Millisecond

	// fewLogins is how many logins may be under way unless the server is far and
	// the queue is long.
	fewLogins = 2

	// spacing sets the interval between the beginnings of two logins: the mean
	// time of a login divided by spacing, or by spacingLong if the queue is long.
	spacing     = 2
	spacingLong = 4

	// longQueue is the length from which a queue counts as long, for instance
	// when a pool fills. Within the time afterwards of a refusal, no queue counts
	// as long: a rotation made it long, and another refusal may follow.
	longQueue  = 8
	afterwards = time.Minute
)

// A pace decides how many logins may be under way. Its caller reports when logins
// begin and end. A pace uses no lock and no clock.
//
// A driver that does not ask before it sends its password, or about which nothing
// is known yet, sends a password that has become wrong in every login under way.
// So the pace admits one login, and one more whenever the first in the queue has
// waited for the patience: up to two, or up to the limit if the server is far and
// the queue is long. These logins begin at intervals. With a driver that asks, only
// one login at a time sends its password in any case.
type pace struct {
	asks bool // the last driver seen asks before it sends its password

	limit   int           // logins allowed beyond the first; grows by one after each patience
	raised  time.Time     // when limit last grew
	last    time.Time     // when the last login began
	refused time.Time     // when a version was last refused
	mean    time.Duration // moving average of the time of a login
	fastest time.Duration // shortest time of a login; rises slowly to follow the server
}

// most returns the maximum number of logins under way.
func (p *pace) most(limit int, long bool) int {
	if limit == 1 || p.asks || long && p.fastest >= near {
		return limit
	}
	return min(limit, fewLogins)
}

// long reports whether a queue of waiting logins counts as long.
func (p *pace) long(now time.Time, waiting int) bool {
	return waiting >= longQueue && now.Sub(p.refused) >= afterwards
}

// next says when a login that has waited since the given time may begin. It may
// begin now if at is not after now. If ok is false, it must wait until another
// login ends.
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

// interval is the time between the beginnings of two logins.
func (p *pace) interval(long bool) time.Duration {
	if long {
		return p.mean / spacingLong
	}
	return p.mean / spacing
}

// begin records that a login begins while underWay others are under way.
func (p *pace) begin(now time.Time, underWay int) {
	p.last = now
	if !p.asks && underWay > p.limit {
		p.limit, p.raised = underWay, now
	}
}

// empty records that no login waits.
func (p *pace) empty() { p.limit = 0 }

// verdict records that the server accepted or refused a login, how long that took,
// and whether the driver asked before it sent its password.
func (p *pace) verdict(took time.Duration, asked bool) {
	p.asks = asked
	if p.mean == 0 {
		p.mean, p.fastest = took, took
		return
	}
	p.mean += (took - p.mean) / 8
	p.fastest = min(took, p.fastest+p.fastest/64+1)
}
