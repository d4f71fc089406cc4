package secrets

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/identity"
	"github.com/seed-74dc7b3e/secrets/internal/lease"
)

type look struct {
	described bool
	labels    labels
}

func (c *cache) look(ctx context.Context, e *entry) (*look, error) {
	ck, err := c.check(ctx, e, "", (*lease.Lease).Begin, true)
	return &look{ck.desc != nil, ck.labels()}, err
}

func (c *cache) isRotating(e *entry) bool { return e.flags.Load()&isRotating != 0 }

func (c *cache) lookSoonLocked(e *entry) {
	c.applyLocked(e, func(l *lease.Lease) lease.Report { l.CheckSoon(&c.rules, c.moment()); return lease.Report{} })
}

func keyOf(arn, asked string) string { return identity.Of(arn, "", asked).Key }

// jitter returns d give or take 10 %.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + time.Duration(rand.Int64N(int64(d/5)+1))
}
