package main

import (
	"cmp"
	"slices"
	"testing"
)

// A bench is one thing that is timed.
type bench struct {
	name  string // as the file of a release has it
	run   func(*testing.B)
	took  []float64 // nanoseconds, of each round
	n     []int     // iterations, of each round
	bytes int64     // allocated, of the round with most
	alloc int64     // allocations, likewise
}

// measure times all of them in turns, so that what else the machine does falls on
// all alike. Samples of earlier calls are kept.
func measure(rounds int, benches ...*bench) {
	for range rounds {
		for _, b := range benches {
			r := testing.Benchmark(b.run)
			b.took = append(b.took, float64(r.T.Nanoseconds())/float64(r.N))
			b.n = append(b.n, r.N)
			b.bytes = max(b.bytes, r.AllocedBytesPerOp())
			b.alloc = max(b.alloc, r.AllocsPerOp())
		}
	}
}

// ns returns the median.
func (b *bench) ns() float64 { return median(b.took) }

// beside returns how many times as long as another one it takes: the median of
// the ratios within each round, which were measured within a second, over the half
// of the rounds in which the two together took least. In the others the machine
// had more to do elsewhere.
func (b *bench) beside(other *bench) float64 {
	rounds := make([]int, len(b.took))
	for i := range rounds {
		rounds[i] = i
	}
	slices.SortFunc(rounds, func(i, j int) int {
		return cmp.Compare(b.took[i]*other.took[i], b.took[j]*other.took[j])
	})
	var ratios []float64
	for _, i := range rounds[:(len(rounds)+1)/2] {
		ratios = append(ratios, b.took[i]/other.took[i])
	}
	return median(ratios)
}

// A limit bounds how long a bench takes beside another one.
type limit struct {
	of, beside *bench
	most       float64
	text       string // what the limit is made of
}

func (l limit) passed() bool { return l.of.beside(l.beside) > l.most }

// remeasure measures again as long as a limit is passed, twice at most. A figure
// is over its limit only if the median over all rounds is.
func remeasure(rounds int, limits []limit, benches ...*bench) {
	for range 2 {
		if !slices.ContainsFunc(limits, limit.passed) {
			return
		}
		measure(rounds, benches...)
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
