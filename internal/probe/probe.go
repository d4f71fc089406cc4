// Package probe marks the context of a version that is offered by a handle's
// one prober, so that a gate in front of the use can tell such an offer from
// an ordinary use.
package probe

import "context"

type key struct{}

// With returns a copy of ctx that is marked as a prober's.
func With(ctx context.Context) context.Context {
	return context.WithValue(ctx, key{}, true)
}

// Is reports whether ctx, or a context that it was made from, was marked by [With].
func Is(ctx context.Context) bool {
	return ctx.Value(key{}) != nil
}
