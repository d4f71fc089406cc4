package secrets_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/seed-74dc7b3e/secrets"
)

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
		clients := map[string]*secrets.Client{} // one for each: those that fail in a crowd take turns
		for _, name := range names {
			clients[name] = newClient(t, s, &secrets.Options{MaxStale: 100 * time.Hour})
			text(t, clients[name], name)
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
				text(t, clients[name], name)
			}
		}
		for _, c := range clients {
			c.Close() // so that nothing is recorded any more
		}
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

// TestRecoveryWithinAMinuteOfTheFirstSuccess also counts: all at once would be
// more than a service that has just come back can bear from a fleet.
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
		before := c.Stats()
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if st := c.Stats().Sub(before); st.Calls() > 3*uint64(len(names)) {
			t.Errorf("the recovery of %d secrets cost %d calls", len(names), st.Calls())
		}
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
