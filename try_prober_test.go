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
				time.Sleep(3 * time.Second) // the others have long been rejected
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
			t.Errorf("the old version was offered %d times, want 10: by those who came before it was rejected", n)
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
					most, offers = 50, offers[:1] // each check tries the pending version
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

// a rejection that is news is followed by a check at once, however long the
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
			t.Errorf("Try took %v, want a check at once", took)
		}
	})
}

// A prober that alone rejected what others found to work keeps nobody waiting.
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
		expect(caller(600*time.Millisecond, ""), "")       // rejects both, the last at 1.2s
		expect(caller(5*time.Millisecond, "new"), "new")   // pins the pending version
		time.Sleep(time.Second / 2)                        //
		expect(caller(500*time.Millisecond, "old"), "old") // rejects the pin, then finds the current one to work
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
		synctest.Wait()
		if !h.called {
			t.Error("nothing was logged of the version in use")
		}
	})
}
