package rotatetest

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets/rotate"
)

// A cut counts the points of a step, which are before and after each call of
// Secrets Manager and of the database, and strikes at one of them.
type cut struct {
	at     int                      // the number of the point, from 0; -1: none
	strike func(point string) error // may return an error in place of the call's

	mu    sync.Mutex // guards names
	names []string   // of the points passed
}

// count returns a cut that strikes nowhere.
func count() *cut { return &cut{at: -1} }

func (c *cut) point(name string) error {
	c.mu.Lock()
	n := len(c.names)
	c.names = append(c.names, name)
	c.mu.Unlock()
	if n == c.at {
		return c.strike(name)
	}
	return nil
}

// around does f between two points. An error of the second point, the answer
// being lost, goes to undo.
func around[T any](c *cut, name string, f func() (T, error), undo func(T)) (T, error) {
	var zero T
	if err := c.point("before " + name); err != nil {
		return zero, err
	}
	out, err := f()
	if lost := c.point("after " + name); lost != nil {
		if err == nil && undo != nil {
			undo(out)
		}
		return zero, lost
	}
	return out, err
}

// A cutAPI is Secrets Manager with points.
type cutAPI struct {
	rotate.API
	c *cut
}

func (a cutAPI) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, o ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	return around(a.c, "DescribeSecret", func() (*secretsmanager.DescribeSecretOutput, error) { return a.API.DescribeSecret(ctx, in, o...) }, nil)
}

func (a cutAPI) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, o ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	return around(a.c, "GetSecretValue", func() (*secretsmanager.GetSecretValueOutput, error) { return a.API.GetSecretValue(ctx, in, o...) }, nil)
}

func (a cutAPI) PutSecretValue(ctx context.Context, in *secretsmanager.PutSecretValueInput, o ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error) {
	return around(a.c, "PutSecretValue", func() (*secretsmanager.PutSecretValueOutput, error) { return a.API.PutSecretValue(ctx, in, o...) }, nil)
}

func (a cutAPI) UpdateSecretVersionStage(ctx context.Context, in *secretsmanager.UpdateSecretVersionStageInput, o ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error) {
	return around(a.c, "UpdateSecretVersionStage", func() (*secretsmanager.UpdateSecretVersionStageOutput, error) {
		return a.API.UpdateSecretVersionStage(ctx, in, o...)
	}, nil)
}

// cutOpen returns an OpenFunc for a driver, with points.
func cutOpen(name string, c *cut) rotate.OpenFunc {
	open := rotate.Driver(name, nil)
	return func(l rotate.Login) (driver.Connector, error) {
		inner, err := open(l)
		return cutConnector{inner, c}, err
	}
}

type cutConnector struct {
	driver.Connector
	c *cut
}

func (k cutConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := around(k.c, "Connect", func() (driver.Conn, error) { return k.Connector.Connect(ctx) }, func(c driver.Conn) { c.Close() })
	if err != nil {
		return nil, err
	}
	return &cutConn{conn, k.c}, nil
}

// A cutConn is a connection with points. A strike that returns an error does
// not close the connection, which lives on until the step has ended.
type cutConn struct {
	driver.Conn
	c *cut
}

func (k *cutConn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	return around(k.c, "Exec "+q, func() (driver.Result, error) { return k.Conn.(driver.ExecerContext).ExecContext(ctx, q, args) }, nil)
}

func (k *cutConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	return around(k.c, "Query "+q, func() (driver.Rows, error) { return k.Conn.(driver.QueryerContext).QueryContext(ctx, q, args) },
		func(r driver.Rows) { r.Close() })
}

func (k *cutConn) PrepareContext(ctx context.Context, q string) (driver.Stmt, error) {
	s, err := around(k.c, "Prepare "+q, func() (driver.Stmt, error) { return k.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, q) },
		func(s driver.Stmt) { s.Close() })
	if err != nil {
		return nil, err
	}
	return cutStmt{s, k.c, q}, nil
}

func (k *cutConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := around(k.c, "BEGIN", func() (driver.Tx, error) { return k.Conn.(driver.ConnBeginTx).BeginTx(ctx, o) },
		func(tx driver.Tx) { tx.Rollback() })
	if err != nil {
		return nil, err
	}
	return cutTx{tx, k.c}, nil
}

type cutStmt struct {
	driver.Stmt
	c *cut
	q string
}

func (s cutStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return around(s.c, "run "+s.q, func() (driver.Rows, error) { return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args) },
		func(r driver.Rows) { r.Close() })
}

func (s cutStmt) ExecContext(context.Context, []driver.NamedValue) (driver.Result, error) {
	return nil, errors.New("no prepared statement is executed here")
}

type cutTx struct {
	driver.Tx
	c *cut
}

func (t cutTx) Commit() error {
	_, err := around(t.c, "COMMIT", func() (struct{}, error) { return struct{}{}, t.Tx.Commit() }, nil)
	return err
}

var errCut = errors.New("cut off by the test")
