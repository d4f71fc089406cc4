package sqlcredtest_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
	"github.com/seed-74dc7b3e/secrets/sqlcred/sqlcredtest"
)

// A program's own test: the password rotates, and no query fails.
func Example() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": `{"username":"app","password":"one"}`}})
	defer srv.Close()
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	server := sqlcredtest.NewServer(map[string]string{"app": "one"})
	server.SetAnswer(func(_ context.Context, query string, _ []driver.NamedValue) ([]string, [][]driver.Value, error) {
		return []string{"n"}, [][]driver.Value{{int64(len(query))}}, nil
	})
	db := sql.OpenDB(sqlcred.New(client, "prod/db", server.Open, nil))
	defer db.Close()
	db.SetMaxIdleConns(-1) // every query logs in

	query := func() {
		var n int
		fmt.Println(db.QueryRow("SELECT 1").Scan(&n), n)
	}
	query()
	srv.PutPending("prod/db", `{"username":"app","password":"two"}`)
	server.SetPassword("app", "two") // setSecret; finishSecret is still to come
	query()
	fmt.Println("wrong logins:", server.WrongLogins())
	// Output:
	// <nil> 8
	// <nil> 8
	// wrong logins: 1
}

func open(t *testing.T, s *sqlcredtest.Server, o *sqlcred.Options) *sql.DB {
	t.Helper()
	srv := secretstest.New(t, secretstest.Secrets{"prod/db": `{"username":"app","password":"one"}`})
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if o == nil {
		o = new(sqlcred.Options)
	}
	o.Logger = slog.New(slog.DiscardHandler)
	db := sql.OpenDB(sqlcred.New(client, "prod/db", s.Open, o))
	t.Cleanup(func() { db.Close() })
	return db
}

func TestServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sqlcredtest.NewServer(map[string]string{"app": "one"})
		s.SetLatency(20 * time.Millisecond)
		db := open(t, s, nil)
		start := time.Now()
		if _, err := db.ExecContext(t.Context(), "DO"); err != nil || time.Since(start) < 20*time.Millisecond {
			t.Errorf("got %v after %v, want a login of 20ms", err, time.Since(start))
		}
		if err := db.QueryRowContext(t.Context(), "SELECT").Scan(new(int)); err != sql.ErrNoRows {
			t.Errorf("got %v, want %v", err, sql.ErrNoRows)
		}
		own := errors.New("no such table")
		s.SetAnswer(func(_ context.Context, query string, args []driver.NamedValue) ([]string, [][]driver.Value, error) {
			if query == "bad" {
				return nil, nil, own
			}
			return []string{"a", "b"}, [][]driver.Value{{args[0].Value, "x"}, {int64(2), "y"}}, nil
		})
		if _, err := db.ExecContext(t.Context(), "bad"); err != own {
			t.Errorf("got %v, want %v", err, own)
		}
		stmt, err := db.PrepareContext(t.Context(), "good")
		if err != nil {
			t.Fatal(err)
		}
		defer stmt.Close()
		rows, err := stmt.QueryContext(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for rows.Next() {
			var a int
			var b string
			if err := rows.Scan(&a, &b); err != nil {
				t.Error(err)
			}
			got = append(got, fmt.Sprint(a, b))
		}
		if fmt.Sprint(got) != "[1x 2y]" || rows.Err() != nil {
			t.Errorf("got %v, %v, want the rows", got, rows.Err())
		}
		tx, err := db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		if res, err := tx.ExecContext(t.Context(), "good", 1); err != nil {
			t.Error(err)
		} else if n, _ := res.RowsAffected(); n != 2 {
			t.Errorf("rows affected: got %d, want 2", n)
		}
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
		if s.Logins() != 1 || s.Connections() != 1 || s.WrongLogins() != 0 {
			t.Errorf("logins %d, connections %d, wrong logins %d, want 1, 1, 0", s.Logins(), s.Connections(), s.WrongLogins())
		}
		db.Close()
		if s.Connections() != 0 {
			t.Errorf("connections after Close: %d", s.Connections())
		}
	})
}

func TestServerRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sqlcredtest.NewServer(nil)
		db := open(t, s, &sqlcred.Options{MaxWait: time.Second})
		var refused *sqlcredtest.RefusedError
		if err := db.Ping(); !errors.As(err, &refused) || refused.Username != "app" || !sqlcred.IsRefused(refused) {
			t.Errorf("got %v, want a RefusedError", err)
		}
		s.SetPassword("app", "one")
		time.Sleep(10 * time.Second)
		if err := db.Ping(); err != nil {
			t.Errorf("with the user: %v", err)
		}
		s.SetDown(true)
		if err := db.Ping(); err == nil || sqlcred.IsRefused(err) {
			t.Errorf("down: got %v, want a network error", err)
		}
		s.SetDown(false)
		own := errors.New("too many connections")
		s.SetFailure(own)
		if err := db.Ping(); err != own {
			t.Errorf("got %v, want %v", err, own)
		}
		s.SetFailure(nil)
		s.RemoveUser("app")
		if err := db.Ping(); !errors.As(err, &refused) {
			t.Errorf("without the user: got %v, want a RefusedError", err)
		}
	})
}
