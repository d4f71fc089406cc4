package rotate_test

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/seed-74dc7b3e/secrets/rotate"
)

// A fakeDB is a database that knows who may log in, writes down what it is
// asked, and gives prepared answers.
type fakeDB struct {
	mu       sync.Mutex // guards log and users
	log      []string
	users    map[string][]string // passwords by user
	refuse   error               // what a wrong password gets
	dialErr  error               // what everybody gets
	answers  map[string]string   // by the beginning of the query; columns are split by |
	execErr  error
	queryErr error  // of every query
	failing  string // the beginning of the statements that get execErr; empty: all
}

func newPostgresDB(users map[string][]string) *fakeDB {
	return &fakeDB{users: users, refuse: stateError("28P01"), answers: map[string]string{
		"SHOW server_version_num": "150018",
		"SELECT 1":                "1",
	}}
}

func newMySQLDB(version string, users map[string][]string) *fakeDB {
	return &fakeDB{users: users, refuse: &MySQLError{Number: 1045}, answers: map[string]string{
		"SELECT CURRENT_USER()": "app@10.%",
		"SELECT VERSION()":      version + "|STRICT_TRANS_TABLES",
		"SHOW CREATE USER":      "CREATE USER `app`@`10.%` IDENTIFIED BY PASSWORD '*00' REQUIRE SSL",
		"SHOW GRANTS":           "GRANT SELECT ON `d`.* TO `app`@`10.%`",
		"SELECT GET_LOCK":       "1",
		"SELECT 1":              "1",
	}}
}

// open is an OpenFunc.
func (db *fakeDB) open(l rotate.Login) (driver.Connector, error) { return fakeConnector{db, l}, nil }

// note writes a line down, without what differs from run to run.
func (db *fakeDB) note(line string) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.log = append(db.log, line)
}

func (db *fakeDB) take() []string {
	db.mu.Lock()
	defer db.mu.Unlock()
	log := db.log
	db.log = nil
	return log
}

type fakeConnector struct {
	db *fakeDB
	l  rotate.Login
}

func (c fakeConnector) Driver() driver.Driver { return nil }

func (c fakeConnector) Connect(context.Context) (driver.Conn, error) {
	c.db.note(fmt.Sprintf("login %s %s %s:%d %t", c.l.Username, c.l.Password(), c.l.Host, c.l.Port, c.l.NoTLS))
	if c.db.dialErr != nil {
		return nil, c.db.dialErr
	}
	c.db.mu.Lock()
	defer c.db.mu.Unlock()
	for _, p := range c.db.users[c.l.Username] {
		if p == c.l.Password() {
			return &fakeConn{c.db, c.l.Username}, nil
		}
	}
	return nil, c.db.refuse
}

type fakeConn struct {
	db   *fakeDB
	user string
}

func (c *fakeConn) Prepare(string) (driver.Stmt, error) { return nil, io.ErrUnexpectedEOF }
func (c *fakeConn) Close() error                        { return nil }
func (c *fakeConn) Begin() (driver.Tx, error)           { c.db.note(c.user + ": BEGIN"); return fakeTx{c}, nil }

type fakeTx struct{ c *fakeConn }

func (t fakeTx) Commit() error   { t.c.db.note(t.c.user + ": COMMIT"); return nil }
func (t fakeTx) Rollback() error { t.c.db.note(t.c.user + ": ROLLBACK"); return nil }

func (c *fakeConn) ExecContext(_ context.Context, q string, _ []driver.NamedValue) (driver.Result, error) {
	c.db.note(c.user + ": " + q)
	if !strings.HasPrefix(q, c.db.failing) {
		return driver.RowsAffected(0), nil
	}
	return driver.RowsAffected(0), c.db.execErr
}

func (c *fakeConn) QueryContext(_ context.Context, q string, _ []driver.NamedValue) (driver.Rows, error) {
	if c.db.queryErr != nil {
		return nil, c.db.queryErr
	}
	for begin, answer := range c.db.answers {
		if strings.HasPrefix(q, begin) && (begin != "SELECT 1" || q == begin) {
			return &fakeRows{strings.Split(answer, "|")}, nil
		}
	}
	return &fakeRows{}, nil
}

// fakeRows is one row, or none.
type fakeRows struct{ row []string }

func (r *fakeRows) Columns() []string { return make([]string, max(1, len(r.row))) }
func (r *fakeRows) Close() error      { return nil }

func (r *fakeRows) Next(dest []driver.Value) error {
	if len(r.row) == 0 {
		return io.EOF
	}
	for i := range dest {
		dest[i] = r.row[i]
	}
	r.row = nil
	return nil
}
