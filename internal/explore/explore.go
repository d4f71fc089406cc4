// Package explore visits every state that a model of a pure type can reach. It
// is for tests.
package explore

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Limit is far above what any complete exploration needs: a model that comes to
// it has grown without bound.
const Limit = 60_000_000

// A Visit takes what one event makes of a state. violation names the rule that
// is broken, "" if none is.
type Visit[S comparable, E any] func(by E, to S, violation string)

// A Result is what a complete exploration has visited. Depth is the length of
// the longest among the shortest ways to each state.
type Result struct{ States, Transitions, Depth int }

func (r Result) String() string {
	return fmt.Sprintf("%d states, %d transitions, depth %d", r.States, r.Transitions, r.Depth)
}

type search[S comparable, E any] struct {
	index  map[S]struct{}
	states []S
	from   []uint32 // the state that each was first reached from
	by     []E      // and the event that led there
	depth  []uint16

	transitions int
	at          int // the state whose events are being tried
	violation   string
	last        E
}

// All visits the states that next leads to from first, breadth first, so that
// the history which an error tells is one of the shortest. It is an error too
// if not all were visited.
func All[S comparable, E any](first S, next func(S, Visit[S, E])) (Result, error) {
	s := &search[S, E]{index: map[S]struct{}{}}
	var none E
	s.add(first, none, 0)
	for ; s.at < len(s.states); s.at++ {
		if len(s.states) > Limit {
			return Result{}, fmt.Errorf("cut short: more than %d states", Limit)
		}
		if next(s.states[s.at], s.visit); s.violation != "" {
			return Result{}, fmt.Errorf("%s\n%s", s.violation, s.history())
		}
	}
	return Result{len(s.states), s.transitions, int(s.depth[len(s.depth)-1])}, nil
}

func (s *search[S, E]) visit(by E, to S, violation string) {
	if s.violation != "" {
		return
	}
	s.transitions++
	if violation != "" {
		s.violation, s.last = violation, by
		return
	}
	s.add(to, by, s.depth[s.at]+1)
}

func (s *search[S, E]) add(to S, by E, depth uint16) {
	if _, ok := s.index[to]; ok {
		return
	}
	s.index[to] = struct{}{}
	s.states, s.from, s.by, s.depth = append(s.states, to), append(s.from, uint32(s.at)), append(s.by, by), append(s.depth, depth)
}

// history tells how the violation came about.
func (s *search[S, E]) history() string {
	lines := []string{fmt.Sprintf("==> %v", s.last)}
	for i := s.at; ; i = int(s.from[i]) {
		lines = append(lines, "    "+plain(reflect.ValueOf(s.states[i])))
		if i == 0 {
			break
		}
		lines = append(lines, fmt.Sprintf("==> %v", s.by[i]))
	}
	slices.Reverse(lines)
	return strings.Join(lines, "\n")
}

// plain names the fields that are not zero.
func plain(v reflect.Value) string {
	var fields []string
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		switch {
		case f.IsZero():
		case f.Kind() == reflect.Bool:
			fields = append(fields, name)
		case f.Kind() == reflect.Array && f.Type().Elem().Kind() == reflect.Struct:
			for j := range f.Len() {
				fields = append(fields, fmt.Sprintf("%s %d{%s}", name, j, plain(f.Index(j))))
			}
		default:
			fields = append(fields, fmt.Sprintf("%s:%v", name, f))
		}
	}
	return strings.Join(fields, " ")
}
