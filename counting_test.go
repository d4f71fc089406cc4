package secrets_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// reads are what Stats counts of reads.
type reads struct{ hits, misses, stale, negative uint64 }

// checkReads compares what fn adds to Stats.
func checkReads(t *testing.T, c *secrets.Client, what string, want reads, fn func()) {
	t.Helper()
	before := c.Stats()
	fn()
	d := c.Stats().Sub(before)
	if got := (reads{d.Hits, d.Misses, d.Stale, d.Negative}); got != want {
		t.Errorf("%s counts as %+v, want %+v", what, got, want)
	}
}

// countedService returns a service with a secret that has two versions.
func countedService() *service {
	s := newService("a")
	s.put("a", "v2", "two")
	s.latency = 10 * time.Millisecond
	return s
}

// overModes runs fn in a bubble for each mode, with options of that mode.
func overModes(t *testing.T, fn func(t *testing.T, o *secrets.Options)) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { fn(t, &secrets.Options{Refresh: m.mode}) })
		})
	}
}

// The first Versions waits for several calls, which is one miss; those that
// follow are one hit each.
func TestVersionsCountOnce(t *testing.T) {
	overModes(t, func(t *testing.T, o *secrets.Options) {
		c := newClient(t, countedService(), o)
		versions := func() {
			if all, err := c.Versions(ctx, "a"); err != nil || len(all) != 2 {
				t.Errorf("Versions = %v, %v; want 2", all, err)
			}
		}
		checkReads(t, c, "the first Versions", reads{misses: 1}, versions)
		for range 3 {
			checkReads(t, c, "Versions from memory", reads{hits: 1}, versions)
		}
	})
}

// A Versions that waits is a miss also where the current version is cached.
func TestFirstVersionsAfterGetIsAMiss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, countedService(), nil)
		checkReads(t, c, "the first Get", reads{misses: 1}, func() { text(t, c, "a") })
		checkReads(t, c, "Get from memory", reads{hits: 1}, func() { text(t, c, "a") })
		checkReads(t, c, "the first Versions after it", reads{misses: 1}, func() { c.Versions(ctx, "a") })
	})
}

// Where reads do not wait for the refresh of an expired secret, such a read is
// stale and no miss.
func TestStaleReadThatDoesNotWaitIsNoMiss(t *testing.T) {
	overModes(t, func(t *testing.T, o *secrets.Options) {
		s := countedService()
		o.StaleWait = -1
		c := newClient(t, s, o)
		previous := func() { c.GetVersion(ctx, "a", secrets.Stage(secrets.Previous)) }
		checkReads(t, c, "the first Get", reads{misses: 1}, func() { text(t, c, "a") })
		checkReads(t, c, "the first GetVersion", reads{misses: 1}, previous)
		time.Sleep(time.Hour) // nobody reads: expired
		s.fail(coded("InternalServiceError"))
		checkReads(t, c, "Get of an expired secret", reads{stale: 1}, func() { text(t, c, "a") })
		checkReads(t, c, "GetVersion of an expired secret", reads{stale: 1}, previous)
	})
}

// Only what was cached can be refreshed: the first read of a secret is none,
// whatever asks for it.
func TestColdReadsAreNoRefreshes(t *testing.T) {
	overModes(t, func(t *testing.T, o *secrets.Options) {
		s := newService("get", "ref", "refresh", "versions", "prefetch", "watch")
		c := newClient(t, s, o)
		want := uint64(0)
		check := func(what string) {
			t.Helper()
			synctest.Wait()
			if got := c.Stats().Refreshes; got != want {
				t.Errorf("%s: %d refreshes are counted, want %d", what, got, want)
			}
		}
		text(t, c, "get")
		check("Get")
		secrets.Bind[string](c, "ref").Get(ctx)
		check("Ref.Get")
		c.Refresh(ctx, "refresh")
		check("Refresh of what is not cached")
		c.Prefetch(ctx, "prefetch")
		check("Prefetch")
		for range secrets.Bind[string](c, "watch").Watch(ctx) {
			break
		}
		check("Watch")
		for _, id := range []string{"get", "refresh"} {
			c.Refresh(ctx, id)
			want++
			check("Refresh of what is cached")
		}
		s.put("get", "v2", "new")
		c.Refresh(ctx, "get")
		want++
		check("Refresh that finds a new version")
	})
}

