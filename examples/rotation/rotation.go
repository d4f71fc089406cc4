package main

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/seed-74dc7b3e/secrets/rotate"
)

// A rotator rotates the password, slowly.
type rotator struct {
	rotate.Rotator
	hold    time.Duration // between setSecret and finishSecret, at most
	changed time.Time     // when setSecret had changed the password
	refused atomic.Int64  // the rotator's own refused logins, by which it detects finished work
}

func newRotator(s settings) *rotator {
	r := &rotator{hold: s.hold}
	options := rotate.SQLOptions{Alternating: s.alternating(), Rejected: r.rejected}
	if s.server == "mariadb" {
		r.Rotator = rotate.MySQL(rotate.Driver("mysql", nil), &options)
	} else {
		r.Rotator = rotate.Postgres(rotate.Driver("pgx", nil), &options)
	}
	return r
}

// rotate performs one rotation. It returns how long the database had the new
// password before AWSCURRENT moved.
//
// Here Run executes the four steps. In AWS Lambda, Secrets Manager requests
// them one by one, and rotate.Handler executes them; see the example
// lambda-postgres.
func (r *rotator) rotate(ctx context.Context, api rotate.API) (window time.Duration, err error) {
	err = rotate.Run(ctx, api, secretID, r)
	return time.Since(r.changed), err
}

// Test runs after Set and before AWSCURRENT moves. Here it takes a while.
func (r *rotator) Test(ctx context.Context, rotation *rotate.Rotation) error {
	r.changed = time.Now()
	if err := pause(ctx, rand.N(r.hold+1)); err != nil {
		return err
	}
	return r.Rotator.Test(ctx, rotation)
}

func (r *rotator) rejected(err error) bool {
	rejected := rotate.IsRejected(err)
	if rejected {
		r.refused.Add(1)
	}
	return rejected
}
