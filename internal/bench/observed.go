package main

import (
	"fmt"
	"log"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// observed measures what it costs to look at the client, and to be told of what it
// does.
func observed(t *table, rounds int) {
	t.head("Looking at it")
	const n = 10_000
	c := newClient(&service{}, n)
	for i := range n {
		c.Get(ctx, fmt.Sprintf("prod/team-%d/service-%d", i%100, i))
	}
	status := best(10*rounds, 1, func() {
		for range c.Statuses() {
		}
	})
	stats := best(10*rounds, 1, func() { c.Stats() })
	c.Close()
	t.row("Statuses of 10,000 secrets", status/1e6, "ms", fmt.Sprintf("%.0f ns each", status/n), 0, 5*t.scale, fmt.Sprintf("5 ms x %.2f", t.scale))
	t.row("Stats with 10,000 secrets", stats/1e6, "ms", "", 0, 1*t.scale, fmt.Sprintf("1 ms x %.2f", t.scale))
	events(t, 30*rounds)
	fmt.Println()
}

// refreshAllocs is how often a refresh of an unchanged secret allocated before
// there were events.
const refreshAllocs = 36

// events measures what an event costs, on one core so that whoever is told of it
// is not told for free on another.
func events(t *table, rounds int) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var told int
	quiet := newClient(&service{}, 1)
	defer quiet.Close()
	heard, err := secrets.New(&service{value: login}, &secrets.Options{Size: 1, Logger: slog.New(slog.DiscardHandler), OnEvent: func(secrets.Event) { told++ }})
	if err != nil {
		log.Fatal(err)
	}
	defer heard.Close()
	quiet.Get(ctx, name)
	heard.Get(ctx, name)
	without, with := math.Inf(1), math.Inf(1)
	for range 10 { // in turns: the runtime adapts the stacks that it gives goroutines
		without = min(without, best(rounds/10, 100, func() { quiet.Refresh(ctx, name) }))
		with = min(with, best(rounds/10, 100, func() { heard.Refresh(ctx, name) }))
	}
	allocs := testing.AllocsPerRun(1000, func() { quiet.Refresh(ctx, name) })
	t.row("refresh, nobody told", allocs, "allocs", "before there were events", 0, refreshAllocs, fmt.Sprint(refreshAllocs))
	t.row("an event, told", with-without, "ns", fmt.Sprintf("a refresh %.0f ns", without), 0, 1000*t.scale, fmt.Sprintf("1000 ns x %.2f", t.scale))
	if told == 0 {
		log.Fatal("nobody was told of an event")
	}
}

// best returns the nanoseconds that fn takes in the best of some rounds of n calls:
// rounds so short that most are not interrupted.
func best(rounds, n int, fn func()) float64 {
	least := math.Inf(1)
	for range rounds {
		begin := time.Now()
		for range n {
			fn()
		}
		least = min(least, float64(time.Since(begin).Nanoseconds())/float64(n))
	}
	return least
}

// How many bytes larger than sdkalone the quick start was before it had status,
// events and Load, with go1.26 on linux/amd64, and what each that came since may
// add to it.
const (
	sizeBefore  = 774_182
	sizeSeen    = 100_000 // status, events, Load: 96 kB
	sizeRegions = 360_000 // replica regions, accounts, hints from events, the sealed snapshot
	sizeDecode  = 100_000 // required fields, strict structs, the kind that was found, texts for nil values
)

// binaries weighs what the library adds to a program that uses the SDK.
func binaries(t *table) {
	t.head("Binaries")
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	weigh := func(name string) float64 {
		out := filepath.Join(dir, name)
		build := exec.Command("go", "build", "-trimpath", "-o", out, "github.com/seed-74dc7b3e/secrets/internal/bench/"+name)
		build.Stderr = os.Stderr
		began := time.Now()
		if err := build.Run(); err != nil {
			log.Fatalf("building %s for %v: %v", name, time.Since(began), err)
		}
		info, err := os.Stat(out)
		if err != nil {
			log.Fatal(err)
		}
		return float64(info.Size())
	}
	with, without := weigh("quickstart"), weigh("sdkalone")
	limit := float64(sizeBefore + sizeSeen + sizeRegions + sizeDecode)
	t.row("quick start, beside the SDK alone", (with-without)/1000, "kB more", fmt.Sprintf("%.1f MB with the SDK alone", without/1e6), with/without, limit/1000, fmt.Sprintf("%.0f kB", limit/1000))
	fmt.Println()
}
