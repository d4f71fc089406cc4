package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
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
			t.Errorf("a look that began earlier and ended later put %q back", got)
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

func TestMaxStaleOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a")
		c := newClient(t, s, &secrets.Options{MaxStale: -1})
		text(t, c, "a")
		s.fail(coded("InternalServiceError"))
		for begin := time.Now(); time.Since(begin) < 4*time.Minute; time.Sleep(time.Second) {
			text(t, c, "a")
		}
		time.Sleep(2 * time.Minute)
		if _, err := c.Get(ctx, "a"); err == nil {
			t.Error("served past the TTL")
		}
	})
}

func TestBackoffGrowsToFifteenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 200
		s := newService()
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf("s%d", i))
			s.add(names[i], "aaaaaa", "x")
		}
		c := newClient(t, s, &secrets.Options{MaxStale: 100 * time.Hour})
		for _, name := range names {
			text(t, c, name)
		}
		var mu sync.Mutex
		tries := map[string][]time.Time{}
		record := func(id string) error {
			mu.Lock()
			defer mu.Unlock()
			tries[id] = append(tries[id], time.Now())
			return coded("InternalServiceError")
		}
		s.mu.Lock()
		s.onDesc = record
		s.onGet = func(id, _ string) error { return record(id) }
		s.mu.Unlock()
		for begin := time.Now(); time.Since(begin) < 12*time.Hour; time.Sleep(time.Minute) {
			for _, name := range names {
				text(t, c, name)
			}
		}
		c.Close() // so that nothing is recorded any more
		var early, late, most time.Duration
		var nEarly, nLate int
		for _, at := range tries {
			for i := 1; i < len(at); i++ {
				gap := at[i].Sub(at[i-1])
				most = max(most, gap)
				switch {
				case i <= 3:
					early, nEarly = early+gap, nEarly+1
				case i > 12:
					late, nLate = late+gap, nLate+1
				}
			}
		}
		if mean := early / time.Duration(nEarly); mean > 4*time.Second {
			t.Errorf("the first delays are %v in the mean, want a few seconds", mean)
		}
		mean := late / time.Duration(nLate)
		if mean < 6*time.Minute || mean > 9*time.Minute {
			t.Errorf("the late delays are %v in the mean, want about half of 15 minutes", mean)
		}
		if most > 15*time.Minute+time.Second {
			t.Errorf("the longest delay is %v, want at most 15 minutes", most)
		}
	})
}

func TestRecoveryWithinAMinuteOfTheFirstSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var names []string
		for i := range 50 {
			names = append(names, fmt.Sprintf("s%d", i))
		}
		s := newService(names...)
		c := newClient(t, s, nil)
		read := func() {
			for _, name := range names {
				text(t, c, name)
			}
		}
		read()
		s.fail(coded("InternalServiceError"))
		for range 6 * 60 * 2 {
			read()
			time.Sleep(30 * time.Second)
		}
		s.mu.Lock()
		s.onGet, s.onDesc = nil, nil
		s.mu.Unlock()
		for _, name := range names {
			s.put(name, "v2", "new")
		}
		if err := c.Refresh(ctx, names[0]); err != nil {
			t.Fatal(err)
		}
		read()
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		for _, name := range names {
			if got := text(t, c, name); got != "new" {
				t.Errorf("%s is %q a minute after the first success", name, got)
			}
		}
	})
}

func TestReaderOfExpiredSecretWaitsAtMostStaleWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a")
		c := newClient(t, s, nil)
		text(t, c, "a")
		time.Sleep(time.Hour)
		s.latency = time.Hour
		s.put("a", "v2", "new")
		begin := time.Now()
		if got := text(t, c, "a"); got != "value of a" {
			t.Errorf("served %q, want the old value", got)
		}
		if took := time.Since(begin); took != 250*time.Millisecond {
			t.Errorf("waited %v, want 250ms", took)
		}
		begin = time.Now()
		text(t, c, "a")
		if took := time.Since(begin); took != 0 {
			t.Errorf("the next reader waited %v for the same flight", took)
		}
		c.Close()
	})
}

func TestReaderOfExpiredSecretGetsTheNewValueInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a")
		c := newClient(t, s, nil)
		text(t, c, "a")
		time.Sleep(time.Hour)
		s.latency = 100 * time.Millisecond
		s.put("a", "v2", "new")
		if got := text(t, c, "a"); got != "new" {
			t.Errorf("served %q, want the new value after 200ms", got)
		}
	})
}

