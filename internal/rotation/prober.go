package rotation

import (
	"slices"
	"time"
)

// A round is the result of one round of the prober.
type round struct {
	informed  bool // the labels come from the service
	again     bool // the service was asked a second time
	blind     bool // the service did not answer the second time
	valueless bool // the pending version also had no value in the round before
	waits     bool // the prober waits for an answer of the service
	outcomes  []outcome
}

// An outcome is the result for the version that a label names. Without version
// ids, for instance if DescribeSecret is denied, only the label identifies it.
type outcome struct {
	stage, id string
	result    Result
}

// A Result says what happened to a version that the prober wanted to offer.
type Result uint8

// The results. Only the protocol itself sets offered and skipped.
const (
	none        Result = iota
	offered            // the resource accepted or rejected it
	skipped            // it turned out to be a version that may not be offered
	Absent             // no version has the label, or the version has no value
	Denied             // it may not be read
	Unusable           // it does not decode
	Unreachable        // the service did not answer, or the version is not in memory
)

func (r *round) of(stage, id string) Result {
	for _, o := range r.outcomes {
		if o.stage == stage && o.id == id {
			return o.result
		}
	}
	return none
}

func (r *round) wasOffered(id string) bool {
	return slices.ContainsFunc(r.outcomes, func(o outcome) bool { return o.id == id && o.result == offered })
}

// A Step is what the prober does next.
type Step struct {
	Do      Action
	Version         // Fetch: the version to get and offer; the id is empty if it is unknown
	Memory  bool    // Fetch: only if the version is in memory
	At      Instant // Pause: the end of the pause
}

// An Action is the kind of a [Step].
type Action uint8

// The actions.
const (
	Ask   Action = iota // ask the service for the labels: Informed or Uninformed
	Fetch               // get a version: Fetched or Missed
	Pause               // wait until At, or until TakeWake has reported true: StartRound
	Stop                // give up: Leave
)

// StartRound begins a round of the prober. The prober asks the service if a version
// was rejected since it last did so, and otherwise at growing intervals. spread
// scales the interval, in thousandths.
func (p *Protocol) StartRound(now Instant, current string, spread int64) {
	p.round, p.began = round{}, now
	p.phase = Asking
	switch {
	case p.news:
		p.delay = p.cfg.MinPoll
	case now < p.next:
		p.makeDo(now, current)
		return
	case p.failed:
		p.delay = min(p.cfg.MaxRetry, p.longer())
	default:
		p.delay = min(p.cfg.MaxPoll, p.longer())
	}
	p.news = false
	p.next = now.add(p.delay * time.Duration(spread) / 1000)
}

func (p *Protocol) longer() time.Duration { return max(p.cfg.MinPoll, p.delay+p.delay/2) }

// makeDo continues with the known labels, unless they are too old or the version
// that the client serves as current has changed since.
func (p *Protocol) makeDo(now Instant, current string) {
	p.phase = Probing
	p.dropOldLabels(now, current)
}

func (p *Protocol) dropOldLabels(now Instant, current string) {
	old := now >= p.seen.add(p.cfg.LabelsLast)
	if old || current != p.seenCurrent && current != p.labels[Current] {
		p.labels = nil
	}
}

// Uninformed records that the service did not return the labels.
func (p *Protocol) Uninformed(now Instant, current string) {
	p.failed, p.round.waits = true, false
	if p.round.again {
		p.phase, p.round.blind = Probing, true
		return
	}
	p.makeDo(now, current)
}

// Informed records the service's labels. labels is nil if the service returned only
// which version is current. current is the version that the client now serves.
func (p *Protocol) Informed(now Instant, labels Labels, current string) {
	p.phase, p.failed, p.round.informed, p.round.waits = Probing, false, true, false
	p.labels, p.seen, p.seenCurrent = labels, now, current
	if labels == nil || p.round.again {
		return // within a round each version is offered once
	}
	for i := range p.rejections {
		p.rejections[i].relabel(labels.of(p.rejections[i].id))
	}
}

// Next says what the prober does next. current is the version that the client
// serves as current.
func (p *Protocol) Next(c *Call, now Instant, current string) Step {
	switch p.phase {
	case Asking:
		p.round.waits = true
		return Step{Do: Ask}
	case Polling:
		return Step{Do: Pause, At: p.pauseEnd()}
	}
	if !p.round.informed {
		p.dropOldLabels(now, current) // a use may have taken long
	}
	if v, ok := p.nextCurrent(c, now, current); ok {
		return p.fetch(v)
	}
	if v, ok := p.candidate(c, now, Pending); ok {
		return p.fetch(v)
	}
	if p.shouldAskAgain() {
		p.round.again, p.round.waits = true, true
		p.phase = Asking
		return Step{Do: Ask}
	}
	if p.pendingIsNoHelp() {
		for _, stage := range p.lastStages() {
			if v, ok := p.candidate(c, now, stage); ok {
				return p.fetch(v)
			}
		}
	}
	p.phase, p.first, p.wake = Polling, false, true
	p.ended++
	if p.cfg.Once {
		return Step{Do: Stop}
	}
	return Step{Do: Pause, At: p.pauseEnd()}
}

// pauseEnd returns when the prober's next round begins: when it asks the service
// again, or earlier, when a version may be offered again that could not be offered
// in this round.
func (p *Protocol) pauseEnd() Instant {
	end := p.next
	for i := range p.rejections {
		r := &p.rejections[i]
		if at := max(r.again, r.at.add(p.cfg.pause(r.n))); r.again > 0 && at > p.began {
			end = min(end, at)
		}
	}
	return end
}

