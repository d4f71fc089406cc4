package lease_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/lease"
)

var toldRules = lease.Rules{
	TTL: time.Hour, MaxStale: 36 * time.Hour, MinBackoff: time.Second, MaxBackoff: 15 * time.Minute, FetchAtLeast: 100 * time.Hour,
	SecondCheck: 2 * time.Second, RotationCheck: 2 * time.Second, RotationKept: time.Minute, Recovered: time.Minute,
	HintJitter: 2 * time.Second, HintGap: 4 * time.Second,
}

// A clocked is a lease that is checked when it is due, by a service that
// answers at once.
type clocked struct {
	lease.Lease
	now     lease.Time
	n       uint64
	current string
	checks  []lease.Time
}

func newClocked() *clocked {
	c := &clocked{current: "1", now: 1}
	c.check((*lease.Lease).Begin)
	c.checks = nil
	return c
}

func (c *clocked) moment() lease.Moment { return lease.Moment{Now: c.now, Draw: 0.5} }

func (c *clocked) check(begin func(*lease.Lease, *lease.Rules, lease.Time, uint64) lease.Check) {
	c.n++
	c.checks = append(c.checks, c.now)
	ck := begin(&c.Lease, &toldRules, c.now, c.n)
	if rep := c.Observed(&toldRules, c.moment(), &ck, lease.Observation{Version: c.current, Same: c.current == c.Version(), Fetched: true}); rep.Step == lease.Prepare {
		c.Prepared(&toldRules, c.moment(), &ck, false)
	}
	c.End(&toldRules, c.moment(), &ck)
}

// until lets time pass.
func (c *clocked) until(t lease.Time) {
	for {
		due := c.Due(&toldRules)
		if due > t {
			c.now = t
			return
		}
		c.now = max(c.now, due)
		c.Wake(&toldRules, c.moment(), c.now, true)
		if c.Refreshing() {
			c.check((*lease.Lease).BeginRefresh)
		}
	}
}

func (c *clocked) pass(d time.Duration) { c.until(c.now.Add(d)) }

func (c *clocked) told(version string) bool { return c.Told(&toldRules, c.moment(), version) }

func TestToldIsChecked(t *testing.T) {
	c := newClocked()
	c.current = "2"
	if !c.told("2") || c.told("1") {
		t.Error("a hint of the next version was not taken, or one of the current version was")
	}
	c.pass(2 * time.Second)
	if c.Version() != "2" || len(c.checks) != 1 {
		t.Errorf("got version %s after %d checks, want 2 after 1", c.Version(), len(c.checks))
	}
	c.pass(30 * time.Minute)
	if len(c.checks) != 1 {
		t.Errorf("a hint that came true made %d checks", len(c.checks))
	}
}

func TestToldBound(t *testing.T) {
	c := newClocked()
	for i := range 3 * 3600 {
		c.told(fmt.Sprint("forged ", i))
		c.pass(time.Second)
	}
	if n := len(c.checks); n > 24 {
		t.Errorf("10800 forged hints in three hours caused %d checks", n)
	}
	c.current = "2"
	c.told("2")
	c.pass(time.Hour)
	if c.Version() != "2" {
		t.Error("a true hint after forged ones was lost")
	}
	c.current = "3"
	c.told("3")
	c.pass(10 * time.Second)
	if c.Version() != "3" {
		t.Error("hints are still distrusted after one came true")
	}
}

// TestToldLag has the service show the version a while after the hint.
func TestToldLag(t *testing.T) {
	for _, lag := range []time.Duration{time.Second, 4 * time.Second, 12 * time.Second} {
		c := newClocked()
		c.told("2")
		c.pass(lag)
		c.current = "2"
		c.pass(8 * time.Second)
		if c.Version() != "2" {
			t.Errorf("with a lag of %v the version was not found by checks at %v", lag, c.checks)
		}
	}
	c := newClocked()
	c.told("2")
	c.pass(40 * time.Minute)
	if len(c.checks) != 4 {
		t.Errorf("a version that never comes was looked for %d times, want 4", len(c.checks))
	}
}

func TestToldUnread(t *testing.T) {
	c := newClocked()
	c.now = c.now.Add(59 * time.Minute)
	for c.Due(&toldRules) <= c.now.Add(2*time.Minute) {
		c.now = max(c.now, c.Due(&toldRules))
		c.Wake(&toldRules, c.moment(), c.now, false)
	}
	if c.Shown() || c.told("2") {
		t.Error("a hint about a secret that has expired unread causes a check")
	}
}

func TestRestore(t *testing.T) {
	now := lease.Time(time.Hour)
	for name, test := range map[string]struct {
		confirmed lease.Time
		want      bool
	}{
		"a minute ago":       {now.Add(-time.Minute), true},
		"before the process": {now.Add(-35 * time.Hour), true},
		"too long ago":       {now.Add(-36 * time.Hour), false},
		"in the future":      {now + 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := &clocked{current: "2", now: now}
			if got := c.Restore(&toldRules, c.moment(), "1", test.confirmed); got != test.want {
				t.Fatalf("got %t, want %t", got, test.want)
			}
			if !test.want {
				return
			}
			if got := c.Read(&toldRules, c.moment()); got != lease.ServeStale || c.Fresh(&toldRules, now) || !c.Shown() {
				t.Errorf("a read is answered %v, shown %t", got, c.Shown())
			}
			if c.Restore(&toldRules, c.moment(), "0", test.confirmed) || c.Confirmed() != test.confirmed {
				t.Error("restored over a value")
			}
			c.pass(time.Second)
			if c.Version() != "2" {
				t.Error("not checked after a backoff")
			}
		})
	}
}
