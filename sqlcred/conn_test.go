package sqlcred_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// A trace is what a driver was called with.
type trace struct{ calls []string }

func (t *trace) add(format string, args ...any) {
	t.calls = append(t.calls, fmt.Sprintf(format, args...))
}

// Driver connections that have more or less of the optional interfaces.
type (
	bareConn struct{ *trace }

	legacyConn struct{ bareConn } // driver.Execer, driver.Queryer

	skippingConn struct{ bareConn } // has what it leaves to statements

	checkingConn struct{ bareConn } // driver.NamedValueChecker

	fullConn struct{ bareConn }
)

func (c bareConn) Prepare(q string) (driver.Stmt, error) {
	c.add("prepare %s", q)
	if strings.Contains(q, "convert") {
		return convertingStmt{bareStmt(c)}, nil
	}
	return bareStmt(c), nil
}
func (c bareConn) Close() error              { c.add("close"); return nil }
func (c bareConn) Begin() (driver.Tx, error) { c.add("begin"); return bareTx(c), nil }

type bareStmt struct{ *trace }

func (s bareStmt) Close() error  { s.add("stmt close"); return nil }
func (s bareStmt) NumInput() int { return -1 }
func (s bareStmt) Exec(args []driver.Value) (driver.Result, error) {
	s.add("stmt exec %v", args)
	return driver.RowsAffected(1), nil
}
func (s bareStmt) Query(args []driver.Value) (driver.Rows, error) {
	s.add("stmt query %v", args)
	return noRows{}, nil
}

type convertingStmt struct{ bareStmt }

func (s convertingStmt) ColumnConverter(i int) driver.ValueConverter {
	return converter{}
}

type converter struct{}

func (converter) ConvertValue(v any) (driver.Value, error) { return fmt.Sprint("converted ", v), nil }

type bareTx struct{ *trace }

func (tx bareTx) Commit() error   { tx.add("commit"); return nil }
func (tx bareTx) Rollback() error { tx.add("rollback"); return nil }

type noRows struct{}

func (noRows) Columns() []string         { return []string{"a"} }
func (noRows) Close() error              { return nil }
func (noRows) Next([]driver.Value) error { return io.EOF }

func (c legacyConn) Exec(q string, args []driver.Value) (driver.Result, error) {
	c.add("exec %s %v", q, args)
	return driver.RowsAffected(1), nil
}
func (c legacyConn) Query(q string, args []driver.Value) (driver.Rows, error) {
	c.add("query %s %v", q, args)
	return noRows{}, nil
}

func (c skippingConn) ExecContext(_ context.Context, q string, _ []driver.NamedValue) (driver.Result, error) {
	c.add("skip exec %s", q)
	return nil, driver.ErrSkip
}
func (c skippingConn) QueryContext(_ context.Context, q string, _ []driver.NamedValue) (driver.Rows, error) {
	c.add("skip query %s", q)
	return nil, driver.ErrSkip
}
func (c skippingConn) CheckNamedValue(*driver.NamedValue) error { return driver.ErrSkip }

func (c checkingConn) CheckNamedValue(v *driver.NamedValue) error {
	c.add("check %v", v.Value)
	switch x := v.Value.(type) {
	case odd:
		v.Value = "odd " + string(x)
		return nil
	case remove:
		return driver.ErrRemoveArgument
	case bad:
		return errors.New("bad argument")
	}
	return driver.ErrSkip
}

type (
	odd    string
	remove struct{}
	bad    struct{}
)

func (c fullConn) PrepareContext(ctx context.Context, q string) (driver.Stmt, error) {
	c.add("prepare context %s %v", q, ctx.Err())
	return bareStmt{c.trace}, nil
}
func (c fullConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	c.add("begin context %v %v", o, ctx.Err())
	return bareTx{c.trace}, nil
}
func (c fullConn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	c.add("exec context %s %v", q, args)
	return driver.RowsAffected(1), nil
}
func (c fullConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	c.add("query context %s %v", q, args)
	return noRows{}, nil
}
func (c fullConn) Ping(context.Context) error         { c.add("ping"); return errors.New("ping failed") }
func (c fullConn) ResetSession(context.Context) error { c.add("reset"); return nil }
func (c fullConn) IsValid() bool                      { c.add("valid"); return len(c.calls)%7 != 0 }
func (c fullConn) CheckNamedValue(v *driver.NamedValue) error {
	c.add("check %v", v.Value)
	return nil
}

