package lease_test

import (
	"math"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/lease"
)

const start = lease.Time(1e18)

var rules = lease.Rules{
	TTL: 100 * time.Second, MaxStale: 36 * time.Hour, MinBackoff: time.Second, MaxBackoff: 15 * time.Minute,
	FetchAtLeast: time.Hour, DescribeAgain: time.Hour, SecondCheck: 2 * time.Second,
	RotationCheck: 2 * time.Second, RotationKept: 24 * time.Hour, Recovered: time.Minute,
}

// after returns the moment d after start, with the least draw.
func after(d time.Duration) lease.Moment { return lease.Moment{Now: start.Add(d)} }

// late returns m with the greatest draw.
func late(m lease.Moment) lease.Moment {
	m.Draw = math.Nextafter(1, 0)
	return m
}

// cached returns a lease whose version "v1" was fetched by check 1 at start.
func cached(t *testing.T, r *lease.Rules) *lease.Lease {
	t.Helper()
	l := &lease.Lease{}
	adopt(t, l, r, after(0), 1, "v1")
	return l
}

// adopt has check n find a new version.
func adopt(t *testing.T, l *lease.Lease, r *lease.Rules, m lease.Moment, n uint64, version string) {
	t.Helper()
	ck := l.Begin(r, m.Now, n)
	if got := l.Observed(r, m, &ck, lease.Observation{Version: version, Fetched: true}); got.Step != lease.Prepare {
		t.Fatalf("%s was not to be prepared: %+v", version, got)
	}
	if got := l.Prepared(r, m, &ck, false); !got.Adopted || l.Version() != version {
		t.Fatalf("got version %q, %+v; want %q adopted", l.Version(), got, version)
	}
	l.End(r, m, &ck)
}

// fail has a refresh of l fail.
func fail(l *lease.Lease, r *lease.Rules, m lease.Moment, n uint64) lease.Report {
	ck := l.BeginRefresh(r, m.Now, n)
	rep := l.Failed(r, m, &ck, false, 0)
	l.End(r, m, &ck)
	return rep
}

func wantDue(t *testing.T, l *lease.Lease, r *lease.Rules, want time.Duration) {
	t.Helper()
	if got := l.Due(r).Sub(start); got != want {
		t.Errorf("due after %v, want %v", got, want)
	}
}

func TestRead(t *testing.T) {
	for _, test := range []struct {
		at   time.Duration
		want lease.Answer
	}{
		{0, lease.Serve},
		{rules.TTL - 1, lease.Serve},
		{rules.TTL, lease.Wait},
		{rules.MaxStale - 1, lease.Wait},
		{rules.MaxStale, lease.Cold},
		{-1, lease.Cold}, // the clock was set back
	} {
		l := cached(t, &rules)
		if got := l.Read(&rules, after(test.at)); got != test.want {
			t.Errorf("after %v: got %v, want %v", test.at, got, test.want)
		}
		if waits := l.Refreshing(); waits != (test.want == lease.Wait) {
			t.Errorf("after %v: refreshing %v", test.at, waits)
		}
	}
}

func TestOneWaitForAFailingService(t *testing.T) {
	l := cached(t, &rules)
	l.Read(&rules, after(200*time.Second))
	if got := fail(l, &rules, late(after(200*time.Second)), 2); !got.Failed || got.Failures != 1 {
		t.Errorf("got %+v, want the first failure", got)
	}
	if got := l.Waited(&rules, after(200*time.Second).Now); got != lease.ServeStale || !l.Shown() {
		t.Errorf("after the wait: got %v, shown %v; want the stale value for everybody", got, l.Shown())
	}
	if got := l.Read(&rules, after(200*time.Second)); got != lease.ServeStale {
		t.Errorf("the next reader: got %v, want the stale value at once", got)
	}
	if got := l.Left(&rules, after(200*time.Second).Now); got != lease.ServeStale {
		t.Errorf("a reader that left: got %v", got)
	}
}

