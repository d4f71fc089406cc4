package secrets_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A Versions that waits is a miss also where the current version is cached and
// where only reads cause checks.
func TestFirstVersionsAfterGetOnReadIsAMiss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, countedService(), &secrets.Options{Refresh: secrets.RefreshOnRead})
		checkReads(t, c, "the first Get", reads{misses: 1}, func() { text(t, c, "a") })
		checkReads(t, c, "Get from memory", reads{hits: 1}, func() { text(t, c, "a") })
		checkReads(t, c, "the first Versions after it", reads{misses: 1}, func() { c.Versions(ctx, "a") })
	})
}

// A Versions that is served old values without waiting is stale once, and
// counts once however many versions there are.
func TestStaleVersionsCountOnce(t *testing.T) {
	overModes(t, func(t *testing.T, o *secrets.Options) {
		s := countedService()
		o.StaleWait = -1
		c := newClient(t, s, o)
		versions := func() { c.Versions(ctx, "a") }
		checkReads(t, c, "the first Versions", reads{misses: 1}, versions)
		time.Sleep(time.Hour)
		s.fail(coded("InternalServiceError"))
		checkReads(t, c, "Versions of an expired secret", reads{stale: 1}, versions)
	})
}

// A Versions of an expired secret waits for StaleWait once, and counts once.
func TestVersionsWaitForStaleWaitOnce(t *testing.T) {
	overModes(t, func(t *testing.T, o *secrets.Options) {
		s := countedService()
		c := newClient(t, s, o)
		versions := func() { c.Versions(ctx, "a") }
		checkReads(t, c, "the first Versions", reads{misses: 1}, versions)
		time.Sleep(time.Hour)
		s.latency = time.Second
		begin := time.Now()
		checkReads(t, c, "Versions of an expired secret", reads{misses: 1, stale: 1}, versions)
		if got, want := time.Since(begin), secrets.DefaultStaleWait; got != want {
			t.Errorf("Versions of an expired secret waits %v, want %v", got, want)
		}
	})
}

// A request for 20 secrets is one call, and so one error at most, also where
// the service refuses each of them.
func TestRefusedBatchIsOneErrorAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, ids := many(20)
		srv := secretstest.New(t, all)
		srv.Fail(secretstest.Fault{Times: secretstest.Always, Op: "GetSecretValue", Code: "AccessDeniedException"})
		c := open(t, srv.Client(), nil)
		if err := c.Prefetch(t.Context(), ids...); err == nil {
			t.Error("a Prefetch that the service refuses succeeds")
		}
		if got := c.Stats(); got.Errors > got.Calls() {
			t.Errorf("%d errors of %d calls are counted, want no more errors than calls", got.Errors, got.Calls())
		}
	})
}

// hotService returns a service, the names of n secrets to be prefetched, and
// those of as many others.
func hotService(n int) (s *service, ids, hot []string) {
	s = newService()
	for i := range n {
		ids = append(ids, fmt.Sprint("own", i))
		hot = append(hot, fmt.Sprint("hot", i))
		s.add(ids[i], "aaaaaa", "own")
		s.add(hot[i], "aaaaaa", "hot")
	}
	return s, ids, hot
}

// checkAllCached fails if a read of one of ids is not a hit.
func checkAllCached(t *testing.T, c *secrets.Client, ids []string) {
	t.Helper()
	before := c.Stats()
	for _, id := range ids {
		text(t, c, id)
	}
	if got, want := c.Stats().Sub(before).Hits, uint64(len(ids)); got != want {
		t.Errorf("%d reads of prefetched secrets are hits, want %d", got, want)
	}
}

// As many secrets as the cache holds are all there after a Prefetch, although
// it was full of others that were just read.
func TestPrefetchOfSizeEvictsNoneOfItsOwn(t *testing.T) {
	for _, size := range []int{1, 2, 40, 63, 64, 65, 100, 200, 1000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, ids, hot := hotService(size)
				c := newClient(t, s, &secrets.Options{Size: size})
				for range 3 {
					for _, id := range hot {
						text(t, c, id)
					}
				}
				if err := c.Prefetch(ctx, ids...); err != nil {
					t.Fatal(err)
				}
				if got := c.Stats(); got.Evictions != uint64(size) || got.Secrets != uint64(size) {
					t.Errorf("%d evicted, %d held; want %d of both", got.Evictions, got.Secrets, size)
				}
				checkAllCached(t, c, ids)
			})
		})
	}
}

