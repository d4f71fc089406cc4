package sim

import "time"

// troubles adds what is wrong with the service.
func (g *generator) troubles() {
	if g.maybe(40) {
		for range 1 + g.rnd.IntN(3) {
			g.period(Event{Kind: Fault, Fault: pick(g, transients...)}, time.Second, 2*time.Hour)
		}
	}
	if g.maybe(15) {
		g.period(Event{Kind: Fault, Fault: pick(g, Denied, KMS)}, time.Second, 20*time.Minute)
	}
	if g.maybe(20) {
		g.period(Event{Kind: Fault, Fault: pick(g, DescribeDenied, NoDescribe, PendingDenied, NoBatch)}, time.Minute, 5*time.Hour)
	}
	if g.maybe(25) {
		for range 1 + g.rnd.IntN(3) {
			g.period(Event{Kind: Lag, By: g.between(100*time.Millisecond, longestLag/4)}, 10*time.Second, 30*time.Minute)
		}
	}
	if g.maybe(25) {
		g.period(Event{Kind: Slow, By: g.between(100*time.Millisecond, 12*time.Second)}, 10*time.Second, 30*time.Minute)
	}
	if g.maybe(5) {
		g.period(Event{Kind: Fault, Fault: Deaf, By: g.between(time.Second, 2*time.Minute)}, 10*time.Second, 30*time.Minute)
	}
	if g.hazards && g.maybe(5) {
		g.period(Event{Kind: Fault, Fault: Panic}, time.Second, 10*time.Minute)
	}
	if g.maybe(4) {
		g.period(Event{Kind: Fault, Fault: pick(g, transients...)}, 30*time.Hour, 40*time.Hour)
	}
}

// period adds a lasting event; near to something else that happens, mostly.
func (g *generator) period(e Event, least, most time.Duration) {
	e.Percent = pick(g, 100, 100, 60, 30)
	if e.Kind == Lag {
		e.Percent = pick(g, 90, 60, 40, 20)
	}
	e.Secret = pick(g, -1, 0)
	e.For = pick(g, g.between(least, min(most, max(2*least, time.Minute))), g.between(least, most))
	e.At = g.moment()
	if n := len(g.plan.Events); n > 0 && g.maybe(60) {
		e.At = max(0, g.plan.Events[g.rnd.IntN(n)].At-g.between(0, e.For))
	}
	g.add(e)
}

// own adds what the program does with its client beside reading.
func (g *generator) own() {
	near := func() time.Duration {
		if n := len(g.plan.Events); g.maybe(60) {
			return g.plan.Events[g.rnd.IntN(n)].At + g.between(0, 3*time.Second)
		}
		return g.moment()
	}
	for i := range g.plan.Secrets {
		if g.maybe(30) {
			for range 1 + g.rnd.IntN(4) {
				e := Event{Kind: Refresh, At: near(), Secret: i, ID: g.form(g.maybe(30))}
				if g.maybe(20) {
					e.Timeout = g.between(time.Millisecond, 200*time.Millisecond)
				}
				g.add(e)
			}
		}
	}
	if g.maybe(15) {
		g.add(Event{Kind: State, At: near(), Secret: 0})
	}
	if g.maybe(20) {
		for range 1 + g.rnd.IntN(2) {
			g.add(Event{Kind: Prefetch, At: near(), Secret: -1, ID: g.form(g.maybe(30))})
		}
	}
	if g.maybe(15) {
		g.add(Event{Kind: Reopen, At: near()})
	}
}
