package sqlcred_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

func init() { slog.SetDefault(slog.New(slog.DiscardHandler)) } // what connectors without a Logger warn of

// A fakeDB is a database server that checks passwords, and the driver for it.
type fakeDB struct {
	latency time.Duration // of each half of a login
	deaf    bool          // the driver ignores the context of a login
	watches bool          // the driver goes on watching it after the login

	mu        sync.Mutex // guards the fields below
	passwords map[string]string
	fail      error // of every login, before the password is checked
	wrong     int   // logins with a wrong password that reached the server
	wrongWith map[string]int
	logins    []string
	aborted   int // logins that were cancelled before the password was sent
	open      int // connections
	underWay  int
	most      int // logins under way at a time
}

func newFakeDB(users ...string) *fakeDB {
	db := &fakeDB{latency: time.Millisecond, passwords: make(map[string]string), wrongWith: make(map[string]int)}
	for i := 0; i < len(users); i += 2 {
		db.passwords[users[i]] = users[i+1]
	}
	return db
}

func (db *fakeDB) setPassword(user, password string) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.passwords[user] = password
}

func (db *fakeDB) setFail(err error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.fail = err
}

// wrongLogins returns how many there were since the last call.
func (db *fakeDB) wrongLogins() int {
	db.mu.Lock()
	defer db.mu.Unlock()
	n := db.wrong
	db.wrong = 0
	return n
}

// wrongBy returns how many wrong logins there were with each password.
func (db *fakeDB) wrongBy() map[string]int {
	db.mu.Lock()
	defer db.mu.Unlock()
	return maps.Clone(db.wrongWith)
}

func (db *fakeDB) loginsSoFar() []string {
	db.mu.Lock()
	defer db.mu.Unlock()
	return append([]string(nil), db.logins...)
}

// begun returns how many logins began, with or without a password sent.
func (db *fakeDB) begun() int {
	db.mu.Lock()
	defer db.mu.Unlock()
	return len(db.logins) + db.aborted
}

func (db *fakeDB) connections() int {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.open
}

// open makes connectors for sqlcred.New.
func (db *fakeDB) opener(l sqlcred.Login) (driver.Connector, error) {
	return &fakeConnector{db: db, login: l}, nil
}

type fakeConnector struct {
	db    *fakeDB
	login sqlcred.Login
}

func (c *fakeConnector) Driver() driver.Driver { return fakeDriver{} }

func (c *fakeConnector) Connect(ctx context.Context) (driver.Conn, error) {
	db := c.db
	db.mu.Lock()
	db.underWay++
	db.most = max(db.most, db.underWay)
	db.mu.Unlock()
	defer func() {
		db.mu.Lock()
		db.underWay--
		db.mu.Unlock()
	}()
	if err := db.pass(ctx); err != nil { // the handshake
		db.mu.Lock()
		db.aborted++
		db.mu.Unlock()
		return nil, err
	}
	verdict := db.check(c.login)
	if err := db.pass(ctx); err != nil { // the answer
		if verdict == nil {
			db.close()
		}
		return nil, err
	}
	if verdict != nil {
		return nil, verdict
	}
	conn := &fakeConn{db: db, user: c.login.Username, password: c.login.Password()}
	if db.watches {
		conn.watched = ctx
	}
	return conn, nil
}

// pass lets one half of a login pass.
func (db *fakeDB) pass(ctx context.Context) error {
	if db.deaf {
		time.Sleep(db.latency)
		return nil
	}
	select {
	case <-time.After(db.latency):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("fake: login aborted: %w", ctx.Err())
	}
}

// check is the server's part.
func (db *fakeDB) check(l sqlcred.Login) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.logins = append(db.logins, l.Username+":"+l.Password())
	if db.fail != nil {
		return db.fail
	}
	if password, ok := db.passwords[l.Username]; !ok || password != l.Password() {
		db.wrong++
		db.wrongWith[l.Password()]++
		return fmt.Errorf("fake: connect: %w", &stateError{"28P01"})
	}
	db.open++
	return nil
}

func (db *fakeDB) close() {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.open--
}

// A fakeConn answers every query with nothing.
type fakeConn struct {
	db             *fakeDB
	user, password string
	watched        context.Context
	closed         bool
}

func (c *fakeConn) Prepare(string) (driver.Stmt, error) {
	return nil, errors.New("fake: no statements")
}
func (c *fakeConn) Begin() (driver.Tx, error) { return nil, errors.New("fake: no transactions") }

func (c *fakeConn) Close() error {
	if !c.closed {
		c.closed = true
		c.db.close()
	}
	return nil
}

func (c *fakeConn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	if c.watched != nil && c.watched.Err() != nil {
		return nil, errors.New("fake: the context of the login ended and the connection with it")
	}
	return driver.ResultNoRows, nil
}

func (c *fakeConn) Ping(ctx context.Context) error {
	if c.watched != nil {
		return c.watched.Err()
	}
	return nil
}

type fakeDriver struct{}

func (fakeDriver) Open(string) (driver.Conn, error) { return nil, errors.New("fake: no DSN") }

// secretOf is the JSON of a login.
func secretOf(username, password string) string {
	text, err := json.Marshal(map[string]any{"engine": "postgres", "host": "db", "port": 5432, "username": username, "password": password})
	if err != nil {
		panic(err)
	}
	return string(text)
}

const secretName = "prod/db"

// newClient returns a fake Secrets Manager that holds one secret, and a
// client of it.
func newClient(t *testing.T, value string) (*secretstest.Server, *secrets.Client) {
	t.Helper()
	srv := secretstest.New(t, secretstest.Secrets{secretName: value})
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return srv, client
}

// openDB is a pool on top of a connector.
func openDB(t *testing.T, c *sqlcred.Connector) *sql.DB {
	t.Helper()
	db := sql.OpenDB(c)
	t.Cleanup(func() { db.Close() })
	return db
}

// connect connects once.
func connect(ctx context.Context, t *testing.T, c *sqlcred.Connector) driver.Conn {
	t.Helper()
	conn, err := c.Connect(ctx)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	return conn
}

// hang makes every call to the service hang for an hour.
func hang(srv *secretstest.Server) {
	srv.Fail(secretstest.Fault{Times: secretstest.Always, Latency: time.Hour})
}
