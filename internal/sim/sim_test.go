package sim_test

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/sim"
)

// number returns an environment variable's number.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestSimulation runs SIM_SEEDS plans (100, or 25 with -short), from seed SIM_START on, and holds them
// to the rules of the oracle. SIM_SHRINK failing plans are shrunk and printed,
// SIM_RULE names the only rule that counts, SIM_WITHOUT kinds, faults and flavors
// of events that are left out of all plans, with commas between, and SIM_KEEP=1 prints the first as it is. SIM_HAZARDS=0 leaves out what ends
// the process of a client that does not guard against it.
func TestSimulation(t *testing.T) {
	usual := 100
	if testing.Short() {
		usual = 25
	}
	seeds, start := number(t, "SIM_SEEDS", usual), number(t, "SIM_START", 1)
	shrinks, budget := number(t, "SIM_SHRINK", 1), number(t, "SIM_RUNS", 600)
	hazards := number(t, "SIM_HAZARDS", 1) > 0
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // the same order each time
	alive := watchdog()

	var sum sim.Summary
	failed := map[sim.Rule][]uint64{}
	for seed := uint64(start); seed < uint64(start+seeds); seed++ {
		alive.Store(seed)
		p := sim.Generate(seed, hazards)
		p.Without(strings.Split(os.Getenv("SIM_WITHOUT"), ","))
		w := sim.Run(t, p)
		sum.Add(w)
		found := sim.Judge(w)
		if only := os.Getenv("SIM_RULE"); only != "" {
			found = slices.DeleteFunc(found, func(v sim.Violation) bool { return string(v.Rule) != only })
		}
		if len(found) == 0 {
			continue
		}
		rules := map[sim.Rule]bool{}
		for _, v := range found {
			if !rules[v.Rule] {
				rules[v.Rule] = true
				failed[v.Rule] = append(failed[v.Rule], seed)
			}
		}
		t.Errorf("seed %d: %s", seed, found[0].Line())
		if shrinks > 0 {
			shrinks--
			if os.Getenv("SIM_KEEP") != "" {
				t.Logf("as generated:\n%s", sim.Tell(p, w, found[0]))
			}
			short, v := sim.Shrink(t, p, found[0].Rule, budget)
			if v.Rule == "" {
				t.Logf("seed %d does not fail again in ten runs; this is how it failed:\n%s", seed, sim.Tell(p, w, found[0]))
				continue
			}
			t.Logf("the shortest history that was found:\n%s\nto repeat it:\n\tSIM_START=%d SIM_SEEDS=1 go test -count=1 -tags simseed -ldflags=-checklinkname=0 -run '^TestSimulation$' ./internal/sim",
				sim.Tell(short, sim.Run(t, short), v), seed)
		}
	}
	alive.Store(0)
	for _, rule := range sortedKeys(failed) {
		t.Logf("%-12s broken by %d seeds: %v", rule, len(failed[rule]), failed[rule])
	}
	t.Logf("%d seeds from %d: %v", seeds, start, sum)
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	var keys []K
	for k := range m {
		keys = append(keys, k)
	}
	for i := range keys {
		for j := i; j > 0 && keys[j] < keys[j-1]; j-- {
			keys[j], keys[j-1] = keys[j-1], keys[j]
		}
	}
	return keys
}

// watchdog ends the process if a seed hangs where the bubble can't tell, on a
// lock for instance. A seed of 0 means that none is under way.
func watchdog() *atomic.Uint64 {
	var seed atomic.Uint64
	go func() {
		for last, same := uint64(0), 0; ; {
			time.Sleep(time.Second)
			now := seed.Load()
			if same++; now != last || now == 0 {
				same = 0
			}
			if last = now; same >= 60 {
				fmt.Fprintf(os.Stderr, "seed %d makes no progress\n", now)
				debug.SetTraceback("all")
				panic("no progress")
			}
		}
	}()
	return &seed
}
