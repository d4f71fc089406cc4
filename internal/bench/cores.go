package main

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// cores measures how much more two cores read than one, beside what they do more
// of that shares nothing: arithmetic, in the same round. A second core that is busy
// with something else slows both.
func cores(t *table, second float64) {
	t.head("Two cores, counters on (medians of five interleaved rounds)")
	if runtime.NumCPU() < 2 {
		fmt.Println("  left out: this machine has one core")
		return
	}
	for _, n := range []int{1, 1000} {
		c := newClient(&service{}, 1024)
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("team-%d/service", i)
			c.Get(ctx, names[i])
		}
		var s scaling
		s.measure(c, names, second)
		if s.ratio() < leastScaling {
			s.measure(c, names, second)
		}
		what := fmt.Sprintf("Client.Get, hits of %d secrets", n)
		with := fmt.Sprintf("one core %.1f M/s, so %.2fx", median(s.one)/1e6, median(s.reads))
		t.print(what, median(s.two)/1e6, "M/s", with, s.ratio(), "0.9 of arithmetic", s.ratio() >= leastScaling)
		c.Close()
	}
	fmt.Println()
}

// leastScaling is the least part of arithmetic's scaling that reads have: 1.8
// where two cores are twice one.
const leastScaling = 0.9

// scaling is how much more two cores do than one, round by round.
type scaling struct {
	one, two          []float64 // reads a second
	reads, arithmetic []float64 // two cores beside one
}

func (s *scaling) measure(c *secrets.Client, names []string, second float64) {
	for range 5 {
		a, b := throughput(c, names, 1, second), throughput(c, names, 2, second)
		s.one, s.two, s.reads = append(s.one, a), append(s.two, b), append(s.reads, b/a)
		s.arithmetic = append(s.arithmetic, arithmetic(2, second)/arithmetic(1, second))
	}
}

func (s *scaling) ratio() float64 { return median(s.reads) / median(s.arithmetic) }

// throughput returns the hits a second of as many goroutines as cores.
func throughput(c *secrets.Client, names []string, cores int, second float64) float64 {
	return parallel(cores, second, func(i int, more func() bool) (n int) {
		for at := i * len(names) / 2; more(); {
			for range 10_000 {
				c.Get(ctx, names[at])
				if at++; at >= len(names) {
					at = 0
				}
			}
			n += 10_000
		}
		return n
	})
}

// arithmetic is throughput without anything that goroutines could share.
func arithmetic(cores int, second float64) float64 {
	return parallel(cores, second, func(_ int, more func() bool) (n int) {
		for x := uint64(1); more(); {
			for range 10_000 {
				x = x*6364136223846793005 + 1442695040888963407
			}
			n += 10_000 + int(x&1)
		}
		return n
	})
}

// parallel runs work on each of some cores until more returns false, and
// returns the sum of what it returns, a second.
func parallel(cores int, second float64, work func(i int, more func() bool) int) float64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	var wg sync.WaitGroup
	var total atomic.Int64
	begin := time.Now()
	end := begin.Add(time.Duration(second * float64(time.Second)))
	for i := range cores {
		wg.Go(func() {
			total.Add(int64(work(i, func() bool { return time.Now().Before(end) })))
		})
	}
	wg.Wait()
	return float64(total.Load()) / time.Since(begin).Seconds()
}