func (p *Protocol) fetch(v Version) Step {
	p.round.waits = true
	return Step{Do: Fetch, Version: v, Memory: !p.round.informed}
}

// nextCurrent returns the current version according to the service. If it is
// unknown or unreachable, nextCurrent returns the version that the client serves.
func (p *Protocol) nextCurrent(c *Call, now Instant, current string) (Version, bool) {
	if p.round.informed && p.labels != nil {
		if v, ok := p.candidate(c, now, Current); ok {
			return v, true
		}
		if p.currentKnown() {
			return Version{}, false
		}
	}
	v := Version{current, Current}
	return v, p.round.of(Current, current) == none && p.offerable(c, v, now)
}

// candidate returns the version that a label names, if it may be offered.
func (p *Protocol) candidate(c *Call, now Instant, stage string) (Version, bool) {
	v := Version{p.labels[stage], stage}
	switch {
	case !p.cfg.allows(stage) || p.round.of(stage, v.ID) != none:
		return v, false
	case p.labels == nil:
		return v, p.round.informed
	}
	return v, v.ID != "" && p.offerable(c, v, now)
}

func (p *Protocol) offerable(c *Call, v Version, now Instant) bool {
	return !p.round.wasOffered(v.ID) && p.mayOffer(v.ID, now) && p.mayUse(c, v.ID, v.Stage, now)
}

// shouldAskAgain reports whether finishSecret may have moved the labels in the
// meantime: the pending version was rejected, or could not be read in the prober's
// first round.
func (p *Protocol) shouldAskAgain() bool {
	if p.round.again || !p.round.informed {
		return false
	}
	switch p.round.of(Pending, p.labels[Pending]) {
	case offered:
		return true
	case Absent, Denied, Unreachable:
		return p.first
	}
	return false
}

// pendingIsNoHelp reports whether versions other than the current and the pending
// one may be offered: those two are known not to work, or not to exist.
func (p *Protocol) pendingIsNoHelp() bool {
	if !p.round.informed || p.round.blind {
		return false
	}
	if !p.currentKnown() {
		return false
	}
	if !p.cfg.allows(Pending) {
		return true
	}
	switch p.round.of(Pending, p.labels[Pending]) {
	case Unreachable:
		return false
	case Absent:
		return p.labels == nil || p.round.valueless
	}
	return true
}

// currentKnown reports whether the round could read the version that the service
// shows as current.
func (p *Protocol) currentKnown() bool {
	if p.labels == nil {
		return true
	}
	id := p.labels[Current]
	switch p.round.of(Current, id) {
	case Unreachable, Absent:
		return false
	}
	return id != ""
}

// lastStages returns the labels that come after the pending one.
func (p *Protocol) lastStages() []string {
	stages := []string{Previous}
	for _, stage := range p.cfg.Stages {
		if stage != Current && stage != Pending && stage != Previous {
			stages = append(stages, stage)
		}
	}
	return stages
}

// Fetched records that the version of a step was read, and has the given id. It
// reports whether the prober must offer it.
func (p *Protocol) Fetched(c *Call, s Step, id string, now Instant) bool {
	p.round.waits = false
	if s.Stage == Pending {
		p.valueless = ""
	}
	if p.offerable(c, Version{id, s.Stage}, now) {
		return true
	}
	p.note(s.Version, skipped)
	return false
}

// Missed records that the version of a step could not be read or used.
func (p *Protocol) Missed(s Step, why Result) {
	p.round.waits = false
	p.note(s.Version, why)
	if why == Unreachable && !s.Memory {
		p.failed = true
	}
	if s.Stage == Pending && why == Absent {
		p.round.valueless = p.valueless == s.ID
		p.valueless = s.ID
	}
}

func (p *Protocol) note(v Version, r Result) {
	p.round.outcomes = append(p.round.outcomes, outcome{v.Stage, v.ID, r})
}

// ProberRejected records that the resource rejected the version of a step, which
// has the given id.
func (p *Protocol) ProberRejected(c *Call, s Step, id string, now Instant) {
	p.note(s.Version, offered)
	if s.ID != id {
		p.note(Version{id, s.Stage}, offered)
	}
	p.reject(c, Version{id, s.Stage}, now)
}

// OfferAgain records when a version that was just rejected may be offered to the
// resource again. The prober then begins a round at this time or at the end of the
// version's pause, whichever is later, unless it asks the service earlier.
func (p *Protocol) OfferAgain(id string, at Instant) {
	if r := p.rejectionOf(id); r != nil {
		r.again = at
	}
}

// ProberAccepted records that the resource accepted a version that the prober
// offered. The version is pinned, unless the client serves it as current.
func (p *Protocol) ProberAccepted(c *Call, v Version, current string) {
	c.forget(v.ID)
	p.pin = Version{}
	if v.ID == current {
		p.settle()
		return
	}
	p.rejections = slices.DeleteFunc(p.rejections, func(r rejection) bool { return r.id == v.ID })
	p.pin = v
	p.wake = true
}

// Leave ends the prober's role, and another call may take it. With Config.Once, if
// the prober leaves while the service has yet to answer, the next prober's round
// begins by asking the service.
func (p *Protocol) Leave() {
	p.news = p.news || p.cfg.Once && p.round.waits
	p.phase, p.round, p.first, p.wake = Settled, round{}, false, true
	p.rest()
	if p.phase == Settled {
		p.settle()
	}
}
