package sim

import (
	"slices"
	"time"
)

// A History is what the oracle knows of one session and one secret.
type History struct {
	w       *World
	secret  *Secret
	session *Session
	calls   []*Call  // that ended, by their end
	checks  []*Check // by their end
	reads   []*Read  // that ended, by their end
	lone    bool     // evictions cannot happen
}

// A Check is one question of the client, in one call or two, whether what it
// has is current. DescribeSecret and the GetSecretValue that begins at the
// moment it ends, with the same id, are one check.
type Check struct {
	begin, end time.Duration
	last       time.Duration // when its last call began
	id         string
	verdict    Verdict
	region     Region   // that was asked
	ver        *Version // Yes: what it says is current
	fetched    bool     // the value was in the answer
	late       bool     // it came after Options.FetchTimeout: the client may have given it up
	calls      []*Call
}

// A Verdict is what came of a check.
type Verdict int

const (
	Unclear Verdict = iota // failed, or it does not matter
	Yes                    // ver is current
	No                     // access is denied or the secret is deleted
)

// histories sorts what happened.
func histories(w *World) []*History {
	var all []*History
	for _, session := range w.sessions {
		for _, s := range w.secrets {
			h := &History{w: w, secret: s, session: session, lone: w.plan.Client.Size == 0}
			for _, c := range w.calls {
				if c.client == session.n && c.secret == s && c.ended {
					h.calls = append(h.calls, c)
				}
			}
			slices.SortStableFunc(h.calls, func(a, b *Call) int { return int(min(1, max(-1, a.end-b.end))) })
			h.makeChecks()
			for _, r := range w.reads {
				if r.session == session && r.secret == s && r.ended {
					h.reads = append(h.reads, r)
				}
			}
			slices.SortStableFunc(h.reads, func(a, b *Read) int { return int(min(1, max(-1, a.end-b.end))) })
			all = append(all, h)
		}
	}
	return all
}

// chain finds when the DescribeSecret calls count that others followed at the
// moment they ended: when the last of those did.
func (h *History) chain() {
	type key struct {
		id string
		at time.Duration
	}
	began := slices.Clone(h.calls)
	slices.SortStableFunc(began, func(a, b *Call) int { return int(min(1, max(-1, a.begin-b.begin))) })
	roots := map[key]*Call{}
	for _, c := range began {
		root := roots[key{c.id, c.begin}]
		if c.counts = c.end; c.op == Describe {
			root = c
		}
		if root != nil {
			root.counts = max(root.counts, c.end)
			roots[key{c.id, c.end}] = root
		}
	}
}

// makeChecks joins calls to checks.
func (h *History) makeChecks() {
	h.chain()
	type key struct {
		id string
		at time.Duration
	}
	after := map[key]*Call{}  // DescribeSecret by its end
	before := map[key]*Call{} // and by its beginning
	for _, c := range h.calls {
		if c.op == Describe {
			after[key{c.id, c.end}] = c
			before[key{c.id, c.begin}] = c
		}
	}
	used := map[*Call]bool{}
	for _, c := range h.calls {
		if c.op == Describe || c.stage != "AWSCURRENT" {
			continue
		}
		ck := &Check{begin: c.begin, last: c.begin, end: c.end, id: c.id, region: c.region, calls: []*Call{c}}
		first, then := after[key{c.id, c.begin}], before[key{c.id, c.end}]
		if c.op == Batch {
			first, then = nil, nil
		}
		if first != nil {
			used[first] = true
			ck.begin, ck.calls = first.begin, append(ck.calls, first)
		}
		ck.judge(h.w, c, first, then)
		h.checks = append(h.checks, ck)
	}
	for _, c := range h.calls {
		if c.op == Describe && !used[c] && c.class == ok && !c.snap.deleted {
			if v := c.snap.labels["AWSCURRENT"]; v != nil {
				h.checks = append(h.checks, &Check{begin: c.begin, last: c.begin, end: c.end, id: c.id, region: c.region, verdict: Yes, ver: v, calls: []*Call{c}})
			}
		}
	}
	for _, ck := range h.checks {
		ck.late = slices.ContainsFunc(ck.calls, func(c *Call) bool { return c.end-c.begin >= h.w.plan.Client.fetchTimeout() || h.overlapped(c) })
		if (ck.late || ck.region == Replica) && ck.verdict == No {
			ck.verdict = Unclear
		}
	}
	slices.SortStableFunc(h.checks, func(a, b *Check) int { return int(min(1, max(-1, a.end-b.end))) })
}

// overlapped reports whether another region was asked too before c ended: the
// client may not have waited for c's answer.
func (h *History) overlapped(c *Call) bool {
	return h.w.plan.Client.Replica && slices.ContainsFunc(h.calls, func(o *Call) bool {
		return o.region != c.region && o.op == c.op && o.id == c.id && o.begin < c.end && c.begin < o.end
	})
}

