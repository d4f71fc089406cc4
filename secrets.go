package secrets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
	"unsafe"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/seed-74dc7b3e/secrets/internal/fresh"
	"github.com/seed-74dc7b3e/secrets/internal/lease"
)

// A Client reads and caches secrets. It is safe for concurrent use by multiple
// goroutines. Create one with [New], and call Close when it is no longer
// needed.
type Client struct{ cache }

// New returns a Client that reads through api, usually a
// *secretsmanager.Client. Nil options mean the defaults. New makes no request.
// It returns an error if api is nil or a nil pointer, or if a field of Options
// is invalid; the error names the field. A Client that New did not return
// panics when it is used.
func New(api API, opts *Options) (*Client, error) {
	switch {
	case api == nil:
		return nil, errors.New("secrets: New: api is nil")
	case isNil(api):
		return nil, fmt.Errorf("secrets: New: api is a nil %T", api)
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	c := &Client{cache{
		rules:     leaseRules(opts),
		staleWait: opts.staleWait(),
		clock:     clock{start: time.Now()},
		failing:   map[*entry]struct{}{},
	}}
	c.events.log, c.events.hook = opts.logger(), opts.onEvent()
	c.base, c.stop = context.WithCancel(context.Background())
	var err error
	if c.fetcher, err = newFetcher(api, opts, &c.cache); err != nil {
		c.stop()
		return nil, err
	}
	c.size = opts.size()
	c.lru, _ = simplelru.NewLRU[string, *entry](1<<30, nil)
	c.asked = map[*claim]struct{}{}
	c.negative = newNegativeCache(c.size)
	c.scheduler.due.rules = &c.rules
	c.scheduler.refreshes = map[*entry]chan struct{}{}
	c.scheduler.timer = time.AfterFunc(time.Hour, c.tick)
	c.scheduler.timer.Stop()
	c.snapshot = newKeeper(c, api, opts)
	return c, nil
}

// Get returns the current version of a secret. The id is its name, its ARN, or
// its ARN without the random suffix.
//
// A cached secret is returned at once, even if ctx has ended. If the secret is
// not cached, all concurrent callers share one request, and Get blocks until
// the service answers or ctx ends. If the cached secret has expired, Get waits
// at most Options.StaleWait for its refresh and then returns the old version.
// After Close, Get returns [ErrClosed].
//
// The SDK's error types are available through errors.As. A failure is
// remembered for one to ten seconds.
func (c *Client) Get(ctx context.Context, id string) (*Secret, error) {
	if c == nil {
		c.made()
	}
	if v, ok := c.index.Load(id); ok {
		e := v.(*entry)
		if s := e.fast.Load(); s != nil {
			n := &c.counts.hits
			if !e.noted() {
				n = c.hitsOf(e)
			}
			n.addAt(uintptr(unsafe.Pointer(&id)))
			return s, nil
		}
	}
	c.made()
	_, s, err := c.current(ctx, id)
	if err != nil {
		return nil, opError("get", id, err)
	}
	return s, nil
}

// Get returns the current version of a secret as a T. See [Bind] for the types
// that T may be, and [Client.Get] for when Get blocks. The version is decoded
// once, not at every call.
func Get[T any](ctx context.Context, c *Client, id string) (T, error) {
	if c == nil {
		c.made()
	}
	if e, s := c.lookup(id); s != nil {
		if sl := slotFor[T](e); sl != nil {
			if h := sl.shown.Load(); h != nil {
				n := &c.counts.hits
				if sl.noted.Load() != slotRead {
					n = sl.hits(&c.cache)
				}
				n.addAt(uintptr(unsafe.Pointer(&id)))
				if sl.kind.clone != nil {
					return sl.kind.clone(&h.value), nil
				}
				return h.value, nil
			}
		}
	}
	return Bind[T](c, id).Get(ctx)
}

// GetVersion returns the version of a secret that sel names. It is meant for
// versions other than the current one, which [Client.Get] returns. The version
// is cached. While the current version is being read too, both are refreshed
// together. If no version has the label or id, the error names it and is a
// *types.ResourceNotFoundException of the SDK. GetVersion blocks as Client.Get
// does, and after Close it returns [ErrClosed].
func (c *Client) GetVersion(ctx context.Context, id string, sel Selector) (*Secret, error) {
	if sel.isCurrent() {
		return c.Get(ctx, id)
	}
	c.made()
	if err := sel.check(); err != nil {
		return nil, opError("get", id, err)
	}
	s, err := c.version(ctx, id, sel)
	if err != nil {
		return nil, opError("get", id, fmt.Errorf("%s: %w", sel, err))
	}
	return s, nil
}

// Versions returns each version of a secret that has a staging label, once. The
// order is: the current version, the pending one if it has a value, the
// previous one, and those with custom labels. A verifier that must accept
// signatures made with any of them needs all. If the service denies access to
// the pending or previous version, that version is omitted.
//
// The versions are cached: the first call costs a DescribeSecret and a
// GetSecretValue for each version, and later calls are answered from memory. If
// DescribeSecret is unavailable, versions with custom labels are omitted.
// Versions blocks as [Client.Get] does. After Close it returns [ErrClosed].
func (c *Client) Versions(ctx context.Context, id string) ([]*Secret, error) {
	c.made()
	all, err := c.allVersions(ctx, id)
	if err != nil {
		return nil, opError("versions", id, err)
	}
	return all, nil
}

// Refresh asks the service now which version of a secret is current and caches
// it. It blocks until the service answers or ctx ends. It does not wait for a
// backoff to pass, does not use the answer of a request that was already under
// way, and ignores remembered failures. If the service is unavailable, Refresh
// returns the error and the old version stays in service. After Close it
// returns [ErrClosed].
//
// If the service shows an older version as current again, that version is
// adopted only after a second check agrees: a lagging replica may have answered
// the first.
func (c *Client) Refresh(ctx context.Context, id string) error {
	c.made()
	err := c.run(ctx, func(ctx context.Context) error { return c.refreshNow(ctx, id) })
	if err != nil {
		return opError("refresh", id, err)
	}
	return nil
}

// refreshNow checks a cached secret, or fetches one that is not cached.
func (c *cache) refreshNow(ctx context.Context, id string) error {
	if id == "" {
		return errNoID
	}
	ctx = fresh.With(ctx)
	if v, ok := c.index.Load(id); ok && !c.isEmpty(v.(*entry)) {
		if _, err := c.check(ctx, v.(*entry), id, byRefresh, (*lease.Lease).Begin, false); err != errGone {
			return err
		}
	}
	_, _, err := c.readCold(ctx, id, byRefresh, nil)
	return err
}

// isEmpty reports whether e holds no current version.
func (c *cache) isEmpty(e *entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.cur == nil
}

// Stats returns the counters and gauges of the client.
func (c *Client) Stats() Stats {
	c.made()
	s := c.counts.stats()
	s.EventsDropped = c.events.dropped.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gaugesLocked(&s)
	return s
}

// Close stops the background work, cancels requests under way, waits for them
// and for decoders to end, and drops every cached value. If the API ignores its
// context, Close waits for its request for about a second. Reads that are
// waiting, and later reads, return [ErrClosed]; Watch loops yield it and end.
// Close may be called more than once and always returns nil.
func (c *Client) Close() error {
	c.made()
	c.close()
	return nil
}

// String returns the type's name; it shows nothing else of the client.
func (c *Client) String() string { return "secrets.Client" }

// Format writes what [Client.String] returns, for every verb.
func (c *Client) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// LogValue returns what [Client.String] returns.
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.String()) }
