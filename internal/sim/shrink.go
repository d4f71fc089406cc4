package sim

import (
	"cmp"
	"slices"
	"testing"
	"time"
)

// Shrink returns the shortest plan that it finds that breaks the same rule as p
// does, and the violation, which has no rule if p did not break it again in ten
// runs. budget bounds how many runs it takes.
func Shrink(t *testing.T, p *Plan, rule Rule, budget int) (*Plan, Violation) {
	return shrink(p, budget, func(p *Plan) Violation {
		for _, v := range Judge(Run(t, p)) {
			if v.Rule == rule {
				return v
			}
		}
		return Violation{}
	})
}

// shrink is Shrink where run tells what a plan breaks.
func shrink(p *Plan, budget int, run func(*Plan) Violation) (*Plan, Violation) {
	s := &shrinker{run: run, budget: budget, best: p}
	for range 10 { // chance may have a part in it
		if s.fails(p) {
			break
		}
	}
	if s.found.Rule == "" {
		return p, s.found
	}
	for before := -1; before != s.budget; {
		before = s.budget
		size := s.size()
		s.sort()
		s.end()
		s.events()
		s.shorten()
		s.plain()
		s.idle()
		if s.size() == size || s.budget <= 0 {
			break
		}
	}
	return s.best, s.found
}

type shrinker struct {
	run    func(*Plan) Violation // the zero Violation: it does not fail
	budget int
	best   *Plan
	found  Violation
}

func (s *shrinker) size() (n int) {
	for _, e := range s.best.Events {
		n += 1 + int(e.For/time.Second)
	}
	return n + int(s.best.End/time.Second)
}

// fails reports whether a plan breaks the rule, and keeps it if it does.
func (s *shrinker) fails(p *Plan) bool {
	if s.budget <= 0 {
		return false
	}
	tries := 3
	if seeded {
		tries = 1
	}
	for range tries {
		s.budget--
		if v := s.run(p); v.Rule != "" {
			s.best, s.found = p, v
			return true
		}
	}
	return false
}

// with returns a copy of the best plan with other events.
func (s *shrinker) with(events []Event) *Plan {
	p := *s.best
	p.Events = events
	return &p
}

// sort puts the events in order again after some were changed.
func (s *shrinker) sort() {
	slices.SortStableFunc(s.best.Events, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
}

// end lets the plan end soon after the violation.
func (s *shrinker) end() {
	if end := s.found.At + time.Second; end < s.best.End {
		var events []Event
		for _, e := range s.best.Events {
			if e.At <= end {
				events = append(events, e)
			}
		}
		p := s.with(events)
		p.End = end
		s.fails(p)
	}
}

// events drops events, many at a time at first.
func (s *shrinker) events() {
	for n := max(1, len(s.best.Events)/2); ; n /= 2 {
		for i := 0; i < len(s.best.Events); {
			rest := slices.Delete(slices.Clone(s.best.Events), i, min(i+n, len(s.best.Events)))
			if !s.fails(s.with(rest)) {
				i += n
			}
		}
		if n == 1 {
			return
		}
	}
}

// shorten makes lasting events shorter, at either end.
func (s *shrinker) shorten() {
	for i := range s.best.Events {
		for _, cut := range []time.Duration{2, 4, 8} {
			if e := s.best.Events[i]; e.For > time.Second {
				e.At, e.For = e.At+e.For/cut, e.For-e.For/cut
				s.replace(i, e)
			}
			if e := s.best.Events[i]; e.For > time.Second {
				e.For -= e.For / cut
				s.replace(i, e)
			}
		}
		if e := s.best.Events[i]; e.Every > 0 && e.Every < e.For {
			e.Every *= 4
			s.replace(i, e)
		}
	}
}

func (s *shrinker) replace(i int, e Event) {
	events := slices.Clone(s.best.Events)
	events[i] = e
	s.fails(s.with(events))
}

// plain takes away what is particular about events and options.
func (s *shrinker) plain() {
	for i := range s.best.Events {
		for _, simplify := range []func(*Event){
			func(e *Event) { e.Timeout = 0 },
			func(e *Event) { e.ID = ByName },
			func(e *Event) { e.Par = min(e.Par, 1) },
			func(e *Event) { e.Flavor = Good },
			func(e *Event) { e.Validate = 0 },
			func(e *Event) { e.Percent = min(100, e.Percent*100) },
			func(e *Event) { e.Force = false },
		} {
			e := s.best.Events[i]
			if simplify(&e); e != s.best.Events[i] {
				s.replace(i, e)
			}
		}
	}
	for _, simplify := range []func(*Settings){
		func(c *Settings) { c.MaxStale = 0 },
		func(c *Settings) { c.StaleWait = 0 },
		func(c *Settings) { c.FetchTimeout = 0 },
		func(c *Settings) { c.Size = 0 },
		func(c *Settings) { c.NoDescribe = false },
		func(c *Settings) { c.OnRead = false },
		func(c *Settings) { c.LogReads = false },
		func(c *Settings) { c.Replica = false },
	} {
		p := *s.best
		if simplify(&p.Client); p.Client != s.best.Client {
			s.fails(&p)
		}
	}
	for i := range s.best.Secrets {
		p := *s.best
		p.Secrets = slices.Clone(p.Secrets)
		if p.Secrets[i].Schedule != 0 {
			p.Secrets[i].Schedule = 0
			s.fails(&p)
		}
	}
}

// idle takes time away in which nothing begins.
func (s *shrinker) idle() {
	s.sort()
	for i := range s.best.Events {
		from := time.Duration(0)
		if i > 0 {
			from = s.best.Events[i-1].At
		}
		for _, part := range []time.Duration{1, 2} {
			gap := s.best.Events[i].At - from
			if gap <= time.Second {
				break
			}
			p := s.with(slices.Clone(s.best.Events))
			by := (gap - time.Millisecond) / part
			for j := i; j < len(p.Events); j++ {
				p.Events[j].At -= by
			}
			p.End -= by
			if s.fails(p) {
				break
			}
		}
	}
	s.secrets()
}

// secrets drops secrets that nothing happens to, from the last on.
func (s *shrinker) secrets() {
	for len(s.best.Secrets) > 1 {
		last := len(s.best.Secrets) - 1
		if slices.ContainsFunc(s.best.Events, func(e Event) bool { return e.Secret == last }) {
			return
		}
		p := *s.best
		p.Secrets = p.Secrets[:last]
		if !s.fails(&p) {
			return
		}
	}
}
