// Package lease decides the life of one cached secret. It decides when the value
// may be served, when to ask the service again, what an answer changes, and when
// to drop the value. A lease is a pure state machine: it takes no lock, starts no
// goroutine, reads no clock, calls no service and never sees a value. The caller
// reports events with their times, and acts on the resulting state.
package lease

import "time"

// A Time is a time in nanoseconds on a clock that the caller chooses.
type Time int64

// Never is later than every other Time.
const Never Time = 1<<63 - 1

// Add returns t+d, or Never if the sum is too large.
func (t Time) Add(d time.Duration) Time {
	if t == Never || d > 0 && t > Never-Time(d) {
		return Never
	}
	return t + Time(d)
}

// Sub returns t-u.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Rules are the settings that all leases of a cache share. They do not change.
type Rules struct {
	TTL           time.Duration // maximum time that a version is served without a check
	MaxStale      time.Duration // maximum time that a version is served unconfirmed while the service fails
	MinBackoff    time.Duration // limit of the random delay after a first failure
	MaxBackoff    time.Duration // maximum of that limit, which grows with each failure
	FetchAtLeast  time.Duration // maximum time between fetches of the value, regardless of DescribeSecret
	DescribeAgain time.Duration // how long DescribeSecret is not called after it was denied
	SecondCheck   time.Duration // delay of a second check, if one check alone proves nothing
	RotationCheck time.Duration // first interval of checks while a rotation is outstanding
	RotationKept  time.Duration // how long a rotation counts as outstanding without DescribeSecret
	Recovered     time.Duration // time within which a failed secret is checked once the service answers
	HintJitter    time.Duration // time within which a hint from outside causes a check
	HintGap       time.Duration // initial time after that check in which another hint causes none
	OnRead        bool          // nothing runs in the background: only reads cause checks
}

// A Moment is the time of an event together with a random number. Draw is
// uniformly distributed in [0, 1).
type Moment struct {
	Now  Time
	Draw float64
}

// upTo returns the random part of d that Draw selects, below d.
func (m Moment) upTo(d time.Duration) time.Duration { return time.Duration(float64(d) * m.Draw) }

// A Lease is one secret in the cache. The zero Lease has no value.
//
// A lease tells the caller what to do through levels, not through commands, so no
// instruction can be lost: [Lease.Shown], [Lease.Due], [Lease.Gone],
// [Lease.Refreshing] and [Lease.HasValue] hold until an event changes them.
//
// These rules hold after every event. "Last" is the end of the time in which the
// value may be served: its expiry, or MaxStale after its confirmation, whichever
// is later. A "no" is an answer that ends the lease: deleted or denied.
//
//	L1  shown ⇒ has a value, not gone, not on-read
//	L2  shown ⇒ due no later than last
//	L3  nothing is served at or after last
//	L4  no value of a check begun before a no is adopted after it
//	L5  an earlier check never changes what a later one settled
//	L6  a superseded or older version is adopted only after two agreeing checks;
//	    the second began after the first ended, and no replica answered either;
//	    if there is no value, one check is enough
//	L7  a success ends the failures
//	L8  put off, not failing ⇒ the next check is due within twice SecondCheck
//	L9  fresh, not failing, no refresh or adoption in progress ⇒ shown
//	L10 expired, unread, not failing, no refresh in progress ⇒ hidden
//	L11 a value or a holder, not on-read ⇒ refreshing, or due within limits
//	L12 held ⇒ only a no or the owner's Remove ends the lease
//	L13 servable ⇒ no read is cold
//	L14 if a check saw a newer version, in either of its requests, the version is
//	    adopted, or another check begins within SecondCheck of the check's end
//	    (within the backoff if checks fail), whether or not the secret is read
//	L15 a served value's age is at most TTL or MaxStale, whichever is longer
//	L16 shown ⇒ stale if and only if the TTL has ended
//	L17 a hint was accepted, not failing ⇒ a check that begins after the hint is
//	    due at the time that Told set, or within SecondCheck of the end of a check
//	    that began before the hint
type Lease struct {
	version   string // id of the version that was last adopted
	settled   uint64 // number of the check that last settled what is current
	confirmed Time   // when the service last said that version is current
	fetched   Time   // when the service last gave the value
	expires   Time   // end of version's TTL
	next      Time   // time of the next planned check; meaningless if !planned
	holders   int32
	has       bool // the lease has a value
	gone      bool // the lease has ended for good
	shown     bool // hits are served without asking the lease
	stale     bool // the value was served, or is shown, after the end of its TTL
	planned   bool // next is the time of the next check
	wanted    bool // that check happens whether or not the secret is read
	running   bool // the lease's own refresh waits or runs
	more      *more
}

// more is the part of a lease that most leases never need.
type more struct {
	failures      int      // failures in a row
	since         Time     // time of the first of them
	skipDescribe  bool     // DescribeSecret failed last: the next check calls only GetSecretValue
	describeAfter Time     // DescribeSecret was denied: it is not called until then
	past          []string // ids of earlier current versions, newest last; never changed in place
	suspect       string   // id of an earlier version that one check saw as current
	suspected     bool
	doubts        uint32 // number of signs that the lease's version is no longer current
	resolved      uint32 // value of doubts when the check that answered last began
	rotation      rotation
	told          told
}

