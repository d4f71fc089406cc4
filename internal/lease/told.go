package lease

import "time"

// told is what a lease knows of hints from outside, see [Lease.Told].
type told struct {
	version string        // the version that is said to be current and was not seen yet, "" if there is none
	hints   uint32        // how many hints were taken
	heard   uint32        // how many of them there had been when the check began that answered last
	at      Time          // when the check is due that the last of them asked for
	gap     time.Duration // how long after that no hint causes a check; 0: no hint was taken of late
	tries   uint8         // checks that were repeated because they did not show version
}

// maxTries is how often a check is repeated that does not show the version it
// was told of: the answer may come from a replica that lags.
const maxTries = 3

// Told is a hint from outside, which nothing vouches for: a version is said to
// have become the current one, "" where it is not said which. It reports
// whether a check follows. One that names the current version causes none, and
// neither does one for a secret that the next read has checked anyway.
//
// The check comes within Rules.HintJitter. Hints that no new version follows
// cause checks ever more rarely, up to one in a TTL, and none is lost: it is
// checked when the time has come.
func (l *Lease) Told(r *Rules, m Moment, version string) bool {
	switch {
	case l.gone || !l.has:
		return false
	case version != "" && version == l.version && !l.coldState().suspected:
		return false
	case !l.shown && !l.running && l.holders == 0 && m.Now >= l.expires:
		return false
	}
	t := &l.grow().told
	t.version = version
	if m.Now >= t.at {
		t.next(r, m)
	}
	t.hints++
	l.soon(r, t.at)
	return true
}

// next sets the moment of the next check that hints cause, now that there is
// none to come.
func (t *told) next(r *Rules, m Moment) {
	earliest := t.at.Add(t.gap)
	if m.Now >= t.quiet() {
		t.gap, t.tries, earliest = 0, 0, 0
	}
	t.at = max(earliest, m.Now.Add(m.upTo(r.HintJitter)))
	t.gap = min(max(r.HintGap, 2*t.gap), ahead(r.TTL))
}

// quiet returns the moment from which on earlier hints do not count.
func (t *told) quiet() Time { return t.at.Add(2 * t.gap) }

// hinted reports whether no check has answered that began after the last hint.
func (l *Lease) hinted() bool { return l.coldState().told.hints != l.coldState().told.heard }

// hear notes that ck was answered, for the hints before it, and returns after
// what interval the next check is due, which was going to be after next. wanted
// says that it happens whether or not the secret is read.
func (l *Lease) hear(r *Rules, m Moment, ck *Check, next time.Duration) (_ time.Duration, wanted bool) {
	if l.more == nil {
		return next, false
	}
	t := &l.more.told
	t.heard = ck.hints
	switch {
	case t.heard != t.hints:
		if t.at <= m.Now {
			return min(next, r.SecondCheck), true
		}
		return min(next, t.at.Sub(m.Now)), true
	case t.version == "":
		return next, false
	case !l.unknown(t.version) || t.tries == maxTries:
		t.version = ""
		return next, false
	}
	t.tries++
	return min(next, around(r.SecondCheck<<(t.tries-1), m)), true
}

// believed notes that ck found a new version: the hints before it may have been
// true.
func (l *Lease) believed(ck *Check) {
	if l.more != nil && l.more.told.hints == ck.hints {
		l.more.told.gap, l.more.told.tries = 0, 0
	}
}