func TestNoFailsClosed(t *testing.T) {
	gone := func(s *service) { s.remove("a") }
	deny := func(code string) func(*service) {
		return func(s *service) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.onGet = func(string, string) error { return coded(code) }
		}
	}
	for name, tc := range map[string]struct {
		make func(*service)
		code string
	}{
		"not found":          {gone, "ResourceNotFoundException"},
		"denied":             {deny("AccessDeniedException"), "AccessDeniedException"},
		"key refused":        {deny("DecryptionFailure"), "DecryptionFailure"},
		"without describe":   {gone, "ResourceNotFoundException"},
		"denied in the hour": {deny("AccessDeniedException"), "AccessDeniedException"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService("a")
				var api secrets.API = s
				if name == "without describe" {
					api = getOnly{s}
				}
				c := newClient(t, api, nil)
				ref := secrets.Bind[string](c, "a")
				text(t, c, "a")
				ref.Get(ctx)
				tc.make(s)
				var err error
				for begin := time.Now(); time.Since(begin) < 70*time.Minute && err == nil; time.Sleep(time.Minute) {
					_, err = c.Get(ctx, "a")
				}
				if got := errorCode(err); got != tc.code {
					t.Fatalf("an hour later Get returns %v, want %s", err, tc.code)
				}
				if _, err := ref.Get(ctx); errorCode(err) != tc.code {
					t.Errorf("the handle returns %v, want %s", err, tc.code)
				}
				if got := c.Stats().Secrets; got != 0 {
					t.Errorf("%d secrets are still held", got)
				}
			})
		})
	}
}

func TestNoIsHeardAtOnceByRefresh(t *testing.T) {
	s := newService("a")
	c := newClient(t, s, nil)
	text(t, c, "a")
	s.remove("a")
	err := c.Refresh(ctx, "a")
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok {
		t.Errorf("Refresh of a deleted secret: %v", err)
	}
	if _, err := c.Get(ctx, "a"); err == nil {
		t.Error("a deleted secret is still served")
	}
}

func TestWhatDoesNotMeanNo(t *testing.T) {
	for name, tc := range map[string]func(*service){
		"describe denied": func(s *service) { s.onDesc = func(string) error { return coded("AccessDeniedException") } },
		"label missing": func(s *service) {
			delete(s.secrets["a"].stages, "AWSCURRENT")
			s.secrets["a"].stages["AWSPREVIOUS"] = "v1-000000"
		},
		"invalid request, not deleted": func(s *service) {
			s.onGet = func(string, string) error { return coded("InvalidRequestException") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService("a")
				c := newClient(t, s, nil)
				text(t, c, "a")
				s.mu.Lock()
				tc(s)
				s.mu.Unlock()
				for begin := time.Now(); time.Since(begin) < 5*time.Hour; time.Sleep(time.Minute) {
					text(t, c, "a")
				}
			})
		})
	}
}

func TestDescribeDeniedIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a")
		s.onDesc = func(string) error { return coded("AccessDeniedException") }
		c := newClient(t, s, nil)
		for begin := time.Now(); time.Since(begin) < 10*time.Hour; time.Sleep(10 * time.Second) {
			text(t, c, "a")
		}
		if got := s.describes.Load(); got > 11 {
			t.Errorf("%d DescribeSecret calls in ten hours of being denied, want one an hour", got)
		}
		if got := s.gets.Load(); got < 100 {
			t.Errorf("%d GetSecretValue calls in ten hours, want one in each TTL", got)
		}
		s.put("a", "v2", "new")
		for range 40 {
			text(t, c, "a")
			time.Sleep(10 * time.Second)
		}
		if got := text(t, c, "a"); got != "new" {
			t.Errorf("without DescribeSecret the value is %q", got)
		}
	})
}

func TestBrokenDescribeDoesNotHideANewVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a")
		c := newClient(t, s, nil)
		text(t, c, "a")
		s.mu.Lock()
		s.onDesc = func(string) error { return coded("InternalServiceError") }
		s.mu.Unlock()
		s.put("a", "v2", "new")
		for begin := time.Now(); time.Since(begin) < 6*time.Minute; time.Sleep(time.Second) {
			text(t, c, "a")
		}
		if got := text(t, c, "a"); got != "new" {
			t.Errorf("six minutes later the value is %q", got)
		}
	})
}

func TestNegativeMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		c := newClient(t, s, nil)
		var at []time.Time
		s.onGet = func(string, string) error { at = append(at, time.Now()); return nil }
		for begin := time.Now(); time.Since(begin) < 2*time.Minute; time.Sleep(10 * time.Millisecond) {
			if _, err := c.Get(ctx, "none"); errorCode(err) != "ResourceNotFoundException" {
				t.Fatalf("Get: %v", err)
			}
		}
		want := []time.Duration{1, 2, 4, 8, 10, 10, 10}
		for i, w := range want {
			if got := at[i+1].Sub(at[i]).Round(100 * time.Millisecond); got != w*time.Second {
				t.Errorf("delay %d is %v, want %vs", i, got, int(w))
			}
		}
		s.add("none", "bbbbbb", "there")
		if err := c.Refresh(ctx, "none"); err != nil {
			t.Errorf("Refresh minded the remembered failure: %v", err)
		}
		text(t, c, "none")
	})
}

func TestContextErrorsAreNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a")
		s.latency = time.Minute
		c := newClient(t, s, &secrets.Options{FetchTimeout: time.Second})
		if _, err := c.Get(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Get: %v, want the fetch's own timeout", err)
		}
		s.latency = 0
		text(t, c, "a")
	})
}

func TestEvictionBySecondChance(t *testing.T) {
	s := newService()
	for i := range 40 {
		s.add(fmt.Sprintf("s%d", i), "aaaaaa", "x")
	}
	c := newClient(t, s, &secrets.Options{Size: 10})
	for i := range 10 {
		text(t, c, fmt.Sprintf("s%d", i))
	}
	ref := secrets.Bind[string](c, "s5")
	ref.Get(ctx)
	for i := 10; i < 40; i++ {
		text(t, c, "s3") // hits, by name and by handle, keep theirs
		ref.Get(ctx)
		text(t, c, fmt.Sprintf("s%d", i))
		if got := c.Stats().Secrets; got != 10 {
			t.Fatalf("%d secrets held, want 10", got)
		}
	}
	before := c.Stats()
	text(t, c, "s3")
	text(t, c, "s5")
	if d := c.Stats().Sub(before); d.Hits != 2 {
		t.Errorf("secrets that are read all the time were evicted: %d of 2 hits", d.Hits)
	}
	text(t, c, "s0")
	if d := c.Stats().Sub(before); d.Misses != 1 {
		t.Errorf("the secret read longest ago was still there")
	}
}

func TestOneEntryForEveryName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("prod/db")
		arn := "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-000000"
		partial := arn[:len(arn)-7]
		s.secrets[partial] = s.secrets["prod/db"]
		c := newClient(t, s, nil)
		for _, id := range []string{"prod/db", arn, partial} {
			text(t, c, id)
		}
		if got := c.Stats().Secrets; got != 1 {
			t.Errorf("%d entries, want 1", got)
		}
		if got := s.calls(); got != 2 { // the partial ARN is not known to be the same before it was asked for
			t.Errorf("%d calls, want 2", got)
		}
		s.put("prod/db", "v2", "new")
		if err := c.Refresh(ctx, arn); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"prod/db", arn, partial} {
			if got := text(t, c, id); got != "new" {
				t.Errorf("by %q the value is %q", id, got)
			}
		}
	})
}

func TestSecretMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.add("a", "aaaaaa", "first")
		oldARN := s.secrets["a"].arn
		c := newClient(t, s, nil)
		ref := secrets.Bind[string](c, "a")
		byARN := secrets.Bind[string](c, oldARN)
		for _, r := range []*secrets.Ref[string]{ref, byARN} {
			if v, err := r.Get(ctx); v != "first" {
				t.Fatal(v, err)
			}
		}
		s.add("a", "bbbbbb", "second")
		if err := c.Refresh(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		if v, err := ref.Get(ctx); v != "second" {
			t.Errorf("by name: %q, %v, want the new secret", v, err)
		}
		if v, err := byARN.Get(ctx); errorCode(err) != "ResourceNotFoundException" {
			t.Errorf("by the old ARN: %q, %v, want not found", v, err)
		}
	})
}

func TestGoingBackNeedsTwoLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a")
		c := newClient(t, s, nil)
		text(t, c, "a")
		time.Sleep(time.Second)
		s.put("a", "v2", "new")
		refresh := func() {
			if err := c.Refresh(ctx, "a"); err != nil {
				t.Fatal(err)
			}
		}
		refresh()
		s.move("a", "AWSCURRENT", "v1-000000") // a lagging read
		refresh()
		if got := text(t, c, "a"); got != "new" {
			t.Errorf("one look that went back was believed: %q", got)
		}
		s.move("a", "AWSCURRENT", "v2")
		refresh()
		s.move("a", "AWSCURRENT", "v1-000000") // lagging again: the looks in between disagreed
		refresh()
		if got := text(t, c, "a"); got != "new" {
			t.Errorf("looks that did not agree were believed: %q", got)
		}
		time.Sleep(5 * time.Second) // the second look comes by itself
		synctest.Wait()
		if got := text(t, c, "a"); got != "value of a" {
			t.Errorf("a rollback was not believed at the second look: %q", got)
		}
	})
}

func TestRefreshOnRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Setenv("AWS_LAMBDA_FUNCTION_NAME", "fn")
		s := newService("a")
		c := newClient(t, s, nil)
		ref := secrets.Bind[string](c, "a")
		ref.Get(ctx)
		for range 100 {
			ref.Get(ctx)
			text(t, c, "a")
		}
		if got := s.calls(); got != 1 {
			t.Errorf("%d calls within the TTL, want 1", got)
		}
		s.put("a", "v2", "new")
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		if got := s.calls(); got != 1 {
			t.Errorf("%d calls while nobody read, want none in the background", got-1)
		}
		if v, err := ref.Get(ctx); v != "new" || err != nil {
			t.Errorf("after ten frozen hours: %q, %v", v, err)
		}
	})
}

func TestCloseDuringFlights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a", "b")
		c := newClient(t, s, nil)
		ref := secrets.Bind[string](c, "a")
		ref.Get(ctx)
		s.latency = time.Hour
		var wg sync.WaitGroup
		begin := time.Now()
		for _, read := range []func() error{
			func() error { _, err := c.Get(ctx, "b"); return err },
			func() error { return c.Refresh(ctx, "a") },
			func() error { return c.Prefetch(ctx, "b", "c") },
			func() error { _, err := c.Versions(ctx, "a"); return err },
			func() error { _, err := c.GetVersion(ctx, "a", secrets.Stage(secrets.Previous)); return err },
		} {
			wg.Go(func() {
				if err := read(); !errors.Is(err, secrets.ErrClosed) {
					t.Errorf("a read under way at Close returned %v", err)
				}
			})
		}
		synctest.Wait()
		c.Close()
		c.Close()
		wg.Wait()
		if took := time.Since(begin); took != 0 {
			t.Errorf("Close and the reads it ended took %v", took)
		}
		if _, err := ref.Get(ctx); err != secrets.ErrClosed {
			t.Errorf("a handle after Close: %v", err)
		}
		if _, err := c.Get(ctx, "a"); err != secrets.ErrClosed {
			t.Errorf("Get after Close: %v", err)
		}
	})
}

func TestTenThousandSecretsForAnHour(t *testing.T) {
	const n = 10_000
	s := newService()
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("team-%d/service-%d", i%100, i)
		s.add(names[i], "aaaaaa", "x")
	}
	real := time.Now()
	var took time.Duration
	synctest.Test(t, func(t *testing.T) {
		s.latency = 5 * time.Millisecond
		c := newClient(t, s, &secrets.Options{Size: n})
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				for _, name := range names[i*100 : i*100+100] {
					text(t, c, name)
				}
			})
		}
		wg.Wait()
		s.most.Store(0)
		cold := s.calls()
		for range 60 {
			for _, name := range names {
				c.Get(ctx, name)
			}
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if got := s.most.Load(); got > 16 || got < 2 {
			t.Errorf("%d refreshes at a time, want at most 16, and more than one", got)
		}
		if got := s.calls() - cold; got < 12*n {
			t.Errorf("%d calls in an hour, want at least %d", got, 12*n)
		}
		if st := c.Stats(); st.Misses != n {
			t.Errorf("%d reads waited, want the %d cold ones", st.Misses, n)
		}
		c.Close()
	})
	took = time.Since(real)
	t.Logf("an hour of %d hot secrets took %v", n, took)
}

func TestReadersSeeWholeVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type pair struct{ A, B string }
		s := newService()
		s.add("a", "aaaaaa", `{"A":"0","B":"0"}`)
		c := newClient(t, s, &secrets.Options{TTL: time.Second})
		ref := secrets.Bind[pair](c, "a")
		ctx, cancel := context.WithTimeout(ctx, 100*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for ctx.Err() == nil {
					p, err := ref.Get(context.Background())
					if err != nil || p.A != p.B || p.A == "" {
						t.Errorf("read %+v, %v", p, err)
						return
					}
					time.Sleep(time.Duration(rand.Int64N(int64(100 * time.Millisecond))))
				}
			})
		}
		for i := 1; ctx.Err() == nil; i++ {
			s.put("a", fmt.Sprintf("v-%d", i), fmt.Sprintf(`{"A":"%d","B":"%d"}`, i, i))
			time.Sleep(700 * time.Millisecond)
		}
		wg.Wait()
		if got := c.Stats().NewVersions; got < 90 {
			t.Errorf("%d new versions were seen in 100 s with a TTL of 1 s", got)
		}
	})
}
