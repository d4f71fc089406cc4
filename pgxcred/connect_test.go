package pgxcred_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/pgxcred"
)

// A connection is what pgx makes of one: parameters, key, user and database.
func TestConnect(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		config := r.connConfig("application_name=shopd")
		config.Password = "left over"
		if err := pgxcred.ConfigureConn(config, r.client, secretID, nil); err != nil {
			t.Fatal(err)
		}
		if got, want := config.User, "secret:"+secretID; got != want || config.Password != "" {
			t.Errorf("before: got the user %q, password %q, want %q and none", got, config.Password, want)
		}
		conn := r.connect(config)
		defer conn.Close(t.Context())
		ask(t, conn)
		if got, want := conn.PgConn().ParameterStatus("server_version"), "18.1"; got != want {
			t.Errorf("server_version: got %q, want %q", got, want)
		}
		if got, want := conn.PgConn().SecretKey(), key(conn.PgConn().PID()); conn.PgConn().PID() == 0 || !bytes.Equal(got, want) {
			t.Errorf("key of %d: got %x, want %x", conn.PgConn().PID(), got, want)
		}
		login := r.lastLogin()
		if login["user"] != "app" || login["database"] != "shop" || login["application_name"] != "shopd" {
			t.Errorf("startup: got %v", login)
		}
		shown := conn.Config()
		if shown.User != "app" || shown.Database != "shop" || shown.Host != "db.example" || shown.Password != "" {
			t.Errorf("Config: got user %q, database %q, host %q, password %q", shown.User, shown.Database, shown.Host, shown.Password)
		}
		if _, ok := pgxcred.NetConn(conn.PgConn().Conn()).(namedConn); !ok {
			t.Errorf("NetConn: got %T, want what was dialed", pgxcred.NetConn(conn.PgConn().Conn()))
		}
	})
}

// One configuration makes many connections, and one connector serves many
// configurations.
func TestRotation(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		c := pgxcred.New(r.client, secretID, nil)
		config, other := r.connConfig(""), r.connConfig("application_name=other")
		if err := errors.Join(c.ConfigureConn(config), c.ConfigureConn(other)); err != nil {
			t.Fatal(err)
		}
		var conns []*pgx.Conn
		connect := func(config *pgx.ConnConfig) *pgx.Conn {
			conns = append(conns, r.connect(config))
			ask(t, conns[len(conns)-1])
			return conns[len(conns)-1]
		}
		first := connect(config)
		finish := r.setSecret()
		connect(config)
		connect(other) // knows what the first has learned
		connect(config)
		if got := r.refusedLogins(); got != 1 {
			t.Errorf("wrong logins: got %d, want 1", got)
		}
		if c.Retired(first) {
			t.Error("the first connection is retired before the rotation is over")
		}
		finish()
		if err := r.client.Refresh(t.Context(), secretID); err != nil {
			t.Fatal(err)
		}
		last := connect(other)
		if !c.Retired(first) || c.Retired(last) || pgxcred.New(r.client, secretID, nil).Retired(first) {
			t.Errorf("retired: got %t and %t, want the first alone, and of its own connector", c.Retired(first), c.Retired(last))
		}
		for _, conn := range conns {
			conn.Close(t.Context())
		}
	})
}

