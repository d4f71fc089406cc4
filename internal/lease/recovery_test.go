package lease_test

import (
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/lease"
)

// describe runs a check of which DescribeSecret is asked first, and reports
// whether the value was fetched.
func (c *clocked) describe(r *lease.Rules, draw float64) (fetched bool) {
	c.n++
	m := lease.Moment{Now: c.now, Draw: draw}
	ck := c.Begin(r, c.now, c.n)
	defer c.End(r, m, &ck)
	if ck.Describe && c.Described(r, m, &ck, lease.Description{Current: c.current}).Step == lease.Done {
		return false
	}
	c.Observed(r, m, &ck, lease.Observation{Version: c.current, Same: true, Fetched: true})
	return true
}

// TestFetchesAreSpreadAfterAnOutage has many leases recover at one moment from
// an outage of more than an hour.
func TestFetchesAreSpreadAfterAnOutage(t *testing.T) {
	r := toldRules
	r.TTL, r.FetchAtLeast = 5*time.Minute, time.Hour
	const n = 600
	perMinute := map[int]int{}
	for i := range n {
		c := newClocked()
		draw := float64(i) / n
		for _, describe := range []bool{true, false, true} {
			c.n++
			ck := c.Begin(&r, c.now, c.n)
			c.Failed(&r, c.moment(), &ck, describe, 0)
			c.End(&r, c.moment(), &ck)
		}
		c.now = c.now.Add(90 * time.Minute)
		c.Answering(&r, c.moment(), 0, true)
		if c.describe(&r, draw) {
			t.Fatal("a lease that recovers fetches at once")
		}
		for m := range 61 {
			if c.describe(&r, draw) {
				perMinute[m]++
				break
			}
			c.now = c.now.Add(time.Minute)
		}
	}
	total := 0
	for m, count := range perMinute {
		if total += count; count > n/60*2 {
			t.Errorf("%d of %d leases fetch in minute %d after the outage", count, n, m)
		}
	}
	if total != n {
		t.Errorf("%d of %d leases fetch within an hour of the outage", total, n)
	}
}

// TestDescribeAloneFails has DescribeSecret go on failing while GetSecretValue
// answers for other secrets: it is left out by the check after.
func TestDescribeAloneFails(t *testing.T) {
	c := newClocked()
	r := toldRules
	c.n++
	ck := c.Begin(&r, c.now, c.n)
	c.Failed(&r, c.moment(), &ck, true, 0)
	c.End(&r, c.moment(), &ck)
	c.Answering(&r, c.moment(), 0, false)
	if ck := c.Begin(&r, c.now, c.n+1); ck.Describe {
		t.Error("DescribeSecret is asked again, though only GetSecretValue answered")
	}
}

func TestRecoverySpan(t *testing.T) {
	for ttl, want := range map[time.Duration]time.Duration{time.Second: time.Minute, 5 * time.Minute: 3 * time.Minute, time.Hour: 36 * time.Minute} {
		if got := lease.Recovery(ttl); got != want {
			t.Errorf("Recovery(%v) = %v, want %v", ttl, got, want)
		}
	}
}

// TestCrowd has a client's leases fail together: between them they try at a
// steady pace, and one alone as ever.
func TestCrowd(t *testing.T) {
	r := toldRules
	for _, test := range []struct {
		failing, unanswered int
		want                time.Duration // the bound of the delay
	}{{1, 1, time.Second}, {200, 10, time.Second}, {3, 500, time.Minute}, {100, 500, 2000 * time.Second}, {10_000, 50_000, time.Hour}} {
		c := newClocked()
		c.n++
		ck := c.Begin(&r, c.now, c.n)
		late := lease.Moment{Now: c.now, Draw: 0.999999}
		c.Failed(&r, late, &ck, false, lease.Crowd(test.failing, test.unanswered))
		c.End(&r, late, &ck)
		if got := c.Due(&r).Sub(c.now); got > test.want || got < test.want-test.want/100 {
			t.Errorf("%d failing, %d unanswered: due after %v, want %v", test.failing, test.unanswered, got, test.want)
		}
	}
}
