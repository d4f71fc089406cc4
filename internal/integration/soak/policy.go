package main

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// policy is a client under test: how it learns the password and what it does
// when that is refused.
type policy struct {
	name     string
	suffix   string // of the title
	promises func(*settings, *strategy, *report) error
	pushed   bool // events tell of changes of the secret

	// connector makes the client for a run. The function it returns ends it.
	connector func(*run) (driver.Connector, func() error, error)
}

var policies = []policy{
	{name: "sqlcred", promises: noFailure, connector: newOurs},
	{name: "fleet", suffix: "fleet of 8", promises: fleetPromise, connector: newFleet},
	{name: "fleet-pushed", suffix: "fleet of 8 pushed", promises: fleetPromise, pushed: true, connector: newFleet},
	{name: "naive", suffix: "naive", connector: newNaive},
}

// policyNames are the policies that run by default.
func policyNames() []string {
	var names []string
	for _, p := range policies {
		if !strings.HasPrefix(p.name, "fleet") {
			names = append(names, p.name)
		}
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

// wrongLimits are how many logins with a wrong password a rotation may cost, in
// the mean and at the most.
type wrongLimits struct{ mean, most float64 }

// noFailure is what package sqlcred promises.
func noFailure(o *settings, s *strategy, r *report) error {
	return promise(o, r, wrongLoginLimits(o, s, r))
}

// promise holds a report to limits, and to no failure.
func promise(o *settings, r *report, wrong wrongLimits) error {
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
	if r.rotations >= fewRotations {
		atMost("wrong logins a rotation", r.perRotation(r.wrongLogins), wrong.mean)
	}
	if r.slowestConnect*time.Duration(r.rotations) < r.elapsed {
		atMost("wrong logins of one rotation", float64(r.mostWrong), wrong.most)
	} else { // a login that outlasts a rotation is counted in a later one
		atMost("wrong logins of all rotations", float64(r.wrongLogins), wrong.most*float64(r.rotations))
	}
	return errors.Join(errs...)
}

// fewRotations have a mean that says nothing, on a busy machine above all: there
// all the logins that may be under way at a time are, in every rotation.
const fewRotations = 20

// wrongLoginLimits are those of package sqlcred. Most drivers hold their passwords
// back, so that one login at a time offers its own; a second one in a rotation is a
// retry, after a moment in which no version was accepted. With a driver that does
// not, or only when it dials, one or two logins send their passwords to a server that
// is near, and two in the mean to one that is far.
func wrongLoginLimits(o *settings, s *strategy, r *report) wrongLimits {
	switch {
	case s.overlaps:
		return wrongLimits{}
	case o.maxLogins < 0:
		return wrongLimits{math.Inf(1), math.Inf(1)}
	case r.givenUp:
		return wrongLimits{mean: 2, most: 3} // the version that was given up, and the current one once more
	case r.plain && r.scene.delay > 0:
		return wrongLimits{mean: 2.1, most: 4}
	case (r.plain || r.dials && r.scene.delay == 0) && r.scene.isolated:
		return wrongLimits{mean: 1.5, most: 2}
	case r.plain || r.dials && !r.scene.isolated:
		return wrongLimits{mean: 2, most: 4} // a server at its limit is far
	}
	return wrongLimits{mean: 1.05, most: 2}
}
