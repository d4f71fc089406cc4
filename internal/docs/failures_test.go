package docs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// The faults of an hour, and how each begins.
var faults = []struct {
	what  string
	begin func(*secretstest.Server) (end func())
}{
	{"the region cannot be reached", func(s *secretstest.Server) func() { return s.RegionOutage(secretstest.DefaultRegion) }},
	{throttled, func(s *secretstest.Server) func() { return s.ThrottleStorm() }},
	{"answers do not end", func(s *secretstest.Server) func() { return s.SlowTrickle(time.Second) }},
	{"answers are no JSON", func(s *secretstest.Server) func() { return s.BrokenJSON() }},
	{"STS refuses the role", func(s *secretstest.Server) func() { return s.STSDenied() }},
	{"the clock is wrong by an hour", func(s *secretstest.Server) func() { return s.ClockSkew(time.Hour) }},
	{"DescribeSecret is denied", func(s *secretstest.Server) func() {
		s.Fail(always(secretstest.DenyDescribe(name)))
		return s.ClearFaults
	}},
	{"GetSecretValue is denied", func(s *secretstest.Server) func() {
		s.Fail(secretstest.Fault{Op: "GetSecretValue", Code: "AccessDeniedException", Times: secretstest.Always})
		return s.ClearFaults
	}},
	{"the KMS key is revoked", func(s *secretstest.Server) func() { return s.KMSRevoked(name) }},
	{"reads lag by ten minutes", func(s *secretstest.Server) func() {
		return s.LaggingReplica(secretstest.DefaultRegion, 10*time.Minute)
	}},
}

func always(f secretstest.Fault) secretstest.Fault {
	f.Times = secretstest.Always
	return f
}

// What an hour of each fault means for a secret that is read every second, with
// default options.
func TestFailures(t *testing.T) {
	var b table
	b.head("for an hour", "readers of a cached secret", "first readers", "calls", "a version made as it ends is seen after")
	for _, f := range faults {
		var o ordeal
		n := ordeals
		if f.what == throttled {
			n *= 3
		}
		for range n {
			synctest.Test(t, func(t *testing.T) { o.suffer(t, f.begin) })
		}
		b.row(f.what, o.cached, o.first, fmt.Sprint(o.calls/uint64(n)), atMost(o.until))
	}
	checkTable(t, "failures.md", "failures", b.String())
}

// ordeals is how often each fault is suffered. Chance, which spreads attempts,
// then shows in the worst of them.
const ordeals = 10

// throttled is suffered three times as often: whether a call gets through is chance
// as well, and of ten ordeals one in fifty times none is bad.
const throttled = "nine calls of ten are throttled"

// An ordeal is what a fault meant for readers.
type ordeal struct {
	cached, first string        // what readers of a cached secret met, and first readers
	calls         uint64        // in all
	until         time.Duration // until a new version was seen, at most
}

// suffer lets a client live through an hour of a fault.
func (o *ordeal) suffer(t *testing.T, begin func(*secretstest.Server) (end func())) {
	srv, c := open(t, secrets.Options{})
	r := &reader{c: c}
	r.read(10 * time.Minute)
	if r.failed > 0 {
		t.Fatalf("%d reads failed before the fault", r.failed)
	}
	end := begin(srv)
	o.first = firstRead(t, srv)
	*r = reader{c: c}
	before := c.Stats()
	r.read(time.Hour)
	o.calls += c.Stats().Sub(before).Calls()
	o.cached = r.verdict()
	end()
	srv.Put(name, "second value")
	o.until = max(o.until, r.until("second value"))
}

// firstRead says what a client that has nothing cached reads.
func firstRead(t *testing.T, srv *secretstest.Server) string {
	t.Helper()
	c, err := secrets.New(srv.Client(), &secrets.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	deadline, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	began := time.Now()
	_, err = secrets.Get[string](deadline, c, name)
	took := time.Since(began).Round(time.Second)
	if err == nil {
		return "get it"
	}
	if took < secrets.DefaultFetchTimeout {
		return "fail: " + reason(err)
	}
	return "fail after " + short(secrets.DefaultFetchTimeout) + ": " + reason(err)
}

// reason names an error without what differs from run to run.
func reason(err error) string {
	var api interface{ ErrorCode() string }
	switch {
	case errors.As(err, &api):
		return "`" + api.ErrorCode() + "`"
	case strings.Contains(err.Error(), "deadline exceeded"):
		return "deadline exceeded"
	case strings.Contains(err.Error(), "could not be read"):
		return "the answer cannot be read"
	}
	return "no connection"
}

// A reader reads every second and notes what it gets.
type reader struct {
	c       *secrets.Client
	reads   int
	failed  int
	slowest time.Duration
	first   time.Duration // after its begin, of the first that failed
	err     error
}

func (r *reader) read(d time.Duration) {
	began := time.Now()
	for time.Since(began) < d {
		r.once(began)
		time.Sleep(time.Second)
	}
}

func (r *reader) once(began time.Time) string {
	at := time.Now()
	v, err := secrets.Get[string](ctx, r.c, name)
	r.reads++
	r.slowest = max(r.slowest, time.Since(at))
	if err != nil {
		if r.failed++; r.err == nil {
			r.err, r.first = err, at.Sub(began)
		}
	}
	return v
}

func (r *reader) verdict() string {
	switch {
	case r.failed == 0 && r.slowest == 0:
		return "never fail, never wait"
	case r.failed == 0:
		return "never fail; one waits " + short(r.slowest)
	}
	return fmt.Sprintf("fail after the next request, within %s: %s", short((r.first + 5*time.Minute).Truncate(5*time.Minute)), reason(r.err))
}

// until returns how long it takes until the value is read, at most two hours.
func (r *reader) until(value string) time.Duration {
	began := time.Now()
	for r.once(began) != value && time.Since(began) < 2*time.Hour {
		time.Sleep(time.Second)
	}
	return time.Since(began)
}

// atMost returns a bound of a duration.
func atMost(d time.Duration) string {
	for _, bound := range []time.Duration{10 * time.Second, 5 * time.Minute, 15 * time.Minute, time.Hour} {
		if d <= bound {
			return "at most " + short(bound)
		}
	}
	return short(d)
}
