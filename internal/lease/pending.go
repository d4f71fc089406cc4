package lease

import "time"

// StuckAfter is how long a rotation may be outstanding before it is held to be
// stuck: one takes seconds.
const StuckAfter = time.Hour

// RemindEvery is how often what still stands is said again.
const RemindEvery = time.Hour

// A Reminder says how often something that stands is to be said: when it begins,
// and from then on once in RemindEvery. The zero Reminder has said nothing.
type Reminder struct {
	said  Time
	times int
}

// Due reports whether it is to be said now, and for which time. A clock that was
// set back does not silence it.
func (r *Reminder) Due(now Time) (times int, due bool) {
	if r.times > 0 && now >= r.said && now.Sub(r.said) < RemindEvery {
		return r.times, false
	}
	r.said = now
	r.times++
	return r.times, true
}

// A Pending follows the version with AWSPENDING from one description of a secret to
// the next. The zero Pending has seen none.
type Pending struct {
	version string // "" if none is outstanding
	since   Time   // when it was first seen
	stuck   Reminder
}

// A PendingReport is what a description says that was not known.
type PendingReport struct {
	Ended      string // the version that is no longer pending, "" if none was
	EndedSince Time   // when it was first seen
	Began      string // the version that is pending now and was not, "" if none is
	Since      Time   // when what is pending now was first seen
	Stuck      int    // it is to be said, for that time, that it is stuck; 0: it is not
}

// Seen is a description that shows the given version as pending, "" for none.
func (p *Pending) Seen(now Time, version string) PendingReport {
	var rep PendingReport
	if version != p.version {
		rep.Ended, rep.EndedSince, rep.Began = p.version, p.since, version
		*p = Pending{version: version, since: now}
	}
	rep.Since = p.since
	if version != "" && now.Sub(p.since) >= StuckAfter {
		if times, due := p.stuck.Due(now); due {
			rep.Stuck = times
		}
	}
	return rep
}

// Since returns which version is pending, and since when it is known to be.
func (p *Pending) Since() (version string, since Time) { return p.version, p.since }
