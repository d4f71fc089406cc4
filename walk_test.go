package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/seed-74dc7b3e/secrets"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// rotWindow returns a secret whose current version "old" is no longer accepted,
// and whose pending one, "new", is; the handle has the current one.
func rotWindow(t *testing.T) (*secretstest.Server, *secrets.Client, *secrets.Ref[string], *rotScript) {
	t.Helper()
	srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
	c, ref := rotText(t, srv, nil)
	if _, err := ref.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	srv.PutPending("s", "new")
	return srv, c, ref, rotAccept("new")
}

// An error that is no rejection is returned as it is, by the first use and by
// the prober's, and the next caller goes on where the prober left off.
func TestTryOtherErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, ref, s := rotWindow(t)
		n, err := secrets.Try(t.Context(), ref, func(context.Context, string) (int, error) { return 7, errRotNetwork })
		if n != 7 || err != errRotNetwork {
			t.Errorf("Try = %d, %v, want what the use returned", n, err)
		}
		flaky := func(ctx context.Context, v string) (string, error) {
			if v == "new" {
				return "half", errRotNetwork
			}
			return s.use(ctx, v)
		}
		got, err := secrets.Try(t.Context(), ref, flaky)
		if got != "half" || err != errRotNetwork {
			t.Errorf("Try = %q, %v, want what the use returned", got, err)
		}
		calls := rotCalls(srv, func() {
			if got, err := secrets.Try(t.Context(), ref, s.use); got != "new" || err != nil {
				t.Errorf("Try = %q, %v", got, err)
			}
		})
		if got := s.take(); got != "old new" {
			t.Errorf("offered %q, want %q", got, "old new")
		}
		if calls != 0 {
			t.Errorf("%d calls for what the prober had found out a moment before", calls)
		}
	})
}

// When the network is down fifty callers find that out one after the other;
// they do not ask the service each.
func TestTryNetworkDownAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, ref, s := rotWindow(t)
		calls := rotCalls(srv, func() {
			var done sync.WaitGroup
			for range 50 {
				done.Go(func() {
					_, err := secrets.Try(t.Context(), ref, func(ctx context.Context, v string) (string, error) {
						if v == "new" {
							return "", errRotNetwork
						}
						return s.use(ctx, v)
					})
					if err != errRotNetwork {
						t.Errorf("Try = %v, want the network error", err)
					}
				})
			}
			done.Wait()
		})
		if calls > 3 {
			t.Errorf("%d calls of the service, want 3 at most", calls)
		}
	})
}

// One of many callers probes; the others wait for what it finds.
func TestTryOneProber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, ref, s := rotWindow(t)
		offers := map[string]*atomic.Int32{"old": {}, "new": {}}
		slow := func(ctx context.Context, v string) (string, error) {
			offers[v].Add(1)
			time.Sleep(10 * time.Millisecond)
			if v == "new" && offers["new"].Load() == 1 {
				time.Sleep(3 * time.Second) // the others have long been refused
				if n := offers["new"].Load(); n != 1 {
					t.Errorf("%d callers offered the pending version at once, want 1", n)
				}
			}
			return s.use(ctx, v)
		}
		var done sync.WaitGroup
		calls := rotCalls(srv, func() {
			for i := range 50 {
				done.Go(func() {
					time.Sleep(time.Duration(i%5) * time.Second) // some come while the prober is at work
					if got, err := secrets.Try(t.Context(), ref, slow); got != "new" || err != nil {
						t.Errorf("Try = %q, %v", got, err)
					}
				})
			}
			done.Wait()
		})
		if n := offers["old"].Load(); n != 10 {
			t.Errorf("the old version was offered %d times, want 10: by those who came before it was refused", n)
		}
		if calls > 4 {
			t.Errorf("%d calls of the service, want 4 at most", calls)
		}
	})
}

