package secrets

import (
	"fmt"
	"io"
	"log/slog"
)

// An Offer is a version of a secret that [TryOffer] passes to a use.
//
// For every verb of package fmt it prints as the version's id and label. If a
// struct has an Offer in an unexported field, package fmt ignores this and
// prints the value.
type Offer[T any] struct {
	Value     T
	VersionID string
	Stage     string // the staging label under which it is offered

	// Fallback says that the handle's one prober offers this version because
	// another version was rejected. A limit on uses may exempt it: only one runs
	// at a time, and the waiting callers depend on it.
	Fallback bool
}

// String returns the version's id and label.
func (o Offer[T]) String() string {
	return fmt.Sprintf("secrets.Offer(%s version %s)", o.Stage, o.VersionID)
}

// Format writes what [Offer.String] returns, for every verb.
func (o Offer[T]) Format(f fmt.State, _ rune) { io.WriteString(f, o.String()) }

// LogValue returns what [Offer.String] returns.
func (o Offer[T]) LogValue() slog.Value { return slog.StringValue(o.String()) }

// MarshalText returns what [Offer.String] returns.
func (o Offer[T]) MarshalText() ([]byte, error) { return []byte(o.String()), nil }