// A cancel request reaches the server that the connection leads to, with the
// key of 32 bytes, and nothing else passes through a connection for it.
func TestCancelRequest(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		conn := r.connect(r.configured(nil))
		other := r.connect(r.configured(nil))
		defer conn.Close(t.Context())
		defer other.Close(t.Context())
		if err := conn.PgConn().CancelRequest(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(r.canceled) != 1 || r.canceled[0].ProcessID != conn.PgConn().PID() || !bytes.Equal(r.canceled[0].SecretKey, conn.PgConn().SecretKey()) {
			t.Errorf("canceled: got %v, want that of process %d", r.canceled, conn.PgConn().PID())
		}
		ask(t, conn)

		stub, err := conn.Config().DialFunc(t.Context(), "tcp", "db.example:5432")
		if err != nil {
			t.Fatal(err)
		}
		defer stub.Close()
		foreign := pgproto3.CancelRequest{ProcessID: other.PgConn().PID(), SecretKey: other.PgConn().SecretKey()}
		message, err := foreign.Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		own, err := (&pgproto3.CancelRequest{ProcessID: conn.PgConn().PID(), SecretKey: conn.PgConn().SecretKey()}).Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		with := func(i int, b byte) []byte { m := bytes.Clone(own); m[i] ^= b; return m }
		for _, m := range [][]byte{
			nil, message, own[:7], own[:len(own)-1], append(bytes.Clone(own), 0), with(3, 1), with(7, 4), with(11, 1), with(12, 1),
			with(len(own)-1, 1), []byte("Q\x00\x00\x00\x10SELECT 1;\x00"),
		} {
			if n, err := stub.Write(m); n != 0 || err == nil {
				t.Errorf("write %q: got %d, error %v, want it refused", m, n, err)
			}
		}
		if len(r.canceled) != 1 {
			t.Errorf("canceled: got %v, want no more", r.canceled)
		}
	})
}

// The callbacks of a configuration run once each, with the connection that the
// caller gets, but for those that are part of the login.
func TestCallbacks(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.notice = "your password expires soon"
		config := r.connConfig("")
		var after, validated, wrapped int
		var noticed []*pgconn.PgConn
		var conns []*pgconn.PgConn
		config.OnNotice = func(c *pgconn.PgConn, n *pgconn.Notice) {
			if n.Message != r.notice || n.Severity != "NOTICE" {
				t.Errorf("notice: got %+v", n)
			}
			noticed = append(noticed, c)
		}
		config.AfterConnect = func(_ context.Context, c *pgconn.PgConn) error { after++; conns = append(conns, c); return nil }
		config.ValidateConnect = func(context.Context, *pgconn.PgConn) error { validated++; return nil }
		config.AfterNetConnect = func(_ context.Context, _ *pgconn.Config, c net.Conn) (net.Conn, error) { wrapped++; return c, nil }
		if err := pgxcred.ConfigureConn(config, r.client, secretID, nil); err != nil {
			t.Fatal(err)
		}
		conn := r.connect(config)
		defer conn.Close(t.Context())
		ask(t, conn)
		if after != 1 || validated != 1 || wrapped != 1 || conns[0] != conn.PgConn() {
			t.Errorf("got AfterConnect %d, ValidateConnect %d, AfterNetConnect %d times, want each once", after, validated, wrapped)
		}
		if len(noticed) != 1 || noticed[0] != conn.PgConn() {
			t.Errorf("OnNotice: got %d calls, want one, with the connection", len(noticed))
		}
	})
}

// What the server sends along with the end of the login is not lost.
func TestLateNotice(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.notice, r.late = "early", "late"
		config := r.connConfig("")
		var noticed []string
		config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { noticed = append(noticed, n.Message) }
		if err := pgxcred.ConfigureConn(config, r.client, secretID, nil); err != nil {
			t.Fatal(err)
		}
		conn := r.connect(config)
		defer conn.Close(t.Context())
		ask(t, conn)
		if got, want := strings.Join(noticed, " "), "early late"; got != want {
			t.Errorf("notices: got %q, want %q", got, want)
		}
	})
}

