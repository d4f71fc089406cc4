package sim

import (
	"slices"
	"testing"
	"time"
)

// What is left of a plan is what it takes to fail, and it takes as little time.
func TestShrink(t *testing.T) {
	runs := 0
	fails := func(p *Plan) Violation { // a put of s1, and within its fault a rollback
		runs++
		put := slices.IndexFunc(p.Events, func(e Event) bool { return e.Kind == Put && e.Secret == 1 })
		fault := slices.IndexFunc(p.Events, func(e Event) bool { return e.Kind == Fault })
		if put < 0 || fault < 0 {
			return Violation{}
		}
		for _, e := range p.Events[put:] {
			if f := p.Events[fault]; e.Kind == Rollback && e.Secret == 1 && e.At > f.At && e.At < f.At+f.For {
				return Violation{Rule: Age, At: e.At}
			}
		}
		return Violation{}
	}
	var p *Plan
	for seed := uint64(1); ; seed++ {
		if p = Generate(seed, true); len(p.Secrets) < 2 {
			continue
		}
		p.Without([]string{string(Put), string(Rollback), string(Fault)})
		p.Events = append(p.Events,
			Event{Kind: Fault, At: time.Hour, For: 10 * time.Hour, Percent: 50},
			Event{Kind: Put, Secret: 1, At: time.Hour},
			Event{Kind: Rollback, Secret: 1, At: 4 * time.Hour})
		break
	}
	got, v := shrink(p, 2000, fails)
	if v.Rule != Age {
		t.Fatalf("got %v, want a violation of %s", v, Age)
	}
	kinds := map[Kind]int{}
	for _, e := range got.Events {
		kinds[e.Kind]++
	}
	if len(got.Events) != 3 || kinds[Put] != 1 || kinds[Rollback] != 1 || kinds[Fault] != 1 {
		t.Errorf("got events %v, want a put, a rollback and a fault", got.Events)
	}
	if got.End > time.Minute {
		t.Errorf("got a plan of %v, want one without idle time", got.End)
	}
	if runs > 2000 {
		t.Errorf("got %d runs, want no more than the budget", runs)
	}
}

// A plan that does not fail is left as it is.
func TestShrinkNothing(t *testing.T) {
	p := Generate(1, true)
	if got, v := shrink(p, 100, func(*Plan) Violation { return Violation{} }); got != p || v.Rule != "" {
		t.Errorf("got %v and %v, want the plan itself and no violation", got, v)
	}
}

// A seed always makes the same plan, and seeds make different ones.
func TestGenerate(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(200) {
		p := Generate(seed, true)
		if got, want := p.String(), Generate(seed, true).String(); got != want {
			t.Fatalf("seed %d: got\n%s\nwant\n%s", seed, got, want)
		}
		seen[p.String()] = true
		for i, e := range p.Events {
			if e.At < 0 || e.At >= p.End || e.For < 0 || e.Secret >= len(p.Secrets) || i > 0 && e.At < p.Events[i-1].At {
				t.Errorf("seed %d: got event %v out of place", seed, e)
			}
		}
	}
	if len(seen) != 200 {
		t.Errorf("got %d plans, want 200", len(seen))
	}
}
