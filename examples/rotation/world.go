package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

const (
	secretID   = "prod/db"
	masterID   = "prod/db-master"
	serviceARN = "arn:aws:iam::123456789012:role/service"
)

// A world is the environment of the service and the rotation: a database with a
// user, and a Secrets Manager with the secret of that user.
type world struct {
	settings
	db   *dbserver.Server
	fake *secretstest.Server

	refused, calls int // at the last count
}

func newWorld(ctx context.Context, s settings) (*world, error) {
	w := &world{settings: s}
	start := dbserver.Postgres
	if s.server == "mariadb" {
		start = dbserver.MariaDB
	}
	var err error
	if w.db, err = start(ctx, &dbserver.Options{MaxConnections: 5 * workers}); err != nil {
		return nil, fmt.Errorf("this runs on a real database server: %w", err)
	}
	w.fake = secretstest.NewServer(nil)
	if err := w.createUser(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *world) close() error {
	w.fake.Close()
	return w.db.Stop()
}

// A secret is a database secret in the format of Amazon RDS.
type secret struct {
	Engine    string `json:"engine"`
	Host      string `json:"host"`
	Port      int    `json:"port"`
	Username  string `json:"username"`
	Password  string `json:"password"`
	DBName    string `json:"dbname"`
	SSL       bool   `json:"ssl"` // the throwaway server has no certificate
	MasterARN string `json:"masterarn,omitempty"`
}

// put stores the secret of a user and returns its ARN.
func (w *world) put(name string, s secret) (arn string, err error) {
	s.Engine, s.Host, s.Port, s.DBName = w.db.Engine, w.db.Host, w.db.Port, w.db.Database
	value, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	w.fake.Put(name, string(value))
	return w.fake.ARN(name), nil
}

// createUser makes the user app and the secrets of app and of its master, who
// is needed for alternating users.
func (w *world) createUser(ctx context.Context) error {
	const first = "to be rotated away"
	master, err := w.put(masterID, secret{Username: w.db.AdminUser, Password: w.db.AdminPassword})
	if err != nil {
		return err
	}
	if _, err := w.put(secretID, secret{Username: "app", Password: first, MasterARN: master}); err != nil {
		return err
	}
	statements := []string{"CREATE ROLE app LOGIN PASSWORD '" + first + "'"}
	if w.server == "mariadb" {
		statements = []string{"CREATE USER app IDENTIFIED BY '" + first + "'", "GRANT ALL ON " + w.db.Database + ".* TO app"}
	}
	login := sqlcred.Login{Engine: w.db.Engine, Host: w.db.Host, Port: w.db.Port, DBName: w.db.Database, Username: w.db.AdminUser, TLS: sqlcred.TLSOff}
	connector, err := w.connector(login.WithPassword(w.db.AdminPassword))
	if err != nil {
		return err
	}
	admin := sql.OpenDB(connector)
	defer admin.Close()
	for _, statement := range statements {
		if _, err := admin.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// connector returns a driver's connector that logs in as l says.
func (w *world) connector(l sqlcred.Login) (driver.Connector, error) {
	name, d := "pgx", driver.DriverContext(&stdlib.Driver{})
	if w.server == "mariadb" {
		name, d = "mysql", &mysql.MySQLDriver{}
	}
	dsn, err := l.DSN(name, nil)
	if err != nil {
		return nil, err
	}
	return d.OpenConnector(dsn)
}

// count adds to a line the refused logins and API calls of the service since
// the last line.
func (w *world) count(line *counts, r *rotator) error {
	refused, err := w.db.RefusedLogins()
	if err != nil {
		return err
	}
	refused -= int(r.refused.Load())
	calls := w.fake.Count(secretstest.Call{Identity: serviceARN})
	line.wrongLogins, line.apiCalls = refused-w.refused, calls-w.calls
	w.refused, w.calls = refused, calls
	return nil
}