func TestRefreshAheadOfTTL(t *testing.T) {
	l := cached(t, &rules)
	wantDue(t, l, &rules, 90*time.Second)
	if l.Wake(&rules, after(90*time.Second), after(90*time.Second).Now, true); !l.Refreshing() || !l.Shown() {
		t.Errorf("refreshing %v, shown %v; want both", l.Refreshing(), l.Shown())
	}
	drawn := &lease.Lease{}
	adopt(t, drawn, &rules, late(after(0)), 1, "v1")
	if got := drawn.Expires().Sub(start); got <= 90*time.Second || got > 90*time.Second+10 {
		t.Errorf("got a TTL of %v, want one that ends up to a tenth early", got)
	}
}

func TestUnreadIsLeftToExpire(t *testing.T) {
	l := cached(t, &rules)
	l.Wake(&rules, after(90*time.Second), after(90*time.Second).Now, false)
	if l.Refreshing() || !l.Shown() {
		t.Errorf("refreshing %v, shown %v; want neither checked nor hidden before it expires", l.Refreshing(), l.Shown())
	}
	wantDue(t, l, &rules, rules.TTL)
	if l.Wake(&rules, after(rules.TTL), after(rules.TTL).Now, false); l.Shown() || !l.HasValue() {
		t.Errorf("shown %v, value %v; want it hidden and kept", l.Shown(), l.HasValue())
	}
	wantDue(t, l, &rules, rules.MaxStale)
	if got := l.Wake(&rules, after(rules.MaxStale), 0, false); got.TooOld || !l.Gone() {
		t.Errorf("got %+v, gone %v; want it dropped without a failure", got, l.Gone())
	}
}

func TestFailingUntilTooOld(t *testing.T) {
	l := cached(t, &rules)
	l.Hold(&rules, start)
	for n, bound := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900} {
		m := after(time.Duration(n) * time.Minute)
		bound *= time.Second
		if fail(l, &rules, m, uint64(n)+2); l.Due(&rules).Sub(m.Now) != rules.MinBackoff/10 {
			t.Errorf("failure %d: least delay %v", n+1, l.Due(&rules).Sub(m.Now))
		}
		again := cached(t, &rules)
		for i := range n + 1 {
			fail(again, &rules, late(m), uint64(i)+2)
		}
		if got := again.Due(&rules).Sub(m.Now); got > bound || got < bound-time.Microsecond {
			t.Errorf("failure %d: greatest delay %v, want %v", n+1, got, bound)
		}
	}
	if since, failing := l.Failing(); !failing || since != start {
		t.Errorf("failing %v since %v, want since the first", failing, since)
	}
	l.Wake(&rules, after(rules.MaxStale), 0, true)
	if l.HasValue() || l.Gone() || l.Shown() {
		t.Errorf("value %v, gone %v, shown %v; want a held lease without a value", l.HasValue(), l.Gone(), l.Shown())
	}
}

func TestRecovery(t *testing.T) {
	l := cached(t, &rules)
	for n := range uint64(12) {
		fail(l, &rules, late(after(time.Hour)), n+2)
	}
	soon := cached(t, &rules)
	fail(soon, &rules, after(0), 2)
	due := soon.Due(&rules)
	if soon.Answering(&rules, late(after(0)), start-1, false, 1); soon.Due(&rules) != due {
		t.Errorf("the recovery put a check off by %v", soon.Due(&rules).Sub(due))
	}
	l.Answering(&rules, late(after(time.Hour)), start.Add(2*time.Hour), true, 1)
	if got := l.Due(&rules).Sub(start); got < time.Hour+14*time.Minute {
		t.Errorf("due after %v, though the service answered since the first failure", got)
	}
	l.Answering(&rules, late(after(time.Hour)), start, true, 1)
	if got := l.Due(&rules).Sub(start); got > time.Hour+rules.Recovered {
		t.Errorf("due after %v, want within %v of the recovery", got, rules.Recovered)
	}
	ck := l.BeginRefresh(&rules, after(time.Hour).Now, 20)
	got := l.Observed(&rules, after(time.Hour), &ck, lease.Observation{Version: "v1", Same: true, Fetched: true})
	if !got.Confirmed || !got.Answered || got.Recovered != 12 {
		t.Errorf("got %+v, want a confirmation that ends 12 failures", got)
	}
}

