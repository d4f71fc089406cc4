package secrets

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"
)

// The defaults of [Options].
const (
	DefaultTTL          = 5 * time.Minute
	DefaultMaxStale     = 36 * time.Hour
	DefaultSize         = 1024
	DefaultFetchTimeout = 10 * time.Second
	DefaultStaleWait    = 250 * time.Millisecond
	DefaultMinBackoff   = time.Second
	DefaultMaxBackoff   = 15 * time.Minute
	DefaultEventJitter  = 2 * time.Second

	DefaultRegionTimeout = 2 * time.Second
	DefaultHedgeDelay    = time.Second
)

// A RefreshMode says when cached secrets are refreshed.
type RefreshMode int

const (
	// RefreshAuto is [RefreshOnRead] where the environment variable
	// AWS_LAMBDA_FUNCTION_NAME is set and [RefreshAhead] elsewhere.
	RefreshAuto RefreshMode = iota

	// RefreshAhead refreshes secrets that are being read in the background,
	// before they expire.
	RefreshAhead

	// RefreshOnRead does nothing in the background. A read of an expired secret
	// refreshes it. The process may be frozen between two reads, as in AWS
	// Lambda, so age is measured by the wall clock, and every read reads the
	// clock.
	RefreshOnRead
)

// Options are the options of [New]. A nil *Options and every zero field mean
// the default. A negative value is an error, except for fields that define a
// meaning for it. A duration of more than 100 years is taken as 100 years.
type Options struct {
	// TTL is how long a secret is served before the client asks the service
	// again which version is current. The TTL of each secret is drawn at random
	// from the last tenth of it, so that many secrets do not expire at once. A
	// secret in use is checked before its TTL ends, and more often while it is
	// known to be rotating. While the service answers, its readers get a new
	// version within TTL plus the time of one request. The default is 5 minutes.
	TTL time.Duration

	// MaxStale is how long a value is served while the service is unavailable,
	// counted from the service's last confirmation. No value is served longer
	// than the larger of MaxStale and TTL. The default is 36 hours. Negative
	// means off: no value is served past its TTL.
	MaxStale time.Duration

	// StaleWait is how long a read of an expired secret waits for the refresh
	// before it returns the old value. The default is 250 milliseconds. Negative
	// means off: the read returns the old value at once.
	StaleWait time.Duration

	// Size is how many secrets the cache holds. If it is full, the least
	// recently used secret is evicted. Secrets with a Watch loop are not
	// evicted, nor are those of which Try uses a version other than the current
	// one. The default is 1024.
	Size int

	// FetchTimeout bounds one request to the service, including the SDK's
	// retries. It does not bound how long a caller waits; the caller's context
	// does. The default is 10 seconds.
	FetchTimeout time.Duration

	// MinBackoff is the initial bound of the random delay after a failed
	// refresh. It doubles with each further failure. The default is 1 second.
	// While the service answers for no secret, a client with many secrets tries
	// them in turn: about one in ten seconds, and each at least once in the
	// longer of MaxBackoff and TTL.
	MinBackoff time.Duration

	// MaxBackoff is the bound that the delay does not exceed. The default is 15
	// minutes.
	MaxBackoff time.Duration

	// Refresh says when secrets are refreshed. The default is [RefreshAuto].
	Refresh RefreshMode

	// Replicas are the regions that the client's secrets are replicated to. If
	// the client's own region fails with a transient error, or does not answer
	// within RegionTimeout, the client asks the replicas in this order. It uses
	// the SDK's per-call option for the region, or the API that APIFor returns.
	// A region that failed is not used; it is probed at intervals of up to 30
	// seconds and used again once it answers.
	//
	// An answer of the client's own region is final. If a replica does not have
	// a secret or denies access to it, that is not final: a read without a
	// cached value fails, and no cached secret is dropped. A replica may lag. A
	// newer version from it is adopted; a version older than one that was read
	// before is never adopted.
	//
	// Replicas apply to names, and to ARNs in the client's own region or in one
	// of Replicas. The default is none.
	Replicas []string

	// RegionTimeout bounds the part of a call that one region gets, including
	// the SDK's retries, while there are other regions to ask. The default is 2
	// seconds, or half of FetchTimeout if that is less.
	RegionTimeout time.Duration

	// HedgeDelay is how long a read of a secret that is not cached waits for one
	// region before the next one is asked as well. The first answer counts. If
	// the reader's context ends soon, the next region is asked after half of the
	// remaining time, but not before 250 milliseconds. The default is 1 second.
	// Negative means off: the next region is asked only after the previous one
	// has failed.
	HedgeDelay time.Duration

	// Regions are the regions that ARNs may name, in addition to the client's
	// own and Replicas. A secret is asked for in the region of its ARN. By
	// default every region of the same partition is allowed. If the program
	// reads the same secrets in another region as in its own, list that region
	// in Replicas instead, so that the client knows that it may lag.
	Regions []string

	// APIFor returns the API for the secrets of an account in a region, for
	// instance one with the credentials of a role in that account. If it returns
	// nil, the API that [New] was given is used. It is called with the account
	// and region of ARNs, and, for names, with an empty account and each region
	// of Replicas. It must not block, and may be called again with the same
	// arguments. All APIs share one cache. By default one API serves everything.
	APIFor func(account, region string) API

	// EventJitter bounds the random delay between an event that is passed to
	// HandleEvent and the check that it causes. The delay keeps the processes of
	// a fleet from asking all at once. When a secret changes that all of n
	// processes read, they make about n/EventJitter checks a second. The default
	// is 2 seconds. Negative means off.
	EventJitter time.Duration

	// Snapshot stores the last confirmed versions, encrypted, so that a process
	// that starts while the service is unavailable has values to serve. The
	// default is none. See [Snapshot] for what it costs in security.
	Snapshot *Snapshot

	// AllowHTTP allows requests over plain HTTP to hosts other than this one. By
	// default such a request is refused before it is sent, because the answer
	// would contain secrets in the clear. Loopback addresses are always allowed.
	// The check applies if api is a *secretsmanager.Client.
	AllowHTTP bool

	// Logger receives records about changes: a secret begins or ceases to fail,
	// a version is new, a version does not decode. Records contain no secret
	// value. The default is [slog.Default]; use [slog.DiscardHandler] for
	// silence.
	Logger *slog.Logger

	// OnEvent receives every [Event], including those that are logged. One
	// goroutine calls it, with one event at a time, in order, and with no lock
	// held. It may call the client. Reads and refreshes do not wait for it. Up
	// to 4096 events are queued for it; further events are dropped and counted
	// in Stats.EventsDropped. If OnEvent panics, it is called again for the next
	// event. Close waits about a second for it. The default is none, which costs
	// nothing.
	OnEvent func(Event)
}

