// Package region decides which of several regions to ask. It selects the first
// healthy region in the order of preference. Failed regions before that one are
// skipped and probed now and then. The package is a pure state machine: it takes
// no lock, starts no goroutine, reads no clock and makes no call. The caller
// reports events with their times.
package region

import "time"

// A Time is a time in nanoseconds on a clock that the caller chooses. The clock may
// be set back.
type Time = int64

// Rules are the settings of a Health. They do not change.
type Rules struct {
	MinProbe time.Duration // maximum time from a first failure to the first probe
	MaxProbe time.Duration // maximum time from one probe to the next
}

// An Ask is one region to ask, identified by its place in the order of preference.
type Ask struct {
	Region int

	// Probe says that the region has failed, and that this call finds out
	// whether it still fails. The next region is asked after a very short wait.
	Probe bool

	// Resort says that the region has failed, and that it is asked only if no
	// other region can be.
	Resort bool
}

// A Health records which of the regions 0 to n-1 have failed. It is not safe for
// concurrent use.
//
// These rules hold for every plan:
//
//	H1 each region is in the plan once
//	H2 regions that have not failed come before every resort, in the order of
//	   preference
//	H3 only a region that is preferred to the first healthy one is probed, and not
//	   within half its interval after its last probe
//	H4 a failed region that is preferred to the first healthy one is probed by the
//	   first plan after its interval, which is at most MaxProbe
//	H5 if no region has failed, the plan is the order of preference
//	H6 a failure of a call that began before the region last answered changes
//	   nothing
type Health struct{ regions []state }

type state struct {
	failures int
	failed   Time // when the region last failed
	answered Time // when the region last answered
	known    bool // the region has answered
	probe    Time // when the region is probed next
}

// New returns the Health of n regions, none of which has failed.
func New(n int) Health { return Health{make([]state, n)} }

// Plan returns the order in which one call asks the regions. draw is a random
// number in [0, 1).
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

// first returns the most preferred region that has not failed, or the number of
// regions if all have failed.
func (h *Health) first() int {
	for i := range h.regions {
		if h.regions[i].failures == 0 {
			return i
		}
	}
	return len(h.regions)
}

// due reports whether to probe a failed region. A clock that was set back does not
// prevent a probe.
func (s *state) due(now Time) bool { return now >= s.probe || now < s.failed }

// interval returns the time until the next probe: a random time between half of the
// limit and the limit, so that many processes do not probe at once.
func (s *state) interval(r *Rules, draw float64) Time {
	bound := min(r.MaxProbe, r.MinProbe<<min(s.failures-1, 20))
	return Time(bound/2 + time.Duration(float64(bound/2)*draw))
}

// Failing reports whether a region has failed and has not answered since.
func (h *Health) Failing(region int) bool { return h.regions[region].failures > 0 }

// Answered records any answer of a region. It reports whether the region had failed.
func (h *Health) Answered(region int, now Time) (recovered bool) {
	s := &h.regions[region]
	recovered = s.failures > 0
	*s = state{answered: now, known: true}
	return recovered
}

// Failed records that a region did not answer a call that began at the given time.
// It reports whether this is the region's first failure since its last answer.
func (h *Health) Failed(r *Rules, region int, began, now Time, draw float64) (first bool) {
	s := &h.regions[region]
	if s.known && began < s.answered && s.answered <= now {
		return false
	}
	if s.failures > 0 && began < s.failed && s.failed <= now {
		return false // the call was already under way when the known failure showed
	}
	s.failures++
	s.failed = now
	s.probe = now + s.interval(r, draw)
	return s.failures == 1
}