func TestVersionThatGoesBack(t *testing.T) {
	l := cached(t, &rules)
	adopt(t, l, &rules, after(time.Second), 2, "v2")
	expires := l.Expires()
	ck := l.Begin(&rules, after(2*time.Second).Now, 3)
	if got := l.Observed(&rules, after(2*time.Second), &ck, lease.Observation{Version: "v1"}); !got.PutOff {
		t.Fatalf("got %+v, want v1 put off", got)
	}
	l.End(&rules, after(2*time.Second), &ck)
	if l.Expires() != expires {
		t.Errorf("putting off moved the expiry by %v", l.Expires().Sub(expires))
	}
	if got := l.Due(&rules).Sub(start) - 2*time.Second; got < rules.SecondCheck*9/10 || got > rules.SecondCheck*11/10 {
		t.Errorf("second check after %v, want about %v", got, rules.SecondCheck)
	}
	adopt(t, l, &rules, after(4*time.Second), 4, "v1")
}

// A replica that shows an older version proves nothing, however often, not even
// after the primary has shown it too.
func TestReplicaThatLags(t *testing.T) {
	l := cached(t, &rules)
	adopt(t, l, &rules, after(time.Second), 2, "v2")
	ask := func(n uint64, o lease.Observation) lease.Report {
		m := after(time.Duration(n) * time.Second)
		ck := l.Begin(&rules, m.Now, n)
		defer l.End(&rules, m, &ck)
		if d := l.Described(&rules, m, &ck, lease.Description{Current: o.Version, Replica: o.Replica}); o.Replica && d.Behind == o.Older {
			t.Errorf("described as current by a replica: got %+v, want it behind where it is known", d)
		}
		return l.Observed(&rules, m, &ck, o)
	}
	due := l.Due(&rules)
	for n := range uint64(3) {
		if got := ask(3+n, lease.Observation{Version: "v1", Replica: true}); !got.Behind {
			t.Errorf("answer %d of the replica: got %+v, want it behind", n+1, got)
		}
	}
	if l.Due(&rules) != due || l.Version() != "v2" {
		t.Errorf("now %s, due in %v; want v2 as before", l.Version(), l.Due(&rules).Sub(start))
	}
	ck := l.Begin(&rules, after(10*time.Second).Now, 10)
	if got := l.Observed(&rules, after(10*time.Second), &ck, lease.Observation{Version: "v1"}); !got.PutOff {
		t.Errorf("got %+v, want the primary's first word put off", got)
	}
	l.End(&rules, after(10*time.Second), &ck)
	if got := ask(11, lease.Observation{Version: "v1", Replica: true}); !got.Behind {
		t.Errorf("a replica agrees with the primary: got %+v, want it behind", got)
	}
	if got := ask(12, lease.Observation{Version: "v0", Older: true, Replica: true}); !got.Behind {
		t.Errorf("a version that is older by its date: got %+v, want it behind", got)
	}
	adopt(t, l, &rules, after(20*time.Second), 20, "v1") // the primary's second
}

func TestCheckSoon(t *testing.T) {
	l := cached(t, &rules)
	l.CheckSoon(&rules, late(after(time.Second)))
	due := l.Due(&rules)
	if got := due.Sub(start); got > time.Second+rules.SecondCheck*11/10 {
		t.Errorf("due after %v, want about %v from the hint", got, rules.SecondCheck)
	}
	if l.CheckSoon(&rules, late(after(2*time.Second))); l.Due(&rules) != due {
		t.Errorf("a second hint put the check off by %v", l.Due(&rules).Sub(due))
	}
	if l.Wake(&rules, lease.Moment{Now: due}, due, false); !l.Refreshing() {
		t.Error("the check is left out because nobody read")
	}
}

