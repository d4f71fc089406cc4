package rotate

import (
	"context"
	"errors"
)

// An APIKey is a Rotator for credentials that an API makes and checks. These
// may be keys, tokens or certificates. Make and Check are required.
type APIKey struct {
	// Make makes a new credential beside the current one and returns the secret's
	// new value; current.WithField replaces one field of a JSON value. The current
	// credential must continue to work. If storing the value fails, Make is called
	// again, and the credential from the first call is never used. If the number
	// of keys is limited, Make should first remove all keys but the one in
	// current.
	Make func(ctx context.Context, current Value) (Value, error)

	// Check uses the new credential once.
	Check func(ctx context.Context, pending Value) error

	// Apply, if not nil, is called between Make and Check, perhaps more than once.
	// It is for services in which a new credential must be installed.
	Apply func(ctx context.Context, current, pending Value) error
}

// Create calls Make.
func (k APIKey) Create(ctx context.Context, r *Rotation) (Value, error) {
	if k.Make == nil || k.Check == nil {
		return Value{}, errors.New("APIKey: Make or Check is nil")
	}
	cur, err := r.Current(ctx)
	if err != nil {
		return Value{}, err
	}
	return k.Make(ctx, cur)
}

// Set calls Apply, if there is one.
func (k APIKey) Set(ctx context.Context, r *Rotation) error {
	if k.Apply == nil {
		return nil
	}
	cur, err := r.Current(ctx)
	if err != nil {
		return err
	}
	pend, err := r.Pending(ctx)
	if err != nil {
		return err
	}
	return k.Apply(ctx, cur, pend)
}

// Test calls Check.
func (k APIKey) Test(ctx context.Context, r *Rotation) error {
	if k.Check == nil {
		return errors.New("APIKey: Check is nil")
	}
	pend, err := r.Pending(ctx)
	if err != nil {
		return err
	}
	return k.Check(ctx, pend)
}
