package secrets

import (
	"fmt"
	"log/slog"
	"os"
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

	// RefreshOnRead does nothing in the background. A read of an expired
	// secret refreshes it; age is measured by the wall clock, because the
	// process may be frozen between two reads, as it is in AWS Lambda. Every
	// read then reads the clock.
	RefreshOnRead
)

// Options are the options of [New]. A nil *Options and every zero field mean
// the default. A negative value is an error but where a field says otherwise.
// A duration of more than 100 years is taken as 100 years.
type Options struct {
	// TTL is how long a secret is served before the service is asked again
	// whether it is still current. Every secret's own TTL is drawn from the last
	// tenth of it, so that many do not fall due at once. A secret that is being
	// read is checked ahead of its TTL, and more often while it is known to be
	// rotating: where the service answers, its readers get a new version within
	// TTL and the time of one request. The default is 5 minutes.
	TTL time.Duration

	// MaxStale is how long after the service last confirmed a secret its value
	// is still served while the service cannot be asked. No value is served
	// longer than MaxStale or TTL, whichever is more. The default is 36 hours.
	// Negative means off: no value is served past its TTL.
	MaxStale time.Duration

	// StaleWait is how long a read of an expired secret waits for its refresh
	// before it is served the old value. The default is 250 milliseconds.
	// Negative means off: the old value is served at once.
	StaleWait time.Duration

	// Size is how many secrets the cache holds. The least recently used ones
	// go first; those that are watched, or that Try uses another version of
	// than the current one, stay. The default is 1024.
	Size int

	// FetchTimeout bounds one request to the service, the SDK's retries
	// included. It does not bound how long a caller waits: its context does.
	// The default is 10 seconds.
	FetchTimeout time.Duration

	// MinBackoff is the first bound of the random delay after a failed refresh.
	// It doubles with each further failure. The default is 1 second.
	MinBackoff time.Duration

	// MaxBackoff is the bound at which the delay stops growing. The default is
	// 15 minutes.
	MaxBackoff time.Duration

	// Refresh says when secrets are refreshed. The default is [RefreshAuto].
	Refresh RefreshMode

	// AllowHTTP allows requests over plain http to hosts other than this one.
	// By default they are refused before anything is sent, because the answer
	// would carry secrets in the clear. Loopback addresses are always allowed.
	// It is checked where api is a *secretsmanager.Client.
	AllowHTTP bool

	// Logger is told of what changes: a secret that starts or ceases to fail,
	// a new version, a version that does not decode. It is never given a
	// value. The default is [slog.Default]; use [slog.DiscardHandler] for
	// silence.
	Logger *slog.Logger

	// OnEvent is told of what happens, see [Event], and what the logger is told
	// of among it. It is called by one goroutine, one event after the other in
	// their order, with no lock held; no read and no refresh waits for it. It may
	// call the client. Up to 4096 events wait for it; what comes while so many do
	// is dropped and counted in Stats.EventsDropped. One that panics is called
	// again for the next event. Close waits for it for about a second. The
	// default is none, which costs nothing.
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

// check returns an error that names the first field that makes no sense.
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
	case o.MinBackoff < 0:
		return fmt.Errorf("secrets: Options.MinBackoff is negative: %v", o.MinBackoff)
	case o.MaxBackoff < 0:
		return fmt.Errorf("secrets: Options.MaxBackoff is negative: %v", o.MaxBackoff)
	case o.maxBackoff() < o.minBackoff():
		return fmt.Errorf("secrets: Options.MaxBackoff %v is below Options.MinBackoff %v", o.maxBackoff(), o.minBackoff())
	case o.Refresh < RefreshAuto || o.Refresh > RefreshOnRead:
		return fmt.Errorf("secrets: Options.Refresh is unknown: %d", o.Refresh)
	}
	return nil
}
