package pgxcredtest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver/dbtest"
	"github.com/seed-74dc7b3e/secrets/pgxcred"
)

// TLS, its channel binding and the kind of socket are those of the connection
// string, and the connection shows them.
func TestTransport(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		conn := r.connect(r.connConfig(""))
		r.works(conn)
		var encrypted bool
		if err := r.admin.QueryRow(t.Context(), "SELECT ssl FROM pg_stat_ssl WHERE pid = $1", conn.PgConn().PID()).Scan(&encrypted); err != nil {
			t.Fatal(err)
		}
		wire := pgxcred.NetConn(conn.PgConn().Conn())
		_, isTLS := wire.(*tls.Conn)
		_, isUnix := wire.(*net.UnixConn)
		if want := r.way.name == "tls"; encrypted != want || isTLS != want || (conn.Config().TLSConfig != nil) != want {
			t.Errorf("TLS: the server says %t, NetConn is a %T, TLSConfig is %v", encrypted, wire, conn.Config().TLSConfig)
		}
		if want := r.way.name == "unix"; isUnix != want {
			t.Errorf("NetConn: got a %T", wire)
		}
		if got := conn.Config().User; got != r.user {
			t.Errorf("user: got %q, want %q", got, r.user)
		}
		if r.way.name == "tls" {
			r.wrongHost(t)
			if _, err := pgx.ConnectConfig(t.Context(), conn.Config()); err == nil || !strings.Contains(err.Error(), "of an open connection") {
				t.Errorf("the configuration of a connection: got %v", err)
			}
		}
	})
}

// wrongHost connects by a name that is not the certificate's.
func (r *rig) wrongHost(t *testing.T) {
	t.Helper()
	config, err := pgx.ParseConfig(strings.Replace(r.connString(""), "localhost", "127.0.0.1", 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := pgxcred.ConfigureConn(config, r.client, secretID, nil); err != nil {
		t.Fatal(err)
	}
	_, err = pgx.ConnectConfig(t.Context(), config)
	var verification *tls.CertificateVerificationError
	if !errors.As(err, &verification) {
		t.Errorf("another name: got %v, want that the certificate does not fit", err)
	}
}

// A query is canceled by a request of its own, which goes where the connection
// goes, and the connection stays usable.
func TestCancel(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		config := r.connConfig("")
		config.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
			return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: 10 * time.Second}
		}
		conn := r.connect(config)
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			_, err := conn.Exec(ctx, "SELECT pg_sleep(30)")
			cancel()
			var server *pgconn.PgError
			if !errors.As(err, &server) || server.Code != "57014" {
				t.Errorf("got %v, want 57014", err)
			}
			r.works(conn)
		}
		go func() {
			time.Sleep(50 * time.Millisecond)
			if err := conn.PgConn().CancelRequest(context.Background()); err != nil {
				t.Errorf("CancelRequest: %v", err)
			}
		}()
		var server *pgconn.PgError
		if _, err := conn.Exec(t.Context(), "SELECT pg_sleep(30)"); !errors.As(err, &server) || server.Code != "57014" {
			t.Errorf("got %v, want 57014", err)
		}
		r.works(conn)
	})
}

// With pgx's own way to watch a context a query that is given up ends the
// connection, and the query at the server.
func TestGivenUp(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		conn := r.connect(r.connConfig(""))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := conn.Exec(ctx, "SELECT pg_sleep(30)"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		select {
		case <-conn.PgConn().CleanupDone():
		case <-time.After(5 * time.Second):
			t.Error("the connection is not cleaned up")
		}
		r.sessions(0)
	})
}

// A wait for a notification that times out does no harm to the next.
func TestListen(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		conn := r.connect(r.connConfig(""))
		exec(t, conn, "LISTEN %s", r.user)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := conn.WaitForNotification(ctx)
		cancel()
		if !pgconn.Timeout(err) {
			t.Errorf("got %v, want a timeout", err)
		}
		exec(t, r.admin, "NOTIFY %s, 'hello'", r.user)
		n, err := conn.WaitForNotification(t.Context())
		if err != nil || n.Payload != "hello" {
			t.Errorf("got %v, error %v", n, err)
		}
		r.works(conn)
	})
}

