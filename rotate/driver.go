package rotate

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

// An OpenFunc returns a connector that logs in as l. It does not connect yet.
// The connectors of pgx (stdlib.GetConnector), lib/pq (pq.NewConnector) and
// go-sql-driver/mysql (mysql.NewConnector) are suitable. If l.NoTLS is false,
// the connector must use TLS and must not fall back to plain text.
type OpenFunc func(l Login) (driver.Connector, error)

// Driver returns an OpenFunc for a registered database/sql driver. The name is
// "pgx" or "postgres" (lib/pq) for PostgreSQL and Redshift, "mysql" for MySQL
// and MariaDB, "sqlserver", or "oracle". params are added to each connection
// string. Use them to name a certificate authority, as in
// url.Values{"sslrootcert": {"rds.pem"}} for PostgreSQL and url.Values{"tls":
// {"the registered name"}} for MySQL.
func Driver(name string, params url.Values) OpenFunc {
	return func(l Login) (driver.Connector, error) {
		d, ok := dialectFor(l.Engine)
		if !ok {
			return nil, fmt.Errorf("driver %q: connection strings for this engine are not supported", name)
		}
		dsn, err := d.dsn(l, params)
		if err != nil {
			return nil, fmt.Errorf("driver %q: %w", name, err)
		}
		db, err := sql.Open(name, dsn)
		if err != nil {
			// The driver's error may quote the connection string.
			return nil, fmt.Errorf("driver %q: not registered, or it cannot parse the connection string", name)
		}
		defer db.Close()
		drv := db.Driver()
		dc, ok := drv.(driver.DriverContext)
		if !ok {
			return dsnConnector{drv, dsn}, nil
		}
		c, err := dc.OpenConnector(dsn)
		if err != nil {
			return nil, fmt.Errorf("driver %q: it cannot parse the connection string", name)
		}
		return c, nil
	}
}

// dsnConnector is the connector of a driver that has none.
type dsnConnector struct {
	drv driver.Driver
	dsn string
}

func (c dsnConnector) Connect(context.Context) (driver.Conn, error) { return c.drv.Open(c.dsn) }
func (c dsnConnector) Driver() driver.Driver                        { return c.drv }
func (c dsnConnector) Format(f fmt.State, _ rune)                   { fmt.Fprint(f, redacted) }

// A onceConnector connects only once per request. If an error wraps
// driver.ErrBadConn, database/sql would log in again, up to three times, and
// each wrong login counts against the account.
type onceConnector struct{ driver.Connector }

func (c onceConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err == nil && conn == nil {
		return nil, errors.New("the driver returned neither a connection nor an error")
	}
	return conn, dblogin.Without(err, driver.ErrBadConn)
}

// Close closes the driver's connector, as database/sql would.
func (c onceConnector) Close() error {
	if closer, ok := c.Connector.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// A session is one connection to a database, logged in.
type session struct {
	db   *sql.DB
	conn *sql.Conn
}

// makeConnector has f make a connector. It does not connect.
func makeConnector(f OpenFunc, l Login) (driver.Connector, error) {
	c, err := f(l)
	if err != nil {
		return nil, fmt.Errorf("open: %w", dblogin.Scrub(err, l.Password()))
	}
	if c == nil {
		return nil, errors.New("open: the OpenFunc returned neither a connector nor an error")
	}
	return c, nil
}

// open logs in. The error is the driver's, and may quote the password.
func open(ctx context.Context, f OpenFunc, l Login) (*session, error) {
	c, err := makeConnector(f, l)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(onceConnector{c})
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(ctx)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return &session{db, conn}, nil
}

// close logs out. Its error has no effect on what was done before.
func (s *session) close() {
	_ = s.conn.Close()
	_ = s.db.Close()
}
