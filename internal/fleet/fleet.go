// Command fleet simulates the calls of a fleet to AWS Secrets Manager. The fleet has
// 10,000 processes that read 200 secrets each. The simulation covers a rolling
// deploy, a rotation of every secret within an hour, an outage of an hour, and its
// end. It writes the table of docs/fleet.md.
//
// Every secret of every process is a lease of internal/lease with the client's
// rules. Time is virtual. The simulation omits the SDK's own retries, the time of
// calls (the table adds 40 ms per call to the delays of new versions), and the limit
// of 16 concurrent checks per process. Every secret is read all the time. Processes
// do not affect each other, so they are simulated one after the other.
//
//	go run ./internal/fleet            # some minutes; writes the table to stdout
//	go run ./internal/fleet -o docs/fleet.md -instances 10000
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// The fleet and its day.
const (
	fleetSize   = 10_000
	secretCount = 200

	deployEnds    = time.Hour     // the processes start, evenly
	steadyEnds    = 5 * time.Hour // some rounds of the longest TTL
	rotationsEnd  = 6 * time.Hour // each secret has rotated once since steadyEnds
	outageEnds    = 7 * time.Hour // nothing has answered since rotationsEnd
	recoveryEnds  = outageEnds + 40*time.Minute
	dayEnds       = 9 * time.Hour
	latency       = 40 * time.Millisecond // of a call
	eventLatency  = 300 * time.Millisecond
	readsEach     = time.Second // how often each secret is read, where that matters
	pricePerCall  = 0.05 / 10_000
	hoursPerMonth = 730
)

// rotatesAt returns when a secret's label moves.
func rotatesAt(secret int) time.Duration {
	return steadyEnds + (rotationsEnd-steadyEnds)*time.Duration(secret)/secretCount
}

// isOut reports whether the region is out of reach.
func isOut(at time.Duration) bool { return at >= rotationsEnd && at < outageEnds }

func main() {
	n := flag.Int("instances", fleetSize, "how many of the fleet's processes are simulated; figures are scaled")
	out := flag.String("o", "", "the page whose table is replaced; by default it is printed")
	flag.Parse()
	var results []result
	for _, p := range policies {
		began := time.Now()
		r := simulate(p, *n)
		fmt.Fprintf(os.Stderr, "%s: %v\n", p.name, time.Since(began).Round(time.Second))
		results = append(results, r)
	}
	t := table(results, *n) + jitterTable() + "\n"
	if *out == "" {
		fmt.Print(t)
		return
	}
	if err := replace(*out, t); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// The marks between which a page has the table.
const begins, ends = "<!-- fleet begins -->\n", "<!-- fleet ends -->\n"

// replace puts the table into a page.
func replace(page, table string) error {
	b, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(b), begins)
	_, after, ok2 := strings.Cut(rest, ends)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no place for the table", page)
	}
	return os.WriteFile(page, []byte(before+begins+table+ends+after), 0o644)
}