func (o *Options) ttl() time.Duration {
	return bounded(o, func(o *Options) time.Duration { return o.TTL }, DefaultTTL)
}
func (o *Options) maxStale() time.Duration {
	return max(0, bounded(o, func(o *Options) time.Duration { return o.MaxStale }, DefaultMaxStale))
}
func (o *Options) staleWait() time.Duration {
	return max(0, bounded(o, func(o *Options) time.Duration { return o.StaleWait }, DefaultStaleWait))
}
func (o *Options) size() int { return or(o, func(o *Options) int { return o.Size }, DefaultSize) }
func (o *Options) fetchTimeout() time.Duration {
	return bounded(o, func(o *Options) time.Duration { return o.FetchTimeout }, DefaultFetchTimeout)
}
func (o *Options) minBackoff() time.Duration {
	return bounded(o, func(o *Options) time.Duration { return o.MinBackoff }, DefaultMinBackoff)
}
func (o *Options) maxBackoff() time.Duration {
	return bounded(o, func(o *Options) time.Duration { return o.MaxBackoff }, DefaultMaxBackoff)
}
func (o *Options) regionTimeout() time.Duration {
	return bounded(o, func(o *Options) time.Duration { return o.RegionTimeout }, min(DefaultRegionTimeout, o.fetchTimeout()/2))
}
func (o *Options) hedgeDelay() time.Duration {
	if d := bounded(o, func(o *Options) time.Duration { return o.HedgeDelay }, DefaultHedgeDelay); d >= 0 {
		return d
	}
	return longest
}
func (o *Options) eventJitter() time.Duration {
	return max(0, bounded(o, func(o *Options) time.Duration { return o.EventJitter }, DefaultEventJitter))
}
func (o *Options) allowHTTP() bool { return o != nil && o.AllowHTTP }

