package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

func TestColdCallersShareOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a")
		s.latency = 100 * time.Millisecond
		c := newClient(t, s, nil)
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() { text(t, c, "a") })
		}
		wg.Wait()
		if got := s.calls(); got != 1 {
			t.Errorf("1,000 cold callers made %d calls, want 1", got)
		}
		if got := c.Stats().GetSecretValue; got != 1 {
			t.Errorf("Stats.GetSecretValue = %d, want 1", got)
		}
	})
}

func TestCallersLeaveAtTheirOwnDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a")
		s.latency = 5 * time.Second
		c := newClient(t, s, nil)
		begin := time.Now()
		var wg sync.WaitGroup
		var served, left atomic.Int64
		for i := range 10_000 {
			deadline := time.Duration(i+1) * time.Millisecond
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, deadline)
				defer cancel()
				_, err := c.Get(ctx, "a")
				switch took := time.Since(begin); {
				case err == nil:
					served.Add(1)
					if took != s.latency {
						t.Errorf("served after %v, want %v", took, s.latency)
					}
				case !errors.Is(err, context.DeadlineExceeded):
					t.Errorf("Get: %v, want context.DeadlineExceeded", err)
				default:
					left.Add(1)
					if took != deadline {
						t.Errorf("left after %v, want %v", took, deadline)
					}
				}
			})
		}
		wg.Wait()
		// The caller whose deadline is the flight's end may be either.
		if got := left.Load(); got != 4999 && got != 5000 || left.Load()+served.Load() != 10_000 {
			t.Errorf("%d left and %d were served, want 5,000 each", got, served.Load())
		}
		if got := s.calls(); got != 1 {
			t.Errorf("%d calls, want 1", got)
		}
	})
}

func TestFirstCallersCancellationDoesNotFailOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a")
		s.latency = time.Second
		c := newClient(t, s, nil)
		first, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.Get(first, "a"); !errors.Is(err, context.Canceled) {
				t.Errorf("the canceled caller got %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() { text(t, c, "a") })
		cancel()
		wg.Wait()
		if got := s.calls(); got != 1 {
			t.Errorf("%d calls, want 1", got)
		}
	})
}

func TestIdleSecretExpiresWithinTheLastTenthOfItsTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, ttl = 500, 5 * time.Minute
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf("s%d", i))
		}
		s := newService(names...)
		c := newClient(t, s, nil)
		for _, name := range names {
			text(t, c, name)
		}
		time.Sleep(ttl*9/10 - time.Millisecond)
		synctest.Wait()
		if got := s.calls(); got != n {
			t.Fatalf("%d calls before 90 %% of the TTL, want %d: an unread secret was refreshed", got, n)
		}
		before := c.Stats()
		for _, name := range names {
			text(t, c, name) // marks it as read: it will be refreshed
		}
		if d := c.Stats().Sub(before); d.Misses != 0 || d.Hits != n {
			t.Errorf("before 90 %% of the TTL: %d hits, %d misses, want %d hits", d.Hits, d.Misses, n)
		}

		// Another client whose secrets nobody reads: none is left after the TTL.
		idle := newService(names...)
		ci := newClient(t, idle, nil)
		for _, name := range names {
			text(t, ci, name)
		}
		time.Sleep(ttl * 19 / 20)
		synctest.Wait()
		before = ci.Stats()
		for _, name := range names[:n/2] {
			text(t, ci, name)
		}
		d := ci.Stats().Sub(before)
		if d.Hits < n/8 || d.Misses < n/8 {
			t.Errorf("at 95 %% of the TTL %d of %d are alive and %d expired, want about half each", d.Hits, n/2, d.Misses)
		}
		time.Sleep(ttl / 20)
		synctest.Wait()
		before = ci.Stats()
		for _, name := range names[n/2:] {
			text(t, ci, name)
		}
		if d := ci.Stats().Sub(before); d.Hits != 0 {
			t.Errorf("%d hits after the TTL, want 0", d.Hits)
		}
	})
}

func TestReadSecretIsRefreshedAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a")
		s.latency = 200 * time.Millisecond
		c := newClient(t, s, nil)
		text(t, c, "a")
		cold := c.Stats()
		end := time.Now().Add(24 * time.Hour)
		for time.Now().Before(end) {
			before := time.Now()
			text(t, c, "a")
			if took := time.Since(before); took != 0 {
				t.Fatalf("a read waited %v at %v", took, before)
			}
			time.Sleep(13 * time.Second)
		}
		d := c.Stats().Sub(cold)
		if d.Misses != 0 || d.Stale != 0 {
			t.Errorf("%d reads waited and %d were stale, want none", d.Misses, d.Stale)
		}
		// 24 h at 81 to 99 % of five minutes, plus the hourly fetch.
		if d.DescribeSecret < 288 || d.DescribeSecret > 360 {
			t.Errorf("%d DescribeSecret calls in a day, want 288 to 360", d.DescribeSecret)
		}
		if d.GetSecretValue < 20 || d.GetSecretValue > 24 {
			t.Errorf("%d GetSecretValue calls in a day for an unchanged secret, want one an hour", d.GetSecretValue)
		}
	})
}

func TestUnchangedRefreshCostsOneDescribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a")
		c := newClient(t, s, nil)
		text(t, c, "a")
		for range 10 {
			if err := c.Refresh(ctx, "a"); err != nil {
				t.Fatal(err)
			}
		}
		if g, d := s.gets.Load(), s.describes.Load(); g != 1 || d != 10 {
			t.Errorf("a cold read and ten refreshes made %d GetSecretValue and %d DescribeSecret, want 1 and 10", g, d)
		}
		s.put("a", "v2", "new")
		if err := c.Refresh(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		if got := text(t, c, "a"); got != "new" {
			t.Errorf("after Refresh the value is %q", got)
		}
	})
}

func TestRefreshDoesNotJoinAnOlderFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a")
		c := newClient(t, s, nil)
		text(t, c, "a")
		s.latency = 2 * time.Second
		var wg sync.WaitGroup
		wg.Go(func() { c.Refresh(ctx, "a") })
		time.Sleep(time.Second)
		s.put("a", "v2", "new")
		wg.Go(func() {
			if err := c.Refresh(ctx, "a"); err != nil {
				t.Error(err)
			}
			if got := text(t, c, "a"); got != "new" {
				t.Errorf("after a Refresh begun after the change the value is %q", got)
			}
		})
		wg.Wait()
		if got := text(t, c, "a"); got != "new" {
			t.Errorf("in the end the value is %q", got)
		}
	})
}

func TestSlowLookDoesNotUndoAFasterLaterOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a")
		c := newClient(t, getOnly{s}, nil)
		text(t, c, "a")
		var calls atomic.Int64
		s.onGet = func(string, string) error { return nil }
		slow := &slowFirst{service: s, calls: &calls}
		c2 := newClient(t, slow, nil)
		text(t, c2, "a")
		var wg sync.WaitGroup
		wg.Go(func() { c2.Refresh(ctx, "a") }) // reads the old version, answers late
		synctest.Wait()
		s.put("a", "v2", "new")
		if err := c2.Refresh(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if got := text(t, c2, "a"); got != "new" {
			t.Errorf("a check that began earlier and ended later put %q back", got)
		}
	})
}

func TestOutageOfADay(t *testing.T) {
	for _, code := range []string{"InternalServiceError", "ThrottlingException", "ExpiredTokenException", "SomethingNew"} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService("a")
				c := newClient(t, s, nil)
				text(t, c, "a")
				s.fail(coded(code))
				calls := s.calls()
				for begin := time.Now(); time.Since(begin) < 24*time.Hour; time.Sleep(time.Second) {
					before := time.Now()
					if got := text(t, c, "a"); got != "value of a" {
						t.Fatalf("after %v the value is %q", time.Since(begin), got)
					}
					if took := time.Since(before); took != 0 {
						t.Fatalf("after %v a hot read waited %v", time.Since(begin), took)
					}
				}
				if got := s.calls() - calls; got >= 250 || got < 60 {
					t.Errorf("%d calls in a day without the service, want fewer than 250 and no giving up", got)
				} else {
					t.Logf("%d calls in a day", got)
				}
				s.put("a", "v2", "new")
				s.mu.Lock()
				s.onGet, s.onDesc = nil, nil
				s.mu.Unlock()
				time.Sleep(16 * time.Minute)
				synctest.Wait()
				if got := text(t, c, "a"); got != "new" {
					t.Errorf("16 minutes after the service came back the value is %q", got)
				}
			})
		})
	}
}

func TestMaxStaleEndsService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("hot", "idle")
		c := newClient(t, s, &secrets.Options{MaxStale: 2 * time.Hour})
		text(t, c, "hot")
		text(t, c, "idle")
		time.Sleep(time.Second)
		begin := time.Now()
		s.fail(coded("InternalServiceError"))
		for time.Since(begin) < 2*time.Hour-10*time.Minute {
			text(t, c, "hot")
			time.Sleep(10 * time.Second)
		}
		if got := text(t, c, "idle"); got != "value of idle" {
			t.Errorf("an idle secret within MaxStale is %q", got)
		}
		time.Sleep(11 * time.Minute)
		for _, id := range []string{"hot", "idle"} {
			_, err := c.Get(ctx, id)
			if err == nil {
				t.Errorf("%s was served after MaxStale", id)
			}
			if got := errorCode(err); got != "InternalServiceError" {
				t.Errorf("%s: error %v has code %q", id, err, got)
			}
		}
	})
}