// The prober's context ends, or its use panics or ends its goroutine: one of
// those who wait takes over.
func TestTryTakesOver(t *testing.T) {
	tests := map[string]func(ctx context.Context) error{
		"context": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"panic":   func(context.Context) error { time.Sleep(time.Second); panic("use") },
		"Goexit":  func(context.Context) error { time.Sleep(time.Second); runtime.Goexit(); return nil },
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, _, ref, s := rotWindow(t)
				var probers atomic.Int32
				use := func(ctx context.Context, v string) (string, error) {
					if v == "new" && probers.Add(1) == 1 {
						return "", end(ctx)
					}
					return s.use(ctx, v)
				}
				var done sync.WaitGroup
				done.Go(func() { // the first prober
					defer func() { recover() }()
					_, err := secrets.Try(rotWithin(time.Second), ref, use)
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("the prober whose context ended got %v", err)
					}
				})
				for range 20 {
					done.Go(func() {
						time.Sleep(time.Millisecond)
						start := time.Now()
						if got, err := secrets.Try(rotWithin(time.Minute), ref, use); got != "new" || err != nil {
							t.Errorf("Try = %q, %v", got, err)
						}
						if took := time.Since(start); took > 1100*time.Millisecond {
							t.Errorf("a waiter had its answer after %v, want as soon as the first prober was gone", took)
						}
					})
				}
				done.Wait()
				if n := probers.Load(); n != 2+19 {
					t.Errorf("the pending version was offered %d times, want by two probers and 19 waiters", n)
				}
			})
		})
	}
}

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

// Callers come and go while nothing is accepted: the service is asked at the
// pace of one of them, and the resource once for each version.
func TestTryPaceOutlivesProbers(t *testing.T) {
	for _, denied := range []bool{false, true} {
		t.Run(fmt.Sprintf("pending denied=%v", denied), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, _, ref, s := rotWindow(t)
				s.set()
				most, offers := 25, []string{"old", "new"}
				if denied {
					srv.Fail(secretstest.DenyPending(""))
					most, offers = 50, offers[:1] // each look tries the pending version
				}
				calls := rotCalls(srv, func() {
					var done sync.WaitGroup
					for i := range 50 {
						done.Go(func() {
							time.Sleep(time.Duration(i) * 20 * time.Millisecond)
							for range 30 {
								_, err := secrets.Try(rotWithin(time.Second), ref, s.use)
								var rejected *secrets.RejectedError
								if !errors.As(err, &rejected) || len(rejected.Attempts) != len(offers) && i > 0 {
									t.Errorf("Try = %v, want a RejectedError of %v", err, offers)
								}
							}
						})
					}
					done.Wait()
				})
				if got, want := s.take(), strings.Join(offers, " "); got != want {
					t.Errorf("offered %q, want %q: each version once", got, want)
				}
				if calls > most {
					t.Errorf("%d calls of the service in 30s, want %d at most", calls, most)
				}
			})
		})
	}
}

// A refusal that is news is followed by a look at once, however long the
// intervals had become.
func TestTryNewsEndsThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, ref, s := rotWindow(t)
		s.set()
		secrets.Try(rotWithin(time.Minute), ref, s.use)
		srv.Put("s", "newer")
		if err := c.Refresh(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
		srv.PutPending("s", "next")
		s.set("next")
		start := time.Now()
		if got, err := secrets.Try(rotWithin(10*time.Second), ref, s.use); got != "next" || err != nil {
			t.Errorf("Try = %q, %v", got, err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("Try took %v, want a look at once", took)
		}
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
		time.Sleep(2 * time.Minute) // the looks are five seconds apart
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

// A prober that alone refused what others found to work keeps nobody waiting.
func TestTryProberAloneRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, ref, _ := rotWindow(t)
		// caller returns a use that takes its time and accepts one version.
		caller := func(took time.Duration, accepts string) func(context.Context, string) (string, error) {
			return func(_ context.Context, v string) (string, error) {
				time.Sleep(took)
				if v != accepts {
					return "", secrets.Rejected(errRotAuth)
				}
				return v, nil
			}
		}
		var done sync.WaitGroup
		expect := func(use func(context.Context, string) (string, error), want string) {
			done.Go(func() {
				got, err := secrets.Try(rotWithin(50*time.Second), ref, use)
				if got != want || (err != nil) != (want == "") {
					t.Errorf("Try = %q, %v, want %q", got, err, want)
				}
			})
		}
		expect(caller(600*time.Millisecond, ""), "")       // refuses both, the last at 1.2s
		expect(caller(5*time.Millisecond, "new"), "new")   // pins the pending version
		time.Sleep(time.Second / 2)                        //
		expect(caller(500*time.Millisecond, "old"), "old") // refuses the pin, then finds the current one to work
		srv.Fail(secretstest.Fault{Op: "DescribeSecret", Latency: 2 * time.Second, Times: secretstest.Always})
		time.Sleep(4500 * time.Millisecond) // now the first one probes, and can only wait
		start := time.Now()
		expect(caller(0, "old"), "old")
		done.Go(func() {
			secrets.Try(t.Context(), ref, func(context.Context, string) (int, error) {
				if took := time.Since(start); took != 0 {
					t.Errorf("a use began after %v, want it at once", took)
				}
				return 0, nil
			})
		})
		done.Wait()
	})
}