// A Prefetch that is cancelled counts the calls that went out, and no other.
func TestCancelledPrefetchCountsCallsThatWentOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ids []string
		for i := range 2000 {
			ids = append(ids, fmt.Sprint("s", i))
		}
		s := newService(ids...)
		s.latency = time.Second
		c := newClient(t, s, &secrets.Options{Size: len(ids)})
		short, cancel := context.WithTimeout(ctx, 2500*time.Millisecond)
		defer cancel()
		if err := c.Prefetch(short, ids...); err == nil {
			t.Error("a Prefetch that is cancelled succeeds")
		}
		synctest.Wait()
		time.Sleep(time.Minute)
		got, want := c.Stats().GetSecretValue, uint64(s.gets.Load())
		if got != want || want != 3*16 {
			t.Errorf("%d calls are counted of %d that went out, want 48", got, want)
		}
		if got := c.Stats().Errors; got > 16 {
			t.Errorf("%d errors are counted, want one for each of the 16 calls that were under way at most", got)
		}
	})
}

// So does one that asks for 20 secrets a request.
func TestCancelledBatchesCountCallsThatWentOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, ids := many(1000)
		srv := secretstest.New(t, all)
		srv.Fail(secretstest.Fault{Times: secretstest.Always, Latency: time.Second})
		c := open(t, srv.Client(), nil)
		short, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		if err := c.Prefetch(short, ids...); err == nil {
			t.Error("a Prefetch that is cancelled succeeds")
		}
		time.Sleep(time.Minute)
		if got, want := c.Stats().Calls(), uint64(srv.Count()); got != want || want > 12 {
			t.Errorf("%d calls are counted of %d that arrived, want 12 at most", got, want)
		}
	})
}

// askedAt is a service that notes when it was asked whether a secret changed.
type askedAt struct {
	*service
	mu sync.Mutex // guards at
	at []time.Time
}

func (a *askedAt) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, o ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	a.mu.Lock()
	a.at = append(a.at, time.Now())
	a.mu.Unlock()
	return a.service.DescribeSecret(ctx, in, o...)
}

// A loop over a Watch asks once in each TTL where nothing runs in the
// background: never later, and not sooner than in its last tenth.
func TestWatchOnReadAsksOnceInEachTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &askedAt{service: newService("a")}
		const ttl = 5 * time.Minute
		c := newClient(t, s, &secrets.Options{Refresh: secrets.RefreshOnRead, TTL: ttl})
		begin := time.Now()
		f := follow(t.Context(), secrets.Bind[string](c, "a"))
		time.Sleep(1000 * ttl)
		f.check(t, "1,000 TTLs", "value of a")
		s.mu.Lock()
		at := append(slices.Clone(s.at), time.Now())
		s.mu.Unlock()
		if got := len(at) - 1; got < 1000 || got > 1112 {
			t.Errorf("it asks %d times in 1,000 TTLs, want 1,000 to 1,112", got)
		}
		last := begin
		for i, now := range at {
			gap := now.Sub(last)
			if gap > ttl+time.Second || gap < ttl*9/10-time.Second && i < len(at)-1 {
				t.Fatalf("check %d comes %v after the one before, want about %v", i, gap, ttl)
			}
			last = now
		}
		s.put("a", "v2", "new")
		time.Sleep(ttl + time.Second)
		f.check(t, "a new version", "new")
	})
}

// A secret whose description is withdrawn while it rotates is not taken to be
// rotating for good.
func TestRotatingEndsWithoutDescribe(t *testing.T) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService("a")
				c := newClient(t, s, &secrets.Options{Refresh: m.mode})
				ref := secrets.Bind[string](c, "a")
				read := func(d time.Duration) {
					for range d / (20 * time.Second) {
						ref.Get(ctx)
						time.Sleep(20 * time.Second)
					}
				}
				read(time.Minute)
				s.mu.Lock()
				s.secrets["a"].versions["v2"] = "pending"
				s.secrets["a"].stages[secrets.Pending] = "v2"
				s.mu.Unlock()
				read(6 * time.Minute)
				if got := ref.Rotating(); !got {
					t.Fatalf("Rotating = %t during the rotation, want true", got)
				}
				s.mu.Lock()
				s.onDesc = func(string) error { return coded("AccessDeniedException") }
				s.mu.Unlock()
				read(20 * time.Minute)
				if got := ref.Rotating(); got {
					t.Errorf("Rotating = %t 20 minutes after DescribeSecret was withdrawn, want false", got)
				}
				s.put("a", "v2", "new") // the rotation ends
				read(6 * time.Minute)
				if got, err := ref.Get(ctx); err != nil || got != "new" || ref.Rotating() {
					t.Errorf("after the rotation: %q, %v, rotating %t; want %q and false", got, err, ref.Rotating(), "new")
				}
			})
		})
	}
}
