// Package rate limits calls to a number per second.
package rate

import "time"

// A Limiter holds the calls of each key to a rate, with bursts of as many as a
// second allows. The zero Limiter is ready. It is not safe for concurrent use.
type Limiter[K comparable] struct{ buckets map[K]bucket }

// A bucket holds the remaining calls of a key at a moment.
type bucket struct {
	left float64
	at   time.Time
}

// Allow reports whether a call at a moment is within a rate a second. Moments
// must not go back.
func (l *Limiter[K]) Allow(key K, perSecond float64, now time.Time) bool {
	b, ok := l.buckets[key]
	if !ok {
		b = bucket{perSecond, now}
	}
	b.left = min(perSecond, b.left+now.Sub(b.at).Seconds()*perSecond)
	b.at = now
	allowed := b.left >= 1
	if allowed {
		b.left--
	}
	if l.buckets == nil {
		l.buckets = make(map[K]bucket)
	}
	l.buckets[key] = b
	return allowed
}
