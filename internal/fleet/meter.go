package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// An op is an operation of the service.
type op int

const (
	describe op = iota
	get
	batch
	ops
	all = ops // calls of any kind, in the same second
)

var opNames = [all + 1]string{"DescribeSecret", "GetSecretValue", "BatchGetSecretValue", "all"}

// quotas are calls a second, in a region and account. There is none for all.
var quotas = [all + 1]float64{40_000, 10_000, 100}

// rates are those of each operation, and of all.
type rates [all + 1]rate

// A meter counts the calls of each second, and how long new versions take.
type meter struct {
	calls   [ops][]uint32
	delays  []time.Duration // from a rotation until a process has the new version
	per     int             // instances that it has counted
	seconds int
}

func newMeter() *meter {
	m := &meter{seconds: int(dayEnds / time.Second)}
	for o := range m.calls {
		m.calls[o] = make([]uint32, m.seconds)
	}
	return m
}

func (m *meter) call(o op, at time.Duration) {
	if s := int(at / time.Second); s < m.seconds {
		m.calls[o][s]++
	}
}

// adopted notes that a process has a secret's new version. What was hindered by
// the outage is left out.
func (m *meter) adopted(secret int, at time.Duration) {
	if at < rotationsEnd {
		m.delays = append(m.delays, at-rotatesAt(secret))
	}
}

func (m *meter) add(o *meter) {
	for i := range m.calls {
		for s, n := range o.calls[i] {
			m.calls[i][s] += n
		}
	}
	m.delays = append(m.delays, o.delays...)
	m.per += o.per
}

// A rate is calls a second of a fleet.
type rate struct{ mean, peak float64 }

// of returns the counts of an operation, or of all.
func (m *meter) of(o op) [][]uint32 {
	if o == all {
		return m.calls[:]
	}
	return m.calls[o : o+1]
}

// rate returns that of an operation in a part of the day, as if the whole fleet
// had been simulated.
func (m *meter) rate(o op, from, to time.Duration) rate {
	scale := float64(fleetSize) / float64(m.per)
	var sum, peak uint64
	for s := from / time.Second; s < to/time.Second; s++ {
		var n uint64
		for _, calls := range m.of(o) {
			n += uint64(calls[s])
		}
		sum += n
		peak = max(peak, n)
	}
	return rate{scale * float64(sum) / (to - from).Seconds(), scale * float64(peak)}
}

// A result is what became of a policy.
type result struct {
	policy                   policy
	deploy, steady, rotation rates
	outage, recovery, after  rates
	median, last             time.Duration
	perMonth                 float64
}

// simulate runs n instances of the fleet, evenly chosen.
func simulate(p policy, n int) result {
	m := newMeter()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			own := newMeter()
			for i := w; i < n; i += runtime.GOMAXPROCS(0) {
				at := i * (fleetSize / n)
				if p.aws {
					runAWS(p, at, own)
				} else {
					run(p, at, own)
				}
				own.per++
			}
			mu.Lock()
			defer mu.Unlock()
			m.add(own)
		})
	}
	wg.Wait()
	return m.result(p)
}

func (m *meter) result(p policy) result {
	r := result{policy: p}
	for o := range all + 1 {
		r.deploy[o] = m.rate(o, 0, deployEnds)
		r.steady[o] = m.rate(o, deployEnds, steadyEnds)
		r.rotation[o] = m.rate(o, steadyEnds, rotationsEnd)
		r.outage[o] = m.rate(o, rotationsEnd, outageEnds)
		r.recovery[o] = m.rate(o, outageEnds, recoveryEnds)
		r.after[o] = m.rate(o, recoveryEnds, dayEnds)
	}
	r.perMonth = r.steady[all].mean * 3600 * hoursPerMonth * pricePerCall
	slices.Sort(m.delays)
	if n := len(m.delays); n > 0 {
		r.median, r.last = m.delays[n/2], m.delays[n-1]
	}
	return r
}

// table returns the results as a page has them.
func table(results []result, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d processes simulated of %d, with %d secrets each. Calls a second: mean / peak of a second, and the peak's part of the quota.\n\n", n, fleetSize, secretCount)
	for _, r := range results {
		fmt.Fprintf(&b, "**%s**: new version after %s (median) and %s (last); $%.0f a month on a quiet day.\n\n", r.policy.name, delay(r.median), delay(r.last), r.perMonth)
		fmt.Fprintf(&b, "| | %s |\n|---|---|---|---|---|\n", strings.Join(opNames[:], " | "))
		for _, part := range []struct {
			name  string
			rates rates
		}{{"deploy", r.deploy}, {"quiet", r.steady}, {"rotations", r.rotation}, {"outage (attempts)", r.outage}, {"recovery", r.recovery}, {"after", r.after}} {
			fmt.Fprintf(&b, "| %s |", part.name)
			for o := range all + 1 {
				fmt.Fprintf(&b, " %s |", cell(part.rates[o], quotas[o]))
			}
			b.WriteByte('\n')
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func cell(r rate, quota float64) string {
	if r.peak == 0 {
		return "none"
	}
	if quota == 0 {
		return fmt.Sprintf("%.0f / %.0f", r.mean, r.peak)
	}
	return fmt.Sprintf("%.0f / %.0f (%.1f %%)", r.mean, r.peak, 100*r.peak/quota)
}

func delay(d time.Duration) string {
	if d > time.Minute {
		return d.Round(time.Second).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
