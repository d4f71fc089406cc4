package sqlcred

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// DriverConn returns the driver's own connection of one that
// [database/sql.Conn.Raw] passes to its callback: with
// Options.RetireAfterRotation that is a wrapper, and DriverConn unwraps it.
// Anything else is returned unchanged, so code may call it in either case.
func DriverConn(driverConn any) any {
	if c, ok := driverConn.(interface{ unwrap() driver.Conn }); ok {
		return c.unwrap()
	}
	return driverConn
}

// A conn is a driver's connection that retires after a rotation. It has the
// optional interfaces of database/sql/driver; where the driver's connection
// lacks one, it does what database/sql would do, down to the text of errors.
//
// Like the connection it wraps, it is used by one goroutine at a time.
type conn struct {
	driver.Conn
	connector *Connector
	version   string // the version it was opened with
	opened    string // the version that was current then; empty: not known
}

// ExecerContext and QueryerContext are implemented only where the driver's
// connection implements them or their older forms: where they are, database/sql
// checks the arguments before there is a statement that might convert them.
type (
	execConn struct {
		*conn
		execer
	}
	queryConn struct {
		*conn
		queryer
	}
	execQueryConn struct {
		*conn
		execer
		queryer
	}
)

// wrap returns the connection that Connect hands out.
func (c *Connector) wrap(inner driver.Conn, version, current string) driver.Conn {
	if !c.options.RetireAfterRotation {
		return inner
	}
	wrapped := &conn{inner, c, version, current}
	e, isExecer := execerOf(inner)
	q, isQueryer := queryerOf(inner)
	switch {
	case isExecer && isQueryer:
		return execQueryConn{wrapped, e, q}
	case isExecer:
		return execConn{wrapped, e}
	case isQueryer:
		return queryConn{wrapped, q}
	}
	return wrapped
}

func (c *conn) unwrap() driver.Conn { return c.Conn }

// currentVersion returns the id of the version that is current as far as the
// client knows, or "". It does not block.
func (c *Connector) currentVersion() string {
	v, ok := c.ref.Peek()
	if !ok {
		return ""
	}
	return v.id
}

// Retired reports whether connections that were opened with l, a login that the
// connector gave to its open function, should leave the pool: another version
// of the secret has become current since, and not the one of l. It is for
// drivers that ask when a connection is taken out of the pool, as pgx does with
// stdlib.OptionResetSession, and does what Options.RetireAfterRotation does
// without the wrapper. It does no I/O. While the current version is not known
// it reports false.
func (c *Connector) Retired(l Login) bool {
	return retired(l.VersionID, l.opened, c.currentVersion())
}

// retired reports whether a connection is out of date: opened with version,
// while the version opened was current. A connection that was opened with a
// version that was not current stays until the labels have moved.
func retired(version, opened, current string) bool {
	return current != "" && opened != "" && current != opened && current != version
}

// ResetSession is called before a connection of the pool is used again.
func (c *conn) ResetSession(ctx context.Context) error {
	current := c.connector.currentVersion()
	if retired(c.version, c.opened, current) {
		return driver.ErrBadConn
	}
	if c.opened == "" {
		c.opened = current
	}
	if r, ok := c.Conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

func (c *conn) IsValid() bool {
	if v, ok := c.Conn.(driver.Validator); ok {
		return v.IsValid()
	}
	return true
}

func (c *conn) Ping(ctx context.Context) error {
	if p, ok := c.Conn.(driver.Pinger); ok {
		return p.Ping(ctx)
	}
	return nil
}

func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	if n, ok := c.Conn.(driver.NamedValueChecker); ok {
		return n.CheckNamedValue(v)
	}
	return driver.ErrSkip // database/sql goes on with the statement's ColumnConverter, or the default
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if p, ok := c.Conn.(driver.ConnPrepareContext); ok {
		return p.PrepareContext(ctx, query)
	}
	stmt, err := c.Conn.Prepare(query)
	if err == nil && ctx.Err() != nil {
		stmt.Close()
		return nil, ctx.Err()
	}
	return stmt, err
}

func (c *conn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if b, ok := c.Conn.(driver.ConnBeginTx); ok {
		return b.BeginTx(ctx, o)
	}
	if o.Isolation != driver.IsolationLevel(sql.LevelDefault) {
		return nil, errors.New("sql: driver does not support non-default isolation level")
	}
	if o.ReadOnly {
		return nil, errors.New("sql: driver does not support read-only transactions")
	}
	tx, err := c.Conn.Begin() //lint:ignore SA1019 for drivers that have nothing newer
	if err == nil && ctx.Err() != nil {
		tx.Rollback()
		return nil, ctx.Err()
	}
	return tx, err
}

// Format implements [fmt.Formatter] and prints nothing of the connection: a
// driver's may hold its password.
func (c *conn) Format(f fmt.State, verb rune) {
	fmt.Fprintf(f, "sqlcred.conn(%q)", c.connector.id)
}

// An execer is a driver's way to execute without a statement.
type execer struct {
	exec func(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error)
}

func execerOf(c driver.Conn) (execer, bool) {
	if e, ok := c.(driver.ExecerContext); ok {
		return execer{e.ExecContext}, true
	}
	e, ok := c.(driver.Execer) //lint:ignore SA1019 for drivers that have nothing newer
	return execer{func(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
		values, err := positional(ctx, args)
		if err != nil {
			return nil, err
		}
		return e.Exec(query, values)
	}}, ok
}

func (e execer) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return e.exec(ctx, query, args)
}

// A queryer is a driver's way to query without a statement.
type queryer struct {
	query func(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error)
}

func queryerOf(c driver.Conn) (queryer, bool) {
	if q, ok := c.(driver.QueryerContext); ok {
		return queryer{q.QueryContext}, true
	}
	q, ok := c.(driver.Queryer) //lint:ignore SA1019 for drivers that have nothing newer
	return queryer{func(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
		values, err := positional(ctx, args)
		if err != nil {
			return nil, err
		}
		return q.Query(query, values)
	}}, ok
}

func (q queryer) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return q.query(ctx, query, args)
}

// positional turns arguments into the form that drivers without contexts take.
func positional(ctx context.Context, args []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(args))
	for i, arg := range args {
		if arg.Name != "" {
			return nil, errors.New("sql: driver does not support the use of Named Parameters")
		}
		values[i] = arg.Value
	}
	return values, ctx.Err()
}
