// Command bench prints what the cache costs. Each figure stands beside what it is
// compared with and its limit, in one run of about a minute. It exits with 1 if a
// limit is passed.
//
// Times are judged as ratios, by the median of those of the quieter half of rounds
// in which both sides were measured in turns; a ratio that is over its limit is measured again, twice at
// most, before it counts. Limits in nanoseconds are those of a processor on which
// golang-lru's Get takes 18 ns; on another they are scaled by what it takes there.
//
// With -record the samples go to a file in the format of Go's benchmarks as well.
// Folder releases has such a file for each release, made by make bench-record; make
// bench prints, by benchstat, how today's samples differ from the newest, and
// judges nothing by that, since another machine differs too.
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
	samples := flag.String("record", "", "`file` that samples are written to, in the format of Go's benchmarks")
	flag.Parse()
	flag.Set("test.benchtime", "60ms")
	rounds, second := 15, 0.7
	if *quick {
		flag.Set("test.benchtime", "20ms")
		rounds, second = 5, 0.1
	}
	t := &table{}
	fmt.Printf("%s %s/%s, %d cores\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	read := hits(t, rounds)
	if *samples != "" {
		record(*samples, rounds, read)
	}
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
