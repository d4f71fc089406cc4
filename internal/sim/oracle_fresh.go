package sim

import (
	"slices"
	"time"
)

const (
	// oneCheck is how long a check takes where nothing is slow: DescribeSecret
	// and GetSecretValue, and for Versions three more.
	oneCheck = 2*maxLatency + time.Millisecond

	// listCalls is for how long a refresh may go on to collect versions.
	listCalls = 4 * maxLatency

	// secondCheck is within what time a version that goes back is checked a
	// second time.
	secondCheck = 4 * time.Second

	// calm is how long before a check nothing may have been wrong, beside
	// twice the TTL: longer than any backoff.
	calm = 20 * time.Minute
)

// validation returns for how long the adoption of a version may be delayed by
// decoders: by the Validate of the typed readers, once for each kind of them.
func (o *oracle) validation() time.Duration { return o.slowest() / 2 }

func (o *oracle) checkFresh(r *Read, v *Version) {
	c := o.w.plan.Client
	if c.TTL > 1000*time.Hour {
		return
	}
	m, gone := o.h.lastCurrent(v, r.begin)
	if !gone {
		return
	}
	now := o.h.secret.at(r.begin)
	u := now.labels["AWSCURRENT"]
	there := now.inc != nil && !now.deleted && (now.inc.arn == r.id || !isARN(r.secret, r.id))
	if u == v || there && !suits(r.group, u) {
		return
	}
	slack := oneCheck + listCalls
	e := max(m, now.at)
	if now.inc != v.inc && !there {
		e = max(m, o.h.gone(v.inc)) // whatever has its name since
	}
	if u != nil && there {
		at, again := o.h.since(u, r.begin)
		e = max(m, at)
		slack += o.validation()
		if again || older(u, v) {
			if c.OnRead {
				return
			}
			slack += secondCheck + oneCheck + listCalls
		}
	}
	if o.odd() {
		if r.group != Raw {
			return
		}
		slack += 2*c.TTL + 5*time.Minute // it is tried again
	}
	for _, ck := range o.h.checks {
		if ck.says(v) && ck.end <= r.end {
			e = max(e, ck.end)
		}
	}
	limit := e + c.TTL + slack
	if r.begin <= limit || !o.h.quiet(e-2*c.TTL-calm, r.begin) {
		return
	}
	if o.wasAsked(r, e, slack) {
		o.report(Fresh, r.end, "%v: %v is current since %v; the last answer for %v came at %v, TTL %v", r, u, m, v, e, c.TTL)
	}
}

// odd reports whether the secret has versions that end a decoder's goroutine.
func (o *oracle) odd() bool {
	return slices.ContainsFunc(o.h.secret.incs, func(inc *Incarnation) bool {
		return slices.ContainsFunc(inc.versions, func(v *Version) bool { return v.flavor == Exits })
	})
}

// wasAsked reports whether a refresh must have begun since e.
func (o *oracle) wasAsked(r *Read, e, slack time.Duration) bool {
	c := o.w.plan.Client
	if c.staleWait() >= 2*oneCheck && slack <= oneCheck+listCalls && !r.own {
		return true // it waits for its refresh
	}
	return slices.ContainsFunc(o.h.reads, func(q *Read) bool {
		if q.id != r.id || q.group == Other || q.kind == ReadWatch || q.kind == ReadVersions {
			return false
		}
		hot := !c.OnRead && q.begin > e && q.begin < e+c.TTL*8/10
		expired := q.begin >= e+c.TTL && q.begin+2*slack < r.begin
		return hot || expired
	})
}

// checkNewest holds a read to the newest value that was seen.
func (o *oracle) checkNewest(r *Read, v *Version) {
	var newest *Check // begun last of those that brought a newer value
	first := map[*Version]time.Duration{}
	slack := o.validation()
	if slices.ContainsFunc(o.w.plan.Events, func(e Event) bool {
		return (e.Kind == Tries || e.Kind == Connects) && e.Secret == o.h.secret.index
	}) {
		slack += secondCheck + oneCheck + listCalls
	}
	for _, ck := range o.h.checks {
		if ck.end > r.end || ck.verdict != Yes || ck.ver.inc != v.inc {
			continue
		}
		if _, seen := first[ck.ver]; !seen {
			first[ck.ver] = ck.begin
		}
		if ck.fetched && !ck.late && older(v, ck.ver) && suits(r.group, ck.ver) && ck.end+slack < r.begin &&
			(newest == nil || ck.begin > newest.begin) {
			newest = ck
		}
	}
	if newest == nil || o.odd() {
		return
	}
	for _, ck := range o.h.checks {
		if ck.verdict != Unclear && ck.ver != newest.ver && ck.end <= r.end && ck.begin >= min(first[newest.ver], newest.begin) {
			return // contradicted
		}
	}
	if o.doubted(newest) {
		slack += secondCheck + oneCheck + listCalls
		if o.w.plan.Client.OnRead || newest.end+slack >= r.begin || !o.h.quiet(newest.end, r.begin) {
			return // it takes a second check
		}
	}
	if o.h.intact(newest.end, r.end) {
		o.report(Newest, r.end, "%v: %v arrived at %v", r, newest.ver, newest.end)
	}
}

