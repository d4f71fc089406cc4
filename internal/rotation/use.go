package rotation

import (
	"slices"
	"time"
)

// maxRejections is the maximum number of rejections that a handle remembers.
const maxRejections = 32

// A rejection records a version that the resource rejected.
type rejection struct {
	id    string
	stage string   // the label under which the version was last offered
	under labelSet // the labels that the version had when it was rejected
	at    Instant  // time of the last rejection
	seq   uint64   // place among the handle's rejections
	n     int      // rejections in a row; concurrent uses count as one
	fresh bool     // the service was not asked since: the label that it shows next is added to under
	lift  lift
	again Instant // when the version may be offered to the resource again; 0 if unknown
}

// lift says why a rejected version may be offered before its pause is over.
type lift uint8

const (
	standing lift = iota // it may not be offered
	pinGone              // the version that worked instead was rejected
	moved                // it came to a label under which it was not rejected
)

// labelSet is a set of the labels that a rotation moves.
type labelSet uint8

const (
	hadCurrent labelSet = 1 << iota
	hadPending
	hadPrevious
	hadOther // a custom label, or none
)

func setOf(stage string) labelSet {
	switch stage {
	case Current:
		return hadCurrent
	case Pending:
		return hadPending
	case Previous:
		return hadPrevious
	}
	return hadOther
}

// of returns the label under which a version would be offered.
func (l Labels) of(id string) string {
	for _, stage := range [...]string{Current, Pending, Previous} {
		if l[stage] == id {
			return stage
		}
	}
	return ""
}

// relabel records the label under which the service shows the version.
func (r *rejection) relabel(stage string) {
	set := setOf(stage)
	switch {
	case r.fresh:
		r.fresh = false
		r.under |= set
	case set&(hadCurrent|hadPending)&^r.under != 0:
		r.lift = moved
	}
}

// pause returns how long a version is not offered after n rejections in a row.
func (c *Config) pause(n int) time.Duration {
	d := c.MinPause
	for ; n > 1 && d < c.MaxPause; n-- {
		d *= 2
	}
	return min(d, c.MaxPause)
}

func (p *Protocol) over(r *rejection, now Instant) bool {
	return now >= r.at.add(p.cfg.pause(r.n))
}

func (p *Protocol) rejectionOf(id string) *rejection {
	for i := range p.rejections {
		if p.rejections[i].id == id {
			return &p.rejections[i]
		}
	}
	return nil
}

// mayOffer reports whether a version is not within a pause.
func (p *Protocol) mayOffer(id string, now Instant) bool {
	r := p.rejectionOf(id)
	return r == nil || r.lift != standing || p.over(r, now)
}

// A Call is the memory of one call of the handle: the versions that its own uses
// rejected. The call is not offered these again within their pauses, even if they
// worked for other calls. The zero Call is a call that begins.
type Call struct {
	own   []rejection
	round uint64 // the number of the first round that the call waited for; 0 if it did not wait
}

// Rejections returns the versions that the call's own uses rejected.
func (c *Call) Rejections() []Attempt { return attempts(c.own) }

// An Attempt is a version that was rejected.
type Attempt struct {
	Version
	Seq uint64 // place among the handle's rejections
}

func attempts(rejections []rejection) []Attempt {
	all := make([]Attempt, len(rejections))
	for i, r := range rejections {
		all[i] = Attempt{Version{r.id, r.stage}, r.seq}
	}
	return all
}

func (c *Call) indexOf(id string) int {
	return slices.IndexFunc(c.own, func(r rejection) bool { return r.id == id })
}

func (c *Call) reject(r rejection) {
	r.under = setOf(r.stage)
	if i := c.indexOf(r.id); i >= 0 {
		r.under |= c.own[i].under
		c.own = slices.Delete(c.own, i, i+1)
	}
	c.own = append(c.own, r)
}

func (c *Call) forget(id string) {
	if i := c.indexOf(id); i >= 0 {
		c.own = slices.Delete(c.own, i, i+1)
	}
}

