package sqlcred

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

// An attempt is one call of Connect. It is used by one goroutine.
type attempt struct {
	c         *Connector
	ticket    uint64
	passwords []string // of the versions that were offered
}

// offer is a use for secrets.TryOffer: it offers one version to the server.
func (a *attempt) offer(ctx context.Context, o secrets.Offer[*version]) (driver.Conn, error) {
	v := o.Value
	a.passwords = append(a.passwords, v.login.Password())
	m, err := a.c.acquire(v)
	if err != nil {
		return nil, a.scrub(err)
	}
	p, err := a.c.gate.enter(ctx, a.ticket, v.id, o.Fallback)
	if err != nil {
		a.c.made.release(m)
		return nil, a.rejectedIf(v, err)
	}
	l := &login{
		c:       a.c,
		version: v,
		made:    m,
		place:   p,
		current: a.c.currentVersion(),
		scrub:   a.scrubber(),
	}
	conn, err := l.run(ctx)
	if err != nil {
		return nil, a.rejectedIf(v, err)
	}
	return conn, nil
}

// rejectedIf marks a refusal for secrets.Try, and notes it for [attempt.explain].
func (a *attempt) rejectedIf(v *version, err error) error {
	var refusal *refusedError
	var barred *barredError
	switch {
	case errors.As(err, &refusal):
		err = refusal.err
	case !errors.As(err, &barred):
		return err
	}
	answer := fmt.Sprintf("the server's last answer to user %q at %s: %v", v.login.Username, v.login.plain().Address(), err)
	a.c.answer.Store(&answer)
	return secrets.Rejected(err)
}

// scrub removes the passwords that this call offered, and those of all
// versions that the connector has made a driver's connector of.
func (a *attempt) scrub(err error) error { return a.scrubber()(err) }

func (a *attempt) scrubber() func(error) error {
	passwords := slices.Concat(a.passwords, a.c.made.passwords())
	return func(err error) error { return dblogin.Scrub(err, passwords...) }
}

// explain adds to the error that Try ended with what the connector knows.
func (a *attempt) explain(err error) error {
	if errors.As(err, new(*secrets.RejectedError)) {
		if answer := a.c.answer.Load(); answer != nil {
			return fmt.Errorf("%w; %s", err, *answer)
		}
		return err
	}
	if errors.As(err, new(*AccountError)) {
		return err // made here, of an error that is scrubbed
	}
	var undecodable *secrets.DecodeError
	if m := a.c.misread.Load(); m != nil && errors.As(err, &undecodable) && undecodable.VersionID == m.version {
		return fmt.Errorf("%w: %v", err, m.err)
	}
	return a.scrub(err)
}
