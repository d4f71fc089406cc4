package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"log/slog"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// newOurs makes the connector of package sqlcred.
//
// Alternating users are meant for clients that read the secret again between
// two rotations, which in earnest are hours apart. Here they are a moment
// apart, and so is the time to live.
func newOurs(r *run) (driver.Connector, func() error, error) {
	if r.backend.at != nil {
		return newOurPool(r)
	}
	options := secrets.Options{Logger: slog.New(slog.DiscardHandler)}
	if r.strategy.overlaps && !r.policy.pushed {
		options.TTL = r.ttl
	}
	if r.policy.pushed {
		options.EventJitter = pushedWithin
	}
	client, err := secrets.New(r.fake.ClientFor(secretstest.Identity{ARN: appARN}), &options)
	if err != nil {
		return nil, nil, err
	}
	if r.policy.pushed {
		r.fake.OnEvent(func(event []byte) { _, _ = client.HandleEvent(context.Background(), event) })
	}
	open := func(l sqlcred.Login) (driver.Connector, error) {
		return r.backend.open(r.seen, l.Username, l.Password())
	}
	connector := sqlcred.New(client, secretID, open, &sqlcred.Options{MaxLogins: r.maxLogins, Logger: options.Logger})
	return connector, func() error { return errors.Join(connector.Close(), client.Close()) }, nil
}
