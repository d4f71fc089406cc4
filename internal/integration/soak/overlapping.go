package main

import "context"

// overlapping is byHand with every other rotation given up after setSecret: the
// one that follows sets another password before any label has moved, and takes
// AWSPENDING away from the version that the server accepted.
type overlapping struct {
	*byHand
	n int // rotations so far
}

func newOverlapping(s *site) rotator { return &overlapping{byHand: &byHand{site: s}} }

func (r *overlapping) rotate(ctx context.Context) error {
	pending, err := r.setSecret(ctx)
	if err != nil {
		return err
	}
	if err := r.holdOpen(ctx); err != nil {
		return err
	}
	if r.n++; r.n%2 == 1 {
		r.turn = (r.turn + len(r.users) - 1) % len(r.users) // the next sets the password of the same user
		return nil
	}
	return r.finishSecret(ctx, pending)
}