// The same holds where 20 come in one answer, and where the others are read
// through handles.
func TestPrefetchInBatchesEvictsNoneOfItsOwn(t *testing.T) {
	for _, size := range []int{40, 65, 200} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all, ids := many(2 * size)
				srv := secretstest.New(t, all)
				c := open(t, srv.Client(), &secrets.Options{Size: size})
				var refs []*secrets.Ref[string]
				for _, id := range ids[size:] {
					refs = append(refs, secrets.Bind[string](c, id))
				}
				for range 3 {
					for _, ref := range refs {
						ref.Get(t.Context())
					}
				}
				if err := c.Prefetch(t.Context(), ids[:size]...); err != nil {
					t.Fatal(err)
				}
				checkAllCached(t, c, ids[:size])
			})
		})
	}
}

// Those of its own that were cached already, and not read for long, stay too.
func TestPrefetchKeepsThoseOfItsOwnThatWereCached(t *testing.T) {
	for _, size := range []int{2, 40, 100, 200} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, ids, hot := hotService(size)
				c := newClient(t, s, &secrets.Options{Size: size})
				for _, id := range ids[:size/2] {
					text(t, c, id)
				}
				for range 3 {
					for _, id := range hot[size/2:] {
						text(t, c, id)
					}
				}
				if err := c.Prefetch(ctx, ids...); err != nil {
					t.Fatal(err)
				}
				checkAllCached(t, c, ids)
			})
		})
	}
}

// namesOf returns the three names of a secret: its name, its ARN without the
// random suffix, and its ARN.
func namesOf(srv *secretstest.Server, name string) []string {
	arn := srv.ARN(name)
	return []string{name, arn[:len(arn)-7], arn}
}

// What is known to be one secret under several names takes one place, whatever
// order they come in.
func TestPrefetchOfOneSecretByItsNamesTakesOnePlace(t *testing.T) {
	for order := range 3 {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := secretstest.New(t, secretstest.Secrets{"db": "one"})
				c := open(t, srv.Client(), &secrets.Options{Size: 1})
				names := namesOf(srv, "db")
				names = append(names[order:], names[:order]...)
				for _, id := range names {
					text(t, c, id)
				}
				if err := c.Prefetch(t.Context(), names...); err != nil {
					t.Errorf("Prefetch of one cached secret by %d names: %v", len(names), err)
				}
				checkAllCached(t, c, names)
				if got := c.Stats(); got.Secrets != 1 || got.Evictions != 0 {
					t.Errorf("%d held, %d evicted; want 1 and 0", got.Secrets, got.Evictions)
				}
			})
		})
	}
}

// An ARN says what it is without its suffix, so both take one place also where
// nothing is cached.
func TestPrefetchOfOneSecretByItsARNsTakesOnePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"db": "one"})
		c := open(t, srv.Client(), &secrets.Options{Size: 1})
		arns := namesOf(srv, "db")[1:]
		if err := c.Prefetch(t.Context(), arns...); err != nil {
			t.Fatalf("Prefetch of one secret by its ARN with and without suffix: %v", err)
		}
		checkAllCached(t, c, arns)
	})
}

// So does a name that an ARN beside it holds.
func TestPrefetchOfOneSecretByNameAndARNsTakesOnePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"db": "one"})
		c := open(t, srv.Client(), &secrets.Options{Size: 1})
		names := namesOf(srv, "db")
		if err := c.Prefetch(t.Context(), names...); err != nil {
			t.Fatalf("Prefetch of one secret by its three names: %v", err)
		}
		checkAllCached(t, c, names)
	})
}

// Names that are known to be one secret leave room for another, and for no more.
func TestPrefetchOfKnownNamesStillBoundsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"db": "one", "other": "two", "third": "three"})
		c := open(t, srv.Client(), &secrets.Options{Size: 2})
		names := namesOf(srv, "db")
		for _, id := range names {
			text(t, c, id)
		}
		if err := c.Prefetch(t.Context(), append(names, "other")...); err != nil {
			t.Fatalf("Prefetch of two secrets where two fit: %v", err)
		}
		checkAllCached(t, c, append(names, "other"))
		srv.ResetCalls()
		if err := c.Prefetch(t.Context(), append(names, "other", "third")...); err == nil {
			t.Error("Prefetch of three secrets where two fit succeeds")
		}
		checkCalls(t, srv, "a Prefetch that does not fit", 0, 0, 0)
	})
}
