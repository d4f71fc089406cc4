package main

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/lease"
)

// jitters are the settings of Options.EventJitter that the page has.
var jitters = []time.Duration{2 * time.Second, 3 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, time.Minute}

// allowed is the part of a quota that one rotation ought to take.
const allowed = 0.1

// A rollout is what one rotation of one secret costs that every process reads
// and is told of.
type rollout struct {
	jitter       time.Duration
	peak         [ops]float64 // calls of a second
	median, last time.Duration
}

// rollOut simulates a rotation in n processes.
func rollOut(jitter time.Duration, n int) rollout {
	m := newMeter()
	for i := range n {
		tell(policy{ttl: time.Hour, jitter: jitter}, i, m)
	}
	m.per = fleetSize // its figures are those of n processes
	r := rollout{jitter: jitter}
	for o := range ops {
		r.peak[o] = m.rate(o, steadyEnds, rotationsEnd).peak
	}
	slices.Sort(m.delays)
	r.median, r.last = m.delays[n/2], m.delays[n-1]
	return r
}

// tell lets process i have a fresh secret, and be told of its rotation.
func tell(p policy, i int, m *meter) {
	const secret = 0
	at := rotatesAt(secret)
	x := &instance{policy: p, rules: p.rules(), rnd: rand.New(rand.NewPCG(uint64(i), 13)), m: m, now: at - time.Minute}
	x.n++
	ck := lease.BeginUnknown(x.n)
	x.adopt(&x.leases[secret], &ck, secret)
	x.leases[secret].End(&x.rules, x.moment(), &ck)
	heap.Push(&x.due, wake{at + eventLatency, secret, true})
	for len(x.due) > 0 && x.due[0].at < at+2*p.jitter+time.Minute {
		w := heap.Pop(&x.due).(wake)
		x.now = w.at
		x.wake(w)
	}
}

// fits returns how many processes can read the same secret if the fetches of a
// rotation are to stay within the allowed part of the quota.
func (r rollout) fits() int {
	return int(fleetSize * allowed * quotas[get] / r.peak[get])
}

// jitterTable returns what rotations cost as a page has it.
func jitterTable() string {
	var b strings.Builder
	fmt.Fprintf(&b, "One secret that %d processes read rotates, and each is told of it.\n\n", fleetSize)
	fmt.Fprintf(&b, "| jitter | DescribeSecret, peak of a second | GetSecretValue, peak of a second | median | last | processes at %.0f %% of the quota |\n|---|---|---|---|---|---|\n", 100*allowed)
	for _, j := range jitters {
		r := rollOut(j, fleetSize)
		fmt.Fprintf(&b, "| %v | %s | %s | %s | %s | %d |\n", j, peakCell(r, describe), peakCell(r, get), delay(r.median), delay(r.last), r.fits())
	}
	return b.String()
}

func peakCell(r rollout, o op) string {
	return fmt.Sprintf("%.0f (%.1f %%)", r.peak[o], 100*r.peak[o]/quotas[o])
}
