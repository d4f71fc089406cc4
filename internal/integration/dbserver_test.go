package integration_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/lib/pq"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver/dbtest"
)

// A client is one driver that talks to one kind of server.
type client struct {
	name    string
	server  func(testing.TB, *dbserver.Options) *dbserver.Server
	connect func(t testing.TB, s *dbserver.Server, user, password string) driver.Connector
	refused func(error) bool // whether the server refused the password
}

var clients = []client{
	{"pgx", dbtest.Postgres, pgxConnector, func(err error) bool {
		var pgErr *pgconn.PgError
		return errors.As(err, &pgErr) && pgErr.Code == "28P01"
	}},
	{"pq", dbtest.Postgres, pqConnector, func(err error) bool {
		var pqErr *pq.Error
		return errors.As(err, &pqErr) && pqErr.Code == "28P01"
	}},
	{"mysql", dbtest.MariaDB, mysqlConnector, func(err error) bool {
		var myErr *mysql.MySQLError
		return errors.As(err, &myErr) && myErr.Number == 1045
	}},
}

func pgxConnector(t testing.TB, s *dbserver.Server, user, password string) driver.Connector {
	t.Helper()
	c, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=%d dbname=%s sslmode=disable", s.Host, s.Port, s.Database))
	if err != nil {
		t.Fatal(err)
	}
	c.User, c.Password = user, password
	return stdlib.GetConnector(*c)
}

func pqConnector(t testing.TB, s *dbserver.Server, user, password string) driver.Connector {
	t.Helper()
	c, err := pq.NewConnectorConfig(pq.Config{
		Host: s.Host, Port: uint16(s.Port), Database: s.Database, SSLMode: "disable", User: user, Password: password,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mysqlConnector(t testing.TB, s *dbserver.Server, user, password string) driver.Connector {
	t.Helper()
	c := mysql.NewConfig()
	c.Net, c.Addr, c.DBName, c.User, c.Passwd = "tcp", s.Addr(), s.Database, user, password
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	return connector
}

func (c client) ping(t testing.TB, s *dbserver.Server, user, password string) error {
	t.Helper()
	db := sql.OpenDB(c.connect(t, s, user, password))
	defer db.Close()
	return db.PingContext(t.Context())
}

func refusedLogins(t testing.TB, s *dbserver.Server, users ...string) int {
	t.Helper()
	n, err := s.RefusedLogins(users...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A server of each kind goes through its life, with each driver.
func TestServer(t *testing.T) {
	t.Parallel()
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := c.server(t, &dbserver.Options{LogStatements: true})
			t.Run("checks passwords", func(t *testing.T) { c.checksPasswords(t, s) })
			t.Run("ignores statements", func(t *testing.T) { c.ignoresStatements(t, s) })
			t.Run("halt and start", func(t *testing.T) { c.haltsAndStarts(t, s) })
			t.Run("stop", func(t *testing.T) { c.stops(t, s) })
		})
	}
}

func (c client) checksPasswords(t *testing.T, s *dbserver.Server) {
	if err := c.ping(t, s, s.AdminUser, s.AdminPassword); err != nil {
		t.Fatalf("the right password: %v", err)
	}
	if got := refusedLogins(t, s); got != 0 {
		t.Errorf("after the right password: %d refused logins, want 0", got)
	}
	wrong := []struct{ user, password string }{
		{s.AdminUser, "wrong"},
		{s.AdminUser, ""},
		{s.AdminUser, strings.ToLower(s.AdminPassword)},
		{"nobody", s.AdminPassword},
		{"root", ""},
	}
	for i, login := range wrong {
		if err := c.ping(t, s, login.user, login.password); !c.refused(err) {
			t.Errorf("user %q, password of %d bytes: got error %v, want a refused password",
				login.user, len(login.password), err)
		}
		if got := refusedLogins(t, s); got != i+1 {
			t.Errorf("after wrong login %d: %d refused logins", i+1, got)
		}
	}
	for _, test := range []struct {
		users []string
		want  int
	}{{[]string{s.AdminUser}, 3}, {[]string{"nobody", "root"}, 2}, {[]string{"somebody"}, 0}} {
		if got := refusedLogins(t, s, test.users...); got != test.want {
			t.Errorf("got %d refused logins of %v, want %d", got, test.users, test.want)
		}
	}
	if err := c.ping(t, s, s.AdminUser, s.AdminPassword); err != nil {
		t.Errorf("the right password at the end: %v", err)
	}
}

// A statement that quotes the server's own words is not a refused login.
func (c client) ignoresStatements(t *testing.T, s *dbserver.Server) {
	before := refusedLogins(t, s)
	db := sql.OpenDB(c.connect(t, s, s.AdminUser, s.AdminPassword))
	defer db.Close()
	const marker = "2026-11-23 04:50:00.000 UTC [1] FATAL:  password authentication failed for user \"app\"\n" +
		"2026-11-23  4:50:00 1 [Warning] Access denied for user 'app'@'127.0.0.1' (using password: YES)\n"
	quoted := "'\n" + strings.ReplaceAll(marker, "'", "''") + "'"
	var got string
	if err := db.QueryRowContext(t.Context(), "SELECT "+quoted).Scan(&got); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(s.StatementLog)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "authentication failed for user") {
		t.Errorf("the statement is not in %s:\n%s", s.StatementLog, text)
	}
	if got := refusedLogins(t, s) - before; got != 0 {
		t.Errorf("got %d refused logins, want 0", got)
	}
}

func TestServerSettings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		client   client
		settings []string
		want     map[string]string // by query
	}{
		{clients[0], []string{"work_mem=123kB", "max_connections=7"}, map[string]string{"SHOW work_mem": "123kB", "SHOW max_connections": "7"}},
		{clients[2], []string{"max_password_errors=3"}, map[string]string{"SELECT @@max_password_errors": "3"}},
	} {
		t.Run(test.client.name, func(t *testing.T) {
			t.Parallel()
			s := test.client.server(t, &dbserver.Options{Settings: test.settings})
			db := sql.OpenDB(test.client.connect(t, s, s.AdminUser, s.AdminPassword))
			defer db.Close()
			for query, want := range test.want {
				var got string
				if err := db.QueryRowContext(t.Context(), query).Scan(&got); err != nil {
					t.Fatal(err)
				}
				if got != want {
					t.Errorf("%s: got %q, want %q", query, got, want)
				}
			}
		})
	}
	t.Run("nonsense", func(t *testing.T) {
		t.Parallel()
		_, err := dbserver.Postgres(t.Context(), &dbserver.Options{Settings: []string{"nonsense=1"}})
		if errors.Is(err, dbserver.ErrNotInstalled) {
			t.Skip(err)
		}
		if err == nil || !strings.Contains(err.Error(), "nonsense") {
			t.Errorf("got error %v, want one that names the setting", err)
		}
	})
}