// mayUse reports whether the call may be offered a version under a label.
func (p *Protocol) mayUse(c *Call, id, stage string, now Instant) bool {
	i := c.indexOf(id)
	if i < 0 || !p.cfg.Once && p.over(&c.own[i], now) {
		return true
	}
	if r := p.rejectionOf(id); r != nil {
		return r.lift == moved
	}
	return stage == Current && c.own[i].under&hadCurrent == 0
}

// A Turn is what a call does next.
type Turn struct {
	Do      Move
	Version        // to use
	Gen     uint64 // returned to the protocol by Accepted
}

// A Move is the kind of a [Turn].
type Move uint8

// The moves.
const (
	Use    Move = iota // use the version
	Wait               // wait until TakeWake has reported true
	Probe              // the call is the prober: StartRound, Next …, and Leave at the end
	GiveUp             // the call must not wait, or has already waited once
)

// Begin says what a call does next. current is the version that the client serves
// as current. If stays is false, the call does not wait and does not become the
// prober.
func (p *Protocol) Begin(c *Call, current string, now Instant, stays bool) Turn {
	if p.pin.ID != "" && p.pin.ID == current {
		p.pin = Version{}
		p.settle()
	}
	v := p.pin
	usable := v.ID != ""
	if !usable {
		v = Version{current, Current}
		usable = !p.phase.inRound() && p.rejectionOf(current) == nil
	}
	switch {
	case usable && p.mayUse(c, v.ID, v.Stage, now):
		return Turn{Do: Use, Version: v, Gen: p.gen}
	case !stays || p.cfg.Once && c.round > 0 && p.ended >= c.round:
		return Turn{Do: GiveUp}
	case p.phase.HasProber():
		if c.round == 0 {
			c.round = p.ended + 1
		}
		return Turn{Do: Wait}
	}
	p.phase, p.first = Polling, true
	return Turn{Do: Probe}
}

// Accepted records that the use of a turn was accepted. It settles the handle if no
// version is pinned and the use began after the last rejection, which was of
// another version.
func (p *Protocol) Accepted(t Turn) {
	if p.pin.ID == "" && t.Gen == p.gen && p.rejectionOf(t.ID) == nil && !p.Quiet() {
		p.settle()
	}
}

// Rejected records that the resource rejected a version that the call used.
func (p *Protocol) Rejected(c *Call, v Version, now Instant) {
	if p.reject(c, v, now) {
		p.rejectionOf(v.ID).fresh = true
		p.news = true
	}
}

// reject records a rejection, and reports whether it is news.
func (p *Protocol) reject(c *Call, v Version, now Instant) bool {
	p.gen++
	if p.pin.ID == v.ID {
		p.unpin()
	}
	r, known := p.takeRejection(v.ID, now)
	r.stage, r.at, r.seq, r.lift, r.again = v.Stage, now, p.gen, standing, 0
	r.under |= setOf(v.Stage)
	if len(p.rejections) >= maxRejections {
		p.rejections = slices.Delete(p.rejections, 0, 1)
	}
	p.rejections = append(p.rejections, r)
	c.reject(r)
	p.rest()
	return !known
}

// unpin drops the pin because it was rejected. The versions rejected before it may
// work again.
func (p *Protocol) unpin() {
	p.pin = Version{}
	for i := range p.rejections {
		p.rejections[i].lift = max(p.rejections[i].lift, pinGone)
	}
}

// takeRejection removes and returns the rejection of a version, so that the caller
// can record it anew. known says that the version is rejected within its pause: the
// use was already under way when another one was rejected.
func (p *Protocol) takeRejection(id string, now Instant) (r rejection, known bool) {
	i := slices.IndexFunc(p.rejections, func(r rejection) bool { return r.id == id })
	if i < 0 {
		return rejection{id: id, n: 1}, false
	}
	r = p.rejections[i]
	p.rejections = slices.Delete(p.rejections, i, i+1)
	switch {
	case r.lift != standing:
		r.n = 1
	case !p.over(&r, now):
		return r, true
	case p.cfg.pause(r.n) < p.cfg.MaxPause:
		r.n++
	}
	return r, false
}
