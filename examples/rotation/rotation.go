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
	refused atomic.Int64  // logins of its own, by which it sees what is done already
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

// rotate does one rotation and returns how long AWSCURRENT was not the version
// that was set last.
//
// Run does the four steps here. In AWS Lambda it is Secrets Manager that asks
// for them, one by one, and rotate.Handler that does them; see the example
// lambda-postgres.
func (r *rotator) rotate(ctx context.Context, api rotate.API) (window time.Duration, err error) {
	err = rotate.Run(ctx, api, secretID, r)
	return time.Since(r.changed), err
}

// Test comes after Set and before AWSCURRENT moves: here it takes a while.
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
