// Package lease decides the life of one cached secret: when its value may be
// served, when the service is asked again, what an answer changes, and when
// the value goes. It is a pure state machine. It takes no lock, starts no
// goroutine, reads no clock, calls no service and never sees a value; the
// caller tells it what happened and when, and acts on what the lease then is.
package lease

import "time"

// A Time is a moment in nanoseconds of a clock that the caller chooses.
type Time int64

// Never is later than every other Time.
const Never Time = 1<<63 - 1

// Add returns t+d. What is too far away to be told is Never.
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
	TTL           time.Duration // how long a version is served unchecked, at most
	MaxStale      time.Duration // how long it is served unconfirmed while the service fails
	MinBackoff    time.Duration // bound of the random delay after a first failure
	MaxBackoff    time.Duration // the bound at which it stops growing
	FetchAtLeast  time.Duration // how often the value itself is fetched, whatever DescribeSecret says
	DescribeAgain time.Duration // how long a denied DescribeSecret is not called
	SecondCheck   time.Duration // delay of the check that confirms what one check alone does not prove
	RotationCheck time.Duration // first interval of checks while a rotation is outstanding
	RotationKept  time.Duration // how long an outstanding rotation is believed without DescribeSecret
	Recovered     time.Duration // within what time a failed secret is checked once the service answers
	HintJitter    time.Duration // within what time a hint from outside is followed by a check
	HintGap       time.Duration // how long after that another hint causes none, at first
	OnRead        bool          // nothing runs in the background: reads alone cause checks
}

// A Moment is when an event happens, and the event's share of chance: Draw is
// at random from [0, 1).
type Moment struct {
	Now  Time
	Draw float64
}

// upTo returns the drawn part of d, below d.
func (m Moment) upTo(d time.Duration) time.Duration { return time.Duration(float64(d) * m.Draw) }

// A Lease is one secret in the cache. The zero Lease has no value.
//
// What the caller has to bring about are levels, not commands, so that none
// can be lost: [Lease.Shown], [Lease.Due], [Lease.Gone], [Lease.Refreshing]
// and [Lease.HasValue] hold until an event changes them.
//
// These rules hold after every event. "Last" is the last moment at which the
// value may be served: its expiry or MaxStale after its confirmation, whichever
// is later. "No" is an answer that fails closed: deleted, denied.
//
//	L1  shown ⇒ has a value, not gone, not on-read
//	L2  shown ⇒ due no later than last
//	L3  nothing is served at or after last
//	L4  no value of a check begun before a no is adopted after it
//	L5  an earlier check never changes what a later one settled
//	L6  a superseded or older version is adopted after two agreeing checks, the
//	    second begun after the first ended, neither of them answered by a
//	    replica; where there is no value, after one
//	L7  a success ends the failures
//	L8  put off, not failing ⇒ the next check within twice SecondCheck
//	L9  fresh, not failing, no refresh or adoption in progress ⇒ shown
//	L10 expired, unread, not failing, no refresh in progress ⇒ hidden
//	L11 a value or a holder, not on-read ⇒ refreshing, or due within bounds
//	L12 held ⇒ only a no or the owner's Remove ends it
//	L13 servable ⇒ no read is cold
//	L14 a newer version that a check saw, in either of its requests, is adopted,
//	    or checked again within SecondCheck of the check's end by one that began
//	    since (if checks fail, within the backoff), read or not
//	L15 a served value's age is at most TTL or MaxStale, whichever is longer
//	L16 shown ⇒ stale if and only if the TTL has ended
//	L17 a hint that was taken, not failing ⇒ a check that begins after it is due
//	    when Told said, or within SecondCheck of the end of one that began before
type Lease struct {
	version   string // id of the version that was last adopted
	settled   uint64 // number of the check that last settled what is current
	confirmed Time   // when the service last said that version is current
	fetched   Time   // when the service last gave the value
	expires   Time   // end of version's TTL
	next      Time   // when the next check is planned; meaningless if !planned
	holders   int32
	has       bool // there is a value
	gone      bool // for good
	shown     bool // hits are served without asking the lease
	stale     bool // the value was served, or is shown, after the end of its TTL
	planned   bool // next is the moment of the next check
	wanted    bool // that check happens whether or not the secret is read
	running   bool // the lease's own refresh waits or runs
	more      *more
}