// COPY in both directions, of more than the buffers on the way can hold; a
// batch; a prepared statement.
func TestBulk(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		conn := r.connect(r.connConfig(""))
		exec(t, conn, "CREATE TEMP TABLE t (n int, b bytea)")
		const rows = 200
		value := make([]byte, 50_000)
		_, _ = rand.Read(value)
		n, err := conn.CopyFrom(t.Context(), pgx.Identifier{"t"}, []string{"n", "b"},
			pgx.CopyFromSlice(rows, func(i int) ([]any, error) { return []any{i, value}, nil }))
		if err != nil || n != rows {
			t.Fatalf("copied %d rows in, error %v", n, err)
		}
		var out bytes.Buffer
		if _, err := conn.PgConn().CopyTo(t.Context(), &out, "COPY t TO STDOUT (FORMAT binary)"); err != nil {
			t.Fatal(err)
		}
		if got := bytes.Count(out.Bytes(), value); got != rows {
			t.Errorf("copied %d values out, want %d", got, rows)
		}
		var batch pgx.Batch
		for i := range 100 {
			batch.Queue("SELECT b FROM t WHERE n = $1", i)
		}
		results := conn.SendBatch(t.Context(), &batch)
		for range 100 {
			var b []byte
			if err := results.QueryRow().Scan(&b); err != nil || !bytes.Equal(b, value) {
				t.Fatalf("batch: %d bytes, error %v", len(b), err)
			}
		}
		if err := results.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Prepare(t.Context(), "sum", "SELECT count(*) FROM t WHERE n < $1"); err != nil {
			t.Fatal(err)
		}
		var got int
		if err := conn.QueryRow(t.Context(), "sum", 10).Scan(&got); err != nil || got != 10 {
			t.Errorf("prepared: got %d, error %v", got, err)
		}
	})
}

// What is no matter of the password is told at once, as the server put it.
func TestErrors(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		for code, config := range map[string]*pgx.ConnConfig{
			"3D000": r.connConfig("dbname=nowhere"),
			"53300": r.connConfig(""), // the limit of the role
		} {
			if code == "53300" {
				exec(t, r.admin, "ALTER ROLE %s CONNECTION LIMIT 0", r.user)
			}
			_, err := pgx.ConnectConfig(t.Context(), config)
			var connect *pgconn.ConnectError
			var server *pgconn.PgError
			if !errors.As(err, &connect) || !errors.As(err, &server) || server.Code != code || connect.Config.User != r.user {
				t.Errorf("got %v, want %s for the user", err, code)
			}
			exec(t, r.admin, "ALTER ROLE %s CONNECTION LIMIT -1", r.user)
		}
	})
}

// Of several hosts the one is taken that can be reached and has the right
// attributes, with one login at each.
func TestTargetSessionAttrs(t *testing.T) {
	t.Parallel()
	primary := shared(t)
	standby := dbtest.Postgres(t, &dbserver.Options{Settings: []string{"default_transaction_read_only=on"}})
	r := newRig(t, primary, ways[0])
	admin := openAdmin(t, standby)
	exec(t, admin, "SET default_transaction_read_only = off")
	exec(t, admin, "CREATE ROLE %s LOGIN PASSWORD 'p0'", r.user)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	closed := nobody.Addr().(*net.TCPAddr).Port
	for _, test := range []struct {
		ports [3]int
		attrs string
		want  *dbserver.Server
	}{
		{[3]int{closed, standby.Port, primary.Port}, "read-write", primary},
		{[3]int{closed, standby.Port, primary.Port}, "any", standby},
		{[3]int{primary.Port, closed, standby.Port}, "read-only", standby},
		{[3]int{primary.Port, closed, primary.Port}, "prefer-standby", primary},
	} {
		config, err := pgx.ParseConfig(fmt.Sprintf("host=127.0.0.1,127.0.0.1,127.0.0.1 port=%d,%d,%d dbname=postgres sslmode=disable target_session_attrs=%s",
			test.ports[0], test.ports[1], test.ports[2], test.attrs))
		if err != nil {
			t.Fatal(err)
		}
		var dials atomic.Int32
		dial := config.DialFunc
		config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			dials.Add(1)
			return dial(ctx, network, address)
		}
		if err := pgxcred.ConfigureConn(config, r.client, secretID, nil); err != nil {
			t.Fatal(err)
		}
		conn := r.connect(config)
		if got := conn.PgConn().Conn().RemoteAddr().(*net.TCPAddr).Port; got != test.want.Port {
			t.Errorf("%s of %v: got %d, want %d", test.attrs, test.ports, got, test.want.Port)
		}
		before := dials.Load()
		if err := conn.PgConn().CancelRequest(t.Context()); err != nil || dials.Load() != before+1 {
			t.Errorf("%s: cancel request: error %v, %d dials, want one", test.attrs, err, dials.Load()-before)
		}
		r.works(conn)
	}
	if got := r.wrongLogins(); got != 0 {
		t.Errorf("wrong logins: got %d", got)
	}
}
