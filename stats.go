package secrets

import (
	"sync/atomic"
	"unsafe"
)

// Stats counts what a [Client] did since it was made. It holds no values and
// no names.
type Stats struct {
	Hits     uint64 // reads answered from memory without waiting
	Misses   uint64 // reads that had to wait for the service
	Stale    uint64 // reads of an expired secret that were served the old value
	Negative uint64 // reads answered by a remembered failure

	GetSecretValue      uint64 // calls, the SDK's retries not counted
	DescribeSecret      uint64
	BatchGetSecretValue uint64

	Errors       uint64 // calls that failed, of whatever kind
	Throttles    uint64 // those of them that the service throttled
	Failovers    uint64 // calls that another region answered than the one that is asked first
	Refreshes    uint64 // refreshes of cached secrets that ended well
	NewVersions  uint64 // versions that replaced another as current
	DecodeErrors uint64 // versions that did not decode or validate for a type
	Rejections   uint64 // versions rejected by a use, see Try
	Evictions    uint64 // secrets that left for lack of room
	Denials      uint64 // secrets that left because the service said no

	Secrets uint64 // secrets held now; Sub leaves it as it is
}

// Calls returns the number of calls of any kind.
func (s Stats) Calls() uint64 {
	return s.GetSecretValue + s.DescribeSecret + s.BatchGetSecretValue
}

// Cost returns what the calls cost in US dollars at AWS's list price of $0.05
// for 10,000 calls of any kind. See https://aws.amazon.com/secrets-manager/pricing/.
func (s Stats) Cost() float64 { return float64(s.Calls()) * 0.05 / 10_000 }

// Sub returns what was counted since t was taken.
func (s Stats) Sub(t Stats) Stats {
	return Stats{
		Hits:                s.Hits - t.Hits,
		Misses:              s.Misses - t.Misses,
		Stale:               s.Stale - t.Stale,
		Negative:            s.Negative - t.Negative,
		GetSecretValue:      s.GetSecretValue - t.GetSecretValue,
		DescribeSecret:      s.DescribeSecret - t.DescribeSecret,
		BatchGetSecretValue: s.BatchGetSecretValue - t.BatchGetSecretValue,
		Errors:              s.Errors - t.Errors,
		Throttles:           s.Throttles - t.Throttles,
		Failovers:           s.Failovers - t.Failovers,
		Refreshes:           s.Refreshes - t.Refreshes,
		NewVersions:         s.NewVersions - t.NewVersions,
		DecodeErrors:        s.DecodeErrors - t.DecodeErrors,
		Rejections:          s.Rejections - t.Rejections,
		Evictions:           s.Evictions - t.Evictions,
		Denials:             s.Denials - t.Denials,
		Secrets:             s.Secrets,
	}
}

// counts are the counters behind [Stats].
type counts struct {
	hits striped

	misses, stale, negative      atomic.Uint64
	get, describe, batch, errors atomic.Uint64
	refreshes, newVersions       atomic.Uint64
	decodeErrors, rejections     atomic.Uint64
	evictions, denials           atomic.Uint64
	throttles, failovers         atomic.Uint64
}

func (c *counts) stats() Stats {
	return Stats{
		Hits:                c.hits.sum(),
		Misses:              c.misses.Load(),
		Stale:               c.stale.Load(),
		Negative:            c.negative.Load(),
		GetSecretValue:      c.get.Load(),
		DescribeSecret:      c.describe.Load(),
		BatchGetSecretValue: c.batch.Load(),
		Errors:              c.errors.Load(),
		Throttles:           c.throttles.Load(),
		Failovers:           c.failovers.Load(),
		Refreshes:           c.refreshes.Load(),
		NewVersions:         c.newVersions.Load(),
		DecodeErrors:        c.decodeErrors.Load(),
		Rejections:          c.rejections.Load(),
		Evictions:           c.evictions.Load(),
		Denials:             c.denials.Load(),
	}
}

// striped is a counter that goroutines on different cores can add to without
// taking a cache line from each other.
type striped [64]struct {
	n atomic.Uint64
	_ [120]byte // two cache lines: processors fetch them in pairs
}

// add adds one.
func (s *striped) add() {
	var here byte
	s.addAt(uintptr(unsafe.Pointer(&here)))
}

// addAt adds one, given an address on the caller's stack. The stripe follows
// from it: another goroutine has another stack. A hit passes the address of a
// parameter, since a variable of its own would be set to zero just before an
// instruction that waits for all stores.
func (s *striped) addAt(stack uintptr) {
	at := uint64(stack) >> 11 // no stack is smaller than 2 KiB
	s[at*0x9e3779b97f4a7c15>>58].n.Add(1)
}

func (s *striped) sum() uint64 {
	var n uint64
	for i := range s {
		n += s[i].n.Load()
	}
	return n
}
