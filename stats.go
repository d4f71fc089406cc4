package secrets

import (
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/seed-74dc7b3e/secrets/internal/lease"
)

// Stats holds the counters and gauges of a [Client]. Counters count from [New];
// gauges show the present state. It contains no secret values and no names.
type Stats struct {
	Hits     uint64 // reads answered from memory without waiting, with a version that has not expired
	Misses   uint64 // reads that had to wait for the service
	Stale    uint64 // reads of an expired secret that were served the old value
	Negative uint64 // reads answered by a remembered failure

	GetSecretValue      uint64 // calls, the SDK's retries not counted
	DescribeSecret      uint64
	BatchGetSecretValue uint64

	Errors           uint64 // failed calls: the sum of the counters below, see FailureClass
	NetworkErrors    uint64
	Throttles        uint64
	DeniedErrors     uint64
	CredentialErrors uint64
	ServerErrors     uint64
	MissingErrors    uint64
	CanceledErrors   uint64
	OtherErrors      uint64

	Failovers    uint64 // calls that were not answered by the region that is asked first
	Refreshes    uint64 // successful refreshes of cached secrets
	NewVersions  uint64 // versions that replaced another as current
	DecodeErrors uint64 // versions that did not decode or validate for a type
	Rejections   uint64 // offered versions that a resource rejected, see Try
	Evictions    uint64 // secrets that left because the cache was full
	Denials      uint64 // secrets that left because of a definite error of the service

	EventsDropped uint64 // events lost because Options.OnEvent or the logger was too slow or panicked

	// The present state. Sub does not change these fields.
	Secrets  uint64 // cached secrets
	Failing  uint64 // cached secrets whose last refresh failed
	StaleNow uint64 // cached secrets whose expired version is in service, see Status.StaleSince
	Rotating uint64 // cached secrets with a rotation known to be outstanding
	Pinned   uint64 // handles that use a version other than the current one, see Try
	Refused  uint64 // types that do not decode the current version of a secret, see Status.Refused

	// OldestConfirmation is the time of the oldest last confirmation among the
	// versions that are served. It is zero if no version is served.
	OldestConfirmation time.Time
}

// Calls returns the number of calls of any kind.
func (s Stats) Calls() uint64 {
	return s.GetSecretValue + s.DescribeSecret + s.BatchGetSecretValue
}

// Cost returns the price of the calls in US dollars, at AWS's list price of
// $0.05 for 10,000 calls of any kind. See
// https://aws.amazon.com/secrets-manager/pricing/.
func (s Stats) Cost() float64 { return float64(s.Calls()) * 0.05 / 10_000 }

// Sub returns the counters counted since t was taken, and the gauges of s.
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
		NetworkErrors:       s.NetworkErrors - t.NetworkErrors,
		Throttles:           s.Throttles - t.Throttles,
		DeniedErrors:        s.DeniedErrors - t.DeniedErrors,
		CredentialErrors:    s.CredentialErrors - t.CredentialErrors,
		ServerErrors:        s.ServerErrors - t.ServerErrors,
		MissingErrors:       s.MissingErrors - t.MissingErrors,
		CanceledErrors:      s.CanceledErrors - t.CanceledErrors,
		OtherErrors:         s.OtherErrors - t.OtherErrors,
		Failovers:           s.Failovers - t.Failovers,
		Refreshes:           s.Refreshes - t.Refreshes,
		NewVersions:         s.NewVersions - t.NewVersions,
		DecodeErrors:        s.DecodeErrors - t.DecodeErrors,
		Rejections:          s.Rejections - t.Rejections,
		Evictions:           s.Evictions - t.Evictions,
		Denials:             s.Denials - t.Denials,
		EventsDropped:       s.EventsDropped - t.EventsDropped,

		Secrets:            s.Secrets,
		Failing:            s.Failing,
		StaleNow:           s.StaleNow,
		Rotating:           s.Rotating,
		Pinned:             s.Pinned,
		Refused:            s.Refused,
		OldestConfirmation: s.OldestConfirmation,
	}
}

// counts are the counters behind [Stats].
type counts struct {
	hits, staleHits striped
	classes         classCounts

	misses, stale, negative      atomic.Uint64
	get, describe, batch, errors atomic.Uint64
	refreshes, newVersions       atomic.Uint64
	decodeErrors, rejections     atomic.Uint64
	evictions, denials           atomic.Uint64
	failovers                    atomic.Uint64
}

func (c *counts) stats() Stats {
	return Stats{
		Hits:                c.hits.sum(),
		Misses:              c.misses.Load(),
		Stale:               c.stale.Load() + c.staleHits.sum(),
		Negative:            c.negative.Load(),
		GetSecretValue:      c.get.Load(),
		DescribeSecret:      c.describe.Load(),
		BatchGetSecretValue: c.batch.Load(),
		Errors:              c.errors.Load(),
		NetworkErrors:       c.classes.network.Load(),
		Throttles:           c.classes.throttled.Load(),
		DeniedErrors:        c.classes.denied.Load(),
		CredentialErrors:    c.classes.credentials.Load(),
		ServerErrors:        c.classes.server.Load(),
		MissingErrors:       c.classes.missing.Load(),
		CanceledErrors:      c.classes.canceled.Load(),
		OtherErrors:         c.classes.other.Load(),
		Failovers:           c.failovers.Load(),
		Refreshes:           c.refreshes.Load(),
		NewVersions:         c.newVersions.Load(),
		DecodeErrors:        c.decodeErrors.Load(),
		Rejections:          c.rejections.Load(),
		Evictions:           c.evictions.Load(),
		Denials:             c.denials.Load(),
	}
}

// gaugesLocked sets the gauges of s.
func (c *cache) gaugesLocked(s *Stats) {
	s.Secrets, s.Failing, s.Pinned = uint64(c.lru.Len()), uint64(len(c.failing)), uint64(c.pinned)
	now, oldest := c.now(), instant(lease.Never)
	see := func(e *entry) {
		l := &e.lease
		flags := e.flags.Load()
		if flags&isRotating != 0 {
			s.Rotating++
		}
		if flags&wasRefused != 0 {
			s.Refused += e.refusalsLocked()
		}
		_, stale := l.StaleSince(&c.rules, now)
		if stale {
			s.StaleNow++
		}
		if stale || l.Fresh(&c.rules, now) {
			oldest = min(oldest, l.Confirmed())
		}
	}
	if c.rules.OnRead {
		for _, e := range c.lru.Values() {
			see(e)
		}
	} else {
		for _, e := range c.scheduler.due.entries { // all entries that have a version
			see(e)
		}
		for e := range c.scheduler.refreshes { // except some with a running refresh
			if e.place < 0 {
				see(e)
			}
		}
	}
	s.OldestConfirmation = c.wall(oldest)
}

// striped is a counter that goroutines on different cores can add to without
// contending for a cache line.
type striped [64]struct {
	n atomic.Uint64
	_ [120]byte // two cache lines: processors fetch them in pairs
}

// add adds one.
func (s *striped) add() {
	var here byte
	s.addAt(uintptr(unsafe.Pointer(&here)))
}

// addAt adds one, given an address on the caller's stack. The address selects
// the stripe, because each goroutine has its own stack. A hit passes the
// address of a parameter: a variable of its own would be zeroed just before an
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
