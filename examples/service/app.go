package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// An app holds everything that lives as long as the process: one client for all
// secrets, the users of the secrets, and the telemetry.
type app struct {
	settings *settings
	log      *slog.Logger

	client  *secrets.Client
	secrets []secrets.Handle // the secrets that the service requires
	db      *pgxpool.Pool
	rates   *ratesAPI

	telemetry *telemetry
	ready     atomic.Bool // true from the end of the start to the beginning of the shutdown
}

// newApp makes the client, the pool and the other parts. It reads no secret and
// opens no connection.
func newApp(ctx context.Context, c *settings, log *slog.Logger) (*app, error) {
	aws, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	a := &app{settings: c, log: log}
	if a.telemetry, err = newTelemetry(); err != nil {
		return nil, err
	}
	a.client, err = secrets.New(secretsmanager.NewFromConfig(aws), &secrets.Options{
		TTL: c.ttl, AllowHTTP: c.allowHTTP, Logger: log, OnEvent: a.telemetry.onEvent,
	})
	if err != nil {
		return nil, err
	}
	if err := a.use(ctx); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

// use makes the users of the secrets: handles, pool and API client.
func (a *app) use(ctx context.Context) (err error) {
	login := secrets.BindFunc(a.client, a.settings.dbSecret, sqlcred.DecodeLogin)
	key := secrets.Bind[string](a.client, a.settings.apiKeySecret)
	a.secrets = []secrets.Handle{login, key}
	a.rates = newRatesAPI(key, a.settings.rates)
	if a.db, err = newPool(ctx, a.client, a.settings, a.log); err != nil {
		return err
	}
	return a.telemetry.observe(a.client)
}

// start waits for the secrets and for one login. So a service that cannot serve
// fails when it is deployed, not at its first request. The error lists every
// unusable secret, with the reason.
func (a *app) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.settings.startTimeout)
	defer cancel()
	if err := secrets.Load(ctx, a.secrets...); err != nil {
		return err
	}
	if err := a.db.Ping(ctx); err != nil {
		return fmt.Errorf("the database: %w", err)
	}
	return nil
}

// close closes the users of secrets first, then the client. Closing the pool
// blocks until every connection has been returned to it.
func (a *app) close() error {
	if a.db != nil {
		a.db.Close()
	}
	if a.rates != nil {
		a.rates.client.CloseIdleConnections()
	}
	err := a.client.Close()
	return errors.Join(err, a.telemetry.close())
}
