package sim

import (
	"maps"
	"slices"
	"time"
)

// checkUses holds the offers of Try and of connectors to the rules.
func (o *oracle) checkUses() {
	byHandle := map[int][]*Use{}
	for _, u := range o.w.uses {
		if u.session == o.h.session && u.version != nil && o.w.secrets[o.w.plan.Events[u.event].Secret] == o.h.secret {
			byHandle[u.event] = append(byHandle[u.event], u)
		}
	}
	for _, event := range slices.Sorted(maps.Keys(byHandle)) {
		uses := byHandle[event]
		slices.SortStableFunc(uses, func(a, b *Use) int { return int(min(1, max(-1, a.begin-b.begin))) })
		for i, u := range uses {
			if u.version.inc.secret != o.h.secret {
				o.report(Identity, u.begin, "%v, of another secret", u)
			}
			// What is offered was found before it was decoded.
			o.checkDeleted(&Read{kind: u.kind, id: o.w.plan.Secrets[o.h.secret.index].Name, begin: u.begin - o.slowest(), end: u.begin, got: []*Version{u.version}, ended: true}, u.version)
			o.checkOffer(u, uses[:i])
			o.checkGuess(u, uses[:i])
		}
		if e := o.w.plan.Events[event]; e.Kind == Connects {
			o.checkOpens(event, uses)
			o.checkLogins(e, uses)
		}
	}
}

// checkOffer looks for an earlier refusal of u's version that forbids u.
func (o *oracle) checkOffer(u *Use, before []*Use) {
	pause := time.Minute
	if u.kind == ReadConnect {
		pause = 4 * time.Second // it looks for a repair each 5 seconds
	}
	if o.lagging(u.begin-pause-longestLag, u.begin) {
		return // labels seem to come and go
	}
	for _, r := range before {
		if r.version != u.version || r.outcome != Refused || r.end >= u.begin || u.begin-r.end >= pause {
			continue
		}
		if o.relabeled(u.version, r.begin-longestLag, u.begin) || excused(r, u, before) {
			continue
		}
		o.report(Offer, u.begin, "%v, though it was refused at %v", u, r.end)
		return
	}
}

func (o *oracle) lagging(from, to time.Duration) bool {
	return slices.ContainsFunc(o.w.plan.Events, func(e Event) bool {
		return e.Kind == Lag && e.At <= to && e.At+e.For >= from
	})
}

// relabeled reports whether v came to a label between two moments.
func (o *oracle) relabeled(v *Version, from, to time.Duration) bool {
	snaps := o.h.secret.snaps
	for i, sn := range snaps {
		if sn.at < from || sn.at > to {
			continue
		}
		for _, l := range sn.labelsOf(v) {
			if i == 0 || snaps[i-1].labels[l] != v {
				return true
			}
		}
	}
	return false
}

// excused reports whether something that happened between the refusal r and
// the use u makes r void.
func excused(r, u *Use, before []*Use) bool {
	worked := map[*Version]bool{}
	for _, b := range before {
		switch {
		case b.outcome == Accepted && b.version == u.version && b.end > r.begin:
			return true
		case b.outcome == Refused && b.version != u.version && b.end > r.end && worked[b.version]:
			return true
		case b.outcome == Accepted:
			worked[b.version] = true
		}
	}
	return false
}

// moment is within what time a refusal belongs to the same search for a version
// that works.
const moment = 2 * time.Minute

// checkGuess looks for a pending version that was to be offered before u's.
func (o *oracle) checkGuess(u *Use, before []*Use) {
	var seen *Call // what DescribeSecret last said
	for _, c := range o.h.calls {
		if c.op == Describe && c.class == ok && c.end <= u.begin && (seen == nil || c.begin > seen.begin) {
			seen = c
		}
	}
	from := u.begin - moment
	if seen == nil || seen.begin < from || seen.snap.deleted || o.h.secret.at(u.begin).inc != seen.snap.inc {
		return
	}
	p := seen.snap.labels["AWSPENDING"]
	if p == nil || p == seen.snap.labels["AWSCURRENT"] || seen.snap.labels["AWSPREVIOUS"] != u.version || len(seen.snap.labelsOf(u.version)) > 1 {
		return
	}
	if p.valued < 0 || p.valued > seen.begin || p.flavor != Good || o.excluded(min(from, p.valued), u.begin) {
		return
	}
	walking := false // another version was refused a moment ago
	for i := len(before) - 1; i >= 0; i-- {
		b := before[i]
		walking = walking || b.version != u.version && b.outcome == Refused && b.end >= from
		switch {
		case b.version == p && b.outcome != NoAnswer && b.begin >= p.valued:
			return // it was offered
		case b.version == u.version && b.outcome == Accepted:
			return // it is in use
		}
	}
	var last *Check
	for _, ck := range o.h.checks {
		if ck.verdict == Yes && ck.end <= u.begin && (last == nil || ck.begin > last.begin) {
			last = ck
		}
	}
	if !walking || last == nil || last.says(u.version) {
		return // it is the current one as far as the handle knows
	}
	o.report(Guess, u.begin, "%v, which is only previous; %v is pending and was not offered", u, p)
}