func (o *Options) onEvent() func(Event) {
	if o == nil {
		return nil
	}
	return o.OnEvent
}

func (o *Options) logger() *slog.Logger {
	if o == nil || o.Logger == nil {
		return slog.Default()
	}
	return o.Logger
}

func (o *Options) onRead() bool {
	switch {
	case o == nil || o.Refresh == RefreshAuto:
		return os.Getenv("AWS_LAMBDA_FUNCTION_NAME") != ""
	default:
		return o.Refresh == RefreshOnRead
	}
}

// or returns field(o), or the default where o is nil or the field is zero.
func or[T comparable](o *Options, field func(*Options) T, def T) T {
	var zero T
	if o == nil || field(o) == zero {
		return def
	}
	return field(o)
}

// longest bounds every duration, so that no sum of some overflows.
const longest = 100 * 365 * 24 * time.Hour

func bounded(o *Options, field func(*Options) time.Duration, def time.Duration) time.Duration {
	return min(longest, or(o, field, def))
}

// check returns an error that names the first invalid field.
func (o *Options) check() error {
	if o == nil {
		return nil
	}
	switch {
	case o.TTL < 0:
		return fmt.Errorf("secrets: Options.TTL is negative: %v", o.TTL)
	case o.TTL > 0 && o.TTL < time.Millisecond:
		return fmt.Errorf("secrets: Options.TTL is below a millisecond: %v", o.TTL)
	case o.Size < 0:
		return fmt.Errorf("secrets: Options.Size is negative: %d", o.Size)
	case o.FetchTimeout < 0:
		return fmt.Errorf("secrets: Options.FetchTimeout is negative: %v", o.FetchTimeout)
	case o.RegionTimeout < 0:
		return fmt.Errorf("secrets: Options.RegionTimeout is negative: %v", o.RegionTimeout)
	case o.RegionTimeout >= o.fetchTimeout():
		return fmt.Errorf("secrets: Options.RegionTimeout %v is not below Options.FetchTimeout %v", o.RegionTimeout, o.fetchTimeout())
	case o.MinBackoff < 0:
		return fmt.Errorf("secrets: Options.MinBackoff is negative: %v", o.MinBackoff)
	case o.MaxBackoff < 0:
		return fmt.Errorf("secrets: Options.MaxBackoff is negative: %v", o.MaxBackoff)
	case o.maxBackoff() < o.minBackoff():
		return fmt.Errorf("secrets: Options.MaxBackoff %v is below Options.MinBackoff %v", o.maxBackoff(), o.minBackoff())
	case o.Refresh < RefreshAuto || o.Refresh > RefreshOnRead:
		return fmt.Errorf("secrets: Options.Refresh is unknown: %d", o.Refresh)
	}
	return o.Snapshot.check(o.maxStale())
}

// checkRegions is check for the fields that depend on the client's own region.
// home is "" if that is not known.
func (o *Options) checkRegions(home string) error {
	if o == nil {
		return nil
	}
	for i, r := range o.Replicas {
		switch {
		case r == "":
			return fmt.Errorf("secrets: Options.Replicas[%d] is empty", i)
		case r == home:
			return fmt.Errorf("secrets: Options.Replicas[%d] is the client's own region %s", i, r)
		case slices.Contains(o.Replicas[:i], r):
			return fmt.Errorf("secrets: Options.Replicas[%d] is a duplicate: %s", i, r)
		}
	}
	return nil
}
