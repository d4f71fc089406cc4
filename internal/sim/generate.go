package sim

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Generate makes a plan of a seed. Each seed leaves most kinds of trouble out, a
// different choice each time, so that rules that hold where nothing is wrong are
// tried as well as those that always do.
func Generate(seed uint64, hazards bool) *Plan {
	g := &generator{rnd: rand.New(rand.NewPCG(seed, 7)), plan: &Plan{Seed: seed}, hazards: hazards}
	g.client()
	for i := range 1 + g.rnd.IntN(3) {
		g.secret(i)
	}
	g.troubles()
	g.own()
	if g.maybe(60) {
		for range 1 + g.rnd.IntN(3) {
			g.cluster(g.rnd.IntN(len(g.plan.Secrets)))
		}
	}
	g.plan.Events = slices.DeleteFunc(g.plan.Events, func(e Event) bool { return e.At >= g.plan.End })
	g.replica()
	slices.SortStableFunc(g.plan.Events, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
	return g.plan
}

// Without takes out events whose kind, fault, flavor or way to read is listed, to
// look past what is known to be broken.
func (p *Plan) Without(list []string) {
	p.Events = slices.DeleteFunc(p.Events, func(e Event) bool {
		return slices.ContainsFunc(list, func(s string) bool {
			return s != "" && (s == string(e.Kind) || s == string(e.Fault) || s == string(e.Flavor) || s == string(e.Read))
		})
	})
}

type generator struct {
	rnd     *rand.Rand
	plan    *Plan
	hazards bool // also what a client without defenses does not survive

}

func (g *generator) maybe(percent int) bool { return g.rnd.IntN(100) < percent }

func pick[T any](g *generator, from ...T) T { return from[g.rnd.IntN(len(from))] }

// between returns a duration, to the nanosecond, so that no two moments meet.
func (g *generator) between(a, b time.Duration) time.Duration {
	return a + time.Duration(g.rnd.Int64N(int64(max(1, b-a))))
}

func (g *generator) add(e Event) { g.plan.Events = append(g.plan.Events, e) }

// moment returns a moment at which a secret may change.
func (g *generator) moment() time.Duration { return g.between(time.Second, g.plan.End*9/10) }

func (g *generator) client() {
	c := &g.plan.Client
	c.TTL = pick(g, time.Minute, 5*time.Minute, 5*time.Minute, 20*time.Minute, time.Hour)
	c.OnRead = g.maybe(20)
	c.NoDescribe = g.maybe(7)
	c.LogReads = g.maybe(8)
	if g.maybe(30) {
		c.MaxStale = pick(g, -1, 2*c.TTL, 10*c.TTL)
	}
	if c.LogReads { // what is logged within a flight
		c.OnRead, c.MaxStale = g.maybe(60), pick(g, -1, 2*c.TTL)
	}
	if g.maybe(20) {
		c.StaleWait = pick(g, -1, 20*time.Millisecond, 2*time.Second)
	}
	if g.maybe(15) {
		c.FetchTimeout = pick(g, 300*time.Millisecond, 3*time.Second)
	}
	if g.maybe(12) {
		c.Size = 1 + g.rnd.IntN(2)
	}
	g.plan.End = g.between(15*c.TTL, min(72*time.Hour, 150*c.TTL))
	if g.hazards && g.maybe(4) {
		c.TTL = pick(g, time.Duration(math.MaxInt64), math.MaxInt64/2, math.MaxInt64/100*95)
	}
	if g.maybe(4) {
		c.MaxStale = math.MaxInt64
	}
}

// secret adds a secret, what becomes of it, and who reads it.
func (g *generator) secret(i int) {
	sp := SecretPlan{Name: pick(g, "app/key", "db", "a/b/c") + string(rune('0'+i))}
	if g.maybe(10) {
		sp.Name += "-abcdef" // as if it were the end of an ARN
	}
	if g.maybe(50) {
		sp.Users = 1 + g.rnd.IntN(2)
	}
	if g.maybe(15) {
		sp.Schedule = pick(g, 4*time.Hour, 24*time.Hour)
	}
	g.plan.Secrets = append(g.plan.Secrets, sp)
	odd, slow, aliases := g.maybe(20) || g.plan.Client.LogReads, g.maybe(15), g.maybe(35)
	from := len(g.plan.Events)
	for range g.rnd.IntN(5) {
		g.add(g.version(Event{Kind: Put, At: g.moment(), Secret: i}, odd, slow))
	}
	if g.maybe(60) {
		for range g.rnd.IntN(4) {
			g.rotation(i, odd, slow)
		}
	}
	if g.maybe(25) {
		for range 1 + g.rnd.IntN(3) {
			g.add(Event{Kind: Rollback, At: g.moment(), Secret: i})
		}
	}
	if sp.Users > 0 && g.maybe(15) {
		e := Event{Kind: Lock, At: g.moment(), Secret: i}
		g.add(e)
		e.Kind, e.At = Unlock, e.At+g.between(time.Second, 8*time.Hour)
		g.add(e)
	}
	if g.maybe(15) {
		g.add(Event{Kind: Label, At: g.moment(), Secret: i})
	}
	if g.maybe(25) {
		for range 1 + g.rnd.IntN(2) {
			g.recreation(i, odd, slow)
		}
	}
	g.readers(i, aliases, slices.Clone(g.plan.Events[from:]))
}

// version makes the value of the version that e makes an odd one, perhaps.
func (g *generator) version(e Event, odd, slow bool) Event {
	if odd && g.maybe(50) {
		e.Flavor = pick(g, Malformed, Invalid, Invalid, Panics, Exits)
	}
	if slow && g.maybe(60) {
		e.Validate = g.between(100*time.Millisecond, 6*time.Second)
	}
	return e
}

// rotation adds the four steps, which may die half-way and be taken up again.
func (g *generator) rotation(i int, odd, slow bool) {
	at := g.moment()
	step := func(k Kind) {
		g.add(g.version(Event{Kind: k, At: at, Secret: i, Force: g.maybe(30)}, odd && k == RotValue, slow && k == RotValue))
		if at += g.between(200*time.Millisecond, 20*time.Second); g.maybe(10) {
			at += g.between(0, 2*time.Hour)
		}
	}
	steps := []Kind{RotCreate, RotValue, RotSet, RotFinish}
	if g.maybe(20) { // its value is out of reach when it is needed
		g.add(Event{Kind: Fault, Fault: PendingLost, At: at, For: g.between(time.Minute, 10*time.Minute), Secret: i, Percent: pick(g, 30, 60, 90)})
	}
	if g.maybe(30) {
		for _, k := range steps[:1+g.rnd.IntN(3)] {
			step(k)
		}
		at += g.between(time.Minute, 6*time.Hour)
	}
	for _, k := range steps {
		step(k)
	}
}

// recreation deletes a secret and makes it again.
func (g *generator) recreation(i int, odd, slow bool) {
	at := g.moment()
	g.add(Event{Kind: Delete, At: at, Secret: i, Force: g.maybe(60)})
	at += pick(g, g.between(time.Millisecond, time.Second), g.between(time.Second, time.Hour))
	g.add(g.version(Event{Kind: Recreate, At: at, Secret: i, Force: g.maybe(15)}, odd, slow))
}

var readKinds = []ReadKind{
	ReadGet, ReadGet, ReadText, ReadJSON, ReadRef, ReadRefJSON, ReadRefJSON, ReadFunc, ReadStage, ReadID, ReadVersions, ReadVersions,
}

// readers adds who reads secret i: over long periods, and closely while
// something happens.
func (g *generator) readers(i int, aliases bool, changes []Event) {
	end, ttl := g.plan.End, min(g.plan.Client.TTL, time.Hour)
	for range 1 + g.rnd.IntN(4) {
		e := g.reader(i, aliases)
		e.At, e.For = g.between(0, end/2), g.between(end/20, end)
		e.Every = pick(g, ttl/20, ttl/5, ttl/2, 3*ttl)
		e.Every = g.between(max(e.Every, e.For/120), max(e.Every, e.For/120)*3/2)
		g.add(e)
	}
	for _, c := range changes {
		if !g.maybe(40) {
			continue
		}
		e := g.reader(i, aliases)
		e.At, e.For = max(0, c.At-g.between(0, 5*time.Second)), g.between(10*time.Second, time.Minute)
		e.Every = g.between(300*time.Millisecond, 2*time.Second)
		g.add(e)
	}
	if g.maybe(30) {
		g.add(Event{Kind: Watch, At: g.between(0, end/2), For: g.between(end/10, end), Secret: i, ID: g.form(aliases)})
	}
	if g.plan.Secrets[i].Users == 0 {
		return
	}
	for range 1 + g.rnd.IntN(2) {
		e := Event{Kind: pick(g, Tries, Connects), Secret: i, Par: 1 + g.rnd.IntN(4), ID: g.form(aliases)}
		e.At, e.For = g.between(0, end/2), g.between(end/10, end)
		e.Every = g.between(max(ttl/10, e.For/60), max(ttl/3, e.For/40))
		e.Max = pick(g, 0, 1, 1, 2)
		g.add(e)
		for _, c := range changes { // the same handle does not look more closely: another does
			if g.maybe(30) {
				e.At, e.For, e.Every = max(0, c.At-time.Second), g.between(20*time.Second, 3*time.Minute), g.between(500*time.Millisecond, 5*time.Second)
				e.Timeout = pick(g, 0, 0, g.between(10*time.Millisecond, 20*time.Second))
				g.add(e)
			}
		}
	}
}

func (g *generator) form(aliases bool) Form {
	if !aliases {
		return ByName
	}
	return pick(g, ByName, ByName, ByPartial, ByARN, ByOldARN)
}

func (g *generator) reader(i int, aliases bool) Event {
	e := Event{Kind: Reads, Secret: i, Read: pick(g, readKinds...), ID: g.form(aliases)}
	if e.Read == ReadStage {
		e.Stage = pick(g, "AWSPREVIOUS", "AWSPENDING", "AWSPREVIOUS", "canary")
	}
	if g.maybe(15) {
		e.Timeout = pick(g, time.Nanosecond, g.between(time.Millisecond, 40*time.Millisecond), g.between(time.Second, 5*time.Second))
	}
	return e
}
