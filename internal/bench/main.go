// Command bench prints what the cache costs, each figure beside what it is
// compared with and its limit, in one run of about a minute. It exits with 1 if
// a limit is passed.
//
// Limits in nanoseconds are those of a processor on which golang-lru's Get
// takes 18 ns; on another they are scaled by what it takes there.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"
)

func main() {
	testing.Init()
	quick := flag.Bool("quick", false, "measure for a tenth of the time, roughly")
	flag.Parse()
	flag.Set("test.benchtime", "100ms")
	rounds, second := 9, 1.0
	if *quick {
		flag.Set("test.benchtime", "20ms")
		rounds, second = 5, 0.1
	}
	t := &table{}
	fmt.Printf("%s %s/%s, %d cores\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	hits(t, rounds)
	cores(t, second)
	calls(t)
	waiting(t, second)
	memory(t)
	inserts(t)
	observed(t, rounds)
	binaries(t)
	if t.over > 0 {
		fmt.Printf("\n%d of %d figures are over their limit\n", t.over, t.rows)
		os.Exit(1)
	}
	fmt.Printf("\nall %d figures are within their limits\n", t.rows)
}

// table prints figures and counts those over their limit.
type table struct {
	rows, over int
	scale      float64 // of this processor, beside the one that limits in nanoseconds are those of
}

func (t *table) head(title string) {
	fmt.Printf("%s\n  %-44s %12s   %-34s %8s   %-16s\n", title, "what", "measured", "compared with", "ratio", "limit")
}

// row prints a figure that may be at most limit.
func (t *table) row(what string, got float64, unit, with string, ratio float64, limit float64, limitText string) {
	t.print(what, got, unit, with, ratio, limitText, got <= limit)
}

func (t *table) print(what string, got float64, unit, with string, ratio float64, limit string, ok bool) {
	t.rows++
	verdict := "ok"
	if !ok {
		verdict = "OVER"
		t.over++
	}
	r := ""
	if ratio > 0 {
		r = fmt.Sprintf("%.2fx", ratio)
	}
	fmt.Printf("  %-44s %12s   %-34s %8s   %-16s %s\n", what, fmt.Sprintf("%.4g %s", got, unit), with, r, limit, verdict)
}
