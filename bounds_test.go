package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

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
			t.Errorf("one check that went back was believed: %q", got)
		}
		s.move("a", "AWSCURRENT", "v2")
		refresh()
		s.move("a", "AWSCURRENT", "v1-000000") // lagging again: the checks in between disagreed
		refresh()
		if got := text(t, c, "a"); got != "new" {
			t.Errorf("checks that did not agree were believed: %q", got)
		}
		time.Sleep(5 * time.Second) // the second check comes by itself
		synctest.Wait()
		if got := text(t, c, "a"); got != "value of a" {
			t.Errorf("a rollback was not believed at the second check: %q", got)
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
	n := 10_000
	if testing.Short() {
		n = 2_000
	}
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
				for _, name := range names[i*n/100 : (i+1)*n/100] {
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
		if got := s.calls() - cold; got < int64(12*n) {
			t.Errorf("%d calls in an hour, want at least %d", got, 12*n)
		}
		if st := c.Stats(); st.Misses != uint64(n) {
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
