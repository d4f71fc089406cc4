// Package rotation decides what one handle of a secret does while the secret is
// being rotated: which version a use is offered, who offers the others when a
// resource rejects it, in what order, and at what pace the service is asked. It
// knows version ids and staging labels. It knows no values, clocks, locks,
// goroutines and no SDK: it is told what happened and when, and it answers.
package rotation

import (
	"slices"
	"time"
)

// The staging labels that a rotation moves.
const (
	Current  = "AWSCURRENT"
	Pending  = "AWSPENDING"
	Previous = "AWSPREVIOUS"
)

// An Instant is a moment in nanoseconds on a clock that never goes back.
type Instant int64

func (i Instant) add(d time.Duration) Instant { return i + Instant(d) }

// A Config says how patient a handle is. Fields must be positive.
type Config struct {
	// MinPause is for how long a version is not offered again after its first
	// rejection. It doubles with each further one, up to MaxPause.
	MinPause, MaxPause time.Duration

	// MinPoll is the first interval at which the service is asked for other
	// versions when all were rejected. It grows by half, up to MaxPoll.
	MinPoll, MaxPoll time.Duration

	// MaxRetry bounds the interval while the service does not answer.
	MaxRetry time.Duration

	// LabelsLast is for how long labels are gone by when the service cannot be
	// asked, or should not be asked yet.
	LabelsLast time.Duration

	// Stages are the labels that may be offered. AWSCURRENT always may. Nil
	// means AWSCURRENT, AWSPENDING and AWSPREVIOUS; empty, AWSCURRENT alone.
	Stages []string

	// Once ends a call when a round has ended and nothing was accepted: its own
	// round as the prober, or the first that it waited for. Such a call is never
	// offered a version again that it rejected under the same label.
	Once bool
}

// Default returns the intervals of a handle without options.
func Default() Config {
	return Config{
		MinPause:   time.Minute,
		MaxPause:   15 * time.Minute,
		MinPoll:    250 * time.Millisecond,
		MaxPoll:    5 * time.Second,
		MaxRetry:   time.Second,
		LabelsLast: time.Minute,
	}
}

func (c *Config) allows(stage string) bool {
	if c.Stages == nil {
		return stage == Current || stage == Pending || stage == Previous
	}
	return stage == Current || slices.Contains(c.Stages, stage)
}

// A Phase is where a handle stands.
type Phase uint8

// The phases. Asking, Probing and Polling are those of a handle that has a
// prober.
const (
	Settled  Phase = iota // the current version works, as far as is known
	Pinned                // another version works in its place and is used first
	Rejected              // versions were rejected, and nobody offers others yet
	Asking                // the prober asks the service which labels there are
	Probing               // the prober offers versions
	Polling               // no version of the round was accepted: the prober waits to begin the next
)

// String returns the phase's name.
func (p Phase) String() string {
	return [...]string{"Settled", "Pinned", "Rejected", "Asking", "Probing", "Polling"}[p]
}

// HasProber reports whether somebody is the prober.
func (p Phase) HasProber() bool { return p >= Asking }

// inRound reports whether the prober is in the middle of a round.
func (p Phase) inRound() bool { return p == Asking || p == Probing }

// A Protocol is what a handle knows of the rotation of its secret. Make one
// with [New]. It is not safe for concurrent use.
//
// A use is one attempt with one version, a call is a caller's series of uses,
// and the prober is the one call that offers versions other than the one that
// was rejected. Its work goes in rounds: the service is asked for the labels,
// then each version that may be is offered once. These rules hold:
//
//	R1  There is one prober at most.
//	R2  A phase has a prober if and only if the prober's call lives.
//	R3  The phase is Asking or Probing if and only if the prober is in a round.
//	    Until the round ends nobody else is offered anything but a pin.
//	R4  No version is used within its pause. The pause of a rejected version
//	    grows with each rejection. It ends early when the version that worked in
//	    its place is rejected, and when the service shows the version under
//	    AWSCURRENT or AWSPENDING and it was never rejected under that label. A
//	    version that went from AWSCURRENT to AWSPREVIOUS has no more reason to
//	    work than before.
//	R5  While the resource accepts a version that may be offered, there is no
//	    deadlock, and no cycle without an acceptance in which every call that
//	    can take a step takes one.
//	R6  Those who wait look again when a round ends, when the prober leaves,
//	    when a version is pinned and when the handle settles.
//	R7  A settled handle remembers nothing.
//	R8  With Config.Once a call gives up when a round has ended since it became
//	    the prober or began to wait, and not before; nor while a question that a
//	    prober put to the service, and left, is open.
//
// AWSPREVIOUS and custom labels are offered only in a round whose labels come
// from the service, when its AWSCURRENT was offered or has a standing
// rejection, and when AWSPENDING is known to be of no help: there is none, the
// resource rejected it, it may not be read, it does not decode, or it was
// without a value in two rounds in a row. That AWSPENDING is out of reach at
// the moment is no such reason.
type Protocol struct {
	cfg   Config
	phase Phase
	pin   Version
	gen   uint64 // counts rejections
	ended uint64 // counts rounds that ended without an acceptance
	wake  bool   // those who wait should look again

	rejections []rejection // oldest first

	// What the prober knows of the service. It outlives the prober, so that
	// the next one does not ask sooner than the last one would have.
	labels      Labels  // as last seen, nil: not known
	seen        Instant // when labels were seen
	seenCurrent string  // what the client served as current then
	valueless   string  // the pending version that was last found without a value
	news        bool    // a version was rejected since the service was asked
	failed      bool    // the service did not answer when it was last asked
	delay       time.Duration
	next        Instant // when the service may be asked without news

	first bool    // the prober is in its first round
	began Instant // when the round began
	round round
}

// A Version is a version id and the label by which it is offered.
type Version struct{ ID, Stage string }

// Labels says which version id each staging label names. It must not be
// changed once it was handed over.
type Labels map[string]string

// New returns the protocol of a handle about which nothing is known.
func New(cfg Config) *Protocol { return &Protocol{cfg: cfg} }

// Phase returns where the handle stands.
func (p *Protocol) Phase() Phase { return p.phase }

// Pin returns the version that is used before the current one, if there is one.
func (p *Protocol) Pin() (v Version, ok bool) { return p.pin, p.pin.ID != "" }

// Quiet reports whether uses may pass with the current version and need not
// ask: nothing is pinned and nothing was rejected.
func (p *Protocol) Quiet() bool { return p.pin.ID == "" && len(p.rejections) == 0 }

// TakeWake reports whether those who wait should look again, once.
func (p *Protocol) TakeWake() bool {
	w := p.wake
	p.wake = false
	return w
}

// Rejections returns the versions that were rejected and are remembered, in
// the order of their last rejections.
func (p *Protocol) Rejections() []Attempt { return attempts(p.rejections) }

// Forget settles the handle: what was learnt belonged to another secret.
func (p *Protocol) Forget() {
	p.pin = Version{}
	p.settle()
}

// settle forgets everything learnt. A prober keeps its role, and ends its
// round with the version that the client serves as current.
func (p *Protocol) settle() {
	*p = Protocol{
		cfg:   p.cfg,
		phase: p.phase,
		gen:   p.gen,
		ended: p.ended,
		first: p.first,
		round: round{outcomes: p.round.outcomes},
		wake:  true,
	}
	p.rest()
}

// rest names the phase of a handle without a prober.
func (p *Protocol) rest() {
	switch {
	case p.phase.HasProber():
	case p.pin.ID != "":
		p.phase = Pinned
	case len(p.rejections) > 0:
		p.phase = Rejected
	default:
		p.phase = Settled
	}
}
