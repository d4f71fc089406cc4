package sqlcred

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

// OpenDB returns a database whose connections log in with a secret.
//
// The secret is identified by its name or ARN. driverName is the name of a
// registered database/sql driver; see [Login.DSN] for the supported ones. The
// secret says where the database is. o provides what the secret lacks, and may
// be nil.
//
// OpenDB does no I/O: call Ping to find out whether the secret and the database
// are reachable. OpenDB returns an error if no driver of that name is
// registered. If the driver has no connectors of its own, as registered by
// lib/pq, a login that has begun cannot be canceled; use [New] with
// pq.NewConnector instead.
func OpenDB(driverName string, client *secrets.Client, secretID string, o *Options) (*sql.DB, error) {
	d, err := registered(driverName)
	if err != nil {
		return nil, err
	}
	var params map[string]string
	if o != nil {
		params = o.orDefault().Params
	}
	open := func(l Login) (driver.Connector, error) {
		dsn, err := l.DSN(driverName, params)
		if err != nil {
			return nil, err
		}
		if d, ok := d.(driver.DriverContext); ok {
			return d.OpenConnector(dsn)
		}
		return &dsnConnector{dsn, d}, nil
	}
	c := New(client, secretID, open, o.refuseIncomplete(driverName))
	c.driver.Store(&d)
	return sql.OpenDB(c), nil
}

// refuseIncomplete returns options with which versions are refused of which no data
// source name can be made because a field is missing.
func (o *Options) refuseIncomplete(driverName string) *Options {
	options := o.orDefault()
	validate := options.Validate
	options.Validate = func(l Login) error {
		if _, err := l.DSN(driverName, options.Params); errors.As(err, new(*dblogin.MissingError)) {
			return &fault{err}
		}
		if validate == nil {
			return nil
		}
		return validate(l)
	}
	return &options
}

// registered finds a driver by name. database/sql returns a driver only from a
// DB, and some drivers require a valid DSN although nothing connects.
func registered(name string) (driver.Driver, error) {
	if !slices.Contains(sql.Drivers(), name) {
		return nil, fmt.Errorf("sqlcred: no database/sql driver %q is registered (is its import missing?)", name)
	}
	for _, dsn := range dblogin.Harmless() {
		db, err := sql.Open(name, dsn)
		if err != nil {
			continue
		}
		d := db.Driver()
		return d, db.Close()
	}
	return nil, fmt.Errorf("sqlcred: driver %q reads no data source name in a known form: use New", name)
}

// dsnConnector is a connector for a driver without connectors.
type dsnConnector struct {
	dsn    string
	driver driver.Driver
}

func (c *dsnConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c *dsnConnector) Driver() driver.Driver                        { return c.driver }
