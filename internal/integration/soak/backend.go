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
	countsErrors            bool // has max_password_errors
	plain                   bool // the driver cannot be made to hold its password back
	dials                   bool // it can be when it dials only

	bouncer *dbserver.BouncerOptions      // of the PgBouncer in front of the server; nil: there is none
	at      func(*dbserver.Server) string // connection string, of a backend with pgxpool

	rotator func(rotate.OpenFunc, *rotate.SQLOptions) *rotate.SQL
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
	{
		name: "postgres-plain", start: startPostgres, open: openPlain, refused: refusedByPq, plain: true,
		createUser: "CREATE ROLE %s LOGIN PASSWORD '%s'", setPassword: "ALTER ROLE %s PASSWORD '%s'",
		rotator: rotate.Postgres,
	},
	{
		name: "postgres-name", start: startPostgres, open: openPgxByName, refused: refusedByPgx, dials: true,
		createUser: "CREATE ROLE %s LOGIN PASSWORD '%s'", setPassword: "ALTER ROLE %s PASSWORD '%s'",
		rotator: rotate.Postgres,
	},
	bouncerBackend("pgbouncer", openPgxPooled, refusedBehindBouncer, dbserver.BouncerOptions{AuthQuery: true}),
	bouncerBackend("pgbouncer-md5", openPgxPooled, refusedBehindBouncer, dbserver.BouncerOptions{AuthType: "md5", AuthQuery: true}),
	bouncerBackend("pgbouncer-file", openPgxPooled, refusedBehindBouncer, dbserver.BouncerOptions{}),
	bouncerBackend("pgbouncer-file-md5", openPgxPooled, refusedBehindBouncer, dbserver.BouncerOptions{AuthType: "md5"}),
	bouncerBackend("pgbouncer-pq", openPq, refusedBehindBouncer, dbserver.BouncerOptions{AuthQuery: true}),
	bouncerBackend("pgbouncer-pq-md5", openPq, refusedBehindBouncer, dbserver.BouncerOptions{AuthType: "md5", AuthQuery: true}),
	bouncerBackend("pgbouncer-pq-file", openPq, refusedBehindBouncer, dbserver.BouncerOptions{}),
	bouncerBackend("pgbouncer-pq-file-md5", openPq, refusedBehindBouncer, dbserver.BouncerOptions{AuthType: "md5"}),
}

// bouncerBackend is a PostgreSQL behind a PgBouncer.
func bouncerBackend(name string, open func(*dbserver.Server, string, string) (driver.Connector, error), refused func(error) bool, o dbserver.BouncerOptions) backend {
	return backend{
		name: name, start: startPostgres, open: open, refused: refused, bouncer: &o,
		createUser: "CREATE ROLE %s LOGIN PASSWORD '%s'", setPassword: "ALTER ROLE %s PASSWORD '%s'",
		rotator: rotate.Postgres,
	}
}

// refusedBehindBouncer is for the naive policy, which takes everything that
// the bouncer says for a refusal: it has one code for all.
func refusedBehindBouncer(err error) bool {
	var state interface{ SQLState() string }
	return errors.As(err, &state) && state.SQLState() == "08P01"
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
	return openPgxMode(s, user, password, pgx.QueryExecModeCacheStatement)
}

// openPgxPooled makes no prepared statements: a bouncer that pools by
// transactions gives a connection of the server to one client after the other.
func openPgxPooled(s *dbserver.Server, user, password string) (driver.Connector, error) {
	return openPgxMode(s, user, password, pgx.QueryExecModeExec)
}

func openPgxMode(s *dbserver.Server, user, password string, mode pgx.QueryExecMode) (driver.Connector, error) {
	c, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=%d dbname=%s sslmode=disable", s.Host, s.Port, s.Database))
	if err != nil {
		return nil, err
	}
	c.User, c.Password, c.DefaultQueryExecMode = user, password, mode
	return stdlib.GetConnector(*c), nil
}

// openPgxByName is what sqlcred.OpenDB makes of pgx's registered driver.
func openPgxByName(s *dbserver.Server, user, password string) (driver.Connector, error) {
	return stdlib.GetDefaultDriver().(driver.DriverContext).OpenConnector(fmt.Sprintf(
		"host=%s port=%d dbname=%s sslmode=disable user=%s password=%s", s.Host, s.Port, s.Database, user, password))
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

// openPlain stands for the drivers that learn nothing of a login's context: lib/pq
// as database/sql opens it by name.
func openPlain(s *dbserver.Server, user, password string) (driver.Connector, error) {
	return plainConnector(fmt.Sprintf("host=%s port=%d dbname=%s sslmode=disable user=%s password=%s",
		s.Host, s.Port, s.Database, user, password)), nil
}

// A plainConnector is a data source name.
type plainConnector string

func (c plainConnector) Connect(context.Context) (driver.Conn, error) { return pq.Open(string(c)) }
func (c plainConnector) Driver() driver.Driver                        { return &pq.Driver{} }

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
