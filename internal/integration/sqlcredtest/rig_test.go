package sqlcredtest_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/lib/pq"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver/dbtest"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

const secretID = "prod/db"

// A backend is a driver and the server it is for.
type backend struct {
	name   string // of the driver with database/sql
	shared *dbtest.Shared
	own    func(testing.TB, *dbserver.Options) *dbserver.Server // for one test
	open   func(sqlcred.Login) (driver.Connector, error)
	create string // a user, with a password
	alter  string // the password of a user
}

var backends = []backend{
	{"pgx", postgres, dbtest.Postgres, openPgx, "CREATE ROLE %s LOGIN PASSWORD '%s'", "ALTER ROLE %s PASSWORD '%s'"},
	{"postgres", postgres, dbtest.Postgres, openPq, "CREATE ROLE %s LOGIN PASSWORD '%s'", "ALTER ROLE %s PASSWORD '%s'"},
	{"mysql", mariaDB, dbtest.MariaDB, openMySQL, "CREATE USER %s IDENTIFIED BY '%s'", "ALTER USER %s IDENTIFIED BY '%s'"},
}

func openPgx(l sqlcred.Login) (driver.Connector, error) {
	dsn, err := l.DSN("pgx", nil)
	if err != nil {
		return nil, err
	}
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	return stdlib.GetConnector(*cfg), nil
}

func openPq(l sqlcred.Login) (driver.Connector, error) {
	dsn, err := l.DSN("postgres", nil)
	if err != nil {
		return nil, err
	}
	return pq.NewConnector(dsn)
}

// elsewhere dials from an address that MariaDB does not take for itself:
// connections from 127.0.0.1 are exempt from max_connect_errors.
var elsewhere = net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}

func openMySQL(l sqlcred.Login) (driver.Connector, error) {
	dsn, err := l.DSN("mysql", nil)
	if err != nil {
		return nil, err
	}
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return elsewhere.DialContext(ctx, network, addr)
	}
	return mysql.NewConnector(cfg)
}

// The servers that tests without wishes of their own share.
var (
	postgres = dbtest.SharedPostgres(&dbserver.Options{MaxConnections: 400})
	mariaDB  = dbtest.SharedMariaDB(&dbserver.Options{MaxConnections: 400})
)

func TestMain(m *testing.M) {
	for _, name := range []string{"PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE", "PGSERVICE", "PGPASSFILE"} {
		os.Unsetenv(name) // PostgreSQL drivers heed them
	}
	os.Exit(dbtest.Run(m))
}

// A rig is a database server with a user, and a Secrets Manager with the
// secret of that user.
type rig struct {
	t testing.TB
	backend
	s      *dbserver.Server
	user   string   // new for every rig
	users  []string // of the rig; nil if the server is its own
	fake   *secretstest.Server
	client *secrets.Client
	admin  *sql.DB
	n      int // of the last password
}

var rigs atomic.Int32 // so far

// newRig makes a user with the password p0, on a server of its own if there
// are options.
func newRig(t testing.TB, b backend, o *dbserver.Options) *rig {
	t.Helper()
	if o == nil {
		return newRigOn(t, b, b.shared.Server(t))
	}
	r := newRigOn(t, b, b.own(t, o))
	r.users = nil
	return r
}

// newRigOn is newRig on a server that others use too.
func newRigOn(t testing.TB, b backend, s *dbserver.Server) *rig {
	t.Helper()
	r := &rig{t: t, backend: b, s: s, user: fmt.Sprint("app", rigs.Add(1)), users: []string{}}
	r.fake = secretstest.New(t, secretstest.Secrets{secretID: r.secret(r.user, "p0")})
	var err error
	r.client, err = secrets.New(r.fake.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.client.Close() })
	admin := sqlcred.Login{Engine: r.s.Engine, Host: r.s.Host, Port: r.s.Port, Username: r.s.AdminUser, DBName: r.s.Database, TLS: sqlcred.TLSOff}
	dsn, err := admin.WithPassword(r.s.AdminPassword).DSN(b.name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.admin, err = sql.Open(b.name, dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.admin.Close() })
	r.addUser(r.user, "p0")
	return r
}

// secret is the JSON of a user of the server.
func (r *rig) secret(user, password string) string {
	text, err := json.Marshal(map[string]any{
		"engine": r.s.Engine, "host": r.s.Host, "port": r.s.Port, "dbname": r.s.Database,
		"username": user, "password": password, "ssl": false,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

func (r *rig) exec(format string, args ...any) {
	r.t.Helper()
	if _, err := r.admin.ExecContext(r.t.Context(), fmt.Sprintf(format, args...)); err != nil {
		r.t.Fatalf("%s: %v", format, err)
	}
}

// quoted is a password inside a string literal of the server.
func (r *rig) quoted(password string) string {
	if r.s.Engine == "mariadb" {
		password = strings.ReplaceAll(password, `\`, `\\`)
	}
	return strings.ReplaceAll(password, "'", "''")
}

func (r *rig) addUser(user, password string) {
	r.t.Helper()
	if r.users != nil {
		r.users = append(r.users, user)
	}
	r.exec(r.create, user, r.quoted(password))
	if r.s.Engine == "mariadb" {
		r.exec("GRANT ALL ON %s.* TO %s", r.s.Database, user)
	}
}

// setSecret begins a rotation: the next password is pending, and the server's.
func (r *rig) setSecret() (finish func()) {
	r.t.Helper()
	r.n++
	password := fmt.Sprint("p", r.n)
	pending := r.fake.PutPending(secretID, r.secret(r.user, password))
	r.exec(r.alter, r.user, password)
	return func() { r.fake.MoveStage(secretID, secrets.Current, pending) }
}

func (r *rig) connector(o *sqlcred.Options) *sqlcred.Connector {
	return sqlcred.New(r.client, secretID, r.open, o)
}

// wrongLogins is how many logins of the rig's users the server has refused; of
// all users, if the server is the rig's own.
func (r *rig) wrongLogins() int {
	r.t.Helper()
	n, err := r.s.RefusedLogins(r.users...)
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// query asks the server something by way of a new connection.
func (r *rig) query(db *sql.DB) error {
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	var got int
	if err := db.QueryRowContext(ctx, "SELECT 1+1").Scan(&got); err != nil {
		return err
	}
	if got != 2 {
		return fmt.Errorf("1+1: got %d", got)
	}
	return nil
}

// each runs a test with every driver, at the same time.
func each(t *testing.T, o *dbserver.Options, test func(t *testing.T, r *rig)) {
	t.Parallel()
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			test(t, newRig(t, b, o))
		})
	}
}

// waitUntil waits for something, for ten seconds at most.
func waitUntil(t testing.TB, ok func() bool, what string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// pool is a pool by the driver's name, whose connections are new for each query.
func (r *rig) pool(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sqlcred.OpenDB(r.name, r.client, secretID, nil)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxIdleConns(-1)
	t.Cleanup(func() { db.Close() })
	return db
}
