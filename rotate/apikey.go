package rotate

import (
	"context"
	"errors"
)

// An APIKey is a Rotator for anything that is made and tried through
// somebody's API: keys, tokens, certificates. Make and Check are required.
type APIKey struct {
	// Make makes a new credential next to the current one and returns the
	// secret's new value; current.WithField replaces one field of a JSON
	// value. The current credential must go on working. If storing the value
	// fails, Make is called again, and what the first call made is never used:
	// where the number of keys is limited, Make should first remove those that
	// are not current's.
	Make func(ctx context.Context, current Value) (Value, error)

	// Check uses the new credential once.
	Check func(ctx context.Context, pending Value) error

	// Apply, if not nil, is called between Make and Check, perhaps more than
	// once, for services where a new credential has to be put in place.
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
