package secrets

import (
	"fmt"
	"io"
	"log/slog"
)

// An Offer is a version of a secret that a use gets from [TryOffer].
//
// It prints as the version's id and label, whatever the verb. A struct that
// has an Offer in an unexported field cannot be protected in that way.
type Offer[T any] struct {
	Value     T
	VersionID string
	Stage     string // the staging label by which it is offered

	// Fallback says that the version is offered by the handle's one prober
	// because another version was rejected. A limit on uses may let it pass:
	// there is one at a time, and the callers who wait depend on it.
	Fallback bool
}

// String returns the version's id and label.
func (o Offer[T]) String() string {
	return fmt.Sprintf("secrets.Offer(%s version %s)", o.Stage, o.VersionID)
}

// Format writes what [Offer.String] returns, whatever the verb.
func (o Offer[T]) Format(f fmt.State, _ rune) { io.WriteString(f, o.String()) }

// LogValue returns what [Offer.String] returns.
func (o Offer[T]) LogValue() slog.Value { return slog.StringValue(o.String()) }

// MarshalText returns what [Offer.String] returns.
func (o Offer[T]) MarshalText() ([]byte, error) { return []byte(o.String()), nil }
