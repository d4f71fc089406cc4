package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A section is what a page says of a policy.
type section struct {
	median, last time.Duration
	rows         map[string][]rate // by operation
}

var (
	heading = regexp.MustCompile(`^\*\*(.*)\*\*: new version after (\S+) \(median\) and (\S+) \(last\)`)
	figures = regexp.MustCompile(`(\d+) / (\d+)`)
)

// sections reads a table.
func sections(t *testing.T, page string) map[string]*section {
	t.Helper()
	found := map[string]*section{}
	var s *section
	for line := range strings.Lines(page) {
		if m := heading.FindStringSubmatch(line); m != nil {
			s = &section{rows: map[string][]rate{}}
			s.median, _ = time.ParseDuration(m[2])
			s.last, _ = time.ParseDuration(m[3])
			found[m[1]] = s
		}
		cells := strings.Split(line, "|")
		if s == nil || len(cells) != int(ops)+4 {
			continue
		}
		var rates []rate
		for _, cell := range cells[2 : ops+3] {
			var r rate
			if m := figures.FindStringSubmatch(cell); m != nil {
				r.mean, _ = strconv.ParseFloat(m[1], 64)
				r.peak, _ = strconv.ParseFloat(m[2], 64)
			}
			rates = append(rates, r)
		}
		s.rows[strings.TrimSpace(cells[1])] = rates
	}
	return found
}

func near(got, want, part float64) bool {
	return math.Abs(got-want) <= part*want+20
}

// TestPageIsCurrent compares the page with a run of a few of the processes.
func TestPageIsCurrent(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "fleet.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := sections(t, string(b))
	for _, p := range policies {
		s := page[p.name]
		if s == nil {
			t.Errorf("the page says nothing of %q", p.name)
			continue
		}
		if p.aws {
			continue // it takes long, and does not change
		}
		few := sections(t, table([]result{simulate(p, 20)}, 20))[p.name]
		if !near(few.median.Seconds(), s.median.Seconds(), 0.1) || !near(few.last.Seconds(), s.last.Seconds(), 0.1) {
			t.Errorf("%s: new versions after %v and %v; the page says %v and %v", p.name, few.median, few.last, s.median, s.last)
		}
		for row, rates := range s.rows {
			for o, want := range rates {
				if got := few.rows[row][o].mean; !near(got, want.mean, 0.2) {
					t.Errorf("%s, %s, %s: got %.0f calls a second; the page says %.0f", p.name, row, opNames[o], got, want.mean)
				}
			}
		}
	}
}

// TestTargets holds the page to what it promises.
func TestTargets(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "fleet.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := sections(t, string(b))
	if quick := page[policies[3].name]; quick.median >= 2*time.Second || quick.last >= 10*time.Second {
		t.Errorf("with events the median has a new version after %v and the last after %v", quick.median, quick.last)
	}
	for _, p := range policies[3:] {
		for _, row := range []string{"quiet", "recovery", "after"} {
			for o, r := range page[p.name].rows[row][:ops] {
				if r.peak >= quotas[o]*allowed {
					t.Errorf("%s, %s: %s has a peak of %.0f, a tenth of its quota or more", p.name, row, opNames[o], r.peak)
				}
			}
		}
	}
	for _, p := range policies[1:] {
		rows := page[p.name].rows
		usual := rows["quiet"][all].mean
		for _, row := range []string{"recovery", "after"} {
			if got := rows[row][all].peak; got > 2*usual {
				t.Errorf("%s, %s: a peak of %.0f calls a second, more than twice the mean of %.0f", p.name, row, got, usual)
			}
		}
	}
}

// TestJitter holds the page's table of jitters to a simulation, and the choice
// that it leaves to arithmetic.
func TestJitter(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "fleet.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want := jitterTable(); !strings.Contains(string(b), want) {
		t.Errorf("docs/fleet.md has another table of jitters than\n%s", want)
	}
	inTime := func(r rollout) bool { return r.median < 2*time.Second && r.last < 10*time.Second }
	for _, j := range jitters {
		r := rollOut(j, fleetSize)
		if inTime(r) && r.peak[get] < 0.25*quotas[get] {
			t.Errorf("jitter %v: half the fleet in %v with %.0f calls a second, which is against arithmetic", j, r.median, r.peak[get])
		}
	}
	const fits = 1_900 // processes, with the default jitter
	if r := rollOut(2*time.Second, fits); !inTime(r) || r.peak[get] >= allowed*quotas[get] || r.peak[describe] >= allowed*quotas[describe] {
		t.Errorf("%d processes: new version after %v (median) and %v (last), peaks of %v", fits, r.median, r.last, r.peak)
	}
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	write := func(s string) {
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a\n" + begins + "old\n" + ends + "b\n")
	if err := replace(path, "new\n"); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "a\n"+begins+"new\n"+ends+"b\n" {
		t.Errorf("got %q", b)
	}
	write("nothing")
	if err := replace(path, "new"); err == nil || !strings.Contains(fmt.Sprint(err), "no place") {
		t.Errorf("a page without marks: %v", err)
	}
	if err := replace(path+"x", "new"); !os.IsNotExist(err) {
		t.Errorf("no page: %v", err)
	}
}