// finishSecret comes between the prober's look at the labels and its request for
// the pending version, which is no longer there: it looks again at once.
func TestTryFinishRaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, ref, s := rotWindow(t)
		time.Sleep(time.Second)
		srv.Fail(secretstest.Fault{Op: "DescribeSecret", Lag: time.Second / 2})
		srv.MoveStage("s", secrets.Current, srv.VersionID("s", secrets.Pending))
		srv.MoveStage("s", secrets.Pending, "")
		start := time.Now()
		if got, err := secrets.Try(rotWithin(10*time.Second), ref, s.use); got != "new" || err != nil {
			t.Errorf("Try = %q, %v", got, err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("Try took %v, want a second look at once", took)
		}
	})
}

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

// The secret is deleted, or its permission withdrawn, during a walk: everybody
// has the service's answer, and soon.
func TestTrySecretWithdrawn(t *testing.T) {
	for _, described := range []bool{true, false} {
		for name, withdraw := range map[string]func(*secretstest.Server){
			"deleted":   func(srv *secretstest.Server) { srv.Delete("s") },
			"scheduled": func(srv *secretstest.Server) { srv.ScheduleDeletion("s") },
			"denied": func(srv *secretstest.Server) {
				srv.Fail(secretstest.Fault{Times: secretstest.Always, Code: "AccessDeniedException"})
			},
		} {
			t.Run(fmt.Sprintf("%s/described=%v", name, described), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					srv, _, ref, s := rotWindow(t)
					if !described {
						srv.Fail(secretstest.DenyDescribe(""))
					}
					s.set()
					start := time.Now()
					var done sync.WaitGroup
					for range 10 {
						done.Go(func() {
							_, err := secrets.Try(rotWithin(10*time.Minute), ref, s.use)
							var rejected *secrets.RejectedError
							if err == nil || errors.As(err, &rejected) || !strings.Contains(err.Error(), `"s"`) {
								t.Errorf("Try = %v, want the service's answer", err)
							}
							var notFound *types.ResourceNotFoundException
							if name == "deleted" && !errors.As(err, &notFound) {
								t.Errorf("Try = %v, want a ResourceNotFoundException", err)
							}
						})
					}
					time.Sleep(30 * time.Second)
					withdraw(srv)
					done.Wait()
					if took := time.Since(start); took > 45*time.Second {
						t.Errorf("the answer took %v after the secret was withdrawn", took-30*time.Second)
					}
				})
			})
		}
	}
}

