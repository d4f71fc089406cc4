package gate

import (
	"math/rand/v2"
	"time"
)

const (
	// retryPace is the time between two logins with refused versions.
	retryPace = 5 * time.Second

	// retryWait is how long a prober waits at the gate for a retry. It has other
	// versions to offer, and the service to ask.
	retryWait = time.Second

	// slowRetry and slowestRetry are for how long a refused version is not
	// offered again that is neither current nor pending. It doubles with
	// each refusal.
	slowRetry    = time.Minute
	slowestRetry = 15 * time.Minute
)

// retries decides when the server may be offered a version again that it
// refused. It knows no lock and no clock.
type retries struct {
	perHour int
	next    time.Time   // no sooner
	begun   []time.Time // in the last hour, oldest first
}

// at returns when the next retry may begin. ok is false if none may.
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

// begin notes that a retry begins.
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