// excluded reports whether the pending version may have been denied, or hidden
// by a lagging replica.
func (o *oracle) excluded(from, to time.Duration) bool {
	return slices.ContainsFunc(o.w.plan.Events, func(e Event) bool {
		hides := e.Kind == Lag || e.Kind == Fault && (e.Fault.denies() || e.Fault == PendingDenied)
		return hides && e.At <= to && e.At+e.For >= from
	})
}

// maxOpens is how often open may be called for a version: for as many callers as
// there may be at once, as the current version and as one that Try came upon.
const maxOpens = 8

// checkOpens looks for versions that were decoded over and over.
func (o *oracle) checkOpens(event int, uses []*Use) {
	if !o.h.lone {
		return
	}
	for _, u := range uses {
		most := maxOpens + o.lost(u.version)
		if n := o.w.opens[opened{o.h.session.n, event, u.version.token}]; n > most {
			o.report(Opens, u.begin, "a connector was opened %d times for %v, of which %d are allowed", n, u.version, most)
			return
		}
	}
}

// lost returns how often v may have left the cache at most: because it was too
// old, or the answer was no, or another version was current for a while. Each
// time, whoever reads it again decodes it again.
func (o *oracle) lost(v *Version) int {
	c := o.w.plan.Client
	life := max(c.TTL-c.TTL/10, c.maxStale())
	n, last, is := 0, time.Duration(-1), false
	for _, ck := range o.h.checks {
		switch {
		case ck.verdict == Yes && ck.ver == v:
			if last >= 0 && (!is || ck.end-last >= life) {
				n++
			}
			last, is = ck.end, true
		case ck.verdict != Unclear || slices.ContainsFunc(ck.calls, func(c *Call) bool { return c.class != ok && !c.class.transient() }):
			is = false
		}
	}
	return n
}

// checkLogins bounds the wrong logins between two changes of the password.
func (o *oracle) checkLogins(e Event, uses []*Use) {
	if o.h.secret.plan.Users != 1 || e.Timeout != 0 || !o.allGood() {
		return
	}
	most := e.Max
	if most == 0 {
		most = 4
	}
	if o.w.plan.Client.TTL > 1000*time.Hour {
		return
	}
	changes := append(slices.Clone(o.h.secret.changes), o.w.plan.End)
	for i, from := range changes[:len(changes)-1] {
		to := changes[i+1]
		var before *Version
		if i > 0 {
			before = o.h.secret.taken[i-1]
		}
		if before == nil || o.h.secret.taken[i] == nil || o.h.secret.at(from - 1).labels["AWSCURRENT"] != before || !o.h.quiet(from-2*o.w.plan.Client.TTL-calm, to) {
			continue // a version other than the current one was in use, say
		}
		if i := slices.IndexFunc(uses, func(u *Use) bool { return u.end > from }); i > 0 && uses[i-1].version != before {
			continue // and so by this handle
		}
		var wrong []*Use
		for _, u := range uses {
			if u.wrong && u.begin >= from && u.end < to {
				wrong = append(wrong, u)
			}
		}
		each := 1
		if p := o.h.secret.at(to - 1).labels["AWSPENDING"]; p != nil {
			each = 2 // it is offered too
		}
		allowed := most * (1 + each*o.moves(o.heard(from), from, to))
		if len(wrong) > allowed {
			o.report(Logins, wrong[allowed].begin, "%d wrong logins since the password changed at %v, of which %d are allowed: %v", len(wrong), from, allowed, wrong)
		}
	}
}

// heard returns when the check began by which the client knew at t what is
// current, or t if there was none.
func (o *oracle) heard(t time.Duration) time.Duration {
	at := time.Duration(-1)
	for _, ck := range o.h.checks {
		if ck.verdict == Yes && ck.end <= t {
			at = max(at, ck.begin)
		}
	}
	if at < 0 {
		return t
	}
	return at
}

// moves counts the changes of AWSCURRENT, after one moment and up to another, to
// a version whose password is not the one that the database has taken since
// changed: each may cost logins of its own.
func (o *oracle) moves(after, changed, to time.Duration) int {
	n := 0
	for i, sn := range o.h.secret.snaps {
		v := sn.labels["AWSCURRENT"]
		if i > 0 && sn.at > after && sn.at < to && v != o.h.secret.snaps[i-1].labels["AWSCURRENT"] && (v == nil || o.taken(changed) != v) {
			n++
		}
	}
	return n
}

// taken returns the version whose password the database took from a moment on.
func (o *oracle) taken(from time.Duration) *Version {
	i := slices.Index(o.h.secret.changes, from)
	return o.h.secret.taken[i]
}

// allGood reports whether every version of the secret decodes, and at once.
func (o *oracle) allGood() bool {
	for _, inc := range o.h.secret.incs {
		for _, v := range inc.versions {
			if v.flavor != Good || v.validate != 0 {
				return false
			}
		}
	}
	return true
}
