package main

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/internal/integration/pgtls"
	"github.com/seed-74dc7b3e/secrets/pgxcred"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// pools are the backends that are reached through pgxpool, and not through
// database/sql.
var pools = []backend{
	pool("pgxpool", "postgres pgxpool", startPostgres, func(s *dbserver.Server) string {
		return fmt.Sprintf("host=%s port=%d sslmode=disable", s.Host, s.Port)
	}),
	pool("pgxpool-tls", "postgres pgxpool tls", startPostgresTLS, func(s *dbserver.Server) string {
		return fmt.Sprintf("host=%s port=%d sslmode=verify-full channel_binding=require sslrootcert=%s", pgtls.Name, s.Port, pgtls.Root(s))
	}),
	bounced("pgbouncer-pgxpool", "pgbouncer pgxpool", dbserver.BouncerOptions{AuthQuery: true}),
	bounced("pgbouncer-pgxpool-file", "pgbouncer pgxpool file", dbserver.BouncerOptions{}),
}

// bounced is a PostgreSQL behind a PgBouncer, which pools by transactions.
func bounced(name, title string, o dbserver.BouncerOptions) backend {
	b := pool(name, title, startPostgres, func(s *dbserver.Server) string {
		return fmt.Sprintf("host=%s port=%d sslmode=disable default_query_exec_mode=exec", s.Host, s.Port)
	})
	b.refused, b.bouncer = refusedBehindBouncer, &o
	return b
}

// pool returns the backend for PostgreSQL with pgx, but for how it is reached.
func pool(name, title string, start func(context.Context, *settings) (*dbserver.Server, error), at func(*dbserver.Server) string) backend {
	b := backends[slices.IndexFunc(backends, func(b backend) bool { return b.name == "postgres" })]
	b.name, b.title, b.start, b.at = name, title, start, at
	return b
}

// shown is the backend's name in titles.
func (b *backend) shown() string { return cmp.Or(b.title, b.name) }

func startPostgresTLS(ctx context.Context, o *settings) (*dbserver.Server, error) {
	s, err := startPostgres(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := pgtls.Enable(ctx, s); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// queryPool is a client with a pool of its own.
type queryPool interface {
	// open begins: the load is told of each connect, and a connection is used for
	// as long as keep, for one query if that is zero.
	open(ctx context.Context, l *load, keep time.Duration) error
	ask(context.Context) error
	close() error
}

// pgxPool is a client with a pgxpool. It is a driver.Connector in name only.
type pgxPool struct {
	config *pgxpool.Config
	pool   *pgxpool.Pool
}

func (r *run) newPgxPool() (*pgxPool, error) {
	config, err := pgxpool.ParseConfig(r.backend.at(r.seen) + " dbname=" + r.server.Database)
	if err != nil {
		return nil, err
	}
	config.MaxConns = int32(r.workers)
	config.HealthCheckPeriod = time.Hour // Acquire looks for itself
	return &pgxPool{config: config}, nil
}

// newOurPool is a pool that package pgxcred logs in.
func newOurPool(r *run) (driver.Connector, func() error, error) {
	p, err := r.newPgxPool()
	if err != nil {
		return nil, nil, err
	}
	options := secrets.Options{Logger: slog.New(slog.DiscardHandler)}
	if r.strategy.overlaps {
		options.TTL = r.ttl // as in newOurs
	}
	client, err := secrets.New(r.fake.ClientFor(secretstest.Identity{ARN: appARN}), &options)
	if err != nil {
		return nil, nil, err
	}
	err = pgxcred.Configure(p.config, client, secretID, &pgxcred.Options{MaxLogins: r.maxLogins})
	return p, client.Close, err
}

// newNaivePool is a pool with the three lines that pgxpool has a hook for, with
// a read of the secret for each connection.
func newNaivePool(r *run) (driver.Connector, func() error, error) {
	p, err := r.newPgxPool()
	if err != nil {
		return nil, nil, err
	}
	client, err := secrets.New(r.fake.ClientFor(secretstest.Identity{ARN: appARN}), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, nil, err
	}
	login := secrets.Bind[sqlcred.Login](client, secretID)
	p.config.BeforeConnect = func(ctx context.Context, c *pgx.ConnConfig) error {
		if err := client.Refresh(ctx, secretID); err != nil {
			return err
		}
		l, err := login.Get(ctx)
		c.User, c.Password = l.Username, l.Password()
		return err
	}
	return p, client.Close, nil
}

var errNoConnector = errors.New("soak: a pool is no connector")

// Connect and Driver implement driver.Connector. Nobody calls them.
func (p *pgxPool) Connect(context.Context) (driver.Conn, error) { return nil, errNoConnector }
func (p *pgxPool) Driver() driver.Driver                        { return nil }

func (p *pgxPool) open(ctx context.Context, l *load, keep time.Duration) (err error) {
	if p.config.MaxConnLifetime = keep; keep == 0 {
		p.config.AfterRelease = func(*pgx.Conn) bool { return false }
	}
	p.config.ConnConfig.Tracer = poolTracer{l}
	p.pool, err = pgxpool.NewWithConfig(ctx, p.config)
	return err
}

func (p *pgxPool) ask(ctx context.Context) error {
	var one int
	return p.pool.QueryRow(ctx, "SELECT 1").Scan(&one)
}

func (p *pgxPool) close() error {
	p.pool.Close()
	return nil
}

// poolTracer tells the load of connects.
type poolTracer struct{ l *load }

type connectKey struct{}

func (t poolTracer) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	return context.WithValue(ctx, connectKey{}, t.l.connect())
}

func (t poolTracer) TraceConnectEnd(ctx context.Context, d pgx.TraceConnectEndData) {
	ctx.Value(connectKey{}).(func(error))(d.Err)
}

func (poolTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func (poolTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
