// Package rotation decides what one handle of a secret does during a rotation.
//
// It decides which version a use is offered. If a resource rejects that version,
// it decides which call offers other versions, in which order, and how often the
// service is asked. The package works with version ids and staging labels. It uses
// no values, clocks, locks, goroutines or SDK: the caller reports events with their
// times.
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

// An Instant is a time in nanoseconds on a monotonic clock.
type Instant int64

func (i Instant) add(d time.Duration) Instant { return i + Instant(d) }

// A Config sets the intervals of a handle. Durations must be positive.
type Config struct {
	// MinPause is how long a version is not offered again after its first
	// rejection. It doubles with each further rejection, up to MaxPause.
	MinPause, MaxPause time.Duration

	// MinPoll is the first interval at which the service is asked for other
	// versions after all were rejected. It grows by half, up to MaxPoll.
	MinPoll, MaxPoll time.Duration

	// MaxRetry limits the interval while the service does not answer.
	MaxRetry time.Duration

	// LabelsLast is how long known labels are used while the service cannot be
	// asked, or should not be asked yet.
	LabelsLast time.Duration

	// Stages are the labels that may be offered. AWSCURRENT is always
	// included. Nil means AWSCURRENT, AWSPENDING and AWSPREVIOUS; empty means
	// AWSCURRENT alone.
	Stages []string

	// Once ends a call when a round has ended without an acceptance: its own
	// round as the prober, or the first round that it waited for. The call is
	// never offered a version again that it rejected under the same label.
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

// A Phase is the state of a handle.
type Phase uint8

// The phases. In Asking, Probing and Polling the handle has a prober.
const (
	Settled  Phase = iota // the current version is believed to work
	Pinned                // another version works instead and is used first
	Rejected              // versions were rejected, and no call offers others yet
	Asking                // the prober asks the service for the labels
	Probing               // the prober offers versions
	Polling               // no version of the round was accepted: the prober waits for its next round
)

// String returns the phase's name.
func (p Phase) String() string {
	return [...]string{"Settled", "Pinned", "Rejected", "Asking", "Probing", "Polling"}[p]
}

// HasProber reports whether a call is the prober.
func (p Phase) HasProber() bool { return p >= Asking }

// inRound reports whether the prober is in the middle of a round.
func (p Phase) inRound() bool { return p == Asking || p == Probing }

// A Protocol is a handle's knowledge of the rotation of its secret. Make one with
// [New]. It is not safe for concurrent use.
//
// A use is one attempt with one version. A call is a caller's series of uses. The
// prober is the one call that offers versions other than the rejected one. It works
// in rounds: it asks the service for the labels, and then offers each permitted
// version once. These rules hold:
//
//	R1  There is at most one prober.
//	R2  A phase has a prober if and only if the prober's call is active.
//	R3  The phase is Asking or Probing if and only if the prober is in a round.
//	    Until the round ends, other calls are offered nothing but a pin.
//	R4  No version is used within its pause. The pause of a rejected version
//	    grows with each rejection. It ends early when the version that worked
//	    instead is rejected, and when the service shows the version under
//	    AWSCURRENT or AWSPENDING and it was never rejected under that label. A
//	    version that moved from AWSCURRENT to AWSPREVIOUS is no more likely to
//	    work than before.
//	R5  While the resource accepts a version that may be offered, there is no
//	    deadlock, and no cycle without an acceptance in which every call that
//	    can take a step takes one.
//	R6  Waiting calls are woken when a round ends, when the prober leaves, when
//	    a version is pinned and when the handle settles.
//	R7  A settled handle remembers nothing.
//	R8  With Config.Once, a call gives up when a round has ended since it became
//	    the prober or began to wait, and not earlier. It does not give up while
//	    the service has yet to answer a question of a prober that has left.
//
// AWSPREVIOUS and custom labels are offered only under three conditions. The
// labels of the round come from the service. Its AWSCURRENT was offered or has a
// standing rejection. AWSPENDING cannot help: it does not exist, the resource
// rejected it, it may not be read, it does not decode, or it had no value in two
// rounds in a row. A pending version that is temporarily unreachable does not meet
// the last condition.
type Protocol struct {
	cfg   Config
	phase Phase
	pin   Version
	gen   uint64 // counts rejections
	ended uint64 // counts rounds that ended without an acceptance
	wake  bool   // waiting calls should be woken

	rejections []rejection // oldest first

	// The prober's knowledge of the service. It outlives the prober, so that
	// the next prober does not ask sooner than the last one would have.
	labels      Labels  // as last seen; nil if unknown
	seen        Instant // when labels were seen
	seenCurrent string  // the version that the client served as current then
	valueless   string  // the pending version that last had no value
	news        bool    // a version was rejected since the service was last asked
	failed      bool    // the service did not answer when it was last asked
	delay       time.Duration
	next        Instant // when the service may be asked without news

	first bool    // the prober is in its first round
	began Instant // when the round began
	round round
}

// A Version is a version id and the label under which it is offered.
type Version struct{ ID, Stage string }

// Labels maps each staging label to a version id. Do not change it after it was
// passed on.
type Labels map[string]string

// New returns the protocol of a handle about which nothing is known yet.
func New(cfg Config) *Protocol { return &Protocol{cfg: cfg} }

// Phase returns the phase of the handle.
func (p *Protocol) Phase() Phase { return p.phase }

// Pin returns the version that is used instead of the current one, if there is one.
func (p *Protocol) Pin() (v Version, ok bool) { return p.pin, p.pin.ID != "" }

// Quiet reports whether uses can take the current version without calling Begin:
// nothing is pinned and nothing was rejected.
func (p *Protocol) Quiet() bool { return p.pin.ID == "" && len(p.rejections) == 0 }

// TakeWake reports whether waiting calls should be woken, and resets this.
func (p *Protocol) TakeWake() bool {
	w := p.wake
	p.wake = false
	return w
}

// Rejections returns the remembered rejected versions, in the order of their last
// rejections.
func (p *Protocol) Rejections() []Attempt { return attempts(p.rejections) }

// Forget settles the handle, because its knowledge belonged to another secret.
func (p *Protocol) Forget() {
	p.pin = Version{}
	p.settle()
}

// settle forgets everything learned. A prober keeps its role, and ends its round
// with the version that the client serves as current.
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

// rest sets the phase of a handle without a prober.
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