// A secret that is pinned stays in the cache; when the pin goes, or its handle,
// it may be evicted.
func TestTryPinHolds(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "old", "a": "1", "b": "2", "c": "3"})
	c := rotClient(t, srv, secrets.Options{Size: 2})
	s := rotAccept("new")
	pin := func() *secrets.Ref[string] {
		ref := secrets.Bind[string](c, "s")
		if got, err := secrets.Try(t.Context(), ref, s.use); got != "new" || err != nil {
			t.Fatalf("Try = %q, %v", got, err)
		}
		return ref
	}
	cached := func() bool {
		for _, id := range strings.Fields("a b c a b c") {
			if _, err := c.Get(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		before := srv.Count()
		c.Get(t.Context(), "s")
		return srv.Count() == before
	}
	srv.PutPending("s", "new")
	ref := pin()
	if !cached() {
		t.Error("a pinned secret was evicted")
	}
	srv.MoveStage("s", secrets.Current, srv.VersionID("s", secrets.Pending))
	if err := c.Refresh(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	secrets.Try(t.Context(), ref, s.use)
	if cached() {
		t.Error("a secret that is no longer pinned was not evicted")
	}

	s.set("newer")
	srv.PutPending("s", "newer")
	s.accepts["new"] = true
	dropped := secrets.Bind[string](c, "s")
	s.set("newer")
	if got, err := secrets.Try(t.Context(), dropped, s.use); got != "newer" || err != nil {
		t.Fatalf("Try = %q, %v", got, err)
	}
	runtime.KeepAlive(dropped)
	dropped = nil
	for range 100 {
		runtime.GC()
		time.Sleep(time.Millisecond) // for the cleanup's goroutine, outside of any bubble
		if !cached() {
			return
		}
	}
	t.Error("the secret of a handle that is gone was never evicted")
}

// The secret leaves the cache and comes back while it is pinned: it is held
// again, and the pin works on.
func TestTryPinnedSecretComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "old", "a": "1", "b": "2", "c": "3"})
		c := rotClient(t, srv, secrets.Options{Size: 2})
		ref := secrets.Bind[string](c, "s")
		srv.PutPending("s", "new")
		s := rotAccept("new")
		secrets.Try(t.Context(), ref, s.use)
		s.take()

		srv.Fail(secretstest.Fault{Op: "GetSecretValue", Secret: "s", Times: secretstest.Always, Code: "AccessDeniedException"})
		time.Sleep(90 * time.Minute) // the value is fetched once an hour
		if _, err := secrets.Try(t.Context(), ref, s.use); err == nil {
			t.Error("Try succeeded though the secret is withdrawn")
		}
		srv.ClearFaults()
		time.Sleep(time.Minute)
		if got, err := secrets.Try(t.Context(), ref, s.use); got != "new" || err != nil {
			t.Errorf("Try = %q, %v", got, err)
		}
		for _, id := range strings.Fields("a b c a b c") {
			c.Get(t.Context(), id)
		}
		if calls := rotCalls(srv, func() { c.Get(t.Context(), "s") }); calls != 0 {
			t.Error("the pinned secret was evicted after it had come back")
		}
		if got := s.take(); got != "new" {
			t.Errorf("offered %q, want the pinned version alone", got)
		}
	})
}

// The secret is deleted and made again under its name while it is pinned.
func TestTryPinnedSecretMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, ref, s := rotWindow(t)
		secrets.Try(t.Context(), ref, s.use)
		s.take()
		srv.Delete("s")
		srv.Put("s", "again")
		s.set("again", "new")
		if err := c.Refresh(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
		if got, err := secrets.Try(t.Context(), ref, s.use); got != "again" || err != nil {
			t.Errorf("Try = %q, %v, want the value of the new secret", got, err)
		}
		if ref.Rotating() {
			t.Error("Rotating() = true: the pin of the old secret stayed")
		}
	})
}

// The service is down when a version is refused: those in memory are offered.
func TestTryServiceDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, ref, s := rotWindow(t)
		secrets.Try(t.Context(), ref, s.use) // "new" is pinned
		s.take()
		srv.Fail(secretstest.Outage())
		s.set("old") // the password was rolled back
		if got, err := secrets.Try(rotWithin(10*time.Second), ref, s.use); got != "old" || err != nil {
			t.Errorf("Try = %q, %v, want what is in memory", got, err)
		}
		if got := s.take(); got != "new old" {
			t.Errorf("offered %q", got)
		}

		s.set()
		_, err := secrets.Try(rotWithin(10*time.Second), ref, s.use)
		var rejected *secrets.RejectedError
		if !errors.As(err, &rejected) || !strings.Contains(err.Error(), "asking for others failed") {
			t.Errorf("Try = %v, want a RejectedError that says that the service could not be asked", err)
		}
	})
}

// When the service is down, labels that were seen long ago are not gone by: only
// the current version is offered.
func TestTryServiceDownOldLabels(t *testing.T) {
	for _, ago := range []time.Duration{30 * time.Second, 30 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			srv := secretstest.New(t, secretstest.Secrets{"s": "prev"})
			srv.Put("s", "old")
			srv.PutPending("s", "new")
			_, ref := rotText(t, srv, nil)
			s := rotAccept("new")
			secrets.Try(t.Context(), ref, s.use) // "new" is pinned
			s.set("prev")
			secrets.Try(rotWithin(time.Second), ref, s.use) // "prev" is now, and is in memory
			s.take()
			time.Sleep(ago)
			srv.Fail(secretstest.Outage())
			s.set()
			secrets.Try(rotWithin(10*time.Minute), ref, s.use)
			want := "prev old new"
			if ago > time.Minute {
				want = "prev old"
			}
			if got := s.take(); !strings.HasPrefix(got, want) || ago > time.Minute && strings.Contains(got, "new") {
				t.Errorf("%v after the labels were seen: offered %q, want %q first", ago, got, want)
			}
		})
	}
}

