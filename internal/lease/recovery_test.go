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
// an outage of more than an hour: of the checks that follow each fetches as many.
func TestFetchesAreSpreadAfterAnOutage(t *testing.T) {
	for _, test := range []struct {
		ttl    time.Duration
		checks int // within which all have fetched
	}{
		{5 * time.Minute, 15},
		{15 * time.Minute, 5},
		{time.Hour, 2},
		{2 * time.Hour, 1},
	} {
		r := toldRules
		r.TTL, r.FetchAtLeast = test.ttl, time.Hour
		const n = 600
		perCheck := make([]int, test.checks+1)
		for i := range n {
			perCheck[min(test.checks, recoverOne(t, &r, float64(i)/n))]++
		}
		for k, count := range perCheck[:test.checks] {
			if want := n / test.checks; count < want*9/10 || count > want*11/10 {
				t.Errorf("TTL %v: %d of %d leases fetch in check %d after the outage, want about %d", test.ttl, count, n, k+1, want)
			}
		}
		if late := perCheck[test.checks]; late > 0 {
			t.Errorf("TTL %v: %d of %d leases have not fetched in %d checks after the outage", test.ttl, late, n, test.checks)
		}
	}
}

// recoverOne has a lease recover from an outage, and returns how many of the
// checks that follow pass before one fetches.
func recoverOne(t *testing.T, r *lease.Rules, draw float64) (passed int) {
	t.Helper()
	c := newClocked()
	for _, describe := range []bool{true, false, true} {
		c.n++
		ck := c.Begin(r, c.now, c.n)
		c.Failed(r, c.moment(), &ck, describe, 0)
		c.End(r, c.moment(), &ck)
	}
	c.now = c.now.Add(90 * time.Minute)
	c.Answering(r, c.moment(), 0, true, 1)
	if c.describe(r, draw) {
		t.Fatalf("TTL %v: a lease that recovers fetches at once", r.TTL)
	}
	for c.now = c.now.Add(r.TTL / 1000 * 855); passed < 100 && !c.describe(r, draw); passed++ {
		c.now = c.now.Add(r.TTL / 1000 * 855)
	}
	return passed
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
	c.Answering(&r, c.moment(), 0, false, 1)
	if ck := c.Begin(&r, c.now, c.n+1); ck.Describe {
		t.Error("DescribeSecret is asked again, though only GetSecretValue answered")
	}
}

// TestRecoverySpan has a few leases be checked within a minute once the service
// answers, and many take longer, that a fleet does not ask all at once.
func TestRecoverySpan(t *testing.T) {
	for _, test := range []struct {
		ttl     time.Duration
		failing int
		want    time.Duration
	}{
		{5 * time.Minute, 1, time.Minute},
		{5 * time.Minute, 100, time.Minute},
		{5 * time.Minute, 101, 4 * time.Minute},
		{time.Second, 200, time.Minute},
		{time.Hour, 200, 48 * time.Minute},
	} {
		r := toldRules
		r.TTL, r.MaxBackoff = test.ttl, 24*time.Hour
		c := newClocked()
		for range 20 { // until the next try is hours away
			c.n++
			ck := c.Begin(&r, c.now, c.n)
			c.Failed(&r, late(c.moment()), &ck, false, 0)
			c.End(&r, c.moment(), &ck)
		}
		c.Answering(&r, late(c.moment()), 0, true, test.failing)
		if got := c.Due(&r).Sub(c.now).Round(time.Second); got != test.want {
			t.Errorf("TTL %v, %d failing: due within %v, want %v", test.ttl, test.failing, got, test.want)
		}
	}
}

// TestSeenVersionIsAskedForWithBackoff has DescribeSecret show a new version whose
// value cannot be fetched, as where KMS throttles: that is asked for no more often
// than anything else that fails.
func TestSeenVersionIsAskedForWithBackoff(t *testing.T) {
	r := toldRules
	c := newClocked()
	var intervals []time.Duration
	for range 12 {
		c.n++
		ck := c.BeginRefresh(&r, c.now, c.n)
		c.Described(&r, c.moment(), &ck, lease.Description{Current: "2"})
		c.Failed(&r, c.moment(), &ck, false, 0)
		c.End(&r, c.moment(), &ck)
		next, planned := c.Next()
		if !planned {
			t.Fatal("no check is planned")
		}
		intervals = append(intervals, next.Sub(c.now))
		c.now = next
		if c.Wake(&r, c.moment(), c.now, false); !c.Refreshing() {
			t.Fatalf("unread, the version that was seen is not asked for after %v", intervals)
		}
	}
	if first, last := intervals[0], intervals[11]; first > 2*time.Second || last < r.MaxBackoff/4 {
		t.Errorf("checks that fail follow one another after %v", intervals)
	}
}

// TestBackoffEndsWithFailures has a version that was seen wait for a long backoff. An
// older check that answers ends the failures, and so that wait.
func TestBackoffEndsWithFailures(t *testing.T) {
	r := toldRules
	c := newClocked()
	for range 12 {
		c.n++
		ck := c.BeginRefresh(&r, c.now, c.n)
		c.Failed(&r, c.moment(), &ck, false, 0)
		c.End(&r, c.moment(), &ck)
	}
	failing := c.Begin(&r, c.now, c.n+1)
	older := c.Begin(&r, c.now, c.n+2) // begun before the doubt that the other leaves
	c.Described(&r, c.moment(), &failing, lease.Description{Current: "2"})
	c.Failed(&r, c.moment(), &failing, false, 0)
	c.End(&r, c.moment(), &failing)
	if next, _ := c.Next(); next.Sub(c.now) < time.Minute {
		t.Fatalf("the backoff is %v", next.Sub(c.now))
	}
	c.Observed(&r, c.moment(), &older, lease.Observation{Version: "1", Same: true, Fetched: true})
	c.End(&r, c.moment(), &older)
	if next, planned := c.Next(); !planned || next.Sub(c.now) > r.SecondCheck {
		t.Errorf("the version that was seen is asked for after %v, want %v at most", next.Sub(c.now), r.SecondCheck)
	}
}
