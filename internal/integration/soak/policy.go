package main

import (
	"database/sql/driver"
	"errors"
	"fmt"
)

// policy is a client under test: how it learns the password and what it does
// when that is refused.
type policy struct {
	name     string
	suffix   string // of the title
	promises func(*settings, *strategy, *report) error

	// connector makes the client for a run. The function it returns ends it.
	connector func(*run) (driver.Connector, func() error, error)
}

var policies = []policy{
	{name: "sqlcred", promises: noFailure, connector: newOurs},
	{name: "naive", suffix: "naive", connector: newNaive},
}

func policyNames() []string {
	var names []string
	for _, p := range policies {
		names = append(names, p.name)
	}
	return names
}

// check returns what the policy promises and the run did not show.
func (p *policy) check(o *settings, s *strategy, r *report) error {
	if p.promises == nil {
		return nil
	}
	return p.promises(o, s, r)
}

// noFailure is what package sqlcred promises.
func noFailure(o *settings, s *strategy, r *report) error {
	var errs []error
	atMost := func(what string, got, limit float64) {
		if got > limit {
			errs = append(errs, fmt.Errorf("%s: got %.2f, want at most %.2f", what, got, limit))
		}
	}
	atMost("failed queries", float64(r.failedQueries), 0)
	atMost("failed connects", float64(r.failedConnects), 0)
	if r.queries < int64(r.rotations) {
		errs = append(errs, fmt.Errorf("%d queries are no load", r.queries))
	}
	if o.faults { // then a client may learn of a rotation late
		return errors.Join(errs...)
	}
	mean, most := wrongLoginLimits(o, s)
	if r.rotations >= fewRotations {
		atMost("wrong logins a rotation", r.perRotation(r.wrongLogins), mean)
	}
	atMost("wrong logins of one rotation", float64(r.mostWrong), most)
	return errors.Join(errs...)
}

// fewRotations have a mean that says nothing, on a busy machine above all: there
// all the logins that may be under way at a time are, in every rotation.
const fewRotations = 20

// wrongLoginLimits are how many logins with a wrong password a rotation may
// cost, in the mean and at the most.
func wrongLoginLimits(o *settings, s *strategy) (mean, most float64) {
	if s.overlaps {
		return 0, 0
	}
	switch o.maxLogins {
	case 0, 4:
		return 2.5, 4
	case 2:
		return 1.7, 2
	}
	return float64(o.maxLogins), float64(o.maxLogins)
}
