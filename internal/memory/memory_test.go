//go:build linux

package main

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var asReader = flag.String("read", "", "be the process that reads, from the service at this `URL`")

func TestMain(m *testing.M) {
	flag.Parse()
	if *asReader != "" {
		read(*asReader, false)
		return
	}
	os.Exit(m.Run())
}

// A process that serves a secret has it in memory: docs/memory.md says so, and that
// there was none before.
func TestAServedSecretIsInMemory(t *testing.T) {
	counts, err := measure(os.Args[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(counts) != 4 {
		t.Fatalf("%d counts, want 4: %v", len(counts), counts)
	}
	if got := counts[0].copies; got != 0 {
		t.Errorf("%s: %d copies, want 0", counts[0].when, got)
	}
	for _, c := range counts[1:3] {
		if c.copies == 0 {
			t.Errorf("%s: no copy, want at least the cached one", c.when)
		}
	}
}

func TestSearchRange(t *testing.T) {
	value := []byte("correct horse battery staple")
	mem := make([]byte, 5<<20)
	copy(mem[100:], value)
	copy(mem[1<<20-3:], value) // across two steps
	copy(mem[4<<20+7:], value)
	if got := searchRange(bytes.NewReader(mem), 0, int64(len(mem)), value); got != 3 {
		t.Errorf("found %d copies, want 3", got)
	}
}
