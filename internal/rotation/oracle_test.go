package rotation

import "fmt"

// An oracle remembers what happened, in the model's terms, and knows what the
// protocol may do. It does not look at what the protocol remembers.
type oracle struct {
	refusals [5]refusal // by version
	last     [5]refusal // the last rejections, never forgotten

	// Of the prober's round:
	informed bool   // the service answered
	current  bool   // what it shows as current could be had
	pending  answer // what became of what it shows as pending
	shown    string // that version, "" none or not known

	look struct { // the last answer
		at              Instant
		current, served string
	}
	unanswered   bool   // the prober asked the service for something, and left or waits
	withoutValue string // the pending version that had no value in the last round that asked
	violation    string
}

// A refusal is that the handle learnt that a version was rejected.
type refusal struct {
	known    bool // since the handle was last settled
	standing bool // nothing happened since that excuses another offer
	fresh    bool
	at       Instant
	under    labelSet
}

// An answer is what is known of the pending version.
type answer uint8

const (
	unknown answer = iota
	noHelp
)

func index(id string) int { return int(id[0] - '0') }

func (o *oracle) fail(format string, args ...any) {
	if o.violation == "" {
		o.violation = fmt.Sprintf(format, args...)
	}
}

func (o *oracle) startRound() {
	o.informed, o.current, o.pending, o.shown = false, true, unknown, ""
}

// begun checks what a call does that begins or looks again (R8).
func (o *oracle) begun(n *node, c *caller) {
	switch do := c.turn.Do; {
	case do == GiveUp && !n.p.cfg.Once:
		o.fail("R8: a call gives up that may go on")
	case do == GiveUp && !c.ended:
		o.fail("R8: a call gives up that no round has ended for")
	case (do == Wait || do == Probe) && n.p.cfg.Once && c.ended:
		o.fail("R8: a call waits for a second round")
	case do == Wait:
		c.waited = n.p.cfg.Once
	}
}

// roundEnded notes that the round of a prober ended, for those who waited.
func (o *oracle) roundEnded(n *node, prober *caller) {
	if prober.step.Do == Stop != n.p.cfg.Once {
		o.fail("R8: after its round the prober does %v", prober.step.Do)
	}
	for i := range n.callers {
		n.callers[i].ended = n.callers[i].ended || n.callers[i].waited
	}
	if o.unanswered {
		o.fail("R8: a call gives up while the service has not answered what was asked last")
	}
}

// asked notes that the prober asks the service for something.
func (o *oracle) asked(n *node) { o.unanswered = n.p.cfg.Once }

func (o *oracle) uninformed() { o.informed, o.unanswered = false, false }

// told notes what the service says. again: it was asked before in this round.
func (o *oracle) told(n *node, view *moment, m *model, again bool) {
	o.informed, o.current, o.unanswered = true, true, false
	o.look.at, o.look.current, o.look.served = n.now, view.current, n.cached
	if m.undescribe {
		return
	}
	o.current = n.inMemory(view.current) || o.refusals[index(view.current)].known
	o.shown = view.pending
	if o.shown == "" || o.shown == view.current || o.refused(n, o.shown) {
		o.pending = noHelp
	} else if again && o.shown != n.p.labels[Pending] {
		o.pending = unknown
	}
	if again {
		return
	}
	for i := range o.refusals {
		r, set := &o.refusals[i], setOf(view.labels().of(fmt.Sprint(i)))
		switch {
		case r.fresh:
			r.fresh = false
			r.under |= set
		case set&(hadCurrent|hadPending)&^r.under != 0:
			r.standing = false
		}
	}
}

func (o *oracle) refused(n *node, id string) bool {
	r := o.refusals[index(id)]
	return r.standing && n.now < r.at.add(n.p.cfg.MaxPause)
}

// missed notes that a version could not be got.
func (o *oracle) missed(s Step, why Result) {
	o.unanswered = false
	switch s.Stage {
	case Current:
		o.current = o.current && why != Unreachable && why != Absent
	case Pending:
		if why == Denied || why == Absent && (o.shown == "" || o.withoutValue == s.ID) {
			o.pending = noHelp
		}
		if why == Absent {
			o.withoutValue = s.ID
		}
	}
}

func (o *oracle) got(s Step, offered bool) {
	o.unanswered = false
	switch s.Stage {
	case Current:
		o.current = true
	case Pending:
		o.withoutValue = ""
		if !offered {
			o.pending = noHelp // it was offered before
		}
	}
}

