package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/lib/pq"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/rotate"
)

// backend is a kind of server and the driver it is reached by.
type backend struct {
	name  string
	title string // in place of the name, in the lines that are printed
	start func(context.Context, *settings) (*dbserver.Server, error)
	open  func(s *dbserver.Server, user, password string) (driver.Connector, error)

	createUser, setPassword string // statements, of user and password
	grant                   string // statement, of user, if one is needed
	refused                 func(error) bool
	countsErrors            bool                          // has max_password_errors
	at                      func(*dbserver.Server) string // connection string, of a backend with pgxpool
	rotator                 func(rotate.OpenFunc, *rotate.SQLOptions) *rotate.SQL
}

var backends = []backend{
	{
		name: "postgres", start: startPostgres, open: openPgx, refused: refusedByPgx,
		createUser: "CREATE ROLE %s LOGIN PASSWORD '%s'", setPassword: "ALTER ROLE %s PASSWORD '%s'",
		rotator: rotate.Postgres,
	},
	{
		name: "postgres-pq", start: startPostgres, open: openPq, refused: refusedByPq,
		createUser: "CREATE ROLE %s LOGIN PASSWORD '%s'", setPassword: "ALTER ROLE %s PASSWORD '%s'",
		rotator: rotate.Postgres,
	},
	{
		name: "mariadb", start: startMariaDB, open: openMySQL, refused: refusedByMySQL,
		createUser: "CREATE USER %s IDENTIFIED BY '%s'", setPassword: "ALTER USER %s IDENTIFIED BY '%s'",
		grant: "GRANT ALL ON app.* TO %s", countsErrors: true, rotator: rotate.MySQL,
	},
}

// maxConnections is enough for a pool whose connections come and go while the
// server is still busy ending the last ones.
func (o *settings) maxConnections() int { return 20 + 4*o.workers }

func startPostgres(ctx context.Context, o *settings) (*dbserver.Server, error) {
	return dbserver.Postgres(ctx, &dbserver.Options{MaxConnections: o.maxConnections()})
}

// startMariaDB starts a server that blocks a host after ten handshakes in a
// row that came to nothing: logins that are cancelled must not add up to that.
func startMariaDB(ctx context.Context, o *settings) (*dbserver.Server, error) {
	options := dbserver.Options{MaxConnections: o.maxConnections(), Settings: mariaDBSettings()}
	if o.maxPasswordErrors > 0 {
		options.Settings = append(options.Settings, fmt.Sprintf("max_password_errors=%d", o.maxPasswordErrors))
	}
	return dbserver.MariaDB(ctx, &options)
}

func mariaDBSettings() []string { return []string{"skip-name-resolve=0", "max_connect_errors=10"} }

func openPgx(s *dbserver.Server, user, password string) (driver.Connector, error) {
	c, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=%d dbname=%s sslmode=disable", s.Host, s.Port, s.Database))
	if err != nil {
		return nil, err
	}
	c.User, c.Password = user, password
	return stdlib.GetConnector(*c), nil
}

func refusedByPgx(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "28P01"
}

func openPq(s *dbserver.Server, user, password string) (driver.Connector, error) {
	return pq.NewConnectorConfig(pq.Config{
		Host: s.Host, Port: uint16(s.Port), Database: s.Database, SSLMode: "disable", User: user, Password: password,
	})
}

func refusedByPq(err error) bool {
	var pqErr *pq.Error
	return errors.As(err, &pqErr) && pqErr.Code == "28P01"
}

// elsewhere dials from an address that MariaDB does not take for itself:
// connections from 127.0.0.1 are exempt from max_connect_errors.
var elsewhere = net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}

func openMySQL(s *dbserver.Server, user, password string) (driver.Connector, error) {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.DBName, c.User, c.Passwd = "tcp", s.Addr(), s.Database, user, password
	c.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return elsewhere.DialContext(ctx, network, addr)
	}
	return mysql.NewConnector(c)
}

func refusedByMySQL(err error) bool {
	var myErr *mysql.MySQLError
	return errors.As(err, &myErr) && myErr.Number == 1045
}
