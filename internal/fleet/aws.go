package main

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// runAWS simulates the day of instance i with AWS's caching client for Go, as
// its published source has it: a read after half the TTL to the whole of it asks
// DescribeSecret, and GetSecretValue for a version that it does not have; after
// a failure every read asks again.
func runAWS(p policy, i int, m *meter) {
	rnd := rand.New(rand.NewPCG(uint64(i), 12))
	now := deployEnds * time.Duration(i) / fleetSize
	next := func() time.Duration { return p.ttl/2 + time.Duration(rnd.Int64N(int64(p.ttl/2))) }
	var due wakes
	var have [secretCount]bool // the version after the rotation
	for s := range secretCount {
		m.call(describe, now)
		m.call(get, now)
		heap.Push(&due, wake{at: now + next(), secret: s})
	}
	for due[0].at < dayEnds {
		w := heap.Pop(&due).(wake)
		for ; isOut(w.at); w.at += readsEach {
			m.call(describe, w.at)
		}
		m.call(describe, w.at)
		if w.at >= rotatesAt(w.secret) && !have[w.secret] {
			have[w.secret] = true
			m.call(get, w.at)
			m.adopted(w.secret, w.at+2*latency)
		}
		heap.Push(&due, wake{at: w.at + next(), secret: w.secret})
	}
}