// use checks a version that is about to be used (R4), and that the previous one
// and custom ones are no guess.
func (o *oracle) use(n *node, c *caller) {
	v := c.offered()
	if r := o.refusals[index(v.ID)]; r.standing && n.now < r.at.add(n.p.cfg.MinPause) {
		o.fail("R4: %s is offered %d after its rejection", v.ID, n.now-r.at)
	}
	if r := c.own[index(v.ID)]; r.known && r.under == setOf(v.Stage) && (n.p.cfg.Once || n.now < r.at.add(n.p.cfg.MinPause)) {
		o.fail("R4: %s is offered again to the call that rejected it %d before", v.ID, n.now-r.at)
	}
	if c.prober && v.Stage == Pending && !o.informed {
		switch l := o.look; {
		case n.now >= l.at.add(n.p.cfg.LabelsLast):
			o.fail("%s is offered by labels that are %d old", v.ID, n.now-l.at)
		case n.cached != l.served && n.cached != l.current:
			o.fail("%s is offered by labels from before the current version moved", v.ID)
		}
	}
	if !c.prober || v.Stage == Current || v.Stage == Pending {
		return
	}
	if !o.informed || !o.current || o.pending != noHelp && n.p.cfg.allows(Pending) {
		o.fail("%s is offered on a guess: informed %v, current known %v, pending no help %v", v.Stage, o.informed, o.current, o.pending == noHelp)
	}
}

// rejected notes that the handle learns of a rejection. Where uses come alone,
// a version is rejected once within a pause, even where R4 would excuse another
// offer.
func (o *oracle) rejected(n *node, v Version, prober, alone bool) {
	since := n.now - o.last[index(v.ID)].at
	if alone && o.last[index(v.ID)].known && since < Instant(n.p.cfg.MinPause) {
		o.fail("%s is rejected twice within %d", v.ID, since)
	}
	o.last[index(v.ID)] = refusal{known: true, at: n.now}
	for i := range n.callers {
		n.callers[i].news = true
	}
	pin, _ := n.p.Pin()
	if pin.ID == v.ID {
		for i := range o.refusals {
			o.refusals[i].standing = false
		}
	}
	r := &o.refusals[index(v.ID)]
	over := r.known && (!r.standing || n.now >= r.at.add(n.p.cfg.MinPause))
	r.fresh = r.fresh || !prober && (!r.known || over)
	r.known, r.standing, r.at = true, true, n.now
	r.under |= setOf(v.Stage)
	if prober && v.Stage == Pending {
		o.pending = noHelp
	}
}

func (o *oracle) accepted(id string) { o.refusals[index(id)] = refusal{} }

// settle forgets what a settled handle may forget.
func (o *oracle) settle(n *node) {
	if n.p.Quiet() {
		o.refusals, o.unanswered = [5]refusal{}, false
	}
	for i := range o.refusals {
		if r := &o.refusals[i]; !r.known {
			*r = refusal{}
		}
	}
	if n.p.Phase() == Settled || n.p.Quiet() {
		o.withoutValue = ""
	}
	if !n.p.Phase().inRound() {
		o.informed, o.current, o.pending, o.shown = false, false, unknown, ""
	}
}

// check returns the rule that a state breaks, "" if it breaks none.
func (n *node) check() string {
	probers, inRound := 0, false
	for i := range n.callers {
		c := &n.callers[i]
		if c.prober {
			probers++
			inRound = c.at != pausing
		}
		if c.prober && c.at == done {
			return "R2: a call that is over is the prober"
		}
		if c.at == waiting && !n.p.Phase().HasProber() {
			return "R6: a call waits and there is no prober"
		}
	}
	switch {
	case n.o.violation != "":
		return n.o.violation
	case probers > 1:
		return "R1: two probers"
	case n.p.Phase().HasProber() != (probers == 1):
		return fmt.Sprintf("R2: phase %v with %d probers", n.p.Phase(), probers)
	case n.p.Phase().inRound() != inRound:
		return fmt.Sprintf("R3: phase %v, the prober in a round: %v", n.p.Phase(), inRound)
	case n.p.Phase() == Pinned != (n.p.pin.ID != "" && probers == 0):
		return fmt.Sprintf("the phase is %v and the pin %q", n.p.Phase(), n.p.pin.ID)
	case n.p.pin.ID != "" && n.p.rejectionOf(n.p.pin.ID) != nil:
		return fmt.Sprintf("the pinned version %s is remembered as rejected", n.p.pin.ID)
	case n.p.Phase() == Settled && !n.p.empty():
		return "R7: a settled handle remembers something"
	}
	return ""
}

// empty reports whether nothing is remembered.
func (p *Protocol) empty() bool {
	return p.Quiet() && p.labels == nil && p.seen == 0 && p.seenCurrent == "" && p.valueless == "" &&
		!p.news && !p.failed && p.delay == 0 && p.next == 0 && !p.first && p.round.outcomes == nil
}
