package rotation

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// An exploration visits every state of a model.
type exploration struct {
	m     *model
	live  bool // remember the steps, for liveness
	index map[string]uint32
	queue []*node

	from  []uint32 // by state: the one that it was first reached from
	via   []int8   // and whose step that was
	depth []uint16
	edges [][]link // by state, where live
	good  []bool   // by state: the resource accepts something that may be offered
	over  []bool   // by state: every call is over

	transitions, deepest int
}

// A link is an edge between numbered states.
type link struct {
	to     uint32
	who    int8
	accept bool
}

// limit is how many states an exploration may have; beyond it the test fails.
const limit = 3_000_000

func (m *model) explore(t *testing.T, live bool) *exploration {
	t.Helper()
	x := &exploration{m: m, live: live, index: map[string]uint32{}}
	x.add(m.start(), 0, byWorld, 0)
	var b []byte
	for at := 0; at < len(x.queue); at++ {
		n := x.queue[at]
		x.queue[at] = nil
		if broken := n.check(); broken != "" {
			t.Fatalf("%s\n%s", broken, x.path(uint32(at)))
		}
		if len(x.queue) > limit {
			t.Fatalf("cut short at %d states", len(x.queue))
		}
		enabled := false
		for _, e := range m.successors(n) {
			x.transitions++
			enabled = enabled || e.who >= 0
			b = m.key(e.to, live, b[:0])
			id, known := x.index[string(b)]
			if !known {
				id = x.add(e.to, uint32(at), int8(e.who), x.depth[at]+1)
			}
			if live {
				x.edges[at] = append(x.edges[at], link{id, int8(e.who), e.accept})
			}
		}
	}
	t.Logf("%s: %d states, %d transitions, depth %d, complete", m.name, len(x.queue), x.transitions, x.deepest)
	return x
}

func (x *exploration) add(n *node, from uint32, via int8, depth uint16) uint32 {
	id := uint32(len(x.queue))
	x.index[string(x.m.key(n, x.live, nil))] = id
	x.queue = append(x.queue, n)
	x.from = append(x.from, from)
	x.via = append(x.via, via)
	x.depth = append(x.depth, depth)
	x.deepest = max(x.deepest, int(depth))
	if x.live {
		x.edges = append(x.edges, nil)
		x.good = append(x.good, x.m.isGood(int(n.moment), n.cached))
		x.over = append(x.over, !slices.ContainsFunc(n.callers, func(c caller) bool { return c.at != done }))
	}
	return id
}

// path replays the way to a state.
func (x *exploration) path(id uint32) string {
	var ids []uint32
	for ; id != 0; id = x.from[id] {
		ids = append(ids, id)
	}
	var s strings.Builder
	n := x.m.start()
	for i := len(ids) - 1; i >= 0; i-- {
		for _, e := range x.m.successors(n) {
			if x.index[string(x.m.key(e.to, x.live, nil))] == ids[i] {
				n = e.to
				break
			}
		}
		s.WriteString(n.describe(int(x.via[ids[i]])))
	}
	return s.String()
}

// ticked returns intervals of a few ticks each.
func ticked(stages ...string) Config {
	return Config{MinPoll: 1, MaxPoll: 1, MaxRetry: 1, LabelsLast: 2, MinPause: 3, MaxPause: 3, Stages: stages}
}

// growing returns intervals that differ from each other, and grow.
func growing() Config {
	return Config{MinPoll: 2, MaxRetry: 3, MaxPoll: 4, LabelsLast: 5, MinPause: 6, MaxPause: 15}
}

// once returns cfg for calls that end with their first round.
func once(cfg Config) Config { cfg.Once = true; return cfg }

// hasty returns intervals of which the pause is the shortest.
func hasty() Config {
	return Config{MinPoll: 2, MaxRetry: 3, MaxPoll: 4, LabelsLast: 5, MinPause: 1, MaxPause: 2}
}

