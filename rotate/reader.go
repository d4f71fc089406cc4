package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A reader reads the secrets that logins are in, and decides which of them
// belong together. It connects to nothing.
type reader struct {
	engines    []string // the first is the default
	port       int      // the default
	user       string   // the default; empty: there has to be one
	complete   func(ctx context.Context, secretID string, l Login) (Login, error)
	sameServer func(ctx context.Context, user, master Login) (bool, error)
}

// login reads a secret, adds missing fields, and checks the engine.
func (rd reader) login(ctx context.Context, r *Rotation, secretID string, v Value) (Login, error) {
	l, err := parseLogin(v)
	if err != nil {
		return l, err
	}
	password := l.password
	r.passwords = append(r.passwords, l.Password())
	if rd.complete != nil {
		if l, err = rd.complete(ctx, secretID, l); err != nil {
			return l, fmt.Errorf("complete: %w", r.scrub(err))
		}
		l.password = password
	}
	switch {
	case l.Engine == "":
		l.Engine = rd.engines[0]
	case !slices.Contains(rd.engines, l.Engine):
		return l, fmt.Errorf(`the field "engine" is not one of %s`, strings.Join(rd.engines, ", "))
	}
	if l.Port == 0 {
		l.Port = rd.port
	}
	if l.Username == "" {
		l.Username = rd.user
	}
	if l.Username == "" {
		return l, errors.New(`the secret has no field "username"`)
	}
	return l, nil
}

// pair returns the logins of AWSCURRENT and AWSPENDING, which must be for the
// same place, and the second for the user that next names.
func (rd reader) pair(ctx context.Context, r *Rotation, next func(cur Login) (string, error)) (cur, pend Login, err error) {
	v, err := r.Current(ctx)
	if err == nil {
		cur, err = rd.login(ctx, r, r.SecretID(), v)
	}
	if err != nil {
		return cur, pend, fmt.Errorf("%s: %w", current, err)
	}
	v, err = r.Pending(ctx)
	if err == nil {
		pend, err = rd.login(ctx, r, r.SecretID(), v)
	}
	if err != nil {
		return cur, pend, fmt.Errorf("%s: %w", pending, err)
	}
	user, err := next(cur)
	if err == nil {
		err = hasHost(cur)
	}
	switch {
	case err != nil:
		return cur, pend, err
	case pend.Username != user:
		return cur, pend, errors.New("the AWSPENDING version has another user than AWSCURRENT requires")
	case !sameServer(cur, pend):
		return cur, pend, errors.New("the AWSPENDING version is for another server than AWSCURRENT")
	}
	if err := checkPassword(pend.Password()); err != nil {
		return cur, pend, fmt.Errorf("%s: %w", pending, err)
	}
	// From here on all comes from AWSCURRENT but the user and the password.
	to := cur.WithPassword(pend.Password())
	to.Username = user
	return cur, to, nil
}

// previous returns cur with the password of AWSPREVIOUS. It returns an error
// that wraps refused if AWSPREVIOUS has no password beside those already
// refused.
func (rd reader) previous(ctx context.Context, r *Rotation, cur, pend Login, refused error) (Login, error) {
	v, err := r.Previous(ctx)
	if err != nil {
		return cur, err
	}
	if v.IsZero() {
		return cur, fmt.Errorf("there is no AWSPREVIOUS, and: %w", refused)
	}
	old, err := rd.login(ctx, r, r.SecretID(), v)
	if err != nil {
		return cur, fmt.Errorf("%s: %w", previous, err)
	}
	if old.Username != cur.Username || !sameServer(old, cur) {
		return cur, fmt.Errorf("AWSPREVIOUS is for another user or server, and: %w", refused)
	}
	if p := old.Password(); p == cur.Password() || p == pend.Password() {
		return cur, fmt.Errorf("AWSPREVIOUS has no other password, and: %w", refused)
	}
	return cur.WithPassword(old.Password()), nil
}

// master reads the master's secret, which must be for the server of the secret
// that names it.
func (rd reader) master(ctx context.Context, r *Rotation, cur Login) (Login, error) {
	if cur.MasterARN == "" {
		return Login{}, errors.New(`the secret has no field "masterarn"`)
	}
	v, err := r.Other(ctx, cur.MasterARN)
	if err != nil {
		return Login{}, fmt.Errorf("the master's secret: %w", err)
	}
	m, err := rd.login(ctx, r, cur.MasterARN, v)
	if err != nil {
		return Login{}, fmt.Errorf("the master's secret: %w", err)
	}
	if m.Host == "" {
		return Login{}, errors.New(`the master's secret has no field "host"`)
	}
	same := sameServer(cur, m)
	if !same && rd.sameServer != nil {
		if same, err = rd.sameServer(ctx, cur, m); err != nil {
			return Login{}, fmt.Errorf("the master's secret: %w", r.scrub(err))
		}
	}
	if !same {
		return Login{}, errors.New("the master's secret is for another server than the secret that names it")
	}
	m.Database = cur.Database
	return m, nil
}

// hasHost returns an error if l says of no server where it is.
func hasHost(l Login) error {
	if l.Host == "" {
		return errors.New(`the secret has no field "host"`)
	}
	return nil
}

func sameServer(a, b Login) bool {
	return strings.EqualFold(a.Host, b.Host) && a.Port == b.Port
}
