package lease

import "time"

// rotation is what DescribeSecret said about the secret's rotation.
type rotation struct {
	pending  string        // id of the pending version of an outstanding rotation, "" if there is none
	seen     Time          // when DescribeSecret last said so
	interval time.Duration // the last interval of checks while it is outstanding
	windowed bool          // opens and closes are known
	opens    Time          // when the rotation window opens
	closes   Time          // when it closes
}

// Rotating reports whether a rotation is known to be outstanding.
func (l *Lease) Rotating() bool { return !l.gone && l.coldState().rotation.pending != "" }

// Outstanding reports whether a rotation is known to be outstanding and
// DescribeSecret has confirmed this recently.
func (l *Lease) Outstanding(r *Rules, now Time) bool {
	return l.Rotating() && now.Sub(l.more.rotation.seen) < max(15*r.RotationKept, 2*r.TTL)
}

// learn records what a description says about the rotation.
func (l *Lease) learn(now Time, d Description) {
	if d.Pending == "" && !d.Windowed && l.more == nil {
		return
	}
	rot := &l.grow().rotation
	if rot.pending != d.Pending {
		rot.interval = 0
	}
	rot.pending, rot.seen = d.Pending, now
	rot.windowed, rot.opens, rot.closes = d.Windowed, d.Opens, d.Closes
}

// unlearn forgets an outstanding rotation that DescribeSecret has not shown for
// Rules.RotationKept, because nothing else would report its end.
func (l *Lease) unlearn(r *Rules, now Time) {
	if l.more == nil || l.more.rotation.pending == "" {
		return
	}
	if rot := &l.more.rotation; now.Sub(rot.seen) >= r.RotationKept {
		rot.pending, rot.interval = "", 0
	}
}

// life returns the TTL of one confirmation: a random time in the last tenth of
// Rules.TTL, so that many secrets do not fall due at once.
func (r *Rules) life(m Moment) time.Duration {
	return r.TTL - m.upTo(r.TTL/10)
}

// ahead returns how long after a confirmation the next check is due if no rotation
// is expected. The check is due before the TTL ends.
func ahead(life time.Duration) time.Duration { return life - life/10 }

// interval returns how long after a confirmation the next check is due.
func (l *Lease) interval(r *Rules, m Moment, life time.Duration) time.Duration {
	late := ahead(life)
	if l.more == nil {
		return late
	}
	rot := &l.more.rotation
	if rot.pending != "" {
		rot.interval = min(late, max(r.RotationCheck, 2*rot.interval))
		return min(late, around(rot.interval, m))
	}
	if !rot.windowed {
		return late
	}
	opens, closes := rot.opens.Sub(m.Now), rot.closes.Sub(m.Now)
	if opens < late && closes > -late {
		// Windows open on the hour, for many secrets and processes at once.
		return min(late, max(opens+m.upTo(life/8+1), life/4))
	}
	return late
}

// around returns d, plus or minus up to a tenth.
func around(d time.Duration, m Moment) time.Duration {
	return d - d/10 + m.upTo(d/5+1)
}

// backoff returns the delay after the nth failure in a row. It is random (full
// jitter) below a limit that doubles with n.
func (r *Rules) backoff(n int, m Moment) time.Duration {
	bound := r.MaxBackoff
	if n < 40 && r.MinBackoff<<(n-1) > 0 && r.MinBackoff<<(n-1)>>(n-1) == r.MinBackoff {
		bound = min(bound, r.MinBackoff<<(n-1))
	}
	return max(m.upTo(bound)+1, min(r.MinBackoff/10, bound))
}