// Beyond Options.MaxStale no version is offered, pinned or not.
func TestTryMaxStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
		c := rotClient(t, srv, secrets.Options{MaxStale: 2 * time.Hour})
		ref := secrets.Bind[string](c, "s")
		srv.PutPending("s", "new")
		s := rotAccept("new")
		secrets.Try(t.Context(), ref, s.use)
		srv.Fail(secretstest.Outage())
		time.Sleep(time.Hour)
		if got, err := secrets.Try(t.Context(), ref, s.use); got != "new" || err != nil {
			t.Errorf("Try an hour into an outage = %q, %v", got, err)
		}
		time.Sleep(2 * time.Hour)
		if got, err := secrets.Try(t.Context(), ref, s.use); err == nil {
			t.Errorf("Try three hours into an outage = %q, want an error", got)
		}
	})
}

// The current version does not decode: a pending one that does is used.
func TestTryCurrentDoesNotDecode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": `{"Password":"good"}`})
		c := rotClient(t, srv, secrets.Options{})
		ref := secrets.Bind[rotLogin](c, "s")
		ref.Get(t.Context())
		srv.Put("s", "not JSON")
		srv.PutPending("s", `{"Password":"next"}`)
		c.Refresh(t.Context(), "s")
		var offered []string
		use := func(_ context.Context, l rotLogin) (string, error) {
			offered = append(offered, l.Password)
			if l.Password != "next" {
				return "", secrets.Rejected(errRotAuth)
			}
			return l.Password, nil
		}
		for range 2 {
			if got, err := secrets.Try(rotWithin(10*time.Second), ref, use); got != "next" || err != nil {
				t.Fatalf("Try = %q, %v", got, err)
			}
		}
		if got := fmt.Sprint(offered); got != "[good next next]" {
			t.Errorf("offered %v", got)
		}
	})
}

// Uses have maps and slices of their own, also the prober's.
func TestTryClones(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": `{"hosts":["old"]}`})
		c := rotClient(t, srv, secrets.Options{})
		ref := secrets.Bind[map[string][]string](c, "s")
		srv.PutPending("s", `{"hosts":["new"]}`)
		for range 3 {
			_, err := secrets.Try(t.Context(), ref, func(_ context.Context, m map[string][]string) (int, error) {
				host := m["hosts"][0]
				m["hosts"][0] = "scribbled"
				m["more"] = nil
				if host != "new" {
					return 0, secrets.Rejected(errors.New(host))
				}
				return len(m), nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if m, err := ref.Get(t.Context()); err != nil || m["hosts"][0] != "old" {
			t.Errorf("Get = %v, %v", m, err)
		}
		if n := c.Stats().Rejections; n != 1 {
			t.Errorf("%d rejections, want 1: a use saw what another had scribbled", n)
		}
	})
}

// rotNoIDs is an endpoint that gives versions no ids and knows no DescribeSecret.
type rotNoIDs struct{ c *secretsmanager.Client }

func (a rotNoIDs) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, o ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	out, err := a.c.GetSecretValue(ctx, in, o...)
	if err == nil {
		out.VersionId = nil
	}
	return out, err
}

// An endpoint without version ids still serves Try: what was refused is not
// left alone for ever.
func TestTryWithoutVersionIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
		c, err := secrets.New(rotNoIDs{srv.Client()}, &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ref := secrets.Bind[string](c, "s")
		s := rotAccept("new")
		time.AfterFunc(10*time.Second, func() { srv.Put("s", "new") })
		if got, err := secrets.Try(rotWithin(3*time.Minute), ref, s.use); got != "new" || err != nil {
			t.Errorf("Try = %q, %v", got, err)
		}
	})
}

// The log's handler may use the handle.
func TestTryLogsWithoutLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
		h := &rotHandler{}
		c, err := secrets.New(srv.Client(), &secrets.Options{Logger: h.logger()})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ref := secrets.Bind[string](c, "s")
		h.match, h.call = "other than the current", func() {
			ref.Rotating()
			secrets.Try(context.Background(), ref, func(context.Context, string) (int, error) { return 0, nil })
		}
		srv.PutPending("s", "new")
		if got, err := secrets.Try(t.Context(), ref, rotAccept("new").use); got != "new" || err != nil {
			t.Errorf("Try = %q, %v", got, err)
		}
		if !h.called {
			t.Error("nothing was logged of the version in use")
		}
	})
}
