package secrets

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"
)

// A Version is one decoded version of a secret.
//
// For every verb of package fmt it prints as the version's id and labels. If a
// struct has a Version in an unexported field, package fmt ignores this and
// prints the value.
type Version[T any] struct {
	Value   T
	ID      string    // the version id; unique within the secret, and not confidential
	Stages  []string  // the staging labels that it had when it was fetched
	Created time.Time // when it was created; zero if the service did not say
}

// Has reports whether the version had a staging label when it was fetched.
func (v Version[T]) Has(stage string) bool { return slices.Contains(v.Stages, stage) }

// String returns the version's id and labels.
func (v Version[T]) String() string {
	return fmt.Sprintf("secrets.Version(%s %v, value not shown)", v.ID, v.Stages)
}

// Format writes what [Version.String] returns, for every verb.
func (v Version[T]) Format(f fmt.State, _ rune) { io.WriteString(f, v.String()) }

// LogValue returns what [Version.String] returns.
func (v Version[T]) LogValue() slog.Value { return slog.StringValue(v.String()) }

// MarshalText returns what [Version.String] returns.
func (v Version[T]) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Version returns the version that sel names, decoded. For the current version
// it returns what [Ref.Get] returns, with the version id. A version is decoded
// once, not at every call, while it is cached. Version blocks and fails as
// [Client.GetVersion] does. If the version does not decode, the error is a
// [*DecodeError].
func (r *Ref[T]) Version(ctx context.Context, sel Selector) (Version[T], error) {
	r.made()
	if sel.isCurrent() {
		h, err := r.decodedCurrent(ctx)
		if err != nil {
			return Version[T]{}, err
		}
		return r.versionOf(h, h.secret), nil
	}
	s, err := r.c.GetVersion(ctx, r.id, sel)
	if err != nil {
		return Version[T]{}, err
	}
	h, bad := r.decodedOf(s)
	if bad != nil {
		return Version[T]{}, opError("get", r.id, bad)
	}
	return r.versionOf(h, s), nil
}

// Versions returns every version that has a staging label, decoded. The order
// is: the current version, the pending one if it has a value, the previous one,
// and those with custom labels. A verifier can accept signatures made with any
// of them, and can use the version id as the key id. Each version is decoded
// once.
//
// A version that does not decode is omitted, logged and counted. If none
// decodes, Versions returns the current version's [*DecodeError]. If the
// current version does not decode, the first element is another version;
// [Version.Has] tells whether an element is the current version. Versions
// blocks and fails as [Client.Versions] does.
func (r *Ref[T]) Versions(ctx context.Context) ([]Version[T], error) {
	r.made()
	all, err := r.c.Versions(ctx, r.id)
	if err != nil {
		return nil, err
	}
	typed := make([]Version[T], 0, len(all))
	var first *DecodeError
	for _, s := range all {
		switch h, bad := r.decodedOf(s); {
		case bad == nil:
			typed = append(typed, r.versionOf(h, s))
		case first == nil:
			first = bad
		}
	}
	if len(typed) == 0 && first != nil {
		return nil, opError("versions", r.id, first)
	}
	return typed, nil
}

// versionOf returns what h holds, with the labels that s has.
func (r *Ref[T]) versionOf(h *decoded[T], s *Secret) Version[T] {
	return Version[T]{Value: r.own(h), ID: s.v.id, Stages: s.Stages(), Created: s.CreatedDate()}
}

// An otherVersion is the decoded form of a version that is not the current one,
// or was not when it was read. It is immutable.
type otherVersion[T any] struct {
	value *string     // identifies the version; copies with other labels share it
	held  *decoded[T] // nil: it does not decode
	err   *DecodeError
	next  *otherVersion[T]
}

// decodedOf returns s decoded. Concurrent readers may each decode it; all but
// one result are dropped. The result is kept while the cache has the version.
func (r *Ref[T]) decodedOf(s *Secret) (*decoded[T], *DecodeError) {
	if o := r.slot.Load().other(s); o != nil {
		return o.held, o.err
	}
	o := &otherVersion[T]{value: s.v.value}
	if o.held, _ = r.decodedBySlot(s); o.held == nil {
		v, err := r.kind.decode(s)
		if o.err = err; err == nil {
			o.held = &decoded[T]{value: v, secret: s}
		}
	}
	if o, first := r.keep(o); !first {
		return o.held, o.err
	}
	if err := o.err; err != nil {
		r.c.counts.decodeErrors.Add(1)
		r.c.events.add(Event{
			Kind: EventLeftOut, Secret: r.id, ARN: s.v.arn, Version: s.v.id, Stage: first(s.Stages()),
			Type: err.Type, Field: err.Field, Class: ClassDecode, Err: err,
		})
	}
	return o.held, o.err
}

// keep stores o in the handle's slot. If another one is already there, it
// returns that.
func (r *Ref[T]) keep(o *otherVersion[T]) (kept *otherVersion[T], first bool) {
	c := &r.c.cache
	c.mu.Lock()
	e := c.knownLocked(r.id)
	c.mu.Unlock()
	if e == nil {
		return o, true
	}
	sl := r.slotIn(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	if have := sl.others.Load().of(o.value); have != nil {
		return have, false
	}
	if !sl.retired {
		for old := sl.others.Load(); old != nil; old = old.next {
			if e.hasLocked(old.value) {
				o.next = &otherVersion[T]{old.value, old.held, old.err, o.next}
			}
		}
		sl.others.Store(o)
	}
	return o, true
}

// other returns the slot's decoded form of s. It returns nil if s was not read
// yet.
func (sl *typedSlot[T]) other(s *Secret) *otherVersion[T] {
	if sl == nil {
		return nil
	}
	return sl.others.Load().of(s.v.value)
}

// of returns the list's element for a version's value.
func (o *otherVersion[T]) of(value *string) *otherVersion[T] {
	for o != nil && o.value != value {
		o = o.next
	}
	return o
}

// first returns the first of labels, "" if there is none.
func first(labels []string) string {
	if len(labels) == 0 {
		return ""
	}
	return labels[0]
}
