package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Line says in a line what a violation is.
func (v Violation) Line() string {
	first, _, _ := strings.Cut(v.Text, "\n")
	return fmt.Sprintf("%s: %s", v.Rule, first)
}

// Tell writes a plan and what happened around a violation, for a person.
func Tell(p *Plan, w *World, v Violation) string {
	type line struct {
		at   time.Duration
		text string
	}
	var lines []line
	add := func(at time.Duration, text string) { lines = append(lines, line{at, text}) }
	if v.Secret != nil {
		for _, sn := range w.secrets[v.Secret.index].snaps {
			add(sn.at, fmt.Sprintf("%-14v s%d is %v", sn.at, v.Secret.index, sn))
		}
	}
	mine := func(s *Secret) bool { return v.Secret == nil || s == nil || s.index == v.Secret.index }
	for _, c := range w.calls {
		if mine(c.secret) {
			add(c.begin, c.String())
		}
	}
	for _, r := range w.reads {
		if mine(r.secret) {
			add(r.begin, r.String())
		}
	}
	for _, u := range w.uses {
		if u.version != nil && mine(u.version.inc.secret) {
			add(u.begin, u.String())
		}
	}
	for _, s := range w.sessions {
		add(s.opened, fmt.Sprintf("%-14v client %d opened", s.opened, s.n))
		if s.closing != never {
			add(s.closing, fmt.Sprintf("%-14v client %d closed", s.closing, s.n))
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return int(min(1, max(-1, a.at-b.at))) })
	var b strings.Builder
	fmt.Fprintf(&b, "%v\nwhat happened:\n", p)
	cut := 0
	for _, l := range lines {
		if l.at > v.At+time.Second {
			break
		}
		cut++
	}
	const most = 120 // before the violation
	if cut > most {
		fmt.Fprintf(&b, "... %d lines ...\n", cut-most)
	}
	for _, l := range lines[max(0, cut-most):cut] {
		b.WriteString(l.text + "\n")
	}
	fmt.Fprintf(&b, "BROKEN %s at %v: %s\n", v.Rule, v.At, v.Text)
	return b.String()
}

// A Summary is how much was simulated.
type Summary struct {
	Days                       float64
	Reads, Uses, Calls, Events int
}

// Add adds a run.
func (s *Summary) Add(w *World) {
	s.Days += w.plan.End.Hours() / 24
	s.Reads += len(w.reads)
	s.Uses += len(w.uses)
	s.Calls += len(w.calls)
	s.Events += len(w.plan.Events)
}

func (s Summary) String() string {
	return fmt.Sprintf("%.1f simulated days, %d events, %d reads, %d uses, %d calls", s.Days, s.Events, s.Reads, s.Uses, s.Calls)
}
