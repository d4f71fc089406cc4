package main

import (
	"context"
	"database/sql/driver"
	"sync/atomic"

	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// byFunction has a rotation function of package rotate do what byHand does,
// delivered by the fake as AWS delivers it.
type byFunction struct {
	*site
	rotation *secretstest.Rotation
	refused  atomic.Int64 // logins of the function
}

func newByFunction(s *site) rotator { return &byFunction{site: s} }

// create makes the first user only: the function clones it.
func (r *byFunction) create(ctx context.Context) error {
	l := newLogin(r.server, r.users[0])
	if err := r.createUser(ctx, l); err != nil {
		return err
	}
	if r.strategy.overlaps {
		master := newLogin(r.server, r.server.AdminUser)
		master.Password = r.server.AdminPassword
		out, err := r.createSecret(ctx, secretID+"-master", master)
		if err != nil {
			return err
		}
		l.Master = *out.ARN
	}
	if _, err := r.createSecret(ctx, secretID, l); err != nil {
		return err
	}
	handler := rotate.Handler{
		API:     r.api,
		Rotator: r.backend.rotator(r.open, &rotate.SQLOptions{Alternating: r.strategy.overlaps}),
	}
	r.fake.SetRotation(secretID, handler.Handle, nil)
	r.rotation = r.fake.Rotation(secretID)
	return nil
}

func (r *byFunction) rotate(ctx context.Context) error {
	if err := r.rotation.Step(rotate.CreateSecret, rotate.SetSecret, rotate.TestSecret); err != nil {
		return err
	}
	if err := r.holdOpen(ctx); err != nil {
		return err
	}
	return r.rotation.Step(rotate.FinishSecret)
}

// wrongLogins are those that setSecret makes to see whether it is done already.
func (r *byFunction) wrongLogins() int { return int(r.refused.Load()) }

func (r *byFunction) open(l rotate.Login) (driver.Connector, error) {
	c, err := r.backend.open(r.server, l.Username, l.Password())
	return refusalCounter{c, r}, err
}

// refusalCounter counts the logins that are refused.
type refusalCounter struct {
	driver.Connector
	r *byFunction
}

func (c refusalCounter) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil && c.r.backend.refused(err) {
		c.r.refused.Add(1)
	}
	return conn, err
}
