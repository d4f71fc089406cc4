// Package region decides which of several regions is asked: the first that is
// healthy, in the order of preference, while those before it that failed are
// left alone and probed. It is a pure state machine. It takes no lock, starts no
// goroutine, reads no clock and makes no call; the caller tells it what happened
// and when.
package region

import "time"

// A Time is a moment in nanoseconds of a clock that the caller chooses, which may
// be set back.
type Time = int64

// Rules are the settings of a Health. They do not change.
type Rules struct {
	MinProbe time.Duration // from a first failure to the first probe, at most
	MaxProbe time.Duration // from one probe to the next, at most
}

// An Ask is one region to ask, by its place in the order of preference.
type Ask struct {
	Region int

	// Probe says that the region has failed, and that this call finds out whether
	// it still does. The next ask hardly waits for it.
	Probe bool

	// Resort says that the region has failed, and that it is asked only because
	// no other could be.
	Resort bool
}

// A Health knows which of the regions 0 to n-1 have failed. It is not safe for
// concurrent use.
//
// These rules hold for every plan:
//
//	H1 each region is in it once
//	H2 a region that has not failed comes before every resort, and among them
//	   the preferred one first
//	H3 a probe is of a region preferred to the first that has not failed, and of
//	   none that has been probed less than half its interval before
//	H4 a failed region that is preferred to the first healthy one is probed by the
//	   first plan after its interval, which is at most MaxProbe
//	H5 where no region has failed the plan is the order of preference
//	H6 a failure of a call that began before the region last answered changes
//	   nothing
type Health struct{ regions []state }

type state struct {
	failures int
	failed   Time // when it last did
	answered Time // when it last did
	known    bool // it has answered
	probe    Time // when it is probed next
}

// New returns the Health of n regions, none of which has failed.
func New(n int) Health { return Health{make([]state, n)} }

// Plan returns the order in which the regions are asked by one call. draw is at
// random from [0, 1).
func (h *Health) Plan(r *Rules, now Time, draw float64) []Ask {
	plan := make([]Ask, 0, len(h.regions))
	first := h.first()
	for i := range h.regions[:first] {
		if s := &h.regions[i]; s.due(now) && first < len(h.regions) {
			plan = append(plan, Ask{Region: i, Probe: true})
			s.probe = now + s.interval(r, draw)
		}
	}
	probes := plan
	for i := range h.regions {
		if h.regions[i].failures == 0 {
			plan = append(plan, Ask{Region: i})
		}
	}
	for i := range h.regions {
		if h.regions[i].failures > 0 && !asks(probes, i) {
			plan = append(plan, Ask{Region: i, Resort: true})
		}
	}
	return plan
}

func asks(plan []Ask, region int) bool {
	for _, a := range plan {
		if a.Region == region {
			return true
		}
	}
	return false
}

// first returns the preferred one of the regions that have not failed, their
// number if all have.
func (h *Health) first() int {
	for i := range h.regions {
		if h.regions[i].failures == 0 {
			return i
		}
	}
	return len(h.regions)
}

// due reports whether a failed region is to be probed. A clock that was set back
// keeps nobody from it.
func (s *state) due(now Time) bool { return now >= s.probe || now < s.failed }

// interval returns how long it is until the next probe: between half of its bound
// and all of it, so that many processes do not probe at once.
func (s *state) interval(r *Rules, draw float64) Time {
	bound := min(r.MaxProbe, r.MinProbe<<min(s.failures-1, 20))
	return Time(bound/2 + time.Duration(float64(bound/2)*draw))
}

// Failing reports whether a region has failed and not answered since.
func (h *Health) Failing(region int) bool { return h.regions[region].failures > 0 }

// Answered is an answer of a region, whatever it says. It reports whether the
// region had failed.
func (h *Health) Answered(region int, now Time) (recovered bool) {
	s := &h.regions[region]
	recovered = s.failures > 0
	*s = state{answered: now, known: true}
	return recovered
}

// Failed is a call begun at the given moment that a region did not answer. It
// reports whether it is the region's first failure since it last answered.
func (h *Health) Failed(r *Rules, region int, began, now Time, draw float64) (first bool) {
	s := &h.regions[region]
	if s.known && began < s.answered && s.answered <= now {
		return false
	}
	if s.failures > 0 && began < s.failed && s.failed <= now {
		return false // it was under way when the failure showed that is known
	}
	s.failures++
	s.failed = now
	s.probe = now + s.interval(r, draw)
	return s.failures == 1
}
