package rotation

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// limit is far above what any model needs: one that comes to it has grown
// without bound.
const limit = 20_000_000

// A graph is every state of a model, and every step between two.
type graph struct {
	m     *model
	index map[string]int32
	from  []int32 // the state that each was first reached from
	depth []int32
	steps [][]arc

	transitions int
}

type arc struct {
	to     int32
	who    int8
	accept bool
}

// explore visits every state, breadth first.
func (m *model) explore() (*graph, error) {
	g := &graph{m: m, index: map[string]int32{}}
	queue := []*node{m.start()}
	g.add(queue[0], 0)
	for at := int32(0); len(queue) > 0; at++ {
		n := queue[0]
		queue[0] = nil
		queue = queue[1:]
		var arcs []arc
		for _, e := range m.successors(n) {
			g.transitions++
			if e.to.o.broken != "" {
				return g, fmt.Errorf("%s\n%s", e.to.o.broken, g.history(at, e.to))
			}
			to, known := g.index[e.to.key()]
			if !known {
				if len(g.from) >= limit {
					return g, fmt.Errorf("cut short: more than %d states", limit)
				}
				to = g.add(e.to, at)
				queue = append(queue, e.to)
			}
			arcs = append(arcs, arc{to, int8(e.who), e.accept})
		}
		g.steps = append(g.steps, arcs)
	}
	return g, nil
}

func (g *graph) add(n *node, from int32) int32 {
	id := int32(len(g.from))
	g.index[n.key()] = id
	g.from = append(g.from, from)
	if id == 0 {
		g.depth = append(g.depth, 0)
	} else {
		g.depth = append(g.depth, g.depth[from]+1)
	}
	return id
}

// history tells how a state was reached, by walking the model again.
func (g *graph) history(at int32, last *node) string {
	ids := []int32{at}
	for at != 0 {
		at = g.from[at]
		ids = append(ids, at)
	}
	slices.Reverse(ids)
	n := g.m.start()
	lines := []string{n.String()}
	for _, id := range ids[1:] {
		for _, e := range g.m.successors(n) {
			if g.index[e.to.key()] == id {
				n = e.to
				break
			}
		}
		lines = append(lines, n.String())
	}
	return strings.Join(append(lines, last.String()), "\n")
}

// String tells what a reader of a history wants to know.
func (n *node) String() string {
	s := fmt.Sprintf("at %d moment %d cached %s: %v pin %v rejected %v", n.now, n.moment, n.cached, n.p.phase, n.p.pin, n.p.Rejections())
	for i := range n.callers {
		c := &n.callers[i]
		role := ""
		if c.prober {
			role = " prober"
		}
		s += fmt.Sprintf("; caller %d%s %s", i, role, [...]string{"ready", "using", "accepted", "rejected", "waiting", "asking", "fetching", "pausing", "done"}[c.at])
		if c.at == using {
			s += fmt.Sprint(" ", c.offered())
		}
	}
	return s
}

// stuck returns a state of a cycle that goes on for ever although everybody who
// can take a step takes one, and in which no use is accepted; -1 if there is
// none. Callers that are done do not count.
func (g *graph) stuck(alive func(id int32) bool) int32 {
	for _, component := range g.components() {
		in := map[int32]bool{}
		for _, id := range component {
			in[id] = true
		}
		if !g.cyclic(component, in) || !g.fair(component, in) {
			continue
		}
		if slices.ContainsFunc(component, alive) {
			return component[0]
		}
	}
	return -1
}

// cyclic reports whether a component is one.
func (g *graph) cyclic(component []int32, in map[int32]bool) bool {
	return len(component) > 1 || slices.ContainsFunc(g.steps[component[0]], func(a arc) bool { return in[a.to] && !a.accept })
}

// fair reports whether a component can be stayed in by weakly fair callers and
// time: whoever can take a step everywhere in it takes one within it.
func (g *graph) fair(component []int32, in map[int32]bool) bool {
	for who := int8(byTime); who < int8(g.m.callers); who++ {
		enabled, taken := true, false
		for _, id := range component {
			can := false
			for _, a := range g.steps[id] {
				if a.who == who {
					can = true
					taken = taken || in[a.to] && !a.accept
				}
			}
			enabled = enabled && can
		}
		if enabled && !taken {
			return false
		}
	}
	return true
}

// components returns the strongly connected components of the steps that accept
// nothing, by Tarjan's algorithm without recursion.
func (g *graph) components() (all [][]int32) {
	const unseen = -1
	n := len(g.steps)
	order, low := make([]int32, n), make([]int32, n)
	for i := range order {
		order[i] = unseen
	}
	onStack := make([]bool, n)
	var stack []int32
	type frame struct {
		id   int32
		next int
	}
	var count int32
	for root := range n {
		if order[root] != unseen {
			continue
		}
		frames := []frame{{int32(root), 0}}
		for len(frames) > 0 {
			f := &frames[len(frames)-1]
			if f.next == 0 {
				order[f.id], low[f.id] = count, count
				count++
				stack = append(stack, f.id)
				onStack[f.id] = true
			}
			down := false
			for f.next < len(g.steps[f.id]) && !down {
				a := g.steps[f.id][f.next]
				f.next++
				switch {
				case a.accept:
				case order[a.to] == unseen:
					frames = append(frames, frame{a.to, 0})
					down = true
				case onStack[a.to]:
					low[f.id] = min(low[f.id], order[a.to])
				}
			}
			if down {
				continue
			}
			if f.next == 0 {
				f.next = 1
			}
			id := f.id
			frames = frames[:len(frames)-1]
			if len(frames) > 0 {
				up := frames[len(frames)-1].id
				low[up] = min(low[up], low[id])
			}
			if low[id] == order[id] {
				var component []int32
				for {
					top := stack[len(stack)-1]
					stack = stack[:len(stack)-1]
					onStack[top] = false
					component = append(component, top)
					if top == id {
						break
					}
				}
				all = append(all, component)
			}
		}
	}
	return all
}

func TestExplore(t *testing.T) {
	for _, m := range models() {
		if m.full && os.Getenv("EXPLORE") != "full" || testing.Short() && m.callers > 2 {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			start := time.Now()
			g, err := m.explore()
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %d states, %d transitions, depth %d, %v", m.name, len(g.from), g.transitions, slices.Max(g.depth), time.Since(start).Round(time.Millisecond))
			if !m.healthy {
				return
			}
			if id := g.stuck(m.unserved(g)); id >= 0 {
				t.Errorf("R5: for ever without an acceptance:\n%s", g.history(id, m.start()))
			}
		})
	}
}

// unserved returns a function that reports whether somebody in a state still
// wants a version, and the script has come to its end.
func (m *model) unserved(g *graph) func(int32) bool {
	wanting := make([]bool, len(g.from))
	for key, id := range g.index {
		done := true
		for i := range m.callers {
			done = done && place(key[callerAt(i)]) == done0
		}
		wanting[id] = !done && int(key[0]) == len(m.script)-1
	}
	return func(id int32) bool { return wanting[id] }
}

const done0 = done
