package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// The order of a walk: the current version as it is now, the pending, the
// previous one, and then custom labels that were asked for; each version once,
// whatever labels it has.
func TestTryOrder(t *testing.T) {
	tests := []struct {
		name    string
		options *secrets.TryOptions
		move    func(*secretstest.Server)
		want    string
	}{
		{"default", nil, nil, "one two pend prev"},
		{"current only", &secrets.TryOptions{Stages: []string{secrets.Current}}, nil, "one two"},
		{"without previous", &secrets.TryOptions{Stages: []string{secrets.Pending}}, nil, "one two pend"},
		{"without pending", &secrets.TryOptions{Stages: []string{secrets.Previous, secrets.Current}}, nil, "one two prev"},
		{"custom", &secrets.TryOptions{Stages: []string{"BLUE", secrets.Previous, "GREEN", "NOBODY"}}, nil, "one two prev blue green"},
		{"nil means default", &secrets.TryOptions{Stages: nil}, nil, "one two pend prev"},
		{"empty means current only", &secrets.TryOptions{Stages: []string{}}, nil, "one two"},
		{"pending left on current", nil, func(srv *secretstest.Server) {
			srv.MoveStage("s", secrets.Pending, srv.VersionID("s", secrets.Current))
		}, "one two prev"},
		{"custom label on current", &secrets.TryOptions{Stages: []string{"BLUE"}}, func(srv *secretstest.Server) {
			srv.MoveStage("s", "BLUE", srv.VersionID("s", secrets.Current))
		}, "one two"},
		{"no pending", nil, func(srv *secretstest.Server) { srv.MoveStage("s", secrets.Pending, "") }, "one two prev"},
		{"previous was current", nil, func(srv *secretstest.Server) { srv.Put("s", "three") }, "one three pend two"},
	}
	for _, described := range []bool{true, false} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s/described=%v", tt.name, described), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
					if !described {
						srv.Fail(secretstest.DenyDescribe(""))
					}
					_, ref := rotText(t, srv, tt.options)
					if _, err := ref.Get(t.Context()); err != nil {
						t.Fatal(err)
					}
					prev := srv.PutStages("s", "prev", "X")
					srv.Put("s", "two")
					srv.MoveStage("s", secrets.Previous, prev)
					srv.PutStages("s", "blue", "BLUE")
					srv.PutStages("s", "green", "GREEN")
					srv.PutPending("s", "pend")
					if tt.move != nil {
						tt.move(srv)
					}
					s := rotAccept()
					_, err := secrets.Try(rotWithin(30*time.Second), ref, s.use)
					var rejected *secrets.RejectedError
					if !errors.As(err, &rejected) {
						t.Fatalf("Try = %v, want a RejectedError", err)
					}
					got := s.take()
					if got != tt.want {
						t.Errorf("offered %q, want %q", got, tt.want)
					}
					if n := len(strings.Fields(got)); len(rejected.Attempts) != n {
						t.Errorf("%d attempts in %v, want %d", len(rejected.Attempts), rejected, n)
					}
				})
			})
		}
	}
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

// A version that was rejected is offered again after a minute, then after two,
// four, eight and fifteen, for as long as its labels stay. Many uses that were
// rejected at once are one rejection.
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

// What is accepted again after it was rejected ends the rejections.
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

// An endpoint without version ids still serves Try: what was rejected is not
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
