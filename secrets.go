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

// A Client reads secrets and caches them. It is safe for concurrent use by
// multiple goroutines. Make one with [New], and Close it.
type Client struct{ cache }

// New returns a Client that asks api, usually a *secretsmanager.Client. Nil
// options mean the defaults. It makes no request; an error names the field of
// Options that makes no sense, or says that api is nil, or a nil pointer. A Client
// that New did not make panics when it is used.
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

// Get returns the current version of a secret. The id is its name, its ARN or
// its ARN without the random suffix.
//
// A cached secret is returned at once, whatever ctx. A secret that is not
// cached costs one request for any number of callers, and Get blocks until it
// is answered or ctx ends. Where the secret has expired Get waits at most
// Options.StaleWait for its refresh and then returns the old version. After
// Close it returns [ErrClosed].
//
// The errors of the service can be had by errors.As, as the types that the
// SDK has for them; a failure is remembered for one to ten seconds.
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

// Get returns the current version of a secret as a T. See [Bind] for what T
// may be, and [Client.Get] for what blocks. The version is decoded once, not at
// every call.
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

// GetVersion returns the version of a secret that sel names. It is cached like
// any other, also when it is not the current one; [Client.Get] is for that. It
// is refreshed ahead along with the current one, if that is being read too.
// The error for a label or id that no version has says which it was, and is a
// *types.ResourceNotFoundException of the SDK. It blocks as Client.Get does, and
// after Close it returns [ErrClosed].
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

// Versions returns every version of a secret that has a staging label, each
// once: the current one, the pending one if it has a value, the previous one,
// and then those with custom labels. It is what a verifier needs that must
// accept signatures made with any of them. A pending or previous version that
// may not be read is left out.
//
// It is cached like any other read: the first call costs a DescribeSecret and
// a GetSecretValue for each version, later ones come from memory. Without
// DescribeSecret the custom labels are left out. After Close it returns
// [ErrClosed].
func (c *Client) Versions(ctx context.Context, id string) ([]*Secret, error) {
	c.made()
	all, err := c.allVersions(ctx, id)
	if err != nil {
		return nil, opError("versions", id, err)
	}
	return all, nil
}

// Refresh asks the service now whether the cached version of a secret is still
// current, and caches the one that is. It blocks until the answer is there or
// ctx ends. It does not wait out a backoff, does not take the answer of a
// request that was already under way, and ignores remembered failures. While
// the service cannot be asked the old version stays in service and Refresh
// returns the error. After Close it returns [ErrClosed].
//
// A version that the service shows as current again after a newer one is
// adopted only when a second check agrees: the first may have been answered by
// a replica that lags.
func (c *Client) Refresh(ctx context.Context, id string) error {
	c.made()
	err := c.run(ctx, func(ctx context.Context) error { return c.refreshNow(ctx, id) })
	if err != nil {
		return opError("refresh", id, err)
	}
	return nil
}

// refreshNow checks a cached secret, and fetches another.
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

// Stats returns what the client counted so far.
func (c *Client) Stats() Stats {
	c.made()
	s := c.counts.stats()
	s.EventsDropped = c.events.dropped.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gaugesLocked(&s)
	return s
}

// Close ends what runs in the background, cancels requests under way, waits
// for them and for decoders, and lets go of every cached value. A request of an
// API that ignores its context is waited for about a second. Later reads return [ErrClosed],
// and so do reads that are waiting; Watch loops yield it and end. Close may be
// called more than once and always returns nil.
func (c *Client) Close() error {
	c.made()
	c.close()
	return nil
}

// String returns the type's name: a client has nothing to show.
func (c *Client) String() string { return "secrets.Client" }

// Format writes what [Client.String] returns, whatever the verb.
func (c *Client) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// LogValue returns what [Client.String] returns.
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.String()) }
