package pgxcred

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/seed-74dc7b3e/secrets/gate"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// A request is one connect of pgx. It reaches the login through package sqlcred as
// a context value.
type request struct {
	config pgconn.Config // without user name and password
	user   atomic.Pointer[string]
}

type requestKey struct{}

// A target is a login that package sqlcred makes with one version of the
// secret.
type target struct {
	c     *Connector
	login sqlcred.Login
}

func (c *Connector) open(l sqlcred.Login) (driver.Connector, error) { return &target{c, l}, nil }

// Driver implements driver.Connector.
func (t *target) Driver() driver.Driver { return noDriver{} }

// Connect implements driver.Connector: it logs in as pgx does.
func (t *target) Connect(ctx context.Context) (driver.Conn, error) {
	r, ok := ctx.Value(requestKey{}).(*request)
	if !ok {
		return nil, errNoSQL
	}
	s := &session{target: t, config: r.config}
	t.fill(&s.config)
	r.user.Store(&s.config.User)
	s.config.BuildFrontend = holding(ctx, s.config.BuildFrontend)
	if s.config.OnNotice != nil {
		s.config.OnNotice = s.note
	}
	var err error
	s.pgConn, err = pgconn.ConnectConfig(ctx, &s.config)
	s.config.Password = "" // an error may hold the configuration, and the session does
	if err != nil {
		return nil, err
	}
	return s, nil
}

// HoldsPassword tells package sqlcred that the login itself waits for its turn
// before it sends the password.
func (t *target) HoldsPassword() bool { return true }

// holding makes a frontend hold back the password. It does not wrap the connection
// in AfterNetConnect, because pgx would then not recognize a *tls.Conn, and would
// not use channel binding.
func holding(ctx context.Context, build pgconn.BuildFrontendFunc) pgconn.BuildFrontendFunc {
	return func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		held, _ := gate.Postgres(ctx, &readWriter{Reader: r, Writer: w}) // only a *tls.Conn causes an error
		return build(held, held)
	}
}

// A readWriter presents a frontend's reader and writer as the net.Conn that
// package gate needs.
type readWriter struct {
	net.Conn // nil: only Read and Write are used
	io.Reader
	io.Writer
}

func (c *readWriter) Read(p []byte) (int, error)  { return c.Reader.Read(p) }
func (c *readWriter) Write(p []byte) (int, error) { return c.Writer.Write(p) }

// fill copies the secret's fields into a configuration.
func (t *target) fill(config *pgconn.Config) {
	config.Password = t.login.Password()
	if t.login.Username != "" {
		config.User = t.login.Username
	}
	if !t.c.options.ServerFromSecret {
		return
	}
	if t.login.DBName != "" {
		config.Database = t.login.DBName
	}
	if t.login.Port != 0 {
		config.Port = uint16(t.login.Port)
	}
	if t.login.Host != "" {
		moveTo(config, t.login.Host)
	}
}

// moveTo makes host the only host of the configuration. It keeps the fallbacks for
// the first host, which pgx makes for sslmode=prefer and allow.
func moveTo(config *pgconn.Config, host string) {
	from := config.Host
	var fallbacks []*pgconn.FallbackConfig
	for _, f := range config.Fallbacks {
		if f.Host == from {
			fallbacks = append(fallbacks, &pgconn.FallbackConfig{Host: host, Port: config.Port, TLSConfig: rename(f.TLSConfig, host)})
		}
	}
	config.Host, config.Fallbacks = host, fallbacks
	config.TLSConfig = rename(config.TLSConfig, host)
	if strings.HasPrefix(host, "/") {
		config.TLSConfig, config.Fallbacks = nil, nil
	}
}

// rename returns a copy of a TLS configuration for another host.
func rename(config *tls.Config, host string) *tls.Config {
	if config == nil || config.ServerName == "" {
		return config
	}
	config = config.Clone()
	config.ServerName = host
	return config
}

// A session is a logged-in connection. As a driver.Conn it implements only the
// methods that package sqlcred calls.
type session struct {
	target  *target
	config  pgconn.Config // used for the login, without the password
	pgConn  *pgconn.PgConn
	notices []*pgconn.Notice // received during the login
	tls     *tls.Config      // nil without TLS
}

var _ interface {
	driver.Conn
	driver.Pinger
	driver.Validator
} = (*session)(nil)

var errNoSQL = errors.New("pgxcred: the login is not for database/sql")

func (s *session) note(_ *pgconn.PgConn, n *pgconn.Notice) { s.notices = append(s.notices, n) }

// closing is the time limit for closing a connection whose caller has left.
const closing = time.Second

// Close implements driver.Conn.
func (s *session) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	return s.pgConn.Close(ctx)
}

// Ping implements driver.Pinger.
func (s *session) Ping(ctx context.Context) error { return s.pgConn.Ping(ctx) }

// IsValid implements driver.Validator.
func (s *session) IsValid() bool { return !s.pgConn.IsClosed() }

// Prepare and Begin implement driver.Conn.
func (s *session) Prepare(string) (driver.Stmt, error) { return nil, errNoSQL }
func (s *session) Begin() (driver.Tx, error)           { return nil, errNoSQL }

type noDriver struct{}

func (noDriver) Open(string) (driver.Conn, error) { return nil, errNoSQL }

// hijack takes the network connection out of the session.
func (s *session) hijack(ctx context.Context) (*netConn, error) {
	err := s.pgConn.SyncConn(ctx)
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	h, err := s.pgConn.Hijack()
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	s.tls = h.TLSConfig
	n := &netConn{Conn: h.Conn, session: s, replay: replay(h, s.notices)}
	s.notices = slices.Clip(s.notices[:0])
	return n, nil
}

// show makes the configuration of a new connection show the settings of the login,
// and pass cancel requests to the session.
func (s *session) show(config *pgconn.Config) {
	config.TLSConfig = s.tls
	config.DialFunc = s.dial
	if s.target.c.options.ServerFromSecret {
		config.Host, config.Port, config.Database = s.config.Host, s.config.Port, s.config.Database
	}
}
