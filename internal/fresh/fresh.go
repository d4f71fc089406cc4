// Package fresh carries with a context whether a request wants what the service
// says now, and not what a cache between here and there has kept.
package fresh

import "context"

type key struct{}

// With returns a context whose requests want what the service says now.
func With(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, true) }

// Wanted reports whether ctx comes from With.
func Wanted(ctx context.Context) bool { wanted, _ := ctx.Value(key{}).(bool); return wanted }
