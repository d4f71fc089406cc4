package sqlcredtest_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// session is the server's name for the connection that answers.
func (r *rig) session(db *sql.DB) (id int64) {
	r.t.Helper()
	query := "SELECT pg_backend_pid()"
	if r.s.Engine == "mariadb" {
		query = "SELECT connection_id()"
	}
	if err := db.QueryRowContext(r.t.Context(), query).Scan(&id); err != nil {
		r.t.Fatal(err)
	}
	return id
}

// checkRetirement walks a pool of one connection through a rotation.
func (r *rig) checkRetirement(db *sql.DB, retires bool) {
	t := r.t
	t.Helper()
	db.SetMaxOpenConns(1)
	first := r.session(db)
	finish := r.setSecret()
	if got := r.session(db); got != first {
		t.Errorf("in the window: another connection")
	}
	finish()
	if err := r.client.Refresh(t.Context(), secretID); err != nil {
		t.Fatal(err)
	}
	second := r.session(db)
	if retired := second != first; retired != retires {
		t.Errorf("after the rotation: connection retired: %v, want %v", retired, retires)
	}
	if got := r.session(db); got != second {
		t.Errorf("and later: another connection")
	}
}

func TestRetireAfterRotation(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		for _, retire := range []bool{false, true} {
			db := sql.OpenDB(r.connector(&sqlcred.Options{RetireAfterRotation: retire}))
			r.checkRetirement(db, retire)
			db.Close()
		}
	})
}

// pgx can be asked instead, and Raw gives its own connection.
func TestRetireWithPgx(t *testing.T) {
	t.Parallel()
	r := newRig(t, backends[0], nil)
	var c *sqlcred.Connector
	c = sqlcred.New(r.client, secretID, func(l sqlcred.Login) (driver.Connector, error) {
		dsn, err := l.DSN("pgx", nil)
		if err != nil {
			return nil, err
		}
		cfg, err := pgx.ParseConfig(dsn)
		if err != nil {
			return nil, err
		}
		return stdlib.GetConnector(*cfg, stdlib.OptionResetSession(func(context.Context, *pgx.Conn) error {
			if c.Retired(l) {
				return driver.ErrBadConn
			}
			return nil
		})), nil
	}, nil)
	db := sql.OpenDB(c)
	defer db.Close()
	r.checkRetirement(db, true)
	raw(t, db, func(driverConn any) {
		if _, ok := driverConn.(*stdlib.Conn); !ok {
			t.Errorf("Raw: got a %T", driverConn)
		}
	})
}

func raw(t *testing.T, db *sql.DB, f func(driverConn any)) {
	t.Helper()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(driverConn any) error { f(driverConn); return nil })
	if err != nil {
		t.Error(err)
	}
}

// What a driver can do beyond database/sql can be reached, with a wrapper and
// without.
func TestRaw(t *testing.T) {
	t.Parallel()
	r := newRig(t, backends[0], nil)
	for _, retire := range []bool{false, true} {
		db := sql.OpenDB(r.connector(&sqlcred.Options{RetireAfterRotation: retire}))
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), "CREATE TEMPORARY TABLE copied (a int)"); err != nil {
			t.Fatal(err)
		}
		db.SetMaxOpenConns(1)
		raw(t, db, func(driverConn any) {
			conn := sqlcred.DriverConn(driverConn).(*stdlib.Conn).Conn()
			n, err := conn.CopyFrom(t.Context(), pgx.Identifier{"copied"}, []string{"a"}, pgx.CopyFromRows([][]any{{1}, {2}, {3}}))
			if err != nil || n != 3 {
				t.Errorf("CopyFrom: %d, %v", n, err)
			}
		})
	}
}

// With a wrapper drivers do what they do without: statements, transactions,
// arguments of their own types, contexts.
func TestWrappedDrivers(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		db := sql.OpenDB(r.connector(&sqlcred.Options{RetireAfterRotation: true}))
		defer db.Close()
		query := "SELECT CAST($1 AS bigint)"
		if r.s.Engine == "mariadb" {
			query = "SELECT CAST(? AS UNSIGNED)"
		}
		table := r.user + "_table"
		r.exec("CREATE TABLE %s (a int)", table)
		r.exec("GRANT ALL ON %s TO %s", table, r.user)
		var n uint64
		if err := db.QueryRowContext(t.Context(), query, uint64(1<<62)).Scan(&n); err != nil || n != 1<<62 {
			t.Errorf("query: got %d, %v", n, err)
		}
		stmt, err := db.PrepareContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		defer stmt.Close()
		if err := stmt.QueryRowContext(t.Context(), 7).Scan(&n); err != nil || n != 7 {
			t.Errorf("statement: got %d, %v", n, err)
		}
		tx, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelSerializable, ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), "INSERT INTO "+table+" VALUES (1)"); err == nil {
			t.Error("a read-only transaction wrote")
		}
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
		if err := db.PingContext(t.Context()); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := db.PingContext(ctx); err == nil {
			t.Error("ping with a context that has ended: no error")
		}
	})
}