// The moments of a rotation.
var (
	single = []moment{
		{current: "1", previous: "0", accepts: "1"},
		{current: "1", previous: "0", pending: "2", valueless: true, accepts: "1"},
		{current: "1", previous: "0", pending: "2", accepts: "1"},
		{current: "1", previous: "0", pending: "2", accepts: "2"},
		{current: "2", previous: "1", accepts: "2"},
	}
	alternating = []moment{
		{current: "1", previous: "0", accepts: "01"},
		{current: "1", previous: "0", pending: "2", valueless: true, accepts: "01"},
		{current: "1", previous: "0", pending: "2", accepts: "01"},
		{current: "1", previous: "0", pending: "2", accepts: "12"},
		{current: "2", previous: "1", accepts: "12"},
	}
	// AWSPENDING stays on the version that became current.
	kept = []moment{single[2], single[3], {current: "2", previous: "1", pending: "2", accepts: "2"}}
	// The password is rolled back, then the labels, or the other way round.
	rollback = []moment{
		single[3], single[4],
		{current: "2", previous: "1", accepts: "1"},
		{current: "1", previous: "2", accepts: "1"},
	}
	labelsFirst = []moment{
		single[4],
		{current: "1", previous: "2", accepts: "2"},
		{current: "1", previous: "2", accepts: "1"},
	}
	// Somebody changed the password by hand: nothing works until a rotation.
	repair = []moment{
		{current: "1", previous: "0", accepts: ""},
		{current: "1", previous: "0", pending: "2", accepts: ""},
		{current: "1", previous: "0", pending: "2", accepts: "2"},
		{current: "2", previous: "1", accepts: "2"},
	}
	// A replica of the resource lags.
	replica = []moment{
		{current: "1", previous: "0", accepts: "1"},
		{current: "2", previous: "1", accepts: "1"},
		{current: "2", previous: "1", accepts: "2"},
	}
	// The service is down while the password changes, for a time or, where the
	// script goes no further, for good.
	outage = []moment{single[2], {current: "1", previous: "0", pending: "2", accepts: "2", down: true}, {current: "2", previous: "1", accepts: "2", down: true}, single[4]}
	// The client missed a rotation of alternating users: what it has is refused.
	behind = []moment{
		{current: "1", previous: "0", accepts: "01"},
		{current: "2", previous: "1", accepts: "2"},
		{current: "2", previous: "1", pending: "3", accepts: "2"},
		{current: "2", previous: "1", pending: "3", accepts: "23"},
		{current: "3", previous: "2", accepts: "23"},
	}
	custom = []moment{
		{current: "1", previous: "0", blue: "3", accepts: "1"},
		{current: "1", previous: "0", blue: "3", accepts: "3"},
		{current: "2", previous: "1", blue: "3", accepts: "3"},
	}
)