// database/sql must do the same with a wrapped connection as with the
// driver's, whatever that has of the optional interfaces.
func TestWrappedConnIsTransparent(t *testing.T) {
	for _, kind := range []struct {
		name string
		conn func(*trace) driver.Conn
	}{
		{"bare", func(t *trace) driver.Conn { return bareConn{t} }},
		{"legacy", func(t *trace) driver.Conn { return legacyConn{bareConn{t}} }},
		{"skipping", func(t *trace) driver.Conn { return skippingConn{bareConn{t}} }},
		{"checking", func(t *trace) driver.Conn { return checkingConn{bareConn{t}} }},
		{"full", func(t *trace) driver.Conn { return fullConn{bareConn{t}} }},
	} {
		for _, op := range operations {
			t.Run(kind.name+"/"+op.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var traces [2]trace
					var results [2]string
					for i, retire := range []bool{false, true} {
						_, client := newClient(t, secretOf("app", "one"))
						open := func(sqlcred.Login) (driver.Connector, error) {
							return connectorFunc(func(context.Context) (driver.Conn, error) { return kind.conn(&traces[i]), nil }), nil
						}
						db := openDB(t, sqlcred.New(client, secretName, open, &sqlcred.Options{RetireAfterRotation: retire}))
						db.SetMaxOpenConns(1)
						for range 3 {
							results[i] += fmt.Sprintln(op.do(t.Context(), db))
						}
						db.Close()
					}
					if results[0] != results[1] {
						t.Errorf("results\n%swrapped\n%s", results[0], results[1])
					}
					if !slices.Equal(traces[0].calls, traces[1].calls) {
						t.Errorf("calls\n%q\nwrapped\n%q", traces[0].calls, traces[1].calls)
					}
				})
			})
		}
	}
}

var operations = []struct {
	name string
	do   func(context.Context, *sql.DB) any
}{
	{"ping", func(ctx context.Context, db *sql.DB) any { return db.PingContext(ctx) }},
	{"exec", func(ctx context.Context, db *sql.DB) any { return exec(ctx, db, "q") }},
	{"exec with arguments", func(ctx context.Context, db *sql.DB) any { return exec(ctx, db, "q", 1, "a", nil) }},
	{"exec with a named argument", func(ctx context.Context, db *sql.DB) any { return exec(ctx, db, "q", sql.Named("n", 1)) }},
	{"exec with an odd argument", func(ctx context.Context, db *sql.DB) any { return exec(ctx, db, "q", odd("x"), 2) }},
	{"exec with an argument to remove", func(ctx context.Context, db *sql.DB) any { return exec(ctx, db, "q", remove{}, 2) }},
	{"exec with a bad argument", func(ctx context.Context, db *sql.DB) any { return exec(ctx, db, "q", bad{}) }},
	{"exec with a converted argument", func(ctx context.Context, db *sql.DB) any { return exec(ctx, db, "convert", 1, odd("x")) }},
	{"exec with an argument that only a statement converts", func(ctx context.Context, db *sql.DB) any { return exec(ctx, db, "convert", struct{ a int }{1}) }},
	{"query", func(ctx context.Context, db *sql.DB) any { return query(ctx, db, "q") }},
	{"query with arguments", func(ctx context.Context, db *sql.DB) any { return query(ctx, db, "q", 1, time.Unix(0, 0)) }},
	{"query with a named argument", func(ctx context.Context, db *sql.DB) any { return query(ctx, db, "q", sql.Named("n", 1)) }},
	{"query with a bad argument", func(ctx context.Context, db *sql.DB) any { return query(ctx, db, "q", bad{}) }},
	{"query with a converted argument", func(ctx context.Context, db *sql.DB) any { return query(ctx, db, "convert", 1) }},
	{"prepare", func(ctx context.Context, db *sql.DB) any {
		stmt, err := db.PrepareContext(ctx, "q")
		if err != nil {
			return err
		}
		defer stmt.Close()
		_, err = stmt.ExecContext(ctx, odd("x"))
		return err
	}},
	{"begin", func(ctx context.Context, db *sql.DB) any { return begin(ctx, db, nil) }},
	{"begin with isolation", func(ctx context.Context, db *sql.DB) any {
		return begin(ctx, db, &sql.TxOptions{Isolation: sql.LevelSerializable})
	}},
	{"begin read-only", func(ctx context.Context, db *sql.DB) any { return begin(ctx, db, &sql.TxOptions{ReadOnly: true}) }},
}

