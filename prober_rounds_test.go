package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// Refusals of one version that trickle in are no news each.
func TestTryLateRefusalsAreNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
		_, ref := rotText(t, srv, &secrets.TryOptions{Wait: 300 * time.Millisecond})
		ref.Get(t.Context())
		var done sync.WaitGroup
		calls := rotCalls(srv, func() {
			for i := range 60 {
				done.Go(func() {
					secrets.Try(t.Context(), ref, func(context.Context, string) (int, error) {
						time.Sleep(time.Duration(i+1) * time.Second / 2)
						return 0, secrets.Rejected(errRotAuth)
					})
				})
			}
			done.Wait()
		})
		if calls > 16 {
			t.Errorf("%d calls of the service in 30s, want 16 at most", calls)
		}
	})
}

// The labels can be had and the current version's value cannot: the pending one
// is offered all the same.
func TestTryCurrentOutOfReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, ref, s := rotWindow(t)
		srv.Put("s", "newer")
		srv.Fail(secretstest.Fault{Op: "GetSecretValue", Stage: secrets.Current, Times: secretstest.Always})
		start := time.Now()
		if got, err := secrets.Try(rotWithin(10*time.Second), ref, s.use); got != "new" || err != nil {
			t.Errorf("Try = %q, %v", got, err)
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("Try took %v, want the pending version at once", took)
		}
	})
}

// For a moment no version has the label AWSCURRENT, or so it seems: that is no
// reason to give up.
func TestTryCurrentMissing(t *testing.T) {
	for _, mode := range []secrets.RefreshMode{secrets.RefreshAhead, secrets.RefreshOnRead} {
		synctest.Test(t, func(t *testing.T) {
			srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
			c := rotClient(t, srv, secrets.Options{Refresh: mode})
			ref := secrets.Bind[string](c, "s")
			ref.Get(t.Context())
			srv.Put("s", "new")
			srv.Fail(secretstest.Fault{Op: "GetSecretValue", Stage: secrets.Current, Code: "ResourceNotFoundException", Times: 4})
			if got, err := secrets.Try(rotWithin(30*time.Second), ref, rotAccept("new").use); got != "new" || err != nil {
				t.Errorf("Try = %q, %v", got, err)
			}
			if ref.Rotating() {
				t.Error("Rotating() = true when the current version was found to work")
			}
		})
	}
}

// TryOptions.Wait ends the waiting for another version before the context does.
func TestTryWait(t *testing.T) {
	for _, wait := range []time.Duration{3 * time.Second, 0, -1} {
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

// A version that was refused is offered again after a minute, then after two,
// four, eight and fifteen, for as long as its labels stay. Many uses that were
// refused at once are one refusal.
func TestTryOffersAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
		_, ref := rotText(t, srv, nil)
		var mu sync.Mutex
		var at []time.Duration
		start := time.Now()
		use := func(context.Context, string) (string, error) {
			mu.Lock()
			at = append(at, time.Since(start))
			mu.Unlock()
			return "", secrets.Rejected(errRotAuth)
		}
		ref.Get(t.Context())
		var done sync.WaitGroup
		for range 50 {
			done.Go(func() {
				secrets.Try(rotWithin(time.Second), ref, func(ctx context.Context, v string) (string, error) {
					time.Sleep(10 * time.Millisecond)
					return use(ctx, v)
				})
			})
		}
		done.Wait()
		if len(at) != 50 {
			t.Fatalf("%d of 50 uses under way", len(at))
		}
		secrets.Try(rotWithin(65*time.Minute), ref, use)
		var gaps []string
		for i, d := range at[49:] {
			if i > 0 {
				gaps = append(gaps, (d - at[48+i]).Truncate(time.Minute).String())
			}
		}
		if got, want := strings.Join(gaps, " "), "1m0s 2m0s 4m0s 8m0s 15m0s 15m0s 15m0s"; got != want {
			t.Errorf("offered again after %s, want %s", got, want)
		}
	})
}

// What is accepted again after it was refused ends the trouble.
func TestTryAcceptedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
		_, ref := rotText(t, srv, nil)
		s := rotAccept()
		time.AfterFunc(30*time.Second, func() { s.set("old") })
		start := time.Now()
		got, err := secrets.Try(rotWithin(2*time.Minute), ref, s.use)
		if got != "old" || err != nil {
			t.Fatalf("Try = %q, %v", got, err)
		}
		if took := time.Since(start); took < time.Minute || took > 66*time.Second {
			t.Errorf("accepted again after %v, want a minute", took)
		}
		if ref.Rotating() {
			t.Error("Rotating() = true when all is well again")
		}
		calls := rotCalls(srv, func() { secrets.Try(t.Context(), ref, s.use) })
		if calls != 0 || s.take() != "old old old" {
			t.Errorf("%d calls afterwards, want none", calls)
		}
	})
}

// A rejected pending version that becomes current is offered again, once. The one
// that was current, and becomes previous, is not.
func TestTryLabelsMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, ref, s := rotWindow(t)
		s.set()
		time.AfterFunc(5*time.Second, func() {
			srv.MoveStage("s", secrets.Current, srv.VersionID("s", secrets.Pending))
		})
		time.AfterFunc(20*time.Second, func() { // to and fro is no news
			srv.MoveStage("s", secrets.Current, srv.VersionID("s", secrets.Previous))
		})
		_, err := secrets.Try(rotWithin(40*time.Second), ref, s.use)
		if got, want := s.take(), "old new new"; got != want {
			t.Errorf("offered %q, want %q: %v", got, want, err)
		}
	})
}

