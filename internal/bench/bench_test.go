package main

import (
	"bufio"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A machine that is busy in some rounds slows both sides of those.
func TestRatiosAreOfOneRound(t *testing.T) {
	a := &bench{took: []float64{12, 130, 11, 125, 12}}
	b := &bench{took: []float64{10, 100, 10, 100, 10}}
	if got := a.beside(b); got != 1.2 {
		t.Errorf("ratio = %.2f, want 1.2, that of the quieter rounds", got)
	}
	if got := a.ns(); got != 12 {
		t.Errorf("ns = %v, want the median, 12", got)
	}
	if got := median([]float64{4, 1, 2, 3}); got != 2.5 {
		t.Errorf("median = %v, want 2.5", got)
	}
}

// What is over its limit is measured again, and is over it only if all rounds
// say so.
func TestOverTheLimitIsMeasuredAgain(t *testing.T) {
	before := flag.Lookup("test.benchtime").Value.String()
	flag.Set("test.benchtime", "10x")
	defer flag.Set("test.benchtime", before)
	one := func(b *testing.B) {
		for b.Loop() {
		}
	}
	for _, test := range []struct {
		most   float64
		rounds int
	}{{0, 5}, {1e9, 1}} {
		a, b := &bench{run: one, took: []float64{5}}, &bench{run: one, took: []float64{1}}
		remeasure(2, []limit{{of: a, beside: b, most: test.most}}, a, b)
		if got := len(a.took); got != test.rounds {
			t.Errorf("with a limit of %v: %d rounds, want %d", test.most, got, test.rounds)
		}
	}
}

func TestScalingIsBesideArithmetic(t *testing.T) {
	s := scaling{reads: []float64{1.3, 1.9, 1.2}, arithmetic: []float64{1.3, 2, 1.3}}
	if got := s.ratio(); got != 1 {
		t.Errorf("ratio = %v, want 1: the machine had no second core to give", got)
	}
}

var sample = regexp.MustCompile(`^Benchmark(\S+) \d+ [\d.e+]+ ns/op \d+ B/op \d+ allocs/op$`)

// samples counts the lines of each benchmark.
func samples(t *testing.T, text string) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		line := lines.Text()
		switch m := sample.FindStringSubmatch(line); {
		case m != nil:
			counts[m[1]]++
		case strings.HasPrefix(line, "Benchmark"):
			t.Errorf("no sample: %s", line)
		}
	}
	return counts
}

func TestWriteSamples(t *testing.T) {
	var b strings.Builder
	writeSamples(&b, "a processor", []*bench{{name: "ClientGet/name", took: []float64{12.5, 1234567}, n: []int{100, 1}}})
	if got := samples(t, b.String())["ClientGet/name"]; got != 2 {
		t.Errorf("%d samples, want 2:\n%s", got, b.String())
	}
	if !strings.Contains(b.String(), "\ncpu: a processor\n") {
		t.Errorf("no processor:\n%s", b.String())
	}
}

// Each release has as many samples of all that is measured as benchstat needs for
// a verdict.
func TestReleases(t *testing.T) {
	files, err := filepath.Glob("releases/v*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no releases: %v", err)
	}
	c := newClient(&service{}, 1)
	defer c.Close()
	more, end := work()
	defer end()
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		counts := samples(t, string(text))
		for _, b := range append(newReads(c).all(), more...) {
			if got := counts[b.name]; got < 9 {
				t.Errorf("%s: %d samples of %s, want at least 9", file, got, b.name)
			}
		}
	}
}
