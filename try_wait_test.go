package secrets_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A waiter leaves when its own context ends, while the prober goes on.
func TestTryWaiterLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, ref, s := rotWindow(t)
		use := func(ctx context.Context, v string) (string, error) {
			if v == "new" {
				time.Sleep(10 * time.Second)
			}
			return s.use(ctx, v)
		}
		var done sync.WaitGroup
		done.Go(func() {
			if got, err := secrets.Try(t.Context(), ref, use); got != "new" || err != nil {
				t.Errorf("the prober got %q, %v", got, err)
			}
		})
		time.Sleep(time.Second)
		start := time.Now()
		_, err := secrets.Try(rotWithin(time.Second), ref, use)
		var rejected *secrets.RejectedError
		if !errors.As(err, &rejected) || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("the waiter got %v after %v", err, time.Since(start))
		}
		if len(rejected.Attempts) != 1 || !errors.Is(err, errRotAuth) {
			t.Errorf("the waiter's error names %v", rejected.Attempts)
		}
		done.Wait()
	})
}

// A version becomes current and works while the prober pauses: those who wait
// are told.
func TestTryFoundByOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, ref, s := rotWindow(t)
		s.set()
		var done sync.WaitGroup
		for range 10 {
			done.Go(func() {
				if got, err := secrets.Try(rotWithin(5*time.Minute), ref, s.use); got != "newer" || err != nil {
					t.Errorf("Try = %q, %v", got, err)
				}
			})
		}
		time.Sleep(2 * time.Minute) // the checks are five seconds apart
		synctest.Wait()
		srv.Put("s", "newer")
		s.set("newer")
		start := time.Now()
		if err := c.Refresh(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
		if got, err := secrets.Try(t.Context(), ref, s.use); got != "newer" || err != nil {
			t.Errorf("Try = %q, %v", got, err)
		}
		done.Wait()
		if took := time.Since(start); took != 0 {
			t.Errorf("those who waited had their answer after %v, want at once", took)
		}
	})
}

// While the prober is offering versions nobody else offers one that it may have
// learnt of a moment ago; when it pauses they do.
func TestTryWaitsForRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, ref, s := rotWindow(t)
		s.set()
		srv.Put("s", "newer") // the prober will find it
		slow := func(ctx context.Context, v string) (string, error) {
			if v == "newer" {
				time.Sleep(time.Second)
			}
			return s.use(ctx, v)
		}
		var done sync.WaitGroup
		done.Go(func() { secrets.Try(rotWithin(5*time.Second), ref, slow) })
		time.Sleep(time.Second / 2)
		for range 20 {
			done.Go(func() { secrets.Try(rotWithin(5*time.Second), ref, slow) })
		}
		done.Wait()
		if got := s.take(); got != "old newer new" {
			t.Errorf("offered %q, want %q: each by the prober alone", got, "old newer new")
		}

		// Now it is the prober that is slow, and others learn of a version.
		srv.PutPending("s", "next")
		time.Sleep(10 * time.Second)
		done.Go(func() {
			secrets.Try(rotWithin(40*time.Second), ref, func(ctx context.Context, v string) (string, error) {
				if v == "next" {
					time.Sleep(20 * time.Second)
				}
				return s.use(ctx, v)
			})
		})
		time.Sleep(10 * time.Second)
		srv.Put("s", "newest")
		c.Refresh(t.Context(), "s")
		start := time.Now()
		for range 20 {
			done.Go(func() {
				if got, err := secrets.Try(rotWithin(30*time.Second), ref, s.use); got != "newest" || err != nil {
					t.Errorf("Try = %q, %v", got, err)
				}
				if took := time.Since(start); took != 10*time.Second {
					t.Errorf("Try took %v, want the rest of the round, 10s", took)
				}
			})
		}
		synctest.Wait()
		if got := s.take(); got != "" {
			t.Errorf("offered %q while the prober was at it", got)
		}
		s.set("newest")
		done.Wait()
	})
}

