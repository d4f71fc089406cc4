package lease

import "time"

// StuckAfter is how long a rotation may be outstanding before it counts as stuck.
// A rotation normally takes seconds.
const StuckAfter = time.Hour

// RemindEvery is the interval at which a lasting condition is reported again.
const RemindEvery = time.Hour

// A Reminder decides when to report a lasting condition: when it begins, and then
// once in RemindEvery. The zero Reminder has reported nothing.
type Reminder struct {
	said  Time
	times int
}

// Due reports whether to report the condition now, and how many reports there are
// with this one. A clock that was set back does not suppress reports.
func (r *Reminder) Due(now Time) (times int, due bool) {
	if r.times > 0 && now >= r.said && now.Sub(r.said) < RemindEvery {
		return r.times, false
	}
	r.said = now
	r.times++
	return r.times, true
}

// A Pending follows the version labeled AWSPENDING from one description of a secret
// to the next. The zero Pending has seen no description.
type Pending struct {
	version string // "" if none is outstanding
	since   Time   // when it was first seen
	stuck   Reminder
}

// A PendingReport is the news in a description.
type PendingReport struct {
	Ended      string // the version that is no longer pending, "" if there is none
	EndedSince Time   // when that version was first seen
	Began      string // the version that is newly pending, "" if there is none
	Since      Time   // when the version that is pending now was first seen
	Stuck      int    // number of this report that the rotation is stuck; 0 if none is due
}

// Seen handles a description that shows version as pending, or "" for none.
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

// Since returns the pending version and when it was first seen.
func (p *Pending) Since() (version string, since Time) { return p.version, p.since }