// doubted reports whether what ck found may take a second check: the client had
// seen a newer version, which types may not have adopted, or another check found
// another one that was still being prepared.
func (o *oracle) doubted(ck *Check) bool {
	return slices.ContainsFunc(o.h.checks, func(p *Check) bool {
		return p.verdict == Yes && p.ver != ck.ver && p.end <= ck.end &&
			(older(ck.ver, p.ver) || p.end+o.slowest() > ck.end)
	})
}

func (o *oracle) checkOrder() {
	type group struct {
		g     Group
		event int
	}
	type best struct {
		ver   *Version
		end   time.Duration
		asked time.Duration // it was in the cache then, and decoders may have run since
	}
	newest := map[group]best{}
	for _, r := range o.h.reads {
		if r.err != nil || r.stray != "" || r.group == Other {
			continue
		}
		g := group{g: r.group}
		if r.group == Func || r.kind == ReadWatch {
			g.event = r.event + 1
		}
		v, b := r.got[0], newest[g]
		this := best{v, r.end, max(o.asked(r), r.end-o.slowest())}
		switch {
		case b.ver == nil || b.ver.inc != v.inc || older(b.ver, v):
			newest[g] = this
		case older(v, b.ver) && b.end < r.begin:
			if o.h.intact(b.asked, r.end) && !o.agreed(v, b.ver, r.end) {
				o.report(Order, r.end, "%v: %v was returned at %v, and no two checks agree that it is %v again", r, b.ver, b.end, v)
			}
			newest[g] = this
		}
	}
}

// agreed reports whether the client may have gone back to v by t from u, which
// is newer: two checks, one after the other, said that v is current, begun no
// earlier than the first that found u. Or they said so of a version that is
// older still, from which one more check leads to v.
func (o *oracle) agreed(v, u *Version, t time.Duration) bool {
	found := time.Duration(-1)
	for _, ck := range o.h.checks {
		if ck.says(u) && (found < 0 || ck.begin < found) {
			found = ck.begin
		}
	}
	first := map[*Version]time.Duration{} // when the first ended that said so
	var settled []*Check                  // the second ones
	for _, ck := range o.h.checks {
		if ck.verdict != Yes || ck.region == Replica || ck.begin < found || ck.end > t || ck.ver.inc != v.inc {
			continue
		}
		end, seen := first[ck.ver]
		switch {
		case !seen:
			first[ck.ver] = ck.end
		case ck.begin >= end && ck.ver == v:
			return true
		case ck.begin >= end && older(ck.ver, v):
			settled = append(settled, ck)
		}
		if ck.ver == v && slices.ContainsFunc(settled, func(s *Check) bool { return s.begin <= ck.begin && s.end <= t }) {
			return true
		}
	}
	return false
}

// checkWatches looks for versions that a Watch ought to have yielded.
func (o *oracle) checkWatches() {
	c := o.w.plan.Client
	loops := map[int][]*Read{}
	for _, r := range o.h.reads {
		if r.kind == ReadWatch {
			loops[r.event] = append(loops[r.event], r)
		}
	}
	for _, yields := range loops {
		var last *Version
		for _, r := range yields {
			if r.err == nil && r.stray == "" {
				if r.got[0] == last {
					o.report(Order, r.end, "%v: yielded twice in a row", r)
				}
				last = r.got[0]
			}
		}
		until := min(yields[len(yields)-1].end, o.h.session.closing)
		if c.TTL > 1000*time.Hour || o.odd() {
			continue
		}
		o.checkMissed(yields, yields[0].since, until)
	}
}

// checkMissed looks for versions that were current for long enough.
func (o *oracle) checkMissed(yields []*Read, from, until time.Duration) {
	snaps := o.h.secret.snaps
	ttl := o.w.plan.Client.TTL
	for i, sn := range snaps {
		u := sn.labels["AWSCURRENT"]
		if u != nil && isARN(o.h.secret, yields[0].id) && yields[0].id != u.inc.arn {
			continue // the loop is over another secret, by its own ARN
		}
		if i == 0 || u == nil || sn.deleted || snaps[i-1].labels["AWSCURRENT"] == u || sn.at < from || !suits(JSON, u) {
			continue
		}
		if _, again := o.h.since(u, sn.at); again || slices.ContainsFunc(snaps[:i], func(p *Snapshot) bool {
			w := p.labels["AWSCURRENT"]
			return w != nil && older(u, w)
		}) {
			continue // rollbacks are held to by reads
		}
		e := sn.at
		for _, ck := range o.h.checks {
			if ck.verdict == Yes && ck.ver != u && ck.begin <= sn.at && ck.end > e {
				e = ck.end
			}
		}
		limit := e + ttl + oneCheck + listCalls + o.validation()
		if prev := snaps[i-1]; prev.inc == nil || prev.deleted {
			limit += time.Minute + ttl // the loop is asking for a secret that is not there
		}
		end := time.Duration(never) // of this time
		if k := slices.IndexFunc(snaps[i:], func(n *Snapshot) bool { return n.deleted || n.labels["AWSCURRENT"] != u }); k >= 0 {
			end = snaps[i+k].at
		}
		if limit > until || limit > end || !o.h.quiet(e-2*ttl-calm, limit) {
			continue
		}
		if !slices.ContainsFunc(yields, func(r *Read) bool { return r.err == nil && r.stray == "" && r.got[0] == u && r.end <= limit }) {
			o.report(Fresh, limit, "Watch of %s since %v has not yielded %v, current since %v, by %v", yields[0].id, from, u, sn.at, limit)
		}
	}
}
