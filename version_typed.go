package secrets

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"
)

// A Version is one version of a secret, decoded.
//
// It prints as the version's id and labels, whatever the verb. A struct that
// has a Version in an unexported field cannot be protected in that way.
type Version[T any] struct {
	Value   T
	ID      string    // the version id; unique within the secret, and no secret itself
	Stages  []string  // the staging labels that were on it when it was fetched
	Created time.Time // when it was made; the zero time if the service did not say
}

// Has reports whether the version had a staging label when it was fetched.
func (v Version[T]) Has(stage string) bool { return slices.Contains(v.Stages, stage) }

// String returns the version's id and labels.
func (v Version[T]) String() string {
	return fmt.Sprintf("secrets.Version(%s %v, value not shown)", v.ID, v.Stages)
}

// Format writes what [Version.String] returns, whatever the verb.
func (v Version[T]) Format(f fmt.State, _ rune) { io.WriteString(f, v.String()) }

// LogValue returns what [Version.String] returns.
func (v Version[T]) LogValue() slog.Value { return slog.StringValue(v.String()) }

// MarshalText returns what [Version.String] returns.
func (v Version[T]) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Version returns the version that sel names, decoded. The current one is what
// [Ref.Get] returns, with its id. It is decoded once, not at every call, for as
// long as it is cached. It blocks and fails as [Client.GetVersion] does; a
// version that does not decode is a [*DecodeError].
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

// Versions returns every version that has a staging label, decoded: the current
// one, the pending one if it has a value, the previous one, and then those with
// custom labels. A signature that was made with any of them can be verified, by
// the version id as the id of the key. Each is decoded once.
//
// A version that does not decode is left out, logged and counted. Only if none
// does is the current one's [*DecodeError] returned. Where [Ref.Get] makes do
// with an older version because the current one does not decode, the first
// element is not the current one: ask [Version.Has]. Versions blocks and fails
// as [Client.Versions] does.
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

// decodedAs is what one kind of handle made of a version. It is kept by the
// version, and so goes when that leaves the cache.
type decodedAs struct {
	kind any // a *kind
	held any // a *held
	err  *DecodeError
	next *decodedAs
	n    int // elements from here on
}

// maxDecodedAs bounds how many kinds of handles a version remembers. A program
// that calls BindFunc anew for each read makes one each time.
const maxDecodedAs = 8

// decodedOf returns s decoded. Readers who come at the same time may decode it
// once each; all but one result are dropped.
func (r *Ref[T]) decodedOf(s *Secret) (*decoded[T], *DecodeError) {
	known := s.v.decoded.Load()
	if h, err, ok := decodingOf(r.kind, known); ok {
		return h, err
	}
	h, _ := r.decodedBySlot(s)
	var err *DecodeError
	if h == nil {
		h = &decoded[T]{secret: s}
		if h.value, err = r.kind.decode(s); err != nil {
			h = nil
		}
	}
	for {
		d := &decodedAs{kind: r.kind, held: h, err: err, n: 1}
		if known != nil && known.n < maxDecodedAs {
			d.next, d.n = known, known.n+1
		}
		if s.v.decoded.CompareAndSwap(known, d) {
			break
		}
		known = s.v.decoded.Load()
		if h, err, ok := decodingOf(r.kind, known); ok {
			return h, err
		}
	}
	if err != nil {
		r.c.counts.decodeErrors.Add(1)
		r.c.events.add(Event{
			Kind: EventLeftOut, Secret: r.id, ARN: s.v.arn, Version: s.v.id, Stage: first(s.Stages()),
			Type: err.Type, Field: err.Field, Class: ClassDecode, Err: err,
		})
	}
	return h, err
}

// first returns the first of labels, "" if there is none.
func first(labels []string) string {
	if len(labels) == 0 {
		return ""
	}
	return labels[0]
}

// decodingOf finds what a kind made of a version.
func decodingOf[T any](k *kind[T], known *decodedAs) (*decoded[T], *DecodeError, bool) {
	for d := known; d != nil; d = d.next {
		if d.kind == any(k) {
			return d.held.(*decoded[T]), d.err, true
		}
	}
	return nil, nil, false
}
