package sqlcred

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// DriverConn returns the driver's own connection, unwrapped if necessary. Its
// argument is what [database/sql.Conn.Raw] passes to its callback, which is a
// wrapper with Options.RetireAfterRotation. DriverConn returns any other value
// unchanged, so code can always call it.
func DriverConn(driverConn any) any {
	if c, ok := driverConn.(interface{ unwrap() driver.Conn }); ok {
		return c.unwrap()
	}
	return driverConn
}

// A conn is a driver's connection that retires after a rotation. It implements
// the optional interfaces of database/sql/driver. If the driver's connection
// lacks one, conn does what database/sql would do, with the same error texts.
//
// Like the connection it wraps, it is used by one goroutine at a time.
type conn struct {
	driver.Conn
	connector *Connector
	version   string // the version it was opened with
	opened    string // the version that was current then; empty: not known
}

// ExecerContext and QueryerContext are implemented only if the driver's
// connection implements them or their older forms. If they are implemented,
// database/sql checks the arguments before a statement exists that could
// convert them.
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

// currentVersion returns the id of the version that the client believes to be
// current, or "". It does not block.
func (c *Connector) currentVersion() string {
	v, ok := c.ref.Peek()
	if !ok {
		return ""
	}
	return v.id
}

// Retired reports whether connections opened with l should leave the pool. l is
// a login that the connector passed to its open function. Its connections are
// retired once a version other than l's has become current since they were
// opened.
//
// Use Retired with drivers that have a hook for connections taken from the pool,
// such as stdlib.OptionResetSession of pgx. It has the effect of
// Options.RetireAfterRotation without the wrapper. Retired does no I/O. It
// reports false while the current version is unknown.
func (c *Connector) Retired(l Login) bool {
	return retired(l.VersionID, l.opened, c.currentVersion())
}

// retired reports whether a connection is out of date. It was opened with
// version, at a time when the version opened was current. A connection opened
// with a version that was not current stays until the labels have moved.
func retired(version, opened, current string) bool {
	return current != "" && opened != "" && current != opened && current != version
}

// ResetSession is called before a pooled connection is used again.
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
	return driver.ErrSkip // database/sql then uses the statement's ColumnConverter, or the default
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

// Format implements [fmt.Formatter]. It prints nothing of the driver's
// connection, which may contain a password.
func (c *conn) Format(f fmt.State, verb rune) {
	fmt.Fprintf(f, "sqlcred.conn(%q)", c.connector.id)
}

// An execer executes without a prepared statement.
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

// A queryer queries without a prepared statement.
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

// positional converts arguments for drivers without context support.
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
