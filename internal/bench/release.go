package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"strings"
	"testing"
)

// work returns what is timed for the file of a release beside hits: the ways to
// the service and back. The service answers at once, so the time is the library's.
func work() (benches []*bench, end func()) {
	c, cold := newClient(&service{}, 1024), newClient(&service{}, 1)
	c.Get(ctx, name)
	two := [2]string{"prod/one", "prod/two"} // a cache of one evicts each for the other
	return []*bench{
		{name: "Refresh/unchanged", run: func(b *testing.B) {
			for b.Loop() {
				c.Refresh(ctx, name)
			}
		}},
		{name: "ColdRead", run: func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				cold.Get(ctx, two[i%2])
			}
		}},
		{name: "Stats", run: func(b *testing.B) {
			for b.Loop() {
				c.Stats()
			}
		}},
	}, func() { c.Close(); cold.Close() }
}

// record writes the samples of benches to a file, and more of them that have no
// limit, in the format of Go's benchmarks: one line for each round, for benchstat.
func record(file string, rounds int, benches []*bench) {
	more, end := work()
	defer end()
	measure(rounds, more...)
	var text bytes.Buffer
	writeSamples(&text, cpu(), append(benches, more...))
	if err := os.WriteFile(file, text.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}

func writeSamples(w io.Writer, cpu string, benches []*bench) {
	fmt.Fprintf(w, "goos: %s\ngoarch: %s\ngo: %s\npkg: github.com/seed-74dc7b3e/secrets\n", runtime.GOOS, runtime.GOARCH, runtime.Version())
	if cpu != "" {
		fmt.Fprintf(w, "cpu: %s\n", cpu)
	}
	for _, b := range benches {
		for i, ns := range b.took {
			fmt.Fprintf(w, "Benchmark%s %d %.4g ns/op %d B/op %d allocs/op\n", b.name, b.n[i], ns, b.bytes, b.alloc)
		}
	}
}

// cpu returns the processor's name, or nothing where it is not known.
func cpu() string {
	info, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer info.Close()
	for lines := bufio.NewScanner(info); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
