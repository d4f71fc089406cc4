package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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
