package sqlcred

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/gate"
	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

// An attempt is one call of Connect. It is used by one goroutine.
type attempt struct {
	c         *Connector
	ticket    gate.Ticket
	passwords []string // of the versions that were offered
	tried     Login    // the last of them
}

// offer is a use for secrets.TryOffer: it offers one version to the server.
func (a *attempt) offer(ctx context.Context, o secrets.Offer[*version]) (driver.Conn, error) {
	v := o.Value
	a.tried = v.login
	a.passwords = append(a.passwords, v.login.Password())
	m, err := a.c.acquire(v)
	if err != nil {
		return nil, a.scrub(err)
	}
	l := &login{c: a.c, version: v, made: m, scrub: a.scrubber()}
	conn, err := gate.Run(ctx, a.c.gate, gate.Login[driver.Conn]{
		Ticket: a.ticket, Version: v.id, Stage: o.Stage, Fallback: o.Fallback,
		Connect: l.connect,
		Final:   func(err error) bool { return errors.As(err, new(*AccountError)) },
		Alive:   alive,
		Release: func() { a.c.made.release(m) },
		Target:  v.login.target(),
	})
	if err != nil {
		a.note(v, o.Stage, err)
		return nil, err
	}
	a.c.state.accepted()
	return a.c.wrap(conn, v.id, l.current), nil
}

// note keeps a refusal for [attempt.explain].
func (a *attempt) note(v *version, stage string, err error) {
	var refusal *gate.RefusedError
	if errors.As(err, &refusal) {
		a.c.state.refused(v, stage, refusal.Err)
	}
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
		if answer := a.c.state.answer(); answer != "" {
			return fmt.Errorf("%w; %s", err, answer)
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