func TestCheckThatHadBegunDoesNotSettleAHint(t *testing.T) {
	for _, onRead := range []bool{false, true} {
		r := rules
		r.OnRead = onRead
		l := cached(t, &r)
		ck := l.Begin(&r, start, 2)
		l.CheckSoon(&r, late(after(0)))
		l.Observed(&r, after(time.Second), &ck, lease.Observation{Version: "v1", Same: true, Fetched: true})
		l.End(&r, after(time.Second), &ck)
		due := l.Due(&r)
		if onRead {
			due = l.Expires()
		}
		if got := due.Sub(start); got > rules.SecondCheck*11/10 {
			t.Errorf("on read %v: checked after %v, want about %v", onRead, got, rules.SecondCheck)
		}
	}
}

func TestPastVersionsAreBounded(t *testing.T) {
	l := cached(t, &rules)
	for n, v := range []string{"v2", "v3", "v4", "v5", "v6"} {
		adopt(t, l, &rules, after(time.Second), uint64(n)+2, v)
	}
	ck := l.Begin(&rules, start, 10)
	if got := l.Observed(&rules, after(time.Second), &ck, lease.Observation{Version: "v2"}); !got.PutOff {
		t.Errorf("got %+v, want the fourth version before put off", got)
	}
	adopt(t, l, &rules, after(time.Second), 11, "v1") // the fifth is not remembered
}

func TestDescribe(t *testing.T) {
	l := cached(t, &rules)
	confirm := func(at time.Duration, n uint64) lease.Check {
		ck := l.Begin(&rules, start.Add(at), n)
		if ck.Describe {
			if got := l.Described(&rules, after(at), &ck, lease.Description{Current: "v1"}); got.Step == lease.Done {
				return ck
			}
		}
		l.Observed(&rules, after(at), &ck, lease.Observation{Version: "v1", Same: true, Fetched: true})
		return ck
	}
	if ck := confirm(time.Minute, 2); !ck.Describe || ck.Fetch {
		t.Errorf("got %+v, want DescribeSecret alone", ck)
	}
	if ck := confirm(time.Hour-1, 3); ck.Fetch {
		t.Errorf("got %+v, want no fetch within the hour", ck)
	}
	if ck := confirm(time.Hour, 4); !ck.Describe || !ck.Fetch {
		t.Errorf("got %+v, want the value fetched once an hour", ck)
	}
	if ck := confirm(time.Hour+time.Minute, 5); ck.Fetch {
		t.Errorf("got %+v, want no fetch right after", ck)
	}
	if !l.DescribeDenied(&rules, start) || l.DescribeDenied(&rules, start) {
		t.Error("want the first denial told from the second")
	}
	if ck := l.Begin(&rules, start.Add(time.Hour-1), 6); ck.Describe {
		t.Error("a denied DescribeSecret is called within the hour")
	}
	if ck := l.Begin(&rules, start.Add(time.Hour), 7); !ck.Describe {
		t.Error("a denied DescribeSecret is not called after the hour")
	}
}

func TestFailedDescribeIsLeftOutOnce(t *testing.T) {
	l := cached(t, &rules)
	ck := l.Begin(&rules, start, 2)
	l.Failed(&rules, after(0), &ck, true, 0)
	l.End(&rules, after(0), &ck)
	if next := l.Begin(&rules, start, 3); next.Describe {
		t.Error("DescribeSecret is called right after it failed")
	}
	fail(l, &rules, after(0), 4)
	if next := l.Begin(&rules, start, 5); !next.Describe {
		t.Error("DescribeSecret is not called again")
	}
}