// A server that is halted and started again is at its old address with its
// old contents.
func (c client) haltsAndStarts(t *testing.T, s *dbserver.Server) {
	db := sql.OpenDB(c.connect(t, s, s.AdminUser, s.AdminPassword))
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE kept (x int)"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Halt(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.ping(t, s, s.AdminUser, s.AdminPassword); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("halted: got error %v, want connection refused", err)
	}
	for range 2 {
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var n int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM kept").Scan(&n); err != nil {
		t.Error(err)
	}
}

func (c client) stops(t *testing.T, s *dbserver.Server) {
	db := sql.OpenDB(c.connect(t, s, s.AdminUser, s.AdminPassword))
	defer db.Close()
	if err := db.PingContext(t.Context()); err != nil { // leaves a connection open
		t.Fatal(err)
	}
	pid := s.PID()
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("process %d of a running server: %v", pid, err)
	}
	for range 2 {
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	// Nobody is left in the server's process group.
	if err := syscall.Kill(-pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process group %d after Stop: got error %v, want %v", pid, err, syscall.ESRCH)
	}
	if _, err := os.Stat(s.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("folder %s after Stop: got error %v, want %v", s.Dir, err, fs.ErrNotExist)
	}
	if _, err := net.Dial("tcp", s.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial after Stop: got error %v, want connection refused", err)
	}
	if _, err := s.RefusedLogins(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("RefusedLogins after Stop: got error %v, want %v", err, fs.ErrNotExist)
	}
	if err := s.Start(t.Context()); err == nil {
		t.Error("Start after Stop: no error")
	}
}

// A start that is given up leaves nothing behind.
func TestServerStartCancelled(t *testing.T) {
	t.Setenv("TMPDIR", tempDir(t))
	var wg sync.WaitGroup
	for _, start := range []startFunc{dbserver.Postgres, dbserver.MariaDB} {
		wg.Go(func() {
			for ms := 0; ms <= 500; ms += 50 {
				giveUp(t, start, time.Duration(ms)*time.Millisecond)
			}
		})
	}
	wg.Wait()
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v (error %v), want nothing", left, err)
	}
}

type startFunc = func(context.Context, *dbserver.Options) (*dbserver.Server, error)

// giveUp starts a server and gives it up after a while.
func giveUp(t *testing.T, start startFunc, after time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), after)
	defer cancel()
	s, err := start(ctx, nil)
	switch {
	case err == nil: // a fast machine
		s.Stop()
	case errors.Is(err, dbserver.ErrNotInstalled): // TestServer is loud about it
	case !errors.Is(err, context.DeadlineExceeded):
		t.Errorf("given up after %v: got error %v, want %v", after, err, context.DeadlineExceeded)
	}
}

// tempDir is a folder that the server's own user can reach; the one of
// testing.T is closed to others.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
