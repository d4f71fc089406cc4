package sqlcredtest

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"sync/atomic"
)

// A conn is a connection. It is used by one goroutine at a time.
type conn struct {
	server *Server
	closed atomic.Bool
}

// do lets the server answer.
func (c *conn) do(ctx context.Context, query string, args []driver.NamedValue) ([]string, [][]driver.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	s := c.server
	s.mu.Lock()
	answer, down := s.answer, s.down
	s.mu.Unlock()
	if down {
		return nil, nil, driver.ErrBadConn
	}
	return answer(ctx, query, args)
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	columns, rows, err := c.do(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return &result{columns, rows}, nil
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	_, rows, err := c.do(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return driver.RowsAffected(len(rows)), nil
}

func (c *conn) Ping(ctx context.Context) error {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if c.server.down {
		return driver.ErrBadConn
	}
	return ctx.Err()
}

func (c *conn) Prepare(query string) (driver.Stmt, error) { return &stmt{c, query}, nil }

// Begin begins a transaction, which does nothing.
func (c *conn) Begin() (driver.Tx, error) { return tx{}, nil }

// BeginTx is like Begin, with options that do nothing.
func (c *conn) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	return tx{}, ctx.Err()
}

func (c *conn) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.server.close()
	}
	return nil
}

type tx struct{}

func (tx) Commit() error   { return nil }
func (tx) Rollback() error { return nil }

// A stmt is a prepared query.
type stmt struct {
	conn  *conn
	query string
}

func (s *stmt) Close() error  { return nil }
func (s *stmt) NumInput() int { return -1 }

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.conn.ExecContext(ctx, s.query, args)
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.conn.QueryContext(ctx, s.query, args)
}

var errOldForm = errors.New("sqlcredtest: called without a context")

func (s *stmt) Exec([]driver.Value) (driver.Result, error) { return nil, errOldForm }
func (s *stmt) Query([]driver.Value) (driver.Rows, error)  { return nil, errOldForm }

// A result is the result of a query.
type result struct {
	columns []string
	rows    [][]driver.Value
}

func (r *result) Columns() []string { return r.columns }
func (r *result) Close() error      { return nil }

func (r *result) Next(dest []driver.Value) error {
	if len(r.rows) == 0 {
		return io.EOF
	}
	copy(dest, r.rows[0])
	r.rows = r.rows[1:]
	return nil
}
