package gate

import (
	"math/rand/v2"
	"time"
)

const (
	// retryPace is the minimum time between two logins with refused versions.
	retryPace = 5 * time.Second

	// retryWait is how long a prober waits at the gate for a retry. It is short,
	// because the prober also has other versions to offer and asks the service.
	retryWait = time.Second

	// slowRetry is how long the gate holds back a refused version that is neither
	// current nor pending. The time doubles with each refusal, up to
	// slowestRetry.
	slowRetry    = time.Minute
	slowestRetry = 15 * time.Minute
)

// retries decides when a refused version may be offered to the server again. It
// uses no lock and no clock.
type retries struct {
	perHour int
	next    time.Time   // the earliest time of the next retry
	begun   []time.Time // retries begun in the last hour, oldest first
}

// at returns when the next retry may begin. ok is false if no retry may begin.
func (r *retries) at(now time.Time) (at time.Time, ok bool) {
	r.forget(now)
	switch {
	case r.perHour == 0:
		return time.Time{}, false
	case len(r.begun) >= r.perHour:
		return later(r.next, r.begun[0].Add(time.Hour)), true
	}
	return r.next, true
}

// begin records that a retry begins.
func (r *retries) begin(now time.Time) {
	r.forget(now)
	r.begun = append(r.begun, now)
	wait := retryPace
	if len(r.begun) > r.perHour/2 {
		wait = max(wait, 2*time.Hour/time.Duration(max(r.perHour, 1)))
	}
	r.next = now.Add(wait + rand.N(wait/10))
}

func (r *retries) forget(now time.Time) {
	for len(r.begun) > 0 && now.Sub(r.begun[0]) >= time.Hour {
		r.begun = r.begun[1:]
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
