package region

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/seed-74dc7b3e/secrets/internal/explore"
)

// The model's unit of time is a tick of 1, its probes are 2 to 8 ticks apart.
var small = Rules{MinProbe: 4, MaxProbe: 8}

const (
	most   = 3 // regions
	oldest = 9 // ticks, more than any rule compares
)

// A modelState is a Health with its moments relative to now. It is comparable.
type modelState struct {
	count   int // of regions; the others do not exist
	regions [most]regionState
}

type regionState struct {
	failures                uint8
	failed, answered, probe int8
	known                   bool
	waited                  uint8 // ticks since the last probe, or the first failure
}

func (s modelState) load() Health {
	h := New(s.count)
	for i, r := range s.regions[:s.count] {
		h.regions[i] = state{failures: int(r.failures), failed: Time(r.failed), answered: Time(r.answered), known: r.known, probe: Time(r.probe)}
	}
	return h
}

// store is s with what h is now, as far as it can be told apart.
func (s modelState) store(h Health) modelState {
	for i, r := range h.regions {
		old := s.regions[i]
		n := regionState{failures: uint8(min(r.failures, 3)), known: r.known, waited: old.waited}
		if n.failures > 0 {
			n.failed, n.probe = int8(max(-oldest, r.failed)), int8(max(-1, r.probe))
		} else {
			n.waited = 0
		}
		if r.known && n.failures == 0 {
			n.answered = int8(max(-oldest, r.answered))
		}
		n.known = n.known && n.failures == 0
		s.regions[i] = n
	}
	return s
}

func TestExplore(t *testing.T) {
	count := 2
	if os.Getenv("EXPLORE") == "full" {
		count = most
	}
	got, err := explore.All(modelState{count: count}, func(s modelState, visit explore.Visit[modelState, string]) {
		passes(s, visit)
		for _, draw := range []float64{0, 0.999} {
			plans(s, draw, visit)
		}
		for i := range s.count {
			answers(s, i, visit)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(got)
}

// passes lets a tick pass.
func passes(s modelState, visit explore.Visit[modelState, string]) {
	for i := range s.regions {
		r := &s.regions[i]
		if r.failures > 0 {
			r.waited = min(oldest, r.waited+1)
			r.failed, r.probe = max(-oldest, r.failed-1), max(-1, r.probe-1)
		}
		if r.known {
			r.answered = max(-oldest, r.answered-1)
		}
	}
	visit("tick", s, "")
}

// plans makes a plan and holds the rules against it.
func plans(s modelState, draw float64, visit explore.Visit[modelState, string]) {
	h := s.load()
	plan := h.Plan(&small, 0, draw)
	n := s.store(h)
	for _, a := range plan {
		if a.Probe {
			n.regions[a.Region].waited = 0
		}
	}
	visit(fmt.Sprintf("plan %+v", plan), n, judge(s, plan))
}

// judge names the rule that a plan breaks.
func judge(s modelState, plan []Ask) string {
	healthy := func(i int) bool { return s.regions[i].failures == 0 }
	first := 0
	for first < s.count && !healthy(first) {
		first++
	}
	var seen, asked []int
	resorts := false
	for _, a := range plan {
		seen = append(seen, a.Region)
		r := s.regions[a.Region]
		switch {
		case a.Probe && (a.Region >= first || first == s.count || r.waited < 2):
			return fmt.Sprintf("H3: region %d is probed", a.Region)
		case !a.Probe && !a.Resort && (resorts || r.failures > 0):
			return fmt.Sprintf("H2: region %d comes after a resort, or has failed", a.Region)
		case !a.Probe && !a.Resort:
			asked = append(asked, a.Region)
		}
		resorts = resorts || a.Resort
	}
	if !slices.IsSorted(asked) {
		return "H2: not in the order of preference"
	}
	slices.Sort(seen)
	if !slices.Equal(seen, []int{0, 1, 2}[:s.count]) {
		return "H1: not each region once"
	}
	for i := range first {
		due := s.regions[i].waited >= uint8(small.MaxProbe)
		if probed := slices.Contains(plan, Ask{Region: i, Probe: true}); due && !probed && first < s.count {
			return fmt.Sprintf("H4: region %d is not probed", i)
		}
	}
	if first == 0 && len(asked) == s.count && plan[0].Region != 0 {
		return "H5: healthy, and not the preferred one first"
	}
	return ""
}

// answers lets calls of region i end, that began now or some time ago.
func answers(s modelState, i int, visit explore.Visit[modelState, string]) {
	h := s.load()
	h.Answered(i, 0)
	n := s.store(h)
	violation := ""
	if h.Failing(i) {
		violation = "an answer does not end the failures"
	}
	visit(fmt.Sprintf("answer of %d", i), n, violation)
	for _, began := range []Time{0, -1, -4} {
		for _, draw := range []float64{0, 0.999} {
			h := s.load()
			h.Failed(&small, i, began, 0, draw)
			n := s.store(h)
			if s.regions[i].failures != n.regions[i].failures || h.regions[i].probe > Time(s.regions[i].probe) {
				n.regions[i].waited = 0
			}
			violation := ""
			if r := s.regions[i]; r.known && began < Time(r.answered) && h.Failing(i) {
				violation = "H6: a call that began before the last answer failed the region"
			}
			visit(fmt.Sprintf("failure of %d, begun at %d", i, began), n, violation)
		}
	}
}
