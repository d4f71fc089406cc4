package lease

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// A search visits every state that a model can reach, breadth first, so that
// the first violation found has a history as short as any.
type search struct {
	m      *model
	index  map[state]uint32
	states []state
	from   []uint32 // the state that each was first reached from
	by     []event  // and the event that led there
	depth  []uint16

	transitions int
	at          uint32 // the state whose events are being tried
	violation   string
	last        event
}

// maxStates is far above what any sub-model needs: one that comes to it has
// grown without bound, and is not complete.
const maxStates = 60_000_000

func explore(t *testing.T, m *model) {
	t.Helper()
	began := time.Now()
	s := &search{m: m, index: map[state]uint32{}}
	s.add(m.first(), event{})
	for s.at = 0; int(s.at) < len(s.states); s.at++ {
		if len(s.states) > maxStates {
			t.Fatalf("cut short: more than %d states", maxStates)
		}
		if m.next(s.states[s.at], s.visit); s.violation != "" {
			t.Fatalf("%s\n%s", s.violation, s.history())
		}
	}
	t.Logf("%d states, %d transitions, depth %d, %v", len(s.states), s.transitions,
		s.depth[len(s.depth)-1], time.Since(began).Round(time.Millisecond))
	if missed := m.unseen(); len(missed) > 0 {
		t.Errorf("the model never came to: %v", missed)
	}
}

// visit takes what one event led to. violation says which rule it breaks, "" for
// none.
func (s *search) visit(by event, to state, violation string) {
	if s.violation != "" {
		return
	}
	s.transitions++
	if violation != "" {
		s.violation, s.last = violation, by
		return
	}
	s.add(to, by)
}

func (s *search) add(to state, by event) {
	if _, ok := s.index[to]; ok {
		return
	}
	s.index[to] = uint32(len(s.states))
	depth := uint16(0)
	if len(s.states) > 0 {
		depth = s.depth[s.at] + 1
	}
	s.states, s.from, s.by, s.depth = append(s.states, to), append(s.from, s.at), append(s.by, by), append(s.depth, depth)
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
		case f.Kind() == reflect.Array:
			for j := range f.Len() {
				fields = append(fields, fmt.Sprintf("check %d{%s}", j, plain(f.Index(j))))
			}
		default:
			fields = append(fields, fmt.Sprintf("%s:%v", name, f))
		}
	}
	return strings.Join(fields, " ")
}

// history tells how the violation came about.
func (s *search) history() string {
	lines := []string{fmt.Sprintf("%v", s.last)}
	for i := s.at; ; i = s.from[i] {
		lines = append(lines, "    "+plain(reflect.ValueOf(s.states[i])))
		if i == 0 {
			break
		}
		lines = append(lines, fmt.Sprintf("%v", s.by[i]))
	}
	slices.Reverse(lines)
	return strings.Join(lines, "\n")
}
