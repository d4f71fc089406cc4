package sim

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// A Rule is one thing that the oracle holds the client to.
//
// All times are the bubble's, to the nanosecond; a read from memory takes none.
// An answer counts from the moment it arrives at the client, because that is
// when the client can know it, and so Options.TTL and Options.MaxStale run;
// DescribeSecret counts with the calls that follow it at once (see chain). Which of
// two answers is the later one is decided by when their checks began, a check
// being DescribeSecret and the GetSecretValue that begins at the moment the
// first ends, because until its end a check may be answered from any state
// that the secret had since its beginning. Where calls do not tell, the oracle
// takes the side of the client: it is to raise no false alarm.
//
// Where there is a replica region its answers say what is current like any other,
// but prove no version to have gone back, confirm nothing in the rule Outage, and
// its no is none. An answer that another region may have forestalled proves nothing
// either.
//
// For a read that begins at b, ends at e and returns version v of a secret,
// in a session (a client from New to Close), with TTL, MaxStale and StaleWait as
// the options have them, and C the time that a check takes at most where nothing is
// slow:
//
//	Identity   v is of the secret that the id names, of the very incarnation
//	           if the id is a full ARN, and the ARN returned with it is v's own.
//	Deleted    If a value of a later incarnation arrived before b, by any name,
//	           some check begun no earlier said by e that v's is there again.
//	           Once two values, one after the other, have proved that it is back,
//	           it takes two checks to find the later one again (see wentBack).
//	           A list of versions is of one incarnation.
//	Age        An answer that arrived after b-max(TTL, MaxStale) and by e said
//	           that v is what was asked for: current, under that label, has that
//	           id; for Versions, has a label. For a type, answers that a
//	           version is current which does not decode for it count for the
//	           version before it.
//	Refused    If a no arrived before b, to the same id or to one that was
//	           known to name the same secret, an answer to a call begun no
//	           earlier than the refused check said by e that the secret is there. A no
//	           is a refusal of GetSecretValue for AWSCURRENT by the service's
//	           permissions or a key, or a secret not there or marked for deletion
//	           where DescribeSecret does not contradict.
//	Fresh      Let v have ceased to be current at m, the present version become
//	           current at n, and E be the latest of m, n and the last answer
//	           for v. Where nothing was wrong, slow or behind from twice the TTL and
//	           20 minutes before E until b, b is at most E+TTL+C: if the secret is
//	           hot (read within the first 8 tenths of the TTL after E, while
//	           refreshed ahead), or an expired read more than C ago began a
//	           refresh, or StaleWait is enough to wait for one. Add twice the
//	           time of Validate, once for each kind of typed reader; and for a
//	           version that goes back 4 s and C, for the second check; and where a
//	           decoder ends its goroutine, twice the TTL and 5 minutes. A Watch
//	           yields the present version as soon.
//	Newest     A value, newer than v, that was the answer to a check which no
//	           later one contradicts is served as soon as it is validated,
//	           whatever else is wrong; within 4 s and C, which is when there has
//	           been a second check, where Try asks for values too, and where
//	           nothing is wrong if it took one (see doubted).
//	Order      If a read of the same group (see Group) that ended before b
//	           returned a version made after v, two checks said by e that v is current,
//	           the second begun after the first ended, both begun no earlier than the
//	           first check that found the newer one; or two said so of a version
//	           older still, and one more of v.
//	Agree      Versions and a Get at the same instant return the same version
//	           first.
//	Outage     A read of the current version does not fail if one with the same
//	           id succeeded before, and an answer confirmed it less than MaxStale ago.
//	Cold       A first read does not fail while one of two regions can be asked.
//	Offer      A use of a version that was refused is not followed, by the same
//	           handle, by another within a minute (4 s for a connector), unless
//	           the version came to another label or was accepted since, or
//	           one that worked in its place was refused; nor a replica lagged.
//	Guess      Where the last DescribeSecret said that a version is pending, which
//	           had a value by then and may be read, one that has AWSPREVIOUS only and
//	           is not in use is not offered before it.
//	Logins     When the password changes that the current version has, and nothing
//	           is wrong until it changes again, the connector logs in with a wrong one
//	           MaxLogins times at most, and as often for each move of AWSCURRENT to
//	           a version that the database does not take, twice if one is pending.
//	Opens      A connector calls open for a version a few times (maxOpens), and
//	           once more each time that it may have left the cache.
//	Budget     See checkBudget.
//	Closed     Reads that Close finds waiting, and later ones, return ErrClosed,
//	           the former as soon as a request has ended that heeds its context. Close returns when its requests and decoders have
//	           ended, and not before; where the API ignores its context, within
//	           deafClose.
//	Rotating   Ref.Rotating is false when no rotation has been outstanding for two
//	           hours and twice the TTL while the service answered.
//	Hang, Leak A read of one version takes three times FetchTimeout at most, and
//	           its decoders' time. Everything returns; no goroutine is left; nothing panics.
type Rule string

