package secrets_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// With a negative Wait the service is asked once, what it has is offered, and
// Try returns: the prober and those who wait for it.
func TestTryOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "older"})
		srv.Put("s", "old")
		_, ref := rotText(t, srv, &secrets.TryOptions{Wait: -1})
		s := rotAccept()
		slow := func(ctx context.Context, v string) (string, error) {
			if v == "older" {
				time.Sleep(time.Second)
			}
			return s.use(ctx, v)
		}
		start := time.Now()
		var done sync.WaitGroup
		for range 10 {
			done.Go(func() {
				_, err := secrets.Try(t.Context(), ref, slow)
				var rejected *secrets.RejectedError
				if !errors.As(err, &rejected) || !errors.Is(err, errRotAuth) || len(rejected.Attempts) == 0 {
					t.Errorf("Try = %v, want a RejectedError with the last rejection", err)
				}
				if err != nil && strings.Contains(err.Error(), "nil") {
					t.Errorf("the error reads %q", err)
				}
			})
		}
		done.Wait()
		if took := time.Since(start); took != time.Second {
			t.Errorf("Try took %v, want the round's second", took)
		}
		if got := strings.Count(s.take(), "older"); got != 1 {
			t.Errorf("the previous version was offered %d times, want once", got)
		}
		if n := srv.Count(secretstest.Call{Op: "DescribeSecret"}); n != 1 {
			t.Errorf("the service was asked for the labels %d times, want once", n)
		}
	})
}

// A waiter takes over where the prober's own context ended its round, and finds
// what works: also at once, when it is not yet time to ask the service again,
// since what the prober asked was not answered.
func TestTryOnceTakesOver(t *testing.T) {
	for _, op := range []string{"DescribeSecret", "GetSecretValue"} {
		for _, leaves := range []time.Duration{time.Second, 20 * time.Millisecond} {
			synctest.Test(t, func(t *testing.T) {
				srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
				_, ref := rotText(t, srv, &secrets.TryOptions{Wait: -1})
				if _, err := ref.Get(t.Context()); err != nil {
					t.Fatal(err)
				}
				srv.PutPending("s", "new")
				srv.Fail(secretstest.Fault{Op: op, Latency: 3 * time.Second, Times: 1})
				s := rotAccept("new")
				var done sync.WaitGroup
				done.Go(func() { secrets.Try(rotWithin(leaves), ref, s.use) })
				time.Sleep(leaves / 2)
				got, err := secrets.Try(t.Context(), ref, s.use)
				if got != "new" || err != nil {
					t.Errorf("%s, the prober leaves after %v: Try = %q, %v, want the pending version", op, leaves, got, err)
				}
				done.Wait()
			})
		}
	}
}

// TryOptions.Pause is for how long a rejected version is not offered again.
func TestTryPause(t *testing.T) {
	for _, tt := range []struct {
		pause time.Duration
		want  time.Duration // 0: offered again at once
	}{
		{0, time.Minute},
		{time.Second, time.Second},
		{time.Hour, time.Hour},
		{math.MaxInt64, math.MaxInt64 / 3}, // it does not overflow: never, for a test
		{-1, 0},
	} {
		t.Run(tt.pause.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := secretstest.New(t, secretstest.Secrets{"s": "good"})
				_, ref := rotText(t, srv, &secrets.TryOptions{Wait: -1, Pause: tt.pause})
				s := rotAccept() // one stray rejection
				if _, err := secrets.Try(t.Context(), ref, s.use); err == nil {
					t.Fatal("a rejected version was accepted")
				}
				s.set("good")
				start := time.Now()
				for time.Since(start) < min(tt.want, 2*time.Hour) {
					if got, err := secrets.Try(t.Context(), ref, s.use); err == nil {
						t.Fatalf("Try = %q after %v, want a pause of %v", got, time.Since(start), tt.want)
					}
					time.Sleep(max(tt.want/4, time.Second))
					if tt.want > 3*time.Hour {
						return
					}
				}
				time.Sleep(time.Nanosecond)
				if got, err := secrets.Try(t.Context(), ref, s.use); got != "good" || err != nil {
					t.Errorf("Try = %q, %v after %v", got, err, time.Since(start))
				}
			})
		})
	}
}

// A handle that waits offers what has no pause again at the pace at which it
// asks, and finds a good version that was rejected by mistake.
func TestTryNoPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "good"})
		_, ref := rotText(t, srv, &secrets.TryOptions{Pause: -1})
		s := rotAccept()
		time.AfterFunc(10*time.Second, func() { s.set("good") })
		start := time.Now()
		got, err := secrets.Try(rotWithin(time.Minute), ref, s.use)
		if took := time.Since(start); got != "good" || err != nil || took > 16*time.Second {
			t.Errorf("Try = %q, %v after %v, want the version within a round", got, err, took)
		}
		if n := strings.Count(s.take(), "good"); n > 12 {
			t.Errorf("it was offered %d times in 16 s", n)
		}
	})
}
