package secrets_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// A read of an expired secret with an ended context does not wait, and later
// reads still wait for the refresh.
func TestEndedReadLeavesStaleWaitToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a")
		c := newClient(t, s, &secrets.Options{StaleWait: time.Second})
		text(t, c, "a")
		s.put("a", "v2", "new")
		time.Sleep(6 * time.Minute)
		s.latency = 100 * time.Millisecond
		ended, cancel := context.WithCancel(ctx)
		cancel()
		c.Get(ended, "a")
		if got := text(t, c, "a"); got != "new" {
			t.Errorf("Get = %q, want %q from the refresh under way", got, "new")
		}
	})
}

// A value that was asked for before the service denied access must not be
// served after it.
func TestLateColdReadDoesNotUndoADenial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &lateService{service: newService("a")}
		c := newClient(t, s, nil)
		s.getLate.Store(int64(time.Second))
		var wg sync.WaitGroup
		wg.Go(func() {
			if v, err := c.Get(ctx, "a"); errorCode(err) != "AccessDeniedException" {
				t.Errorf("Get under way = %v, %v, want AccessDeniedException", v, err)
			}
		})
		synctest.Wait()
		s.fail(coded("AccessDeniedException"))
		if err := c.Refresh(ctx, "a"); errorCode(err) != "AccessDeniedException" {
			t.Errorf("Refresh = %v, want AccessDeniedException", err)
		}
		wg.Wait()
		if v, err := c.Get(ctx, "a"); errorCode(err) != "AccessDeniedException" {
			t.Errorf("Get = %v, %v, want AccessDeniedException", v, err)
		}
	})
}

// A watched secret is refreshed again after a refresh of its own failed that
// outlasted a manual one.
func TestHungRefreshDoesNotEndRefreshing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &lateService{service: newService("a")}
		c := newClient(t, s, &secrets.Options{TTL: time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		yielded := make(chan string, 10)
		go func() {
			for v := range secrets.Bind[string](c, "a").Watch(ctx) {
				yielded <- v
			}
		}()
		<-yielded
		s.describeLate.Store(int64(time.Minute)) // beyond FetchTimeout
		time.Sleep(2 * time.Second)
		refresh(t, c, "a")
		time.Sleep(20 * time.Second)
		s.put("a", "v2", "new")
		select {
		case got := <-yielded:
			if got != "new" {
				t.Errorf("Watch yielded %q, want %q", got, "new")
			}
		case <-time.After(30 * time.Second):
			t.Errorf("Watch yielded nothing in 30 TTLs, want %q", "new")
		}
	})
}

// Recovery of the service makes other failing secrets be tried soon, but serves
// none of them past MaxStale.
func TestRecoveryDoesNotExtendMaxStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ids []string
		for i := range 40 {
			ids = append(ids, fmt.Sprint("failing", i))
		}
		s := newService(append([]string{"well"}, ids...)...)
		c := newClient(t, s, &secrets.Options{TTL: 10 * time.Second, MaxStale: time.Minute, MinBackoff: time.Hour, MaxBackoff: time.Hour})
		for _, id := range ids {
			text(t, c, id)
		}
		s.fail(coded("InternalServiceError"))
		for range 50 {
			time.Sleep(time.Second)
			for _, id := range ids {
				text(t, c, id)
			}
		}
		s.mu.Lock()
		failing := func(id string) error {
			if id != "well" {
				return coded("InternalServiceError")
			}
			return nil
		}
		s.onGet, s.onDesc = func(id, _ string) error { return failing(id) }, failing
		s.mu.Unlock()
		text(t, c, "well")
		time.Sleep(10*time.Second + time.Millisecond)
		for _, id := range ids {
			if v, err := c.Get(ctx, id); errorCode(err) != "InternalServiceError" {
				t.Errorf("Get(%q) past MaxStale = %v, %v, want InternalServiceError", id, v, err)
			}
		}
	})
}

// A new version that takes long to validate is adopted although a lagging
// replica confirms the old one in the meantime.
func TestSlowAdoptionSurvivesALaggingCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a")
		c := newClient(t, s, &secrets.Options{TTL: time.Hour})
		ref := secrets.Bind[slowText](c, "a")
		if _, err := ref.Get(ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		s.put("a", "v2", "slow")
		var wg sync.WaitGroup
		wg.Go(func() { refresh(t, c, "a") })
		time.Sleep(time.Second)
		s.move("a", secrets.Current, "v1-000000")
		refresh(t, c, "a")
		s.move("a", secrets.Current, "v2")
		wg.Wait()
		time.Sleep(10 * time.Second)
		if got, err := ref.Get(ctx); got != "slow" || err != nil {
			t.Errorf("Get = %q, %v, want %q", got, err, "slow")
		}
	})
}

