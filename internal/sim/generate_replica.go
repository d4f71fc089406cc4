package sim

import (
	"math/rand/v2"
	"time"
)

// replica gives some plans a replica region, which always lags a little, at times
// far, and outages of either region or of both. It draws by itself: the rest of a
// plan does not depend on it.
func (g *generator) replica() {
	g.rnd = rand.New(rand.NewPCG(g.plan.Seed, 11))
	if !g.maybe(25) || g.plan.Client.LogReads || g.plan.Client.NoDescribe {
		return
	}
	g.plan.Client.Replica = true
	add := func(e Event) {
		e.Secret = -1
		if e.Percent == 0 {
			e.Percent = 100
		}
		g.add(e)
	}
	add(Event{Kind: Lag, Where: Replica, For: g.plan.End, By: g.between(10*time.Millisecond, 2*time.Second)})
	for range g.rnd.IntN(3) {
		add(Event{Kind: Lag, Where: Replica, At: g.near(), For: g.between(time.Minute, 5*time.Hour), By: g.between(time.Second, longestLag)})
	}
	for range 1 + g.rnd.IntN(3) {
		e := Event{Kind: Fault, Fault: pick(g, outages...), Where: Primary, At: g.near(), For: g.between(time.Second, pick(g, time.Minute, 3*time.Hour))}
		add(e)
		if g.maybe(50) { // the other follows, or refuses
			e.Where, e.At, e.Fault = Replica, min(e.At+g.between(0, e.For), g.plan.End-time.Second), pick(g, Connection, Internal, Hang, Denied, Denied, KMS)
			add(e)
		}
	}
	for range g.rnd.IntN(3) {
		add(Event{Kind: Fault, Fault: pick(g, Connection, Internal, Hang, Denied, KMS), Where: Replica, Percent: pick(g, 100, 50), At: g.near(), For: g.between(time.Second, 3*time.Hour)})
	}
	if g.maybe(30) {
		add(Event{Kind: Slow, Where: Primary, By: g.between(100*time.Millisecond, 4*time.Second), Percent: pick(g, 100, 50), At: g.near(), For: g.between(time.Second, time.Hour)})
	}
}

// outages are how a region fails that cannot be asked.
var outages = []Class{Connection, Internal, Hang}

// near returns a moment, mostly shortly before something else happens.
func (g *generator) near() time.Duration {
	if n := len(g.plan.Events); n > 0 && g.maybe(60) {
		return max(0, g.plan.Events[g.rnd.IntN(n)].At-g.between(0, time.Minute))
	}
	return g.moment()
}