func TestValueFromMemoryIsNoFetch(t *testing.T) {
	l := cached(t, &rules)
	m := after(50 * time.Minute)
	ck := l.Begin(&rules, m.Now, 2)
	l.Described(&rules, m, &ck, lease.Description{Current: "v2"})
	l.Observed(&rules, m, &ck, lease.Observation{Version: "v2"})
	l.Prepared(&rules, m, &ck, false)
	l.End(&rules, m, &ck)
	if next := l.Begin(&rules, start.Add(time.Hour), 3); l.Version() != "v2" || !next.Fetch {
		t.Errorf("version %q, fetch %v; want v2 from memory and a fetch when the hour is over", l.Version(), next.Fetch)
	}
}

func TestHolder(t *testing.T) {
	l := &lease.Lease{}
	l.Hold(&rules, start)
	wantDue(t, l, &rules, rules.MinBackoff) // its first value may be on its way
	due := after(rules.MinBackoff)
	l.Wake(&rules, due, due.Now, false)
	fail(l, &rules, late(due), 1)
	if l.Gone() || l.Due(&rules) == lease.Never {
		t.Errorf("gone %v, due %v; want a held lease tried again", l.Gone(), l.Due(&rules))
	}
	l.Release()
	if l.Wake(&rules, after(time.Minute), start.Add(time.Minute), false); !l.Gone() || l.Held() {
		t.Errorf("gone %v, held %v; want an empty lease gone after its last holder", l.Gone(), l.Held())
	}
	read := cached(t, &rules)
	read.Wake(&rules, after(90*time.Second), start.Add(90*time.Second), false)
	if read.Hold(&rules, start.Add(95*time.Second)); read.Due(&rules) != start.Add(95*time.Second) {
		t.Errorf("due %v after start; want what was left to expire checked once it is held", read.Due(&rules).Sub(start))
	}
}

func TestNo(t *testing.T) {
	l := cached(t, &rules)
	l.Hold(&rules, start)
	early, ck := l.Begin(&rules, start, 2), l.Begin(&rules, start, 3)
	if got := l.No(&ck); !got.No || !l.Gone() || l.HasValue() || l.Settled() != 3 {
		t.Errorf("got %+v, gone %v, settled by %d; want the end, by check 3", got, l.Gone(), l.Settled())
	}
	if got := l.Observed(&rules, after(0), &early, lease.Observation{Version: "v2"}); got != (lease.Report{}) {
		t.Errorf("after the end: got %+v", got)
	}
	if l.Due(&rules) != lease.Never || l.Read(&rules, after(0)) != lease.Cold {
		t.Error("an ended lease is due or served")
	}
}

func TestRemove(t *testing.T) {
	l := cached(t, &rules)
	if l.Remove(); !l.Gone() || l.Shown() || l.Version() != "" {
		t.Errorf("gone %v, shown %v, version %q", l.Gone(), l.Shown(), l.Version())
	}
}

func TestBoundsNearAHundredYears(t *testing.T) {
	r := rules
	r.TTL, r.MaxStale, r.MaxBackoff = 100*365*24*time.Hour, math.MaxInt64, 100*365*24*time.Hour
	for _, draw := range []float64{0, math.Nextafter(1, 0)} {
		l := &lease.Lease{}
		adopt(t, l, &r, lease.Moment{Now: start, Draw: draw}, 1, "v1")
		if got := l.Due(&r).Sub(start); got < r.TTL/2 || got > r.TTL {
			t.Errorf("draw %v: due after %v, want about %v", draw, got, r.TTL)
		}
		if !l.Servable(&r, lease.Never-1) || l.Servable(&r, start-1) {
			t.Errorf("draw %v: MaxStale without end ends, or serves a value from the future", draw)
		}
		for n := range uint64(100) {
			fail(l, &r, lease.Moment{Now: start, Draw: draw}, n+2)
			if got := l.Due(&r).Sub(start); got <= 0 || got > r.MaxBackoff {
				t.Fatalf("draw %v, failure %d: due after %v", draw, n+1, got)
			}
		}
	}
}
