package secrets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A Handle is a *[Ref] of any type, for [Load] and [Ready].
type Handle interface {
	ID() string
	Status() (Status, bool)

	client() *Client
	isMade() bool // by Bind or BindFunc
	kindName() string
	load(context.Context) error // reads and decodes
	usable() bool               // a read would be served from memory, decoded if need be
}

func (r *Ref[T]) client() *Client  { return r.c }
func (r *Ref[T]) kindName() string { return typeName[T]() }
func (r *Ref[T]) usable() bool     { return r.peek() != nil }

func (r *Ref[T]) load(ctx context.Context) error {
	_, err := r.decodedCurrent(ctx)
	return err
}

// Load fetches, decodes and validates the secrets of handles before they are
// used. Call it when a service starts; later reads are served from memory. Load
// fetches 20 secrets a request, as [Client.Prefetch] does, and blocks until all
// handles are done or ctx ends. The handles may have different types and
// clients.
//
// If a handle has no usable version, Load returns a [*LoadError] that lists
// each such handle with advice. A handle that keeps an older version is usable:
// the current version may not decode, or the service may not answer. Load
// returns another error after Close, and if the handles have more secrets than
// Options.Size. If a handle is nil or zero, or has an empty id, the error says
// which one, and nothing is fetched.
func Load(ctx context.Context, handles ...Handle) error {
	if err := checkHandles("load", handles); err != nil {
		return err
	}
	if i := slices.IndexFunc(handles, func(h Handle) bool { return h.ID() == "" }); i >= 0 {
		return fmt.Errorf("secrets: load: handle %d of %d: %w", i+1, len(handles), errNoID)
	}
	failed := map[*Client]map[string]error{}
	for _, h := range handles {
		if c := h.client(); failed[c] == nil {
			var err error
			if failed[c], err = c.loadAll(ctx, handles); err != nil {
				return err
			}
		}
	}
	e := &LoadError{}
	for _, h := range handles {
		err := failed[h.client()][h.ID()]
		switch {
		case err != nil && h.usable():
			continue
		case err == nil:
			err = h.load(ctx)
		}
		if err == ErrClosed {
			return err
		}
		e.add(h, err)
	}
	return e.orNil()
}

// loadAll fetches the secrets of those handles that belong to c. It returns the
// errors by secret id.
func (c *Client) loadAll(ctx context.Context, handles []Handle) (map[string]error, error) {
	var ids []string
	for _, h := range handles {
		if h.client() == c {
			ids = append(ids, h.ID())
		}
	}
	err := c.Prefetch(ctx, ids...)
	var failed *PrefetchError
	switch {
	case err == nil:
		return map[string]error{}, nil
	case errors.As(err, &failed):
		return failed.Errors, nil
	case err == ErrClosed || ctx.Err() == nil:
		return nil, err
	}
	all := make(map[string]error, len(ids))
	for _, id := range ids {
		all[id] = err
	}
	return all, nil
}

// Ready reports from memory whether handles can be read now. It makes no
// request. Use it for the readiness probe of a running service. It returns nil
// or a [*LoadError] that lists the handles that cannot be read: their secret
// was never read, was evicted, was deleted, was denied or is too old, or no
// version decodes. Ready decodes the value for a handle that was never read.
//
// Since Ready makes no request, an instance that gets no traffic does not find out
// through Ready that a secret is available again. The probe of such an instance
// calls [Load] if Ready fails.
//
// A handle that serves an older version is ready, whether the service is
// unavailable or the current version does not decode. Otherwise the load
// balancer would remove every instance, and an old value would become an
// outage. Stats.StaleNow, Stats.Refused and [Ref.Status] show such handles.
func Ready(handles ...Handle) error {
	if err := checkHandles("ready", handles); err != nil {
		return err
	}
	e := &LoadError{}
	for _, h := range handles {
		if h.usable() {
			continue
		}
		e.add(h, h.client().whyNotReady(h))
	}
	return e.orNil()
}

var errNotCached = errors.New("the secret is not cached: it was not read yet, was evicted, or is too old to be served")

// whyNotReady returns why a handle has no value to serve, if the cache
// remembers it.
func (c *cache) whyNotReady(h Handle) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	if e := c.knownLocked(h.ID()); e != nil {
		for _, sl := range e.slotsLocked() {
			if r, ok := sl.refusedLocked(e.cur); ok && r.kind == h.kindName() && r.serving == "" {
				return r.err
			}
		}
	}
	if f, ok := c.negative.failures.Peek(question{id: h.ID()}); ok {
		return f.err
	}
	if since := c.outdated.sinceLocked(h.ID()); !since.IsZero() {
		return fmt.Errorf("the cached value is too old to be served: the service last confirmed it %s, see Options.MaxStale", since.UTC().Format(time.RFC3339))
	}
	return errNotCached
}

// A LoadFailure describes one handle that cannot be used.
type LoadFailure struct {
	ID     string
	Type   string // the Go type of the handle
	Class  FailureClass
	Advice string // what to do about it, for the operator of the service
	Err    error
}

// A LoadError lists the handles that cannot be used, in the order of the
// arguments. Its message gives the reason and the advice for each, and contains
// no value.
type LoadError struct {
	Failures []LoadFailure
}

// add adds a handle's failure, if there is one.
func (e *LoadError) add(h Handle, err error) {
	if err == nil {
		return
	}
	e.Failures = append(e.Failures, LoadFailure{
		ID: h.ID(), Type: h.kindName(), Class: ClassOf(err), Err: err,
		Advice: adviceFor(h.ID(), h.client().fetcher.home, err),
	})
}

func (e *LoadError) orNil() error {
	if len(e.Failures) == 0 {
		return nil
	}
	return e
}

func (e *LoadError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "secrets: %d cannot be used", len(e.Failures))
	for _, f := range e.Failures {
		fmt.Fprintf(&b, "; %q as %s: %s", f.ID, f.Type, reasonOf(f.ID, f.Err))
		if f.Advice != "" {
			fmt.Fprintf(&b, " (%s)", f.Advice)
		}
	}
	return b.String()
}

// reasonOf returns an error's message without the operation and the secret's
// id.
func reasonOf(id string, err error) string {
	text := err.Error()
	for _, op := range []string{"prefetch", "get"} {
		text = strings.TrimPrefix(text, fmt.Sprintf("secrets: %s %q: ", op, id))
	}
	return strings.TrimPrefix(text, "secrets: ")
}

// Unwrap returns the errors of the handles.
func (e *LoadError) Unwrap() []error {
	errs := make([]error, len(e.Failures))
	for i, f := range e.Failures {
		errs[i] = f.Err
	}
	return errs
}

// Format writes the error's message for every verb.
func (e *LoadError) Format(f fmt.State, _ rune) { io.WriteString(f, e.Error()) }