// What can only go wrong says so.
func TestMisuse(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		c := pgxcred.New(r.client, secretID, &pgxcred.Options{ServerFromSecret: true})
		if err := c.ConfigureConn(&pgx.ConnConfig{Config: pgconn.Config{Host: "/run/postgresql"}}); err == nil || !strings.Contains(err.Error(), "TCP host") {
			t.Errorf("ServerFromSecret with a Unix socket: got %v", err)
		}
		config := r.configured(nil)
		if err := pgxcred.ConfigureConn(config, r.client, secretID, nil); err == nil {
			t.Error("configured twice: got no error")
		}
		conn := r.connect(config)
		defer conn.Close(t.Context())
		_, err := pgx.ConnectConfig(t.Context(), conn.Config())
		if err == nil || !strings.Contains(err.Error(), "of an open connection") {
			t.Errorf("the configuration of a connection: got %v", err)
		}
		encrypted, err := pgx.ParseConfig("host=db.example sslmode=require")
		if err != nil {
			t.Fatal(err)
		}
		late := r.configured(nil)
		late.TLSConfig = encrypted.TLSConfig
		if _, err := pgx.ConnectConfig(t.Context(), late); err == nil || !strings.Contains(err.Error(), "before Configure") {
			t.Errorf("TLS set late: got %v", err)
		}
		late.SSLNegotiation = "direct"
		if _, err := pgx.ConnectConfig(t.Context(), late); err == nil || !strings.Contains(err.Error(), "before Configure") {
			t.Errorf("direct TLS set late: got %v", err)
		}
		if got := r.loginCount(); got != 1 {
			t.Errorf("logins: got %d, want 1", got)
		}
	})
}

// The secret may say where the server is, and a secret that names another host
// is followed.
func TestServerFromSecret(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		config := r.configured(&pgxcred.Options{ServerFromSecret: true})
		conn := r.connect(config)
		if got, want := r.hosts[len(r.hosts)-1], "elsewhere.example:7777"; got != want {
			t.Errorf("dialed: got %q, want %q", got, want)
		}
		if got, want := r.lastLogin()["database"], "other"; got != want {
			t.Errorf("database: got %q, want %q", got, want)
		}
		if shown := conn.Config(); shown.Host != "elsewhere.example" || shown.Port != 7777 || shown.Database != "other" {
			t.Errorf("Config: got %s:%d/%s", shown.Host, shown.Port, shown.Database)
		}
		conn.Close(t.Context())
		r.fake.Put(secretID, strings.Replace(value(0), "elsewhere", "moved", 1))
		if err := r.client.Refresh(t.Context(), secretID); err != nil {
			t.Fatal(err)
		}
		r.connect(config).Close(t.Context())
		if got, want := r.hosts[len(r.hosts)-1], "moved.example:7777"; got != want {
			t.Errorf("dialed: got %q, want %q", got, want)
		}
	})
}

// Package stdlib and pgconn connect with a configuration too, pgconn with a copy
// for each connection.
func TestOtherPackages(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		config := r.configured(nil)
		db := stdlib.OpenDB(*config)
		var got string
		if err := db.QueryRowContext(t.Context(), "hello").Scan(&got); err != nil || got != "hello" {
			t.Errorf("stdlib: got %q, error %v", got, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		used := config.Config.Copy()
		for _, c := range []*pgconn.Config{config.Config.Copy(), used} {
			conn, err := pgconn.ConnectConfig(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			conn.Close(t.Context())
		}
		if _, err := pgconn.ConnectConfig(t.Context(), used); err == nil || !strings.Contains(err.Error(), "of an open connection") {
			t.Errorf("without a copy: got %v", err)
		}
	})
}

// Close ends what the connector does, and a closed client is told apart.
func TestClose(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		c := pgxcred.New(r.client, secretID, nil)
		config := r.connConfig("")
		if err := c.ConfigureConn(config); err != nil {
			t.Fatal(err)
		}
		conn := r.connect(config)
		if err := errors.Join(c.Close(), c.Close()); err != nil {
			t.Fatal(err)
		}
		ask(t, conn)
		conn.Close(t.Context())
		if _, err := pgx.ConnectConfig(t.Context(), config); !errors.Is(err, secrets.ErrClosed) {
			t.Errorf("after Close: got %v, want ErrClosed", err)
		}
	})
}
