package rotation

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// isGood reports whether the resource accepts a version that may be offered and
// that the service, or the memory, gives out.
func (m *model) isGood(moment int, cached string) bool {
	truth := &m.script[moment]
	accepts := func(stage, id string) bool {
		return id != "" && m.cfg.allows(stage) && strings.Contains(truth.accepts, id)
	}
	switch {
	case truth.down:
		return accepts(Current, cached)
	case accepts(Pending, truth.pending) && !truth.valueless && !m.denied, accepts("BLUE", truth.blue) && !m.undescribe:
		return true
	}
	return accepts(Current, truth.current) || accepts(Previous, truth.previous)
}

// components returns the strongly connected components of the states, by
// Tarjan's algorithm, along the links that follow allows.
func (x *exploration) components(follow func(link) bool) [][]uint32 {
	n := uint32(len(x.edges))
	number, low := make([]uint32, n), make([]uint32, n)
	on := make([]bool, n)
	var stack, path []uint32
	next := make([]int, n)
	var counter uint32
	var found [][]uint32
	for root := range n {
		if number[root] != 0 {
			continue
		}
		path = append(path, root)
		for len(path) > 0 {
			v := path[len(path)-1]
			if number[v] == 0 {
				counter++
				number[v], low[v] = counter, counter
				stack = append(stack, v)
				on[v] = true
			}
			deeper := false
			for next[v] < len(x.edges[v]) {
				l := x.edges[v][next[v]]
				next[v]++
				if !follow(l) {
					continue
				}
				if number[l.to] == 0 {
					path = append(path, l.to)
					deeper = true
					break
				}
				if on[l.to] {
					low[v] = min(low[v], number[l.to])
				}
			}
			if deeper {
				continue
			}
			path = path[:len(path)-1]
			if len(path) > 0 {
				up := path[len(path)-1]
				low[up] = min(low[up], low[v])
			}
			if low[v] == number[v] {
				i := slices.Index(stack, v)
				c := slices.Clone(stack[i:])
				stack = stack[:i]
				for _, s := range c {
					on[s] = false
				}
				found = append(found, c)
			}
		}
	}
	return found
}

// inside returns the links between states of a component.
func (x *exploration) inside(c []uint32) []link {
	in := map[uint32]bool{}
	for _, s := range c {
		in[s] = true
	}
	var links []link
	for _, s := range c {
		for _, l := range x.edges[s] {
			if in[l.to] {
				links = append(links, l)
			}
		}
	}
	return links
}

// stuck reports whether the states of a component can go on among themselves
// for ever without an acceptance, though every caller that can take a step for
// good takes one and the resource accepts something.
func (x *exploration) stuck(c []uint32) bool {
	links := x.inside(c)
	moves := func(who int8) bool { return slices.ContainsFunc(links, func(l link) bool { return l.who == who }) }
	if len(links) == 0 || !moves(byTime) || slices.ContainsFunc(links, func(l link) bool { return l.accept }) {
		return false
	}
	if !x.good[c[0]] || x.over[c[0]] {
		return false
	}
	for who := range int8(x.m.callers) {
		disabled := slices.ContainsFunc(c, func(s uint32) bool {
			return !slices.ContainsFunc(x.edges[s], func(l link) bool { return l.who == who })
		})
		if !disabled && !moves(who) {
			return false
		}
	}
	return true
}

// R5: no call is kept from a version that works, and none goes in circles while
// no time passes.
func TestLiveness(t *testing.T) {
	for _, m := range everyModel() {
		for _, m := range m.variants() {
			// That the answer of a resource is late makes no cycle. One caller
			// that comes again and again makes cycles, as it should.
			if m.late = false; m.again {
				continue
			}
			// Callers are told apart here, which makes several states of one.
			if os.Getenv("EXPLORE") == "full" {
				m.leaves = 0
			} else {
				m.callers = min(m.callers, 2)
			}
			t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) { m.testLiveness(t) })
		}
	}
}

func (m *model) testLiveness(t *testing.T) {
	x := m.explore(t, true)
	for _, c := range x.components(func(link) bool { return true }) {
		if x.stuck(c) {
			t.Fatalf("R5: %d states from which no call gets on, though the resource accepts a version\n%s", len(c), x.path(slices.Min(c)))
		}
	}
	for _, c := range x.components(func(l link) bool { return l.who != byTime }) {
		if slices.ContainsFunc(x.inside(c), func(l link) bool { return l.who != byTime }) {
			t.Fatalf("R5: %d states go in circles while no time passes\n%s", len(c), x.path(slices.Min(c)))
		}
	}
}