const (
	Identity Rule = "identity"
	Deleted  Rule = "deleted"
	Age      Rule = "age"
	Refusal  Rule = "refused"
	Fresh    Rule = "fresh"
	Newest   Rule = "newest"
	Order    Rule = "order"
	Agree    Rule = "agree"
	Outage   Rule = "outage"
	Cold     Rule = "cold"
	Offer    Rule = "offer"
	Guess    Rule = "guess"
	Logins   Rule = "logins"
	Budget   Rule = "budget"
	Closed   Rule = "closed"
	Rotating Rule = "rotating"
	Opens    Rule = "opens"
	Hangs    Rule = "hang"
	Leak     Rule = "leak"
	Stray    Rule = "stray value"
	Panicked Rule = "panic"
)

// A Violation is a read, a use or a call that breaks a rule.
type Violation struct {
	Rule    Rule
	At      time.Duration
	Secret  *Secret
	Session *Session
	Text    string
}

// Judge holds a history against the rules and returns what breaks them, by
// time.
func Judge(w *World) []Violation {
	o := &oracle{w: w, found: slices.Clone(w.troubles)}
	for _, h := range histories(w) {
		o.h = h
		o.checkReads()
		o.checkOrder()
		o.checkWatches()
		o.checkUses()
		o.checkBudget()
		o.checkClose()
	}
	slices.SortStableFunc(o.found, func(a, b Violation) int { return cmp.Compare(a.At, b.At) })
	return o.found
}

// An oracle is one check of a history.
type oracle struct {
	w     *World
	h     *History
	found []Violation
}

func (o *oracle) report(rule Rule, at time.Duration, format string, args ...any) {
	o.found = append(o.found, Violation{rule, at, o.h.secret, o.h.session, fmt.Sprintf(format, args...)})
}

func (o *oracle) checkReads() {
	for _, r := range o.h.reads {
		if r.stray != "" {
			o.report(Stray, r.end, "%v returned %s", r, r.stray)
			continue
		}
		if !o.checkClosed(r) {
			continue
		}
		if r.err != nil {
			o.checkOutage(r)
			continue
		}
		o.checkIdentity(r)
		if r.kind == ReadTry || r.kind == ReadConnect {
			continue
		}
		for _, v := range r.got {
			o.checkDeleted(r, v)
			o.checkAge(r, v)
			o.checkRefused(r, v)
		}
		if r.group != Other {
			o.checkNewest(r, r.got[0])
			o.checkFresh(r, r.got[0])
		}
		o.checkAgree(r)
		o.checkRotating(r)
	}
	for _, r := range o.h.reads {
		o.checkStuck(r)
	}
}

// checkStuck looks for a read that waits for what does not come.
func (o *oracle) checkStuck(r *Read) {
	limit := 3*(o.w.plan.Client.fetchTimeout()+linger) + o.slowest()
	switch r.kind {
	case ReadVersions, ReadWatch, ReadTry, ReadConnect:
		return
	}
	if r.end-r.begin > limit && !o.deaf() {
		o.report(Hangs, r.end, "%v: it took more than %v", r, limit)
	}
}

// checkRotating looks for a rotation that the client still believes in.
func (o *oracle) checkRotating(r *Read) {
	from := r.begin - 2*time.Hour - 2*o.w.plan.Client.TTL
	if !r.rotating || o.w.plan.Client.TTL > 1000*time.Hour || from < o.h.session.opened {
		return
	}
	for _, e := range o.w.plan.Events {
		if e.Secret == o.h.secret.index && (e.Kind == Tries || e.Kind == Connects) {
			return // it may be making do with another version
		}
	}
	for _, sn := range o.h.secret.snaps {
		p := sn.labels["AWSPENDING"]
		if (sn.at >= from-longestLag && sn.at <= r.begin || sn == o.h.secret.at(max(0, from-longestLag))) && p != nil && p != sn.labels["AWSCURRENT"] {
			return
		}
	}
	if slices.ContainsFunc(o.h.checks, func(ck *Check) bool {
		return ck.verdict == Yes && ck.begin > r.begin-2*o.w.plan.Client.TTL && ck.end < r.begin
	}) {
		o.report(Rotating, r.begin, "%v: no rotation has been outstanding since %v, and Rotating is true", r, from)
	}
}

// checkClosed reports whether r is to be held against the other rules.
func (o *oracle) checkClosed(r *Read) bool {
	s := o.h.session
	if r.end < s.closing || r.err == errWatchEnded || r.err == errExited {
		return true
	}
	if r.begin > s.closing && r.kind != ReadWatch && !errors.Is(r.err, secrets.ErrClosed) {
		o.report(Closed, r.end, "%v, after Close at %v", r, s.closing)
		return false
	}
	if r.end == s.closing {
		return true
	}
	use := r.kind == ReadTry || r.kind == ReadConnect // what it is used for goes on
	if r.err == nil || !errors.Is(r.err, secrets.ErrClosed) && !r.own {
		if o.slowest() == 0 && !use {
			o.report(Closed, r.end, "%v, though Close was called at %v", r, s.closing)
		}
		return false
	}
	if r.begin < s.closing && r.end > s.closing+linger+o.slowest() && errors.Is(r.err, secrets.ErrClosed) && !use {
		o.report(Closed, r.end, "%v: released long after Close at %v", r, s.closing)
	}
	return false
}
