package pgxcredtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver/dbtest"
	"github.com/seed-74dc7b3e/secrets/internal/integration/pgtls"
	"github.com/seed-74dc7b3e/secrets/pgxcred"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

const secretID = "prod/db"

// sockets is the folder of the shared server's Unix socket.
var sockets = func() string {
	dir, err := os.MkdirTemp("/tmp", "pgxcred") // the path of a socket has to be short
	if err == nil {
		err = os.Chmod(dir, 0o777) // the server is another user
	}
	if err != nil {
		panic(err)
	}
	return dir
}()

// postgres is the server that most tests share.
var postgres = dbtest.SharedPostgres(&dbserver.Options{
	MaxConnections: 400, Settings: []string{"unix_socket_directories=" + sockets},
})

func TestMain(m *testing.M) {
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "PG") {
			os.Unsetenv(name) // pgx heeds them
		}
	}
	code := dbtest.Run(m)
	if err := os.RemoveAll(sockets); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// A way is how a server is reached. Its connection string lacks user and
// password.
type way struct {
	name string
	at   func(*dbserver.Server) string
}

var ways = []way{
	{"plain", func(s *dbserver.Server) string { return fmt.Sprintf("host=%s port=%d sslmode=disable", s.Host, s.Port) }},
	{"tls", func(s *dbserver.Server) string {
		return fmt.Sprintf("host=%s port=%d sslmode=verify-full sslrootcert=%s channel_binding=require", pgtls.Name, s.Port, pgtls.Root(s))
	}},
	{"unix", func(s *dbserver.Server) string { return fmt.Sprintf("host=%s port=%d", sockets, s.Port) }},
}

// each runs a test with every way, at the same time.
func each(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Parallel()
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			test(t, newRig(t, shared(t), w))
		})
	}
}

// prepared makes the shared server speak TLS, and ask for a password on its Unix
// socket too.
var prepared sync.Once

func shared(t *testing.T) *dbserver.Server {
	t.Helper()
	s := postgres.Server(t)
	prepared.Do(func() {
		err := appendTo(filepath.Join(s.Dir, "data", "pg_hba.conf"), "local all all scram-sha-256\n")
		if err = errors.Join(err, pgtls.Enable(t.Context(), s)); err != nil { // and so reads the other file
			t.Fatal(err)
		}
	})
	return s
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// openAdmin connects as one who may do everything.
func openAdmin(t *testing.T, s *dbserver.Server) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), fmt.Sprintf("host=%s port=%d dbname=%s user=%s password=%s sslmode=disable",
		s.Host, s.Port, s.Database, s.AdminUser, s.AdminPassword))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, statement string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), fmt.Sprintf(statement, args...), pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// A rig is a user of a server, and a Secrets Manager with the secret of that
// user.
type rig struct {
	t      *testing.T
	s      *dbserver.Server
	way    way
	user   string // new for every rig
	fake   *secretstest.Server
	client *secrets.Client
	admin  *pgx.Conn
	n      int // of the last password
}

var rigs atomic.Int32 // so far

func newRig(t *testing.T, s *dbserver.Server, w way) *rig {
	t.Helper()
	r := &rig{t: t, s: s, way: w, user: fmt.Sprint("app", rigs.Add(1)), admin: openAdmin(t, s)}
	r.fake = secretstest.New(t, secretstest.Secrets{secretID: r.secret(r.user, "p0")})
	var err error
	r.client, err = secrets.New(r.fake.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.client.Close() })
	r.addUser(r.user)
	return r
}

func (r *rig) addUser(user string) { exec(r.t, r.admin, "CREATE ROLE %s LOGIN PASSWORD 'p0'", user) }

// secret is the JSON of a user of the server.
func (r *rig) secret(user, password string) string {
	text, err := json.Marshal(map[string]any{
		"engine": r.s.Engine, "host": r.s.Host, "port": r.s.Port, "dbname": r.s.Database, "username": user, "password": password,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// setSecret begins a rotation: the next password is pending, and the server's.
func (r *rig) setSecret() (finish func()) {
	r.t.Helper()
	r.n++
	password := fmt.Sprint("p", r.n)
	pending := r.fake.PutPending(secretID, r.secret(r.user, password))
	exec(r.t, r.admin, "ALTER ROLE %s PASSWORD '%s'", r.user, password)
	return func() { r.fake.MoveStage(secretID, secrets.Current, pending) }
}

// connString leads to the server, and more.
func (r *rig) connString(more string) string {
	return r.way.at(r.s) + " dbname=" + r.s.Database + " " + more
}

// connConfig is a configuration with the secret.
func (r *rig) connConfig(more string) *pgx.ConnConfig {
	r.t.Helper()
	config, err := pgx.ParseConfig(r.connString(more))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := pgxcred.ConfigureConn(config, r.client, secretID, nil); err != nil {
		r.t.Fatal(err)
	}
	return config
}

func (r *rig) connect(config *pgx.ConnConfig) *pgx.Conn {
	r.t.Helper()
	conn, err := pgx.ConnectConfig(r.t.Context(), config)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// pool opens a pool with the secret, after change.
func (r *rig) pool(o *pgxcred.Options, change func(*pgxpool.Config)) *pgxpool.Pool {
	r.t.Helper()
	config, err := pgxpool.ParseConfig(r.connString(""))
	if err != nil {
		r.t.Fatal(err)
	}
	if change != nil {
		change(config)
	}
	if err := pgxcred.Configure(config, r.client, secretID, o); err != nil {
		r.t.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(r.t.Context(), config)
	if err != nil {
		r.t.Fatal(err)
	}
	return pool
}

// wrongLogins is how many logins of the users the server has refused.
func (r *rig) wrongLogins(users ...string) int {
	r.t.Helper()
	n, err := r.s.RefusedLogins(append(users, r.user)...)
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// sessions waits until the server has that many sessions of the user.
func (r *rig) sessions(want int) {
	r.t.Helper()
	got := -1
	for deadline := time.Now().Add(5 * time.Second); got != want && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		err := r.admin.QueryRow(r.t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE usename = $1", r.user).Scan(&got)
		if err != nil {
			r.t.Fatal(err)
		}
	}
	if got != want {
		r.t.Errorf("sessions of %s: got %d, want %d", r.user, got, want)
	}
}

// works queries the server.
func (r *rig) works(conn *pgx.Conn) {
	r.t.Helper()
	var got int
	if err := conn.QueryRow(r.t.Context(), "SELECT 1 + $1::int", 1).Scan(&got); err != nil || got != 2 {
		r.t.Errorf("query: got %d, error %v", got, err)
	}
}
