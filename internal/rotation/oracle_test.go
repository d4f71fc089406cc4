package rotation

import (
	"fmt"
	"slices"
)

// An oracle watches a model and holds what happens against the rules. It keeps
// its own account of what was rejected when.
type oracle struct {
	refused   [versions]refusal
	informed  bool   // this round's labels come from the service
	pending   Result // what became of the pending version in this round
	used      uint8  // versions that the prober offered in this round, as bits
	missed1   bool   // the current version was out of reach in this round
	current   string // the version that the service shows as current
	pendingID string // its id, "" if the service shows none
	broken    string // the rule that is broken, "" if none is
}

const versions = 5

// A refusal is what the oracle knows of one version.
type refusal struct {
	active bool
	lifted bool     // there is reason to offer it before its pause is over
	fresh  bool     // the service was not asked since
	at     Instant  // the last time
	n      int      // times in a row
	under  labelSet // labels under which it was rejected
}

func (o *oracle) fail(format string, args ...any) {
	if o.broken == "" {
		o.broken = fmt.Sprintf(format, args...)
	}
}

func (o *oracle) of(id string) *refusal { return &o.refused[id[0]-'0'] }

// use holds a use that begins against R4 and the rule on AWSPREVIOUS.
func (o *oracle) use(n *node, c *caller) {
	v := c.offered()
	if r := o.of(v.ID); r.active && !r.lifted && n.now < r.at.add(n.p.cfg.pause(r.n)) {
		o.fail("R4: version %s is used at %d by %s, within its pause since %d", v.ID, n.now, v.Stage, r.at)
	}
	if c.prober {
		o.used |= 1 << (v.ID[0] - '0')
	}
	if !c.prober || v.Stage == Current || v.Stage == Pending {
		return
	}
	r := refusal{}
	if o.pendingID != "" {
		r = *o.of(o.pendingID)
	}
	switch {
	case !o.informed:
		o.fail("version %s is offered by %s without labels from the service", v.ID, v.Stage)
	case o.pending == Unreachable:
		o.fail("version %s is offered by %s while AWSPENDING is out of reach", v.ID, v.Stage)
	case o.pendingID != "" && o.pending == none && !r.active && o.pendingID != v.ID && n.p.cfg.allows(Pending):
		o.fail("version %s is offered by %s before the pending version %s", v.ID, v.Stage, o.pendingID)
	}
}

// rejected is told before the protocol is.
func (o *oracle) rejected(n *node, v Version, prober bool) {
	if pin, ok := n.p.Pin(); ok && pin.ID == v.ID {
		for i := range o.refused {
			if r := &o.refused[i]; r.active {
				r.lifted = true
			}
		}
	}
	r := o.of(v.ID)
	underWay := r.active && !r.lifted && n.now < r.at.add(n.p.cfg.pause(r.n))
	switch {
	case !r.active || r.lifted:
		r.n = 1
	case !underWay && n.p.cfg.pause(r.n) < n.p.cfg.MaxPause:
		r.n++
	}
	r.active, r.lifted, r.at = true, false, n.now
	r.under |= setOf(v.Stage)
	if !prober {
		r.fresh = true
	}
	if prober && v.Stage == Pending {
		o.pending = offered
	}
}

func (o *oracle) accepted(id string) { *o.of(id) = refusal{} }

func (o *oracle) startRound() {
	o.informed, o.pending, o.pendingID, o.current = false, none, "", ""
	o.used, o.missed1 = 0, false
}

func (o *oracle) uninformed() {}

// informed is told before the protocol is.
func (o *oracle) inform(n *node, view *moment, m *model) {
	o.informed = true
	o.pendingID, o.current = view.pending, view.current
	if m.undescribe || n.p.round.again {
		return
	}
	labels := view.labels()
	for i := range o.refused {
		r := &o.refused[i]
		set := setOf(labels.of(string(rune('0' + i))))
		switch {
		case !r.active:
		case r.fresh:
			r.fresh = false
			r.under |= set
		case set&(hadCurrent|hadPending)&^r.under != 0:
			r.lifted = true
		}
	}
}

func (o *oracle) skipped(s Step, id string) {
	if s.Stage == Pending {
		o.pending = skipped
	}
}

func (o *oracle) missed(s Step, why Result) {
	if s.Stage == Current {
		o.missed1 = true
	}
	if s.Stage == Pending {
		o.pending = why
	}
}

// roundEnded notes the pause between two rounds. What there is reason to offer
// was offered, and those who wait are told.
func (o *oracle) roundEnded(n *node) {
	if o.informed && !o.missed1 && o.current != "" && n.p.labels != nil {
		if r := o.of(o.current); r.active && r.lifted && o.used&(1<<(o.current[0]-'0')) == 0 && !n.proberRejected(o.current) {
			o.fail("R4: version %s, current and with new reason to work, was not offered", o.current)
		}
	}
	for i := range n.callers {
		if n.callers[i].at == waiting && !n.p.wake {
			o.fail("R6: caller %d is not told that the round has ended", i)
		}
	}
	if n.p.phase != Polling {
		o.fail("R3: the phase is %v between two rounds", n.p.phase)
	}
}

// proberRejected reports whether the prober's own use rejected a version: one
// call is not offered the same again.
func (n *node) proberRejected(id string) bool {
	return slices.ContainsFunc(n.callers, func(c caller) bool { return c.prober && c.call.indexOf(id) >= 0 })
}

// settle is told at the end of every step.
func (o *oracle) settle(n *node) {
	p := &n.p
	if p.Quiet() && !p.phase.HasProber() {
		o.refused = [versions]refusal{}
	}
	for i := range o.refused {
		if p.rejectionOf(string(rune('0'+i))) == nil {
			o.refused[i] = refusal{} // forgotten, or accepted
		}
	}
	o.roles(n)
	if p.phase == Settled {
		fresh := Protocol{cfg: p.cfg, gen: p.gen, wake: p.wake}
		if len(p.rejections) > 0 || p.pin != fresh.pin || p.labels != nil || p.seen != 0 || p.seenCurrent != "" ||
			p.valueless != "" || p.news || p.failed || p.delay != 0 || p.next != 0 || p.first || len(p.round.outcomes) > 0 {
			o.fail("R7: a settled handle remembers something")
		}
	}
}

// roles holds the callers against R1, R2, R3 and R6.
func (o *oracle) roles(n *node) {
	probers, inRound := 0, false
	for i := range n.callers {
		if c := &n.callers[i]; c.prober {
			probers++
			inRound = c.at != pausing && c.at != done
		}
	}
	switch phase := n.p.phase; {
	case probers > 1:
		o.fail("R1: there are %d probers", probers)
	case (probers == 1) != phase.HasProber():
		o.fail("R2: the phase is %v with %d probers", phase, probers)
	case inRound != phase.inRound() && !n.reporting():
		o.fail("R3: the phase is %v, and the prober in a round: %t", phase, inRound)
	}
	for i := range n.callers {
		if n.callers[i].at == waiting && probers == 0 && !n.p.wake {
			o.fail("R6: caller %d waits and there is no prober", i)
		}
	}
}

// reporting reports whether the prober's use has ended, which the protocol does
// not know yet.
func (n *node) reporting() bool {
	return slices.ContainsFunc(n.callers, func(c caller) bool { return c.prober && (c.at == accepted || c.at == rejected) })
}
