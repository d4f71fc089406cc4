package rate_test

import (
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/rate"
)

func TestAllow(t *testing.T) {
	var l rate.Limiter[string]
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	passed := func(key string, n int) (ok int) {
		for range n {
			if l.Allow(key, 50, now) {
				ok++
			}
		}
		return ok
	}
	for _, step := range []struct {
		after time.Duration
		key   string
		want  int
	}{
		{0, "a", 50}, {0, "a", 0}, {0, "b", 50}, {100 * time.Millisecond, "a", 5}, {10 * time.Millisecond, "a", 0},
		{10 * time.Millisecond, "a", 1}, {time.Hour, "a", 50}, {0, "a", 0},
	} {
		now = now.Add(step.after)
		if got := passed(step.key, 100); got != step.want {
			t.Errorf("%s after %v: got %d calls, want %d", step.key, step.after, got, step.want)
		}
	}
}

// A steady rate passes for as long as it lasts.
func TestAllowSteadily(t *testing.T) {
	var l rate.Limiter[int]
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 10_000 {
		if !l.Allow(0, 100, now) {
			t.Fatalf("call %d refused", i)
		}
		now = now.Add(10*time.Millisecond + time.Microsecond)
	}
}