// more is what most leases never need.
type more struct {
	failures      int      // in a row
	since         Time     // the first of them
	skipDescribe  bool     // the last was DescribeSecret's: GetSecretValue alone is asked next
	describeAfter Time     // DescribeSecret was denied: not called until then
	past          []string // ids of versions that were current before, newest last; never changed in place
	suspect       string   // id of a version that one check saw go back
	suspected     bool
	doubts        uint32 // how often something hinted that the current version is not the present one
	resolved      uint32 // how many there had been when the check began that answered last
	rotation      rotation
	told          told
}

// maxPast is how many superseded versions a lease remembers.
const maxPast = 4

var none more

// coldState returns the part that most leases never need, to be read.
func (l *Lease) coldState() *more {
	if l.more == nil {
		return &none
	}
	return l.more
}

// grow returns the rarely needed part, to be written.
func (l *Lease) grow() *more {
	if l.more == nil {
		l.more = &more{}
	}
	return l.more
}

// Shown reports whether hits may have the value without asking the lease.
func (l *Lease) Shown() bool { return l.shown }

// Gone reports whether the lease has ended. Nothing brings it back.
func (l *Lease) Gone() bool { return l.gone }

// HasValue reports whether there is a value to keep, served or not.
func (l *Lease) HasValue() bool { return l.has }

// Refreshing reports whether a refresh of the lease's own is to run or runs:
// a check begun by [Lease.BeginRefresh] and ended by [Lease.End].
func (l *Lease) Refreshing() bool { return l.running }

// Version returns the id of the current version, "" if there is none.
func (l *Lease) Version() string {
	if !l.has {
		return ""
	}
	return l.version
}

// Settled returns the number of the check that last settled what is current.
func (l *Lease) Settled() uint64 { return l.settled }

// Failing reports whether the last check failed, and since when checks have.
func (l *Lease) Failing() (since Time, failing bool) {
	return l.coldState().since, l.coldState().failures > 0
}

// Failures returns how many checks have failed in a row.
func (l *Lease) Failures() int { return l.coldState().failures }

// Stale reports whether hits are served a value whose TTL has ended or, where
// there are none, whether a read was.
func (l *Lease) Stale() bool { return l.stale }

// StaleSince returns the end of the TTL if the service has not answered for the
// secret since and the value is served on. A value that is left to expire
// because nobody reads it is not stale.
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

// Next returns when the next check is planned; planned is false if the next
// read decides.
func (l *Lease) Next() (at Time, planned bool) { return l.next, l.planned && !l.gone }

// Suspects reports whether one check has seen the version go back.
func (l *Lease) Suspects() bool { return l.has && l.coldState().suspected }

// Held reports whether the lease has a holder.
func (l *Lease) Held() bool { return l.holders > 0 }

// Expires returns the end of the TTL.
func (l *Lease) Expires() Time { return l.expires }

// Due returns when the caller must call [Lease.Wake]. It is Never where nothing
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
	} else if l.shown {
		due = min(due, l.expires)
	}
	return l.outdated(due)
}

// outdated returns due, or the end of the TTL of a value that is shown if that
// is yet to be noticed and sooner.
func (l *Lease) outdated(due Time) Time {
	if l.shown && !l.stale {
		return min(due, l.expires)
	}
	return due
}

// last returns the moment from which on the value is not served.
func (l *Lease) last(r *Rules) Time {
	return max(l.expires, l.confirmed.Add(r.MaxStale))
}

// Servable reports whether the value may be served, expired or not. An age
// below zero, which a clock that was set back makes, is too old.
func (l *Lease) Servable(r *Rules, now Time) bool {
	return l.has && !l.gone && now >= l.confirmed && now < l.last(r)
}

// Fresh reports whether the value may be served and its TTL has not ended.
func (l *Lease) Fresh(r *Rules, now Time) bool {
	return l.Servable(r, now) && now < l.expires
}

// show lets hits have the value, if it may be served.
func (l *Lease) show(r *Rules, now Time) {
	l.shown = !r.OnRead && l.Servable(r, now)
	l.stale = l.Servable(r, now) && now >= l.expires
}

// plan sets the moment of the next check.
func (l *Lease) plan(at Time, wanted bool) {
	l.next, l.planned, l.wanted = at, true, wanted
}

// doubt is a hint that the present version is not the current one: a check that
// begins from now on is needed, at the given moment at the latest.
func (l *Lease) doubt(r *Rules, at Time) {
	l.grow().doubts++
	l.soon(r, at)
}

// soon moves the next check forward to at, if it is planned for later or not
// at all, and makes it happen read or not.
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
