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
		g.period(Event{Kind: Fault, Fault: pick(g, DescribeDenied, NoDescribe, PendingDenied, PendingLost, NoBatch)}, time.Minute, 5*time.Hour)
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

// cluster lets many things happen to a secret within seconds: what is right
// one by one may go wrong together.
func (g *generator) cluster(i int) {
	at, width := g.moment(), pick(g, 500*time.Millisecond, 3*time.Second, 15*time.Second)
	soon := func() time.Duration { return at + g.between(0, width) }
	short := func(e Event) {
		e.At, e.For, e.Percent, e.Secret = soon(), g.between(width/20, width), pick(g, 100, 60, 40), i
		g.add(e)
	}
	odd, slow := g.maybe(15), g.maybe(40)
	for range 3 + g.rnd.IntN(6) {
		switch g.rnd.IntN(12) {
		case 0, 1:
			g.add(g.version(Event{Kind: Put, At: soon(), Secret: i}, odd, slow))
		case 2:
			g.add(Event{Kind: Rollback, At: soon(), Secret: i})
		case 3:
			for k, kind := range []Kind{RotCreate, RotValue, RotSet, RotFinish} {
				g.add(Event{Kind: kind, At: at + width*time.Duration(k)/4 + g.between(0, width/4), Secret: i})
			}
		case 4, 5:
			for range 1 + g.rnd.IntN(3) {
				g.add(Event{Kind: Refresh, At: soon(), Secret: i})
			}
		case 6:
			short(Event{Kind: Fault, Fault: pick(g, transients...)})
		case 7:
			short(Event{Kind: Fault, Fault: pick(g, Denied, Denied, KMS, DescribeDenied, PendingLost, PendingLost, PendingDenied)})
		case 8:
			short(Event{Kind: Lag, By: g.between(width/10, 2*width)})
		case 9:
			short(Event{Kind: Slow, By: g.between(width/10, 2*width)})
		case 10:
			if g.maybe(40) {
				g.add(Event{Kind: Delete, At: soon(), Secret: i, Force: g.maybe(50)})
				g.add(g.version(Event{Kind: Recreate, At: at + width, Secret: i, Force: g.maybe(15)}, odd, slow))
			}
		case 11:
			g.add(Event{Kind: Prefetch, At: soon(), Secret: -1})
		}
	}
	for range 1 + g.rnd.IntN(3) {
		e := g.reader(i, g.maybe(30))
		e.At, e.For, e.Every = max(0, at-g.between(0, width)), 4*width, g.between(width/30, width/5)
		g.add(e)
	}
	if g.plan.Secrets[i].Users > 0 && g.maybe(50) {
		g.add(Event{Kind: pick(g, Tries, Connects), At: soon(), For: 4 * width, Every: g.between(width/20, width/5),
			Secret: i, Par: 1 + g.rnd.IntN(3), Max: pick(g, 0, 1, 1)})
	}
	if g.maybe(10) {
		g.add(Event{Kind: Reopen, At: soon()})
		if g.maybe(40) {
			short(Event{Kind: Fault, Fault: Deaf, By: g.between(width, 20*width)})
		}
	}
	if g.maybe(15) { // seen by whoever still reads hours later
		e := g.reader(i, false)
		e.At, e.For = at+width, g.between(time.Hour, 6*time.Hour)
		e.Every = e.For / 80
		g.add(e)
	}
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
