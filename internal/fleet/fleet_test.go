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
	figures = regexp.MustCompile(`(\d+) / (\d+) \(`)
)

// sections reads a table.
func sections(t *testing.T, page string) map[string]*section {
	t.Helper()
	all := map[string]*section{}
	var s *section
	for line := range strings.Lines(page) {
		if m := heading.FindStringSubmatch(line); m != nil {
			s = &section{rows: map[string][]rate{}}
			s.median, _ = time.ParseDuration(m[2])
			s.last, _ = time.ParseDuration(m[3])
			all[m[1]] = s
		}
		cells := strings.Split(line, "|")
		if s == nil || len(cells) != 6 {
			continue
		}
		var rates []rate
		for _, cell := range cells[2:5] {
			var r rate
			if m := figures.FindStringSubmatch(cell); m != nil {
				r.mean, _ = strconv.ParseFloat(m[1], 64)
				r.peak, _ = strconv.ParseFloat(m[2], 64)
			}
			rates = append(rates, r)
		}
		s.rows[strings.TrimSpace(cells[1])] = rates
	}
	return all
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
	quick, slow := page[policies[3].name], page[policies[4].name]
	if quick == nil || slow == nil {
		t.Fatal("the page has no policies with events")
	}
	if quick.median >= 2*time.Second || quick.last >= 10*time.Second {
		t.Errorf("with events the median has a new version after %v and the last after %v", quick.median, quick.last)
	}
	for _, row := range []string{"quiet", "recovery", "after"} {
		for o, r := range slow.rows[row] {
			if r.peak > quotas[o]*0.115 {
				t.Errorf("with events, %s: %s has a peak of %.0f, more than the page says", row, opNames[o], r.peak)
			}
		}
	}
	for _, p := range policies[1:] {
		s := page[p.name]
		usual, recovery := s.rows["quiet"], s.rows["recovery"]
		sum := func(r []rate) rate { return rate{r[0].mean + r[1].mean, r[0].peak + r[1].peak} }
		// The peaks of the two may be in different seconds: their sum is a bound.
		if got, limit := sum(recovery).peak, 2.05*sum(usual).mean; got > limit {
			t.Errorf("%s: the recovery has a peak of %.0f calls a second, more than twice the mean of %.0f", p.name, got, limit/2.05)
		}
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
