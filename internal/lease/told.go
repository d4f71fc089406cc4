package lease

import "time"

// told records hints from outside, see [Lease.Told].
type told struct {
	version string        // the version that a hint named and no check has seen yet, "" if there is none
	hints   uint32        // number of accepted hints
	heard   uint32        // value of hints when the check that answered last began
	at      Time          // when the check for the last hint is due
	gap     time.Duration // how long after at no hint causes a check; 0 if there was no recent hint
	tries   uint8         // checks repeated because they did not show version
}

// maxTries is how often a check is repeated if it does not show the version that a
// hint named. The answer may come from a replica that lags.
const maxTries = 3

// Told handles an unverified hint from outside that a version has become current.
// version is "" if the hint does not name one. Told reports whether a check
// follows. A hint that names the current version causes no check, and neither does
// one for a secret that the next read checks anyway.
//
// The check begins within Rules.HintJitter. If no new version follows the hints,
// they cause checks less and less often, down to one per TTL. No hint is lost: the
// later check covers it.
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

// next sets the time of the next check that hints cause. The previous one must be
// due already.
func (t *told) next(r *Rules, m Moment) {
	earliest := t.at.Add(t.gap)
	if m.Now >= t.quiet() {
		t.gap, t.tries, earliest = 0, 0, 0
	}
	t.at = max(earliest, m.Now.Add(m.upTo(r.HintJitter)))
	t.gap = min(max(r.HintGap, 2*t.gap), ahead(r.TTL))
}

// quiet returns the time from which earlier hints no longer count.
func (t *told) quiet() Time { return t.at.Add(2 * t.gap) }

// hinted reports whether the last hint is open: no check that began after it has
// been answered.
func (l *Lease) hinted() bool { return l.coldState().told.hints != l.coldState().told.heard }

// hear records that ck was answered, which covers the hints before it. Given the
// planned interval until the next check, it returns the interval that hints
// require. wanted says that the check happens whether or not the secret is read.
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

// believed records that ck found a new version, so the hints before it may have
// been true.
func (l *Lease) believed(ck *Check) {
	if l.more != nil && l.more.told.hints == ck.hints {
		l.more.told.gap, l.more.told.tries = 0, 0
	}
}
