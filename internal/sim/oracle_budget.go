package sim

import (
	"math"
	"slices"
	"time"
)

// checkBudget holds the calls about one secret to a budget.
//
// In no minute, and in no TTL, more calls begin than the sum of
//
//	40                      checks, each of 3 calls at most, and lists of versions
//	 6  for each read that had to wait, or failed
//	10  for each Refresh, Prefetch and RotationState
//	20  for each Watch, and 3 a minute: it asks for a missing secret by itself
//	12  for each change of a label
//	60  in all where something was wrong within calm before: retries
//	30  in all where a rotation is outstanding: polls, whose interval doubles
//	250 for each caller of Try and Connect, a minute
//
// Where one of two regions is in trouble it is twice that, since both are asked,
// and 16 a minute more: a secret of which a replica has an older version is
// checked each half minute.
//
// And none begin where the secret was not read, watched or asked for since the
// last answer, nor for twice the TTL, and nothing was wrong.
func (o *oracle) checkBudget() {
	if o.w.plan.Client.LogReads {
		return // the log handler's reads are not entered
	}
	ttl := o.w.plan.Client.TTL
	for _, window := range []time.Duration{time.Minute, ttl} {
		if window > 1000*time.Hour {
			continue
		}
		first := 0
		for i, c := range o.h.calls {
			for o.h.calls[first].end < c.end-window {
				first++
			}
			n := i - first + 1
			if n > 40 && n > o.budget(c.end-window-30*time.Second, c.end, window) {
				o.report(Budget, c.end, "%d calls within %v, of which %d are allowed", n, window, o.budget(c.end-window-30*time.Second, c.end, window))
				return
			}
		}
	}
	if ttl <= 1000*time.Hour {
		o.checkIdle(ttl)
	}
}

// budget returns how many calls may be made from one moment to another.
func (o *oracle) budget(from, to, window time.Duration) int {
	n := 40
	for _, r := range o.h.reads {
		if r.begin <= to && r.end >= from && (r.begin != r.end || r.err != nil) && r.kind != ReadTry && r.kind != ReadConnect {
			n += 6
		}
	}
	for _, sn := range o.h.secret.snaps {
		if sn.at >= from && sn.at <= to {
			n += 12
		}
	}
	for _, e := range o.w.plan.Events {
		if e.Secret >= 0 && e.Secret != o.h.secret.index || e.At > to || e.At+e.For+time.Minute < from {
			continue
		}
		switch e.Kind {
		case Refresh, Prefetch, State:
			n += 10
		case Watch:
			n += 20 + 3*int(math.Ceil(window.Minutes()))
		case Tries, Connects:
			n += 250 * max(1, e.Par) * int(math.Ceil(window.Minutes()))
		}
	}
	if !o.h.quiet(from-calm, to) {
		n += 60
	}
	if p := o.h.secret.at(max(0, from)).labels["AWSPENDING"]; p != nil {
		n += 30
	}
	if o.w.plan.Client.Replica && o.troubled(from, to) {
		n = 2*n + 16*int(math.Ceil(window.Minutes()))
	}
	return n
}

// troubled reports whether anything was wrong in any region.
func (o *oracle) troubled(from, to time.Duration) bool {
	return slices.ContainsFunc(o.w.plan.Events, func(e Event) bool {
		return (e.Kind == Fault || e.Kind == Lag || e.Kind == Slow) && e.At <= to && e.At+e.For+calm >= from
	})
}

// checkIdle looks for calls that nobody had a use for.
func (o *oracle) checkIdle(ttl time.Duration) {
	for _, c := range o.h.calls {
		from := c.begin - 2*ttl - oneCheck - secondCheck
		for _, ck := range slices.Backward(o.h.checks) {
			if ck.verdict == Yes && ck.end < c.begin {
				from = min(from, ck.begin)
				break
			}
		}
		if from < o.h.session.opened || !o.h.quiet(from-calm, c.end) || o.wanted(from, c.begin) {
			continue
		}
		o.report(Budget, c.begin, "%v, though nobody read the secret since %v", c, from)
		return
	}
}

// wanted reports whether somebody read the secret or asked for it.
func (o *oracle) wanted(from, to time.Duration) bool {
	for _, r := range o.h.reads {
		if r.begin <= to && r.end >= from {
			return true
		}
	}
	for _, e := range o.w.plan.Events {
		if e.Secret >= 0 && e.Secret != o.h.secret.index || e.At > to {
			continue
		}
		switch e.Kind {
		case Refresh, Prefetch, State:
			if e.At >= from-time.Minute {
				return true
			}
		case Watch, Tries, Connects, Reads: // a pin or a watch keeps the secret refreshed
			if e.Kind == Tries || e.Kind == Connects || e.At+e.For >= from {
				return true
			}
		}
	}
	return false
}
