// Package world is the environment of the service, without an AWS account. It runs
// a Secrets Manager (the fake of package secretstest), a PostgreSQL server, and the
// rates API. It is for the command local and for the service's test. A copy of the
// service does not need it.
package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver that rotations use

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// The names of the secrets.
const (
	DBSecret     = "prod/db"
	APIKeySecret = "prod/rates-key"
)

const user = "service" // whose password the database secret has

// A World is running until its Close. Its methods are safe for concurrent use by
// multiple goroutines.
type World struct {
	Fake  *secretstest.Server
	Rates *Rates

	postgres *dbserver.Server // nil if an existing server is used
	admin    *url.URL         // with the administrator's login
}

// Start starts a world, in about a second. It uses the PostgreSQL server at
// adminURL, a URL with user and password, and creates a role service and a
// table items there. If adminURL is empty, it starts a throwaway server. That
// fails with dbserver.ErrNotInstalled if PostgreSQL's programs are not
// installed.
func Start(ctx context.Context, adminURL string) (*World, error) {
	w := &World{Fake: secretstest.NewServer(nil)}
	err := w.database(ctx, adminURL)
	if err == nil {
		err = w.createUser(ctx)
	}
	if err == nil {
		w.Rates, err = newRates()
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	w.Fake.Put(APIKeySecret, w.Rates.newKey())
	return w, nil
}

// Close stops everything.
func (w *World) Close() error {
	var errs []error
	if w.Rates != nil {
		errs = append(errs, w.Rates.close())
	}
	if w.postgres != nil {
		errs = append(errs, w.postgres.Stop())
	}
	w.Fake.Close()
	return errors.Join(errs...)
}

// database starts PostgreSQL, unless an existing server is used.
func (w *World) database(ctx context.Context, adminURL string) (err error) {
	if adminURL == "" {
		if w.postgres, err = dbserver.Postgres(ctx, nil); err != nil {
			return err
		}
		u := url.URL{
			Scheme: "postgres", Host: w.postgres.Addr(), Path: w.postgres.Database,
			User: url.UserPassword(w.postgres.AdminUser, w.postgres.AdminPassword), RawQuery: "sslmode=disable",
		}
		adminURL = u.String()
	}
	if w.admin, err = url.Parse(adminURL); err != nil || w.admin.Host == "" {
		return errors.New("the database's URL is not one like postgres://postgres:PASSWORD@127.0.0.1:5432/postgres")
	}
	return nil
}

// Exec executes statements as the database's administrator.
func (w *World) Exec(ctx context.Context, statements ...string) error {
	conn, err := pgx.Connect(ctx, w.admin.String())
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// Sessions returns how many connections the service has to the database, and
// how many of them are running a query.
func (w *World) Sessions(ctx context.Context) (all, active int, err error) {
	conn, err := pgx.Connect(ctx, w.admin.String())
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close(context.Background())
	err = conn.QueryRow(ctx, "SELECT count(*), count(*) FILTER (WHERE state = 'active') FROM pg_stat_activity WHERE usename = $1", user).Scan(&all, &active)
	return all, active, err
}

// createUser makes the table, the service's user, and the secret of that user.
func (w *World) createUser(ctx context.Context) error {
	const first = "to-be-rotated-away"
	err := w.Exec(ctx,
		"DROP TABLE IF EXISTS items", "CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL)",
		"INSERT INTO items VALUES (1, 'lamp'), (2, 'chair')",
		"DROP ROLE IF EXISTS "+user, "CREATE ROLE "+user+" LOGIN PASSWORD '"+first+"'",
		"GRANT SELECT ON items TO "+user)
	if err != nil {
		return err
	}
	config, err := pgx.ParseConfig(w.admin.String())
	if err != nil {
		return err
	}
	value, err := json.Marshal(map[string]any{
		"engine": "postgres", "host": config.Host, "port": config.Port, "dbname": config.Database,
		"username": user, "password": first, "ssl": config.TLSConfig != nil,
	})
	if err != nil {
		return err
	}
	w.Fake.Put(DBSecret, string(value))
	return nil
}

// RotatePassword rotates the database's password. It executes the four steps of
// a rotation function in AWS Lambda. If between is not nil, it calls between
// after the password has changed and before AWSCURRENT moves, when only
// AWSPENDING logs in.
func (w *World) RotatePassword(ctx context.Context, between func() error) error {
	r := &slow{rotate.Postgres(rotate.Driver("pgx", nil), nil), between}
	return rotate.Run(ctx, w.Fake.Client(), DBSecret, r)
}

// A slow is a Rotator that calls a function between setSecret and testSecret.
type slow struct {
	rotate.Rotator
	between func() error
}

func (s *slow) Test(ctx context.Context, r *rotate.Rotation) error {
	if s.between != nil {
		if err := s.between(); err != nil {
			return err
		}
	}
	return s.Rotator.Test(ctx, r)
}

// RotateKey rotates the key of the rates API, which then accepts only the new
// key.
func (w *World) RotateKey(ctx context.Context) error {
	err := rotate.Run(ctx, w.Fake.Client(), APIKeySecret, rotate.APIKey{
		Make: func(context.Context, rotate.Value) (rotate.Value, error) {
			return rotate.Text(w.Rates.newKey()), nil
		},
		Check: func(_ context.Context, pending rotate.Value) error {
			key, err := pending.Text()
			if err == nil && !w.Rates.takes(key) {
				err = errors.New("the rates API does not take the new key")
			}
			return err
		},
	})
	if err != nil {
		return err
	}
	w.Rates.keepNewest()
	return nil
}

// Outage makes Secrets Manager unreachable until end is called.
func (w *World) Outage() (end func()) {
	return w.Fake.RegionOutage(secretstest.DefaultRegion)
}

// Env returns the environment variables of a service in this world, as
// NAME=value. They contain neither spaces nor secrets. Connections to the
// database last for a second or two, so that rotations take effect visibly: a
// server checks the password only when a connection begins.
func (w *World) Env() []string {
	database := *w.admin
	database.User = nil
	query := database.Query()
	query.Set("pool_max_conn_lifetime", "1s")
	query.Set("pool_health_check_period", "500ms")
	database.RawQuery = query.Encode()
	return []string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + w.Fake.URL(),
		"AWS_REGION=" + secretstest.DefaultRegion,
		"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=example",
		"DB_SECRET=" + DBSecret,
		"DATABASE_URL=" + database.String(),
		"API_KEY_SECRET=" + APIKeySecret,
		"SECRETS_TTL=5s",
		fmt.Sprint("RATES_URL=http://", w.Rates.Addr()),
	}
}