// everyModel returns the models. Each is explored with one kind of mishap at a
// time and, with EXPLORE=full, with all of them at once.
func everyModel() []model {
	c := ticked()
	return []model{
		// One caller at a time, again and again.
		{name: "single user, one at a time", script: single, cfg: growing(), callers: 1, again: true, late: true, lags: 1, faults: 2, leaves: 1, refreshes: 1, alone: true},
		{name: "alternating users, one at a time", script: alternating, cfg: growing(), callers: 1, again: true, late: true, lags: 2, faults: 2, leaves: 2, refreshes: 2, alone: true},
		{name: "pending kept, one at a time", script: kept, cfg: growing(), callers: 1, again: true, lags: 1, faults: 2, leaves: 1, refreshes: 1, alone: true},
		{name: "replica, one at a time", script: replica, cfg: growing(), callers: 1, again: true, lags: 1, faults: 1, leaves: 1, refreshes: 1, alone: true},
		// Two and three callers.
		{name: "single user", script: single, cfg: c, callers: 2, late: true, lags: 1, faults: 1, leaves: 1, refreshes: 1},
		{name: "single user, three", script: single[2:], cfg: c, callers: 3, late: true, leaves: 1, refreshes: 1},
		{name: "alternating users, three", script: alternating, cfg: c, callers: 3, again: true, late: true, lags: 1, leaves: 1, refreshes: 1},
		{name: "alternating users, behind", script: behind, cfg: c, callers: 2, lags: 1, faults: 1, leaves: 1, refreshes: 1},
		{name: "pending denied", script: single, cfg: c, callers: 2, few: 1, denied: true, lags: 1, faults: 1, leaves: 1, refreshes: 1},
		{name: "DescribeSecret denied", script: single, cfg: c, callers: 2, undescribe: true, lags: 1, faults: 1, leaves: 1, refreshes: 1},
		{name: "rollback", script: rollback, cfg: c, callers: 2, few: 1, back: true, faults: 1, leaves: 1, refreshes: 2},
		{name: "rollback, labels first", script: labelsFirst, cfg: c, callers: 3, few: 2, back: true, leaves: 1, refreshes: 2},
		{name: "repair", script: repair, cfg: c, callers: 2, few: 1, lags: 1, faults: 1, leaves: 1},
		{name: "replica", script: replica, cfg: c, callers: 2, late: true, faults: 1, leaves: 1, refreshes: 1},
		{name: "outage", script: outage, cfg: c, callers: 3, few: 2, late: true, leaves: 1, refreshes: 1},
		{name: "custom labels", script: custom, cfg: ticked("BLUE", Pending, Previous), callers: 2, lags: 1, faults: 1, leaves: 1},
		{name: "current alone", script: replica, cfg: ticked([]string{}...), callers: 2, lags: 1, faults: 1, leaves: 1, refreshes: 1},
		// Calls that end with the first round, and short pauses.
		{name: "once, one at a time", script: single, cfg: once(c), callers: 1, again: true, late: true, lags: 1, faults: 1, leaves: 1, refreshes: 1, alone: true},
		{name: "once", script: single[2:], cfg: once(c), callers: 3, few: 2, late: true, lags: 1, faults: 1, leaves: 1, refreshes: 1},
		{name: "once, behind, hasty", script: behind[1:], cfg: once(hasty()), callers: 2, lags: 1, faults: 1, leaves: 1, refreshes: 1},
		{name: "hasty", script: single, cfg: hasty(), callers: 2, few: 1, lags: 1, leaves: 1, refreshes: 1},
		{name: "hasty, rollback", script: rollback[1:], cfg: hasty(), callers: 2, few: 1, back: true, leaves: 1, refreshes: 2},
		{name: "growth", script: repair[:1], cfg: growing(), callers: 1},
		{name: "growth while the service is down", script: []moment{repair[0], {current: "1", accepts: "", down: true}}, cfg: growing(), callers: 1, again: true},
	}
}

// variants returns the model with one kind of mishap at a time, or with all.
func (m model) variants() []model {
	if os.Getenv("EXPLORE") == "full" {
		return []model{m}
	}
	plain := m
	plain.late, plain.lags, plain.faults, plain.leaves, plain.refreshes = false, 0, 0, 0, 0
	if m.few > 0 {
		plain.callers = m.few
	}
	var all []model
	add := func(what string, has bool, set func(*model)) {
		if has {
			v := plain
			v.name += ", " + what
			set(&v)
			all = append(all, v)
		}
	}
	add("late answers", m.late, func(v *model) { v.late = true })
	add("lag", m.lags > 0, func(v *model) { v.lags = m.lags })
	add("faults", m.faults > 0, func(v *model) { v.faults = m.faults })
	add("a caller leaves", m.leaves > 0, func(v *model) { v.leaves = m.leaves })
	add("refreshes", m.refreshes > 0, func(v *model) { v.refreshes = m.refreshes })
	if len(all) == 0 {
		all = []model{plain}
	}
	return all
}

// Every state of every model keeps R1 to R4, R6 and R7, offers no version on a
// guess and, where uses come one at a time, none twice in a rotation.
func TestExplore(t *testing.T) {
	for _, m := range everyModel() {
		for _, m := range m.variants() {
			t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
				began := time.Now()
				m.explore(t, false)
				t.Log(time.Since(began).Round(time.Millisecond))
			})
		}
	}
}
