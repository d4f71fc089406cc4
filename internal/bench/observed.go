package main

import (
	"fmt"
	"log"
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
	status := &bench{run: func(b *testing.B) {
		for b.Loop() {
			for range c.Statuses() {
			}
		}
	}}
	stats := &bench{run: func(b *testing.B) {
		for b.Loop() {
			c.Stats()
		}
	}}
	measure(rounds, status, stats)
	c.Close()
	t.row("Statuses of 10,000 secrets", status.ns/1e6, "ms", fmt.Sprintf("%.0f ns each", status.ns/n), 0, 5*t.scale, fmt.Sprintf("5 ms x %.2f", t.scale))
	t.row("Stats with 10,000 secrets", stats.ns/1e6, "ms", "", 0, 1*t.scale, fmt.Sprintf("1 ms x %.2f", t.scale))
	events(t, rounds)
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
	heard, err := secrets.New(&service{value: login}, &secrets.Options{Size: 1, OnEvent: func(secrets.Event) { told++ }})
	if err != nil {
		log.Fatal(err)
	}
	defer heard.Close()
	refresh := func(c *secrets.Client) *bench {
		c.Get(ctx, name)
		return &bench{run: func(b *testing.B) {
			for b.Loop() {
				c.Refresh(ctx, name)
			}
		}}
	}
	without, with := refresh(quiet), refresh(heard)
	measure(rounds, without, with)
	t.row("refresh, nobody told", float64(without.allocs), "allocs", "before there were events", 0, refreshAllocs, fmt.Sprint(refreshAllocs))
	t.row("an event, told", with.ns-without.ns, "ns", fmt.Sprintf("a refresh %.0f ns", without.ns), 0, 1000*t.scale, fmt.Sprintf("1000 ns x %.2f", t.scale))
	if told == 0 {
		log.Fatal("nobody was told of an event")
	}
}

// sizeBefore is how many bytes larger than sdkalone the quick start was before it
// had status, events and Load, with go1.26 on linux/amd64.
const sizeBefore = 774_182

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
	limit := float64(sizeBefore + 100_000)
	t.row("quick start, beside the SDK alone", (with-without)/1000, "kB more", fmt.Sprintf("%.1f MB with the SDK alone", without/1e6), with/without, limit/1000, fmt.Sprintf("%.0f kB", limit/1000))
	fmt.Println()
}
