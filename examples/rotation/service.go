package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// workers is how many goroutines query.
const workers = 50

// A service queries a database. It knows the name of a secret, but nothing
// about rotations.
type service struct {
	client   *secrets.Client
	db       *sql.DB
	counters counters

	stop context.CancelFunc
	wait sync.WaitGroup
}

// newService starts a service.
func newService(w *world) (*service, error) {
	api := w.fake.ClientFor(secretstest.Identity{ARN: serviceARN}) // secretsmanager.NewFromConfig(cfg)
	options := secrets.Options{Logger: slog.New(slog.DiscardHandler)}
	if w.alternating() {
		// With alternating users the old password is usually valid for days, until
		// the rotation after the next, and the default of five minutes suffices. Here
		// that rotation follows within moments.
		options.TTL = 50 * time.Millisecond
	}
	client, err := secrets.New(api, &options)
	if err != nil {
		return nil, err
	}
	s := &service{client: client}

	// Without counting it is one line:
	//	db, err := sqlcred.OpenDB("pgx", client, secretID, nil)
	connector := sqlcred.New(client, secretID, w.connector, nil)
	s.db = sql.OpenDB(&counted{connector, &s.counters})

	// Connections last half a second, so that logins happen all the time.
	s.db.SetMaxIdleConns(workers)
	s.db.SetConnMaxLifetime(500 * time.Millisecond)
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	for range workers {
		s.wait.Go(func() {
			for pause(ctx, rand.N(10*time.Millisecond)) == nil {
				s.counters.query(s.query())
			}
		})
	}
	return s, nil
}

// query repeats a query until the service closes.
func (s *service) query() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var one int
	return s.db.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}

// close lets running queries finish.
func (s *service) close() error {
	s.stop()
	s.wait.Wait()
	return errors.Join(s.db.Close(), s.client.Close())
}

// counted counts the logins of a connector.
type counted struct {
	*sqlcred.Connector
	counters *counters
}

func (c *counted) Connect(ctx context.Context) (driver.Conn, error) {
	start := time.Now()
	conn, err := c.Connector.Connect(ctx)
	c.counters.connect(time.Since(start), err)
	return conn, err
}
