package sqlcredtest_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// rotate rotates the password and lets the client know.
func (r *rig) rotate() {
	r.t.Helper()
	r.setSecret()()
	if err := r.client.Refresh(r.t.Context(), secretID); err != nil {
		r.t.Fatal(err)
	}
}

func TestPgxpool(t *testing.T) {
	t.Parallel()
	r := newRig(t, backends[0], nil)
	config, err := pgxpool.ParseConfig(fmt.Sprintf("host=%s port=%d dbname=%s sslmode=disable", r.s.Host, r.s.Port, r.s.Database))
	if err != nil {
		t.Fatal(err)
	}
	login := secrets.Bind[sqlcred.Login](r.client, secretID)
	config.BeforeConnect = func(ctx context.Context, c *pgx.ConnConfig) error {
		l, err := login.Get(ctx)
		c.User, c.Password = l.Username, l.Password()
		return err
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for range 3 {
		var user string
		if err := pool.QueryRow(t.Context(), "SELECT current_user").Scan(&user); err != nil || user != r.user {
			t.Errorf("got user %q, %v, want %q", user, err, r.user)
		}
		r.rotate()
		pool.Reset()
	}
	if got := r.wrongLogins(); got != 0 {
		t.Errorf("wrong logins: got %d, want 0", got)
	}
}

func TestMySQLBeforeConnect(t *testing.T) {
	t.Parallel()
	r := newRig(t, backends[2], nil)
	config := mysql.NewConfig()
	config.Net, config.Addr, config.DBName = "tcp", r.s.Addr(), r.s.Database
	login := secrets.Bind[sqlcred.Login](r.client, secretID)
	err := config.Apply(mysql.BeforeConnect(func(ctx context.Context, c *mysql.Config) error {
		l, err := login.Get(ctx)
		c.User, c.Passwd = l.Username, l.Password()
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	db.SetMaxIdleConns(-1)
	for range 3 {
		if err := r.query(db); err != nil {
			t.Error(err)
		}
		r.rotate()
	}
	if got := r.wrongLogins(); got != 0 {
		t.Errorf("wrong logins: got %d, want 0", got)
	}
}

// What the hooks can't do and the connector can: in the window between
// setSecret and finishSecret they give the password that is refused.
func TestHooksFailInTheWindow(t *testing.T) {
	t.Parallel()
	r := newRig(t, backends[0], nil)
	login := secrets.Bind[sqlcred.Login](r.client, secretID)
	finish := r.setSecret()
	l, err := login.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.login(l.Username, l.Password(), r.s.Database); !sqlcred.IsRefused(err) {
		t.Errorf("in the window: got %v, want it refused", err)
	}
	db := sql.OpenDB(r.connector(nil))
	defer db.Close()
	if err := r.query(db); err != nil {
		t.Errorf("the connector in the window: %v", err)
	}
	finish()
}

func TestGoRedis(t *testing.T) {
	t.Parallel()
	fake := secretstest.New(t, secretstest.Secrets{secretID: `{"username":"app","password":"p w'0"}`})
	client, err := secrets.New(fake.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server := newRedis(t)
	login := secrets.Bind[sqlcred.Login](client, secretID)
	options := &redis.Options{Addr: server.Addr().String(), MaxIdleConns: 1, PoolSize: 1, MaxRetries: -1, Protocol: 2, DisableIdentity: true}
	options.CredentialsProviderContext = func(ctx context.Context) (string, string, error) {
		l, err := login.Get(ctx)
		return l.Username, l.Password(), err
	}
	for _, password := range []string{"p w'0", "next"} {
		server.accept <- "app " + password
		db := redis.NewClient(options)
		if got, err := db.Ping(t.Context()).Result(); err != nil || got != "PONG" {
			t.Errorf("ping with password %q: %q, %v", password, got, err)
		}
		db.Close()
		fake.Put(secretID, `{"username":"app","password":"next"}`)
		if err := client.Refresh(t.Context(), secretID); err != nil {
			t.Fatal(err)
		}
	}
}

// A redisServer knows AUTH and PING, as far as a client needs them.
type redisServer struct {
	net.Listener
	accept chan string // user and password of the next connection
}

func newRedis(t *testing.T) *redisServer {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &redisServer{l, make(chan string, 1)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(conn, <-s.accept)
		}
	}()
	return s
}

func (s *redisServer) serve(conn net.Conn, login string) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	known := false
	for {
		command, err := readCommand(in)
		if err != nil {
			return
		}
		switch name := strings.ToUpper(command[0]); {
		case name == "AUTH" && strings.Join(command[1:], " ") == login:
			known = true
			io.WriteString(conn, "+OK\r\n")
		case name == "AUTH":
			io.WriteString(conn, "-WRONGPASS invalid username-password pair or user is disabled.\r\n")
		case name == "PING" && known:
			io.WriteString(conn, "+PONG\r\n")
		case !known:
			io.WriteString(conn, "-NOAUTH Authentication required.\r\n")
		default:
			io.WriteString(conn, "-ERR unknown command\r\n")
		}
	}
}

// readCommand reads an array of strings.
func readCommand(in *bufio.Reader) ([]string, error) {
	count, err := readLength(in, '*')
	if err != nil {
		return nil, err
	}
	command := make([]string, count)
	for i := range command {
		n, err := readLength(in, '$')
		if err != nil {
			return nil, err
		}
		text := make([]byte, n+2)
		if _, err := io.ReadFull(in, text); err != nil {
			return nil, err
		}
		command[i] = string(text[:n])
	}
	return command, nil
}

func readLength(in *bufio.Reader, kind byte) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, err
	}
	if line[0] != kind {
		return 0, fmt.Errorf("redis: got %q, want %q", line, kind)
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}