// maxPast is how many superseded versions a lease remembers.
const maxPast = 4

var none more

// coldState returns the rarely needed part for reading.
func (l *Lease) coldState() *more {
	if l.more == nil {
		return &none
	}
	return l.more
}

// grow returns the rarely needed part for writing.
func (l *Lease) grow() *more {
	if l.more == nil {
		l.more = &more{}
	}
	return l.more
}

// Shown reports whether hits are served without asking the lease.
func (l *Lease) Shown() bool { return l.shown }

// Gone reports whether the lease has ended. Nothing brings it back.
func (l *Lease) Gone() bool { return l.gone }

// HasValue reports whether there is a value to keep, whether or not it is served.
func (l *Lease) HasValue() bool { return l.has }

// Refreshing reports whether the lease's own refresh waits or runs. The refresh is
// a check that begins with [Lease.BeginRefresh] and ends with [Lease.End].
func (l *Lease) Refreshing() bool { return l.running }

// Version returns the id of the current version, or "" if there is none.
func (l *Lease) Version() string {
	if !l.has {
		return ""
	}
	return l.version
}

// Settled returns the number of the check that last settled what is current.
func (l *Lease) Settled() uint64 { return l.settled }

// Failing reports whether the last check failed, and since when checks fail.
func (l *Lease) Failing() (since Time, failing bool) {
	return l.coldState().since, l.coldState().failures > 0
}

// Failures returns how many checks have failed in a row.
func (l *Lease) Failures() int { return l.coldState().failures }

// Stale reports whether hits are served a value whose TTL has ended. If there are
// no hits, it reports whether a read was served such a value.
func (l *Lease) Stale() bool { return l.stale }

// StaleSince returns the end of the TTL if the service has not answered for the
// secret since then and the value is still served. A value that expires because
// nobody reads it is not stale.
func (l *Lease) StaleSince(r *Rules, now Time) (since Time, stale bool) {
	if !l.Servable(r, now) || now < l.expires || !l.stale && l.coldState().failures == 0 {
		return 0, false
	}
	return l.expires, true
}

// Confirmed returns when the service last said that the version is current.
func (l *Lease) Confirmed() Time { return l.confirmed }

// Fetched returns when the service last gave the value.
func (l *Lease) Fetched() Time { return l.fetched }

// Next returns the time of the next planned check. planned is false if the next
// read decides.
func (l *Lease) Next() (at Time, planned bool) { return l.next, l.planned && !l.gone }

// Suspects reports whether one check saw an earlier version as current.
func (l *Lease) Suspects() bool { return l.has && l.coldState().suspected }

// Held reports whether the lease has a holder.
func (l *Lease) Held() bool { return l.holders > 0 }

// Expires returns the end of the TTL.
func (l *Lease) Expires() Time { return l.expires }

// Due returns when the caller must call [Lease.Wake]. It returns Never if nothing
// runs in the background.
func (l *Lease) Due(r *Rules) Time {
	switch {
	case l.gone || r.OnRead:
		return Never
	case l.running && l.shown:
		return l.outdated(l.last(r)) // should the refresh hang
	case l.running:
		return Never // its end decides
	case !l.has && l.planned:
		return l.next
	case !l.has:
		return Never
	}
	due := l.last(r)
	if l.planned {
		due = min(due, l.next)
	}
	return l.outdated(due)
}

// outdated returns due or, if it is sooner, the end of the TTL of a shown value
// that is not marked stale yet.
func (l *Lease) outdated(due Time) Time {
	if l.shown && !l.stale {
		return min(due, l.expires)
	}
	return due
}

// last returns the time from which the value is no longer served.
func (l *Lease) last(r *Rules) Time {
	return max(l.expires, l.confirmed.Add(r.MaxStale))
}

// Servable reports whether the value may be served, expired or not. A negative
// age, which results from a clock that was set back, counts as too old.
func (l *Lease) Servable(r *Rules, now Time) bool {
	return l.has && !l.gone && now >= l.confirmed && now < l.last(r)
}

// Fresh reports whether the value may be served and its TTL has not ended.
func (l *Lease) Fresh(r *Rules, now Time) bool {
	return l.Servable(r, now) && now < l.expires
}

// show shows the value to hits if it may be served.
func (l *Lease) show(r *Rules, now Time) {
	l.shown = !r.OnRead && l.Servable(r, now)
	l.stale = l.Servable(r, now) && now >= l.expires
}

// plan sets the time of the next check.
func (l *Lease) plan(at Time, wanted bool) {
	l.next, l.planned, l.wanted = at, true, wanted
}

// doubt records a sign that the lease's version is no longer current. A check must
// begin after now, and no later than at.
func (l *Lease) doubt(r *Rules, at Time) {
	l.grow().doubts++
	l.soon(r, at)
}

// soon moves the next check to at, if it is planned for later or not at all. The
// check then happens whether or not the secret is read.
func (l *Lease) soon(r *Rules, at Time) {
	if r.OnRead {
		l.expires = min(l.expires, at) // the next read checks
		return
	}
	if l.planned {
		at = min(at, l.next)
	}
	l.plan(at, true)
}
