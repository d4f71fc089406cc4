package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync/atomic"
	"time"
)

// fleetSize is how many clients share the account in the runs with a fleet.
const fleetSize = 8

// pushedWithin is how long a client of a fleet takes to check the secret when an
// event tells of a change, at most: less than the time between two rotations.
const pushedWithin = time.Second

// A fleet is clients of package sqlcred that know nothing of each other, as in
// as many processes. Connects go to them by turns.
type fleet struct {
	members []driver.Connector
	next    atomic.Uint64
}

func newFleet(r *run) (driver.Connector, func() error, error) {
	f := new(fleet)
	var closes []func() error
	closeAll := func() error {
		var errs []error
		for _, c := range closes {
			errs = append(errs, c())
		}
		return errors.Join(errs...)
	}
	for range fleetSize {
		c, end, err := newOurs(r)
		if err != nil {
			return nil, nil, errors.Join(err, closeAll())
		}
		f.members, closes = append(f.members, c), append(closes, end)
	}
	return f, closeAll, nil
}

// Connect implements driver.Connector.
func (f *fleet) Connect(ctx context.Context) (driver.Conn, error) {
	return f.members[f.next.Add(1)%uint64(len(f.members))].Connect(ctx)
}

// Driver implements driver.Connector.
func (f *fleet) Driver() driver.Driver { return f.members[0].Driver() }

// fleetPromise is what package sqlcred promises of a fleet: one wrong login for each
// process and rotation, and none with alternating users. A process that is late
// counts in the next one.
func fleetPromise(o *settings, s *strategy, r *report) error {
	if s.overlaps {
		return promise(o, r, wrongLimits{})
	}
	return promise(o, r, wrongLimits{mean: fleetSize, most: 2 * fleetSize})
}