// TryOptions.Wait ends the waiting for another version before the context does.
func TestTryWait(t *testing.T) {
	for _, wait := range []time.Duration{3 * time.Second, 0} {
		t.Run(wait.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
				_, ref := rotText(t, srv, &secrets.TryOptions{Wait: wait})
				s := rotAccept()
				start := time.Now()
				_, err := secrets.Try(rotWithin(20*time.Second), ref, s.use)
				want, took := wait, time.Since(start)
				if wait <= 0 {
					want = 20 * time.Second
				}
				var rejected *secrets.RejectedError
				if !errors.As(err, &rejected) || took != want {
					t.Errorf("Try = %v after %v, want a RejectedError after %v", err, took, want)
				}
			})
		})
	}
}

// Close ends a walk and those who wait; what a use has got by then is not lost.
func TestTryClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, ref, s := rotWindow(t)
		s.set()
		var done sync.WaitGroup
		for range 10 {
			done.Go(func() {
				if _, err := secrets.Try(t.Context(), ref, s.use); err != secrets.ErrClosed {
					t.Errorf("Try during Close = %v, want ErrClosed", err)
				}
			})
		}
		time.Sleep(time.Minute / 2)
		c.Close()
		done.Wait()
		if _, err := secrets.Try(t.Context(), ref, s.use); err != secrets.ErrClosed {
			t.Errorf("Try after Close = %v, want ErrClosed", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		_, c, ref, s := rotWindow(t)
		got, err := secrets.Try(t.Context(), ref, func(ctx context.Context, v string) (string, error) {
			if v == "new" {
				c.Close()
				synctest.Wait()
				if ctx.Err() != nil {
					t.Error("Close cancelled the context of a use")
				}
			}
			return s.use(ctx, v)
		})
		if got != "new" || err != nil {
			t.Errorf("a use that succeeded during Close: %q, %v", got, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		_, c, ref, s := rotWindow(t)
		secrets.Try(t.Context(), ref, s.use)
		c.Close()
		if got, err := secrets.Try(t.Context(), ref, s.use); err != secrets.ErrClosed {
			t.Errorf("Try of a pinned version after Close = %q, %v, want ErrClosed", got, err)
		}
	})
}

// A use of the old version that is rejected when all is over costs no call.
func TestTryLateRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, ref, s := rotWindow(t)
		late := func(delay time.Duration) func(context.Context, string) (string, error) {
			return func(ctx context.Context, v string) (string, error) {
				if v == "old" {
					time.Sleep(delay)
				}
				return s.use(ctx, v)
			}
		}
		var done sync.WaitGroup
		for i := range 10 {
			done.Go(func() {
				if got, err := secrets.Try(t.Context(), ref, late(time.Minute+time.Duration(i)*time.Second)); got != "new" || err != nil {
					t.Errorf("Try = %q, %v", got, err)
				}
			})
		}
		synctest.Wait()
		secrets.Try(t.Context(), ref, s.use)
		srv.MoveStage("s", secrets.Current, srv.VersionID("s", secrets.Pending))
		time.Sleep(30 * time.Second)
		secrets.Try(t.Context(), ref, s.use) // the pin goes
		calls := rotCalls(srv, done.Wait)
		if calls != 0 {
			t.Errorf("%d calls for rejections that came late, want none", calls)
		}
		secrets.Try(t.Context(), ref, s.use)
		if ref.Rotating() {
			t.Error("Rotating() = true when all is over")
		}
	})
}

// A use that began before the rejections succeeds late, with an older version: that
// says nothing of those that were rejected since.
func TestTryLateSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
		c, ref := rotText(t, srv, &secrets.TryOptions{Stages: []string{secrets.Pending}})
		s := rotAccept("old")
		for _, begin := range []string{"at rest", "after a rejection"} {
			var done sync.WaitGroup
			done.Go(func() {
				if _, err := secrets.Try(t.Context(), ref, func(ctx context.Context, v string) (string, error) {
					time.Sleep(10 * time.Second)
					return v, nil
				}); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
			srv.Put("s", "newer")
			c.Refresh(t.Context(), "s")
			for range 20 {
				secrets.Try(rotWithin(time.Second), ref, s.use)
			}
			done.Wait()
			if got := s.take(); got != "newer" {
				t.Errorf("%s: offered %q, want the rejected version once", begin, got)
			}
			srv.Put("s", "old")
			c.Refresh(t.Context(), "s")
		}
	})
}