func exec(ctx context.Context, db *sql.DB, q string, args ...any) error {
	_, err := db.ExecContext(ctx, q, args...)
	return err
}

func query(ctx context.Context, db *sql.DB, q string, args ...any) error {
	rows, err := db.QueryContext(ctx, q, args...)
	if err != nil {
		return err
	}
	return rows.Close()
}

func begin(ctx context.Context, db *sql.DB, o *sql.TxOptions) error {
	tx, err := db.BeginTx(ctx, o)
	if err != nil {
		return err
	}
	return tx.Commit()
}

// A context that ends while a driver without contexts is at work.
func TestWrappedConnHeedsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, secretOf("app", "one"))
		var tr trace
		c := sqlcred.New(client, secretName, func(sqlcred.Login) (driver.Connector, error) {
			return connectorFunc(func(context.Context) (driver.Conn, error) { return legacyConn{bareConn{&tr}}, nil }), nil
		}, &sqlcred.Options{RetireAfterRotation: true})
		conn := connect(t.Context(), t, c)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := conn.(driver.ConnPrepareContext).PrepareContext(ctx, "q"); err != context.Canceled {
			t.Errorf("prepare: got %v, want %v", err, context.Canceled)
		}
		if _, err := conn.(driver.ConnBeginTx).BeginTx(ctx, driver.TxOptions{}); err != context.Canceled {
			t.Errorf("begin: got %v, want %v", err, context.Canceled)
		}
		if _, err := conn.(driver.ExecerContext).ExecContext(ctx, "q", nil); err != context.Canceled {
			t.Errorf("exec: got %v, want %v", err, context.Canceled)
		}
		if _, err := conn.(driver.QueryerContext).QueryContext(ctx, "q", nil); err != context.Canceled {
			t.Errorf("query: got %v, want %v", err, context.Canceled)
		}
		want := []string{"prepare q", "stmt close", "begin", "rollback"}
		if !slices.Equal(tr.calls, want) {
			t.Errorf("calls: got %q, want %q", tr.calls, want)
		}
	})
}

// The wrapper has the optional interfaces of a connection, but for those whose
// mere presence changes what database/sql does.
func TestWrappedConnInterfaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, secretOf("app", "one"))
		c := sqlcred.New(client, secretName, newFakeDB("app", "one").opener, &sqlcred.Options{RetireAfterRotation: true})
		conn := reflect.TypeOf(connect(t.Context(), t, c))
		for _, i := range []reflect.Type{
			reflect.TypeFor[driver.Pinger](),
			reflect.TypeFor[driver.ConnPrepareContext](),
			reflect.TypeFor[driver.ConnBeginTx](),
			reflect.TypeFor[driver.SessionResetter](),
			reflect.TypeFor[driver.Validator](),
			reflect.TypeFor[driver.NamedValueChecker](),
		} {
			if !conn.Implements(i) {
				t.Errorf("%v is missing", i)
			}
		}
	})
}

func TestDriverConn(t *testing.T) {
	for _, retire := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			_, client := newClient(t, secretOf("app", "one"))
			db := openDB(t, sqlcred.New(client, secretName, newFakeDB("app", "one").opener, &sqlcred.Options{RetireAfterRotation: retire}))
			conn, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			err = conn.Raw(func(driverConn any) error {
				if _, ok := driverConn.(*fakeConn); ok == retire {
					t.Errorf("Raw with RetireAfterRotation %v: got a %T", retire, driverConn)
				}
				if _, ok := sqlcred.DriverConn(driverConn).(*fakeConn); !ok {
					t.Errorf("DriverConn: got a %T, want the driver's", sqlcred.DriverConn(driverConn))
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}