// judge finds the verdict of a check that ended with GetSecretValue get, after
// the DescribeSecret first and before then, which may be nil.
func (ck *Check) judge(w *World, get, first, then *Call) {
	switch {
	case get.class == ok:
		ck.verdict, ck.ver, ck.fetched = Yes, get.ver, true
	case get.class.denies():
		ck.verdict = No
	case get.class != missing && get.class != deleting || get.op == Batch:
	case w.plan.Client.NoDescribe:
		ck.verdict = No
	case first != nil && first.class == ok:
		if first.snap.deleted {
			ck.verdict = No
		}
	case then != nil && !then.class.transient():
		if then.class != ok || then.snap.deleted {
			ck.verdict, ck.end = No, then.end
		}
	}
}

// says reports whether ck says that v is current.
func (ck *Check) says(v *Version) bool { return ck.verdict == Yes && ck.ver == v }

// intact reports whether the client is bound to remember, from one moment to
// another, what it knows of the secret: no eviction, no answer that may have
// been taken for a no, no silence longer than values are kept, no deletion.
func (h *History) intact(from, to time.Duration) bool {
	if !h.lone {
		return false
	}
	bound := h.w.plan.Client.bound()
	last := from
	if h.w.plan.Client.Replica {
		last = h.proved(from)
	}
	for _, c := range h.calls {
		if c.end < from || c.begin > to {
			continue
		}
		if c.region != Replica && c.stage == "AWSCURRENT" && c.class != ok && !c.class.transient() {
			return false
		}
	}
	for _, ck := range h.checks {
		if ck.end < from || ck.end > to || ck.verdict != Yes || ck.region == Replica || ck.late && h.w.plan.Client.Replica {
			continue
		}
		if ck.end-last >= bound {
			return false
		}
		last = ck.end
	}
	return to-last < bound && h.oneIncarnation(from-longestLag, to)
}

// proved returns when the primary last said by a moment what is current, where
// the client has heard it for sure.
func (h *History) proved(by time.Duration) (last time.Duration) {
	for _, ck := range h.checks {
		if ck.verdict == Yes && ck.region != Replica && !ck.late && ck.end <= by {
			last = max(last, ck.end)
		}
	}
	return last
}

// longestLag is how far a replica lags at most, with some room.
const longestLag = 20 * time.Minute

func (h *History) oneIncarnation(from, to time.Duration) bool {
	inc := h.secret.at(max(0, from)).inc
	for _, sn := range h.secret.snaps {
		if sn.at > from && sn.at <= to && (sn.inc != inc || sn.deleted) {
			return false
		}
	}
	return inc != nil && !h.secret.at(max(0, from)).deleted
}

// quiet reports whether nothing was wrong with the service, or slow, or behind,
// between two moments.
func (h *History) quiet(from, to time.Duration) bool {
	for _, e := range h.w.plan.Events {
		if (e.Kind == Fault || e.Kind == Lag || e.Kind == Slow) && e.Where != Replica && e.At <= to && e.At+e.For+time.Minute >= from {
			return false
		}
	}
	return true
}

// lastCurrent returns when v was current for the last time before t; ok is
// false if it is current at t, or never was.
func (h *History) lastCurrent(v *Version, t time.Duration) (at time.Duration, ok bool) {
	for i := len(h.secret.snaps) - 1; i >= 0; i-- {
		sn := h.secret.snaps[i]
		if sn.at > t {
			continue
		}
		if sn.labels["AWSCURRENT"] == v && !sn.deleted {
			return at, ok
		}
		at, ok = sn.at, true
	}
	return 0, false
}

// gone returns when an incarnation was deleted that is there no more.
func (h *History) gone(inc *Incarnation) time.Duration {
	for i, sn := range slices.Backward(h.secret.snaps) {
		if sn.inc == inc && !sn.deleted {
			return h.secret.snaps[i+1].at
		}
	}
	return 0
}

// since returns since when v has been current at t, and whether it had been
// current before that.
func (h *History) since(v *Version, t time.Duration) (at time.Duration, again bool) {
	running := true
	for i := len(h.secret.snaps) - 1; i >= 0; i-- {
		sn := h.secret.snaps[i]
		if sn.at > t {
			continue
		}
		switch is := sn.labels["AWSCURRENT"] == v; {
		case is && running:
			at = sn.at
		case is:
			return at, true
		default:
			running = false
		}
	}
	return at, false
}

// older reports whether a was made before b, of the same secret, by the dates
// that the service tells.
func older(a, b *Version) bool {
	return a.inc == b.inc && a.created.Truncate(time.Millisecond) < b.created.Truncate(time.Millisecond)
}

// certain reports whether ck was about the current version: a DescribeSecret
// may have been for a list of versions or for RotationState, and a
// GetSecretValue for Try.
func (h *History) certain(ck *Check) bool {
	if ck.late {
		return false
	}
	for _, e := range h.w.plan.Events {
		if e.Secret != h.secret.index {
			continue
		}
		if ck.fetched && (e.Kind == Tries || e.Kind == Connects) || !ck.fetched && e.Kind == State && e.At <= ck.begin && e.At+time.Minute > ck.begin {
			return false
		}
	}
	return ck.fetched || !slices.ContainsFunc(h.reads, func(r *Read) bool {
		return r.kind == ReadVersions && r.begin <= ck.begin && r.end >= ck.begin
	})
}