// Lagging replicas that name two old versions in turn must not prolong a
// value's service beyond its TTL where MaxStale is off.
func TestLaggingReplicasDoNotExtendTheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl = 10 * time.Second
		s := newService("a")
		c := newClient(t, s, &secrets.Options{TTL: ttl, MaxStale: -1})
		text(t, c, "a")
		for _, v := range []string{"v2", "v3"} {
			time.Sleep(time.Second)
			s.put("a", v, v)
			refresh(t, c, "a")
		}
		confirmed, calls := time.Now(), 0
		s.mu.Lock()
		s.onDesc = func(string) error { // the service's lock is held
			calls++
			s.secrets["a"].stages[secrets.Current] = []string{"v1-000000", "v2"}[calls%2]
			return nil
		}
		s.mu.Unlock()
		for time.Since(confirmed) < 6*ttl {
			time.Sleep(100 * time.Millisecond)
			got, age := text(t, c, "a"), time.Since(confirmed)
			if got == "v3" && age > ttl {
				t.Fatalf("Get = %q %v after it was confirmed, want another version after %v", got, age, ttl)
			}
		}
	})
}

// Versions that were asked for before a refresh adopted a new version list that
// one first, as Get does.
func TestSlowVersionsListTheVersionAdoptedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &lateService{service: newService("a")}
		c := newClient(t, s, nil)
		s.put("a", "v2", "old")
		text(t, c, "a")
		s.getLate.Store(int64(time.Second)) // of AWSPREVIOUS
		var wg sync.WaitGroup
		wg.Go(func() {
			if got := firstVersion(t, c, "a"); got != "new" {
				t.Errorf("Versions under way lists %q first, want %q", got, "new")
			}
		})
		synctest.Wait()
		s.put("a", "v3", "new")
		refresh(t, c, "a")
		wg.Wait()
		for range 8 {
			if got, want := firstVersion(t, c, "a"), text(t, c, "a"); got != want || want != "new" {
				t.Errorf("Versions lists %q first and Get = %q, want %q of both", got, want, "new")
			}
			time.Sleep(30 * time.Second)
		}
	})
}

// useVersions reads all versions, and then again, so that they are kept up to
// date, and one by its id.
func useVersions(t testing.TB, c *secrets.Client, id, version string) {
	t.Helper()
	firstVersion(t, c, id)
	firstVersion(t, c, id)
	if _, err := c.GetVersion(ctx, id, secrets.VersionID(version)); err != nil {
		t.Fatalf("GetVersion(%q, %q) = %v, want no error", id, version, err)
	}
}

// Versions lists first what Get returns, also while one lagging replica says
// that an older version is current.
func TestVersionsDoNotGoBackBeforeGet(t *testing.T) {
	for _, mode := range []secrets.RefreshMode{secrets.RefreshAhead, secrets.RefreshOnRead} {
		synctest.Test(t, func(t *testing.T) {
			s := newService("a")
			c := newClient(t, s, &secrets.Options{Refresh: mode})
			text(t, c, "a")
			time.Sleep(time.Second)
			s.put("a", "v2", "new")
			refresh(t, c, "a")
			useVersions(t, c, "a", "v1-000000")
			s.move("a", secrets.Current, "v1-000000")
			refresh(t, c, "a")
			s.move("a", secrets.Current, "v2")
			for range 50 {
				if got, want := firstVersion(t, c, "a"), text(t, c, "a"); got != want || want != "new" {
					t.Fatalf("mode %d: Versions lists %q first and Get = %q, want %q of both", mode, got, want, "new")
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
}

// Versions changes the current version together with Get when a version is
// rolled back for good.
func TestVersionsFollowARollbackWithGet(t *testing.T) {
	for _, mode := range []secrets.RefreshMode{secrets.RefreshAhead, secrets.RefreshOnRead} {
		synctest.Test(t, func(t *testing.T) {
			s := newService("a")
			c := newClient(t, s, &secrets.Options{Refresh: mode})
			text(t, c, "a")
			time.Sleep(time.Second)
			s.put("a", "v2", "new")
			refresh(t, c, "a")
			useVersions(t, c, "a", "v1-000000")
			s.move("a", secrets.Current, "v1-000000")
			refresh(t, c, "a")
			for range 100 {
				if got, want := firstVersion(t, c, "a"), text(t, c, "a"); got != want {
					t.Fatalf("mode %d: Versions lists %q first, want %q as Get returns", mode, got, want)
				}
				time.Sleep(100 * time.Millisecond)
				synctest.Wait()
			}
			if got := text(t, c, "a"); got != "value of a" {
				t.Errorf("mode %d: Get = %q 10s after the rollback, want %q", mode, got, "value of a")
			}
		})
	}
}

// One refresh that a lagging replica answers does not make Get go back, although
// Versions has values that are due to be fetched again.
func TestOldListDoesNotMakeGetGoBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a")
		c := newClient(t, s, &secrets.Options{TTL: 2 * time.Hour})
		text(t, c, "a")
		time.Sleep(time.Second)
		s.put("a", "v2", "new")
		refresh(t, c, "a")
		firstVersion(t, c, "a")
		time.Sleep(61 * time.Minute)
		firstVersion(t, c, "a")
		s.move("a", secrets.Current, "v1-000000")
		refresh(t, c, "a")
		s.move("a", secrets.Current, "v2")
		if got := text(t, c, "a"); got != "new" {
			t.Errorf("Get = %q after one lagging answer, want %q", got, "new")
		}
	})
}