// finishSecret comes while the prober is refused with the pending version: the
// version is offered again under its new label, but not in the same breath.
func TestTryLabelsMoveWithinRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, ref, s := rotWindow(t)
		s.set()
		var at []time.Time
		secrets.Try(rotWithin(10*time.Second), ref, func(ctx context.Context, v string) (string, error) {
			if v == "new" {
				if at = append(at, time.Now()); len(at) == 1 {
					srv.MoveStage("s", secrets.Current, srv.VersionID("s", secrets.Pending))
				}
			}
			return s.use(ctx, v)
		})
		if got := s.take(); got != "old new new" {
			t.Errorf("offered %q, want %q", got, "old new new")
		}
		if len(at) > 1 && at[1].Sub(at[0]) < 200*time.Millisecond {
			t.Errorf("offered again after %v", at[1].Sub(at[0]))
		}
	})
}

// The offer tells a gate in front of the use that it is the prober who asks.
func TestTryMarksProber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, ref, s := rotWindow(t)
		for i, want := range []string{"old:false new:true", "new:false"} {
			var seen []string
			secrets.TryOffer(t.Context(), ref, func(ctx context.Context, o secrets.Offer[string]) (string, error) {
				seen = append(seen, fmt.Sprintf("%s:%v", o.Value, o.Fallback))
				return s.use(ctx, o.Value)
			})
			if got := strings.Join(seen, " "); got != want {
				t.Errorf("call %d: %s, want %s", i+1, got, want)
			}
		}
	})
}

// Get never returns what Try makes do with, for any kind of read.
func TestTryGetIgnoresPin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, ref, s := rotWindow(t)
		if got, err := secrets.Try(t.Context(), ref, s.use); got != "new" || err != nil {
			t.Fatalf("Try = %q, %v", got, err)
		}
		read := func() string {
			a, _ := ref.Get(t.Context())
			b, _ := secrets.Get[string](t.Context(), c, "s")
			sec, _ := c.Get(t.Context(), "s")
			text, _ := sec.Text()
			return a + " " + b + " " + text
		}
		if got := read(); got != "old old old" {
			t.Errorf("reads = %q while the pending version is in use", got)
		}
		other := secrets.Bind[string](c, "s")
		s.take()
		secrets.Try(t.Context(), other, s.use)
		if got := s.take(); got != "old new" {
			t.Errorf("another handle offered %q, want %q: what was learnt belongs to the first", got, "old new")
		}
		srv.MoveStage("s", secrets.Current, srv.VersionID("s", secrets.Pending))
		time.Sleep(10 * time.Second) // refreshed within seconds, since a rotation is outstanding
		if got := read(); got != "new new new" {
			t.Errorf("reads = %q after the rotation", got)
		}
		secrets.Try(t.Context(), ref, s.use)
		if ref.Rotating() {
			t.Error("Rotating() = true: the pin stayed when its version became current")
		}
	})
}

// A pinned version is refused: nobody but the prober offers the versions that
// were refused before it.
func TestTryPinRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, ref, s := rotWindow(t)
		secrets.Try(t.Context(), ref, s.use)
		s.set()
		s.take()
		var done sync.WaitGroup
		for range 50 {
			done.Go(func() {
				_, err := secrets.Try(rotWithin(30*time.Second), ref, func(ctx context.Context, v string) (string, error) {
					time.Sleep(10 * time.Millisecond)
					return s.use(ctx, v)
				})
				var rejected *secrets.RejectedError
				if !errors.As(err, &rejected) || len(rejected.Attempts) != 2 {
					t.Errorf("Try = %v, want two versions refused", err)
				}
			})
		}
		done.Wait()
		got := s.take()
		if n := strings.Count(got, "new"); n != 50 {
			t.Errorf("the pinned version was offered %d times, want 50", n)
		}
		if n := strings.Count(got, "old"); n != 1 {
			t.Errorf("the current version was offered %d times, want once, by the prober", n)
		}
	})
}

// A use of the old version that is refused when all is over costs no call.
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
			t.Errorf("%d calls for refusals that came late, want none", calls)
		}
		secrets.Try(t.Context(), ref, s.use)
		if ref.Rotating() {
			t.Error("Rotating() = true when all is over")
		}
	})
}

// A use that began before the trouble succeeds late, with an older version: that
// says nothing of those that were refused since.
func TestTryLateSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
		c, ref := rotText(t, srv, &secrets.TryOptions{Stages: []string{secrets.Pending}})
		s := rotAccept("old")
		for _, begin := range []string{"at rest", "in trouble"} {
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
				t.Errorf("%s: offered %q, want the refused version once", begin, got)
			}
			srv.Put("s", "old")
			c.Refresh(t.Context(), "s")
		}
	})
}

// Two hosts behind one address disagree for good: a call offers no version
// twice, however often others find that it works.
func TestTryHostsBehindOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, ref, _ := rotWindow(t)
		hosts := []map[string]bool{{"old": true}, {"new": true}}
		var failed, fine atomic.Int32
		var done sync.WaitGroup
		for i := range 20 {
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			done.Go(func() {
				for range 50 {
					offered := map[string]int{}
					_, err := secrets.Try(rotWithin(30*time.Second), ref, func(_ context.Context, v string) (string, error) {
						offered[v]++
						time.Sleep(time.Millisecond)
						if !hosts[rng.IntN(2)][v] {
							return "", secrets.Rejected(errRotAuth)
						}
						return v, nil
					})
					if offered["old"] > 1 || offered["new"] > 1 {
						t.Errorf("one call offered %v, want each once", offered)
					}
					if err != nil {
						failed.Add(1)
					} else {
						fine.Add(1)
					}
				}
			})
		}
		done.Wait()
		t.Logf("%d calls found a version, %d did not", fine.Load(), failed.Load())
		if fine.Load() == 0 {
			t.Error("no call found a version")
		}
	})
}
