package pgxcred_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/pgxcred"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

const secretID = "prod/db"

func TestMain(m *testing.M) {
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "PG") {
			os.Unsetenv(name) // pgx heeds them
		}
	}
	os.Exit(m.Run())
}

// A rig is a server with the user app, and a Secrets Manager with the secret of
// that user.
type rig struct {
	*server
	t      testing.TB
	fake   *secretstest.Server
	client *secrets.Client
	n      int // of the last password
}

// bubble runs a test in a bubble, at the end of which no goroutine and no
// connection may be left.
func bubble(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		test(t, r)
		r.client.Close()
		synctest.Wait()
		if n := r.open.Load(); n != 0 {
			t.Errorf("connections: got %d, want none left", n)
		}
	})
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{server: newServer(t.Errorf, "app", password(0)), t: t}
	r.fake = secretstest.New(t, secretstest.Secrets{secretID: value(0)})
	var err error
	r.client, err = secrets.New(r.fake.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.client.Close() })
	return r
}

func password(n int) string { return fmt.Sprintf("hunter%d", n) }

// value is the secret with the n-th password.
func value(n int) string {
	return fmt.Sprintf(`{"engine":"postgres","host":"elsewhere.example","port":7777,"dbname":"other","username":"app","password":%q}`, password(n))
}

// setSecret begins a rotation: the next password is pending, and the server's.
func (r *rig) setSecret() (finish func()) {
	r.n++
	pending := r.fake.PutPending(secretID, value(r.n))
	r.setPassword("app", password(r.n))
	return func() { r.fake.MoveStage(secretID, secrets.Current, pending) }
}

// connConfig is a configuration that reaches the rig's server.
func (r *rig) connConfig(more string) *pgx.ConnConfig {
	r.t.Helper()
	config, err := pgx.ParseConfig("host=db.example dbname=shop sslmode=disable default_query_exec_mode=simple_protocol " + more)
	if err != nil {
		r.t.Fatal(err)
	}
	r.reach(config)
	return config
}

func (r *rig) reach(config *pgx.ConnConfig) {
	config.DialFunc = r.dial
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
}

// configured is connConfig with the secret.
func (r *rig) configured(o *pgxcred.Options) *pgx.ConnConfig {
	r.t.Helper()
	config := r.connConfig("")
	if err := pgxcred.ConfigureConn(config, r.client, secretID, o); err != nil {
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
	return conn
}

// ask queries the server.
func ask(t testing.TB, q interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}) {
	t.Helper()
	var got string
	if err := q.QueryRow(t.Context(), "hello").Scan(&got); err != nil || got != "hello" {
		t.Errorf("query: got %q, error %v", got, err)
	}
}

// poolConfig is a pool's configuration that reaches the rig's server.
func (r *rig) poolConfig(more string) *pgxpool.Config {
	r.t.Helper()
	config, err := pgxpool.ParseConfig("host=db.example dbname=shop sslmode=disable default_query_exec_mode=simple_protocol " + more)
	if err != nil {
		r.t.Fatal(err)
	}
	r.reach(config.ConnConfig)
	return config
}

// pool opens a pool with the secret, after change.
func (r *rig) pool(o *pgxcred.Options, change func(*pgxpool.Config)) *pgxpool.Pool {
	r.t.Helper()
	config := r.poolConfig("")
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
