package sim

import (
	"errors"
	"slices"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// checkClose holds Close to its time, and looks for requests that it left.
func (o *oracle) checkClose() {
	s := o.h.session
	if s.closed == never {
		return // it hangs, which is reported
	}
	most := linger
	for _, secret := range o.w.secrets { // it waits for all of them
		most = max(most, slowestOf(secret)+linger)
	}
	if o.deaf() {
		most += deafClose
	}
	if s.closed-s.closing > most {
		o.report(Closed, s.closed, "Close took %v, of which %v are allowed", s.closed-s.closing, most)
	}
	if o.deaf() {
		return
	}
	for _, c := range o.w.calls {
		if c.client == s.n && c.secret == o.h.secret && (c.begin > s.closed || c.ended && c.end > s.closed) {
			o.report(Closed, c.end, "%v, though Close returned at %v", c, s.closed)
		}
	}
}

// deafClose is what Close may take longer where the API ignores its context.
const deafClose = 15 * time.Second

func (o *oracle) deaf() bool {
	return slices.ContainsFunc(o.w.plan.Events, func(e Event) bool { return e.Fault == Deaf })
}

// slowest returns how long all decoders may take that run one after another.
func (o *oracle) slowest() time.Duration { return slowestOf(o.h.secret) }

func slowestOf(s *Secret) time.Duration {
	var d time.Duration
	for _, inc := range s.incs {
		for _, v := range inc.versions {
			d = max(d, v.validate)
		}
	}
	return 4 * d
}

func (o *oracle) checkIdentity(r *Read) {
	first := r.got[0]
	for _, v := range r.got {
		switch {
		case v.inc.secret != r.secret:
			o.report(Identity, r.end, "%v: another secret's value", r)
		case v.inc != first.inc:
			o.report(Deleted, r.end, "%v: values of two secrets", r)
		case isARN(r.secret, r.id) && v.inc.arn != r.id:
			o.report(Identity, r.end, "%v: the value of another ARN, %s", r, v.inc.arn)
		case r.arn != "" && r.arn != v.inc.arn:
			o.report(Identity, r.end, "%v: ARN() is %s", r, r.arn)
		}
	}
}

func isARN(s *Secret, id string) bool {
	return slices.ContainsFunc(s.incs, func(inc *Incarnation) bool { return inc.arn == id })
}

// asked returns when r began to ask: a Watch, at most as long before the yield
// as decoders took.
func (o *oracle) asked(r *Read) time.Duration {
	if r.kind == ReadWatch {
		return max(r.since, r.begin-o.slowest())
	}
	return r.begin
}

func (o *oracle) checkDeleted(r *Read, v *Version) {
	for _, ck := range o.h.checks {
		if ck.end >= r.begin {
			break
		}
		if ck.verdict != Yes || !ck.fetched || ck.late || ck.ver.inc.n <= v.inc.n {
			continue
		}
		again := slices.ContainsFunc(o.h.checks, func(p *Check) bool {
			return p.verdict == Yes && p.ver.inc == v.inc && p.begin >= ck.begin && p.end <= r.end
		}) || slices.ContainsFunc(o.h.calls, func(c *Call) bool {
			return c.class == ok && c.snap.inc == v.inc && c.begin >= ck.begin && c.end <= r.end
		})
		if !again && !o.wentBack(r, v.inc) {
			o.report(Deleted, r.end, "%v: %v of the secret made in its place had arrived at %v", r, ck.ver, ck.end)
			return
		}
	}
}

// wentBack reports whether the client has had to take inc for the present secret
// again before r ended, although a later one had been found, and has not heard
// otherwise twice: two values of inc, one after the other, prove that it is back,
// and from then on it is the later one that one check does not prove.
func (o *oracle) wentBack(r *Read, inc *Incarnation) bool {
	found := time.Duration(never) // when the first check began that found a later one
	for _, ck := range o.h.checks {
		if ck.verdict == Yes && ck.fetched && ck.ver.inc.n > inc.n {
			found = min(found, ck.begin)
		}
	}
	var proof, first *Call
	for _, c := range o.h.calls {
		switch {
		case c.class != ok || c.op == Describe || c.ver.inc != inc || c.begin < found || c.end > r.end:
		case first == nil:
			first = c
		case c.begin >= first.end && (proof == nil || c.begin > proof.begin):
			proof = c
		}
	}
	if proof == nil {
		return false
	}
	var seen *Check // the first to find a later one since
	for _, ck := range o.h.checks {
		switch {
		case ck.verdict != Yes || !ck.fetched || ck.ver.inc.n <= inc.n || ck.begin < proof.begin || ck.end >= r.begin:
		case seen == nil:
			seen = ck
		case ck.begin >= seen.end:
			return false
		}
	}
	return true
}

// confirms reports whether a call said that v is what r asked for.
func (o *oracle) confirms(c *Call, r *Read, v *Version) bool {
	switch {
	case c.class != ok:
		return false
	case r.kind == ReadVersions && v != r.got[0]:
		return c.ver == v || c.op == Describe && len(c.snap.labelsOf(v)) > 0
	case r.kind == ReadStage && c.op == Describe:
		return c.snap.labels[r.sel] == v
	case r.kind == ReadStage:
		return c.ver == v && (c.stage == r.sel || c.stage != "AWSCURRENT")
	case r.kind == ReadID:
		return c.ver == v || c.op == Describe && len(c.snap.labelsOf(v)) > 0
	}
	return false
}

// confirmed reports whether an answer that arrived after one moment and not
// after another, of a check begun no earlier than a third, said that v is what
// r asked for.
func (o *oracle) confirmed(r *Read, v *Version, after, by, begun time.Duration) bool {
	if r.group == Other || r.kind == ReadVersions && v != r.got[0] {
		return slices.ContainsFunc(o.h.calls, func(c *Call) bool {
			return c.counts > after && c.end <= by && c.begin >= begun && o.confirms(c, r, v)
		})
	}
	return slices.ContainsFunc(o.h.checks, func(ck *Check) bool {
		return ck.verdict == Yes && ck.end > after && ck.end <= by && ck.begin >= begun &&
			(ck.ver == v || ck.ver.inc == v.inc && !suits(r.group, ck.ver))
	})
}

func (o *oracle) checkAge(r *Read, v *Version) {
	bound := o.w.plan.Client.bound()
	after := o.asked(r) - bound
	if bound > o.asked(r) {
		after = -1
	}
	if !o.confirmed(r, v, after, r.end, -1) {
		o.report(Age, r.end, "%v: no answer within %v said that %v is what was asked for", r, bound, v)
	}
}

func (o *oracle) checkRefused(r *Read, v *Version) {
	for _, no := range o.h.checks {
		if no.end >= r.begin {
			break
		}
		if no.verdict != No || !o.sameSecret(r.id, no.id, v.inc, no.begin) {
			continue
		}
		there := slices.ContainsFunc(o.h.checks, func(ck *Check) bool {
			return ck.verdict == Yes && ck.ver.inc == v.inc && ck.last >= no.begin && ck.end <= r.end
		})
		if !there && !o.again(r, v, no.begin) {
			o.report(Refusal, r.end, "%v: refused at %v", r, no.end)
			return
		}
	}
}

// again reports whether a Versions or GetVersion had its value anew.
func (o *oracle) again(r *Read, v *Version, begun time.Duration) bool {
	return (r.group == Other || r.kind == ReadVersions) && slices.ContainsFunc(o.h.calls, func(c *Call) bool {
		return c.class == ok && c.ver == v && c.begin >= begun && c.end <= r.end
	})
}

// sameSecret reports whether the client knew, at t, that both ids name inc.
func (o *oracle) sameSecret(a, b string, inc *Incarnation, t time.Duration) bool {
	if a == b {
		return true
	}
	known := func(id string) bool {
		return slices.ContainsFunc(o.h.checks, func(ck *Check) bool {
			return ck.verdict == Yes && ck.fetched && ck.id == id && ck.ver.inc == inc && ck.end < t && o.h.intact(ck.end, t)
		})
	}
	return o.h.lone && known(a) && known(b)
}

func (o *oracle) checkAgree(r *Read) {
	if g := r.agrees; g != nil && g.ended && g.err == nil && g.begin == g.end && g.begin == r.begin && len(g.got) == 1 && g.got[0] != r.got[0] {
		o.report(Agree, r.end, "%v, and Get at the same instant %v", r, g.got[0])
	}
}

func (o *oracle) checkOutage(r *Read) {
	c := o.w.plan.Client
	closed := errors.Is(r.err, secrets.ErrClosed) && r.end >= o.h.session.closing
	if closed || r.group == Other || r.kind == ReadVersions || r.kind == ReadWatch || r.err == errExited {
		return
	}
	var undecodable *secrets.DecodeError
	if errors.As(r.err, &undecodable) || r.group != Raw && r.own {
		return
	}
	var before *Read
	for _, q := range o.h.reads {
		if q.end < r.begin && q.err == nil && q.id == r.id && q.group == r.group && (q.group != Func || q.event == r.event) {
			before = q
		}
	}
	if before == nil {
		o.checkCold(r)
		return
	}
	for _, ck := range o.h.checks {
		if ck.verdict == Yes && ck.region != Replica && ck.end <= before.end && ck.end > r.begin-c.maxStale() && o.h.certain(ck) && o.h.intact(ck.end, r.end) {
			o.report(Outage, r.end, "%v, though it succeeded at %v and was confirmed at %v", r, before.end, ck.end)
			return
		}
	}
}
