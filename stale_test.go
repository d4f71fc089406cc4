package secrets_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// In an outage that outlasts the TTL every read of the expired secret is stale,
// by whatever way it is read.
func TestStaleCountsReadsOfAnExpiredSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"a": `{"Limit":3}`})
		c := open(t, srv.Client(), &secrets.Options{TTL: time.Minute, Refresh: secrets.RefreshAhead})
		ref, bound := secrets.Bind[limits](c, "a"), secrets.BindFunc(c, "a", func(s *secrets.Secret) (int, error) { return len(s.Bytes()), nil })
		ways := map[string]func(){
			"Get":         func() { c.Get(ctx, "a") },
			"Get[T]":      func() { secrets.Get[limits](ctx, c, "a") },
			"Ref":         func() { ref.Get(ctx) },
			"BindFunc":    func() { bound.Get(ctx) },
			"Peek":        func() { ref.Peek() },
			"Try":         func() { secrets.Try(ctx, ref, acceptLimits) },
			"a slice":     func() { secrets.Get[[]byte](ctx, c, "a") },
			"a new Bind":  func() { secrets.Bind[limits](c, "a").Get(ctx) },
			"by its ARN":  func() { c.Get(ctx, srv.ARN("a")) },
			"Get[string]": func() { secrets.Get[string](ctx, c, "a") },
		}
		for _, read := range ways {
			read()
		}
		for name, read := range ways {
			checkReads(t, c, name+" while all is well", reads{hits: 1}, read)
		}
		srv.Fail(secretstest.Outage())
		for range 60 { // a reader every second keeps it in use
			time.Sleep(time.Second)
			c.Get(ctx, "a")
		}
		time.Sleep(10 * time.Second)
		for range 15 * 60 {
			time.Sleep(time.Second)
			for name, read := range ways {
				before := c.Stats()
				read()
				if d := c.Stats().Sub(before); d.Stale != 1 || d.Hits != 0 {
					t.Fatalf("%s in the outage: %d stale, %d hits, %d misses; want 1 stale", name, d.Stale, d.Hits, d.Misses)
				}
			}
		}
		if st := c.Stats(); st.StaleNow != 1 || st.Failing != 1 {
			t.Errorf("%d stale now and %d failing, want 1 of each", st.StaleNow, st.Failing)
		}
		srv.ClearFaults()
		if err := c.Refresh(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		for name, read := range ways {
			checkReads(t, c, name+" after the outage", reads{hits: 1}, read)
		}
		if st := c.Stats(); st.StaleNow != 0 || st.Failing != 0 || time.Since(st.OldestConfirmation) != 0 {
			t.Errorf("%d stale now, %d failing, oldest confirmation %v; want none, now", st.StaleNow, st.Failing, st.OldestConfirmation)
		}
	})
}

// A version that expires while its refresh hangs is stale from that moment on,
// not from when the refresh fails.
func TestStaleWhileTheRefreshHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"a": "one"})
		c := open(t, srv.Client(), &secrets.Options{TTL: time.Minute, FetchTimeout: time.Hour, Refresh: secrets.RefreshAhead})
		c.Get(ctx, "a")
		srv.Fail(secretstest.Fault{Times: secretstest.Always, Latency: 20 * time.Minute})
		st, _ := c.Status("a")
		for time.Now().Before(st.Expires) {
			checkReads(t, c, "a read before the TTL ends", reads{hits: 1}, func() { c.Get(ctx, "a") })
			if now, _ := c.Status("a"); !now.StaleSince.IsZero() {
				t.Fatalf("stale since %v, before %v", now.StaleSince, st.Expires)
			}
			time.Sleep(time.Second)
		}
		for range 10 {
			checkReads(t, c, "a read after it", reads{stale: 1}, func() { c.Get(ctx, "a") })
			time.Sleep(time.Second)
		}
		now, _ := c.Status("a")
		if !now.StaleSince.Equal(st.Expires) || !now.Checking || now.Failures != 0 {
			t.Errorf("stale since %v, checking %t, %d failures; want %v, true, 0", now.StaleSince, now.Checking, now.Failures, st.Expires)
		}
	})
}

// A secret that nobody reads is left to expire: it is not stale.
func TestIdleIsNotStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"a": "one"})
		c := open(t, srv.Client(), &secrets.Options{TTL: time.Minute})
		c.Get(ctx, "a")
		for range 10 {
			time.Sleep(time.Minute)
			if st, ok := c.Status("a"); !ok || !st.StaleSince.IsZero() {
				t.Errorf("Status of an idle secret: %+v, %t", st, ok)
			}
		}
		if st := c.Stats(); st.StaleNow != 0 || !st.OldestConfirmation.IsZero() {
			t.Errorf("%d stale now, oldest confirmation %v; want none", st.StaleNow, st.OldestConfirmation)
		}
		if n := srv.Count(); n != 1 {
			t.Errorf("%d calls, want 1: Status is no read", n)
		}
	})
}

func acceptLimits(context.Context, limits) (int, error) { return 0, nil }
