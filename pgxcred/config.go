package pgxcred

import (
	"context"
	"errors"
	"net"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

var (
	errConfigured = errors.New("pgxcred: the configuration already logs in with a secret")
	errUsed       = errors.New("pgxcred: this is the configuration of an open connection: connect with the one that was " +
		"passed to Configure, or with a copy of it")
	errTLS  = errors.New("pgxcred: TLSConfig and Fallbacks must be set before Configure")
	errUnix = errors.New("pgxcred: Options.ServerFromSecret needs a configuration with the name of any TCP host: " +
		"pgx sets up no TLS for a Unix socket or without a host")
)

// never is a ConnectTimeout that never expires. A pool replaces zero by two
// minutes.
const never = 100 * 365 * 24 * time.Hour

// A plan describes how to connect with one configuration. Configure strips the
// configuration of the settings for the login, and the plan's login uses them.
type plan struct {
	c    *Connector
	full pgconn.Config // the configuration before Configure, without the password
}

// Configure makes a pool log in with the connector's secret. It changes config
// and does no I/O.
//
// Set TLSConfig, Fallbacks, ValidateConnect, DialFunc, LookupFunc,
// AfterNetConnect, BeforeConnect, PrepareConn and BeforeAcquire before Configure.
// These hooks are still called, and BeforeConnect may change its configuration as
// usual. Other fields may be set later.
func (c *Connector) Configure(config *pgxpool.Config) error {
	p, err := c.plan(&config.ConnConfig.Config)
	if err != nil {
		return err
	}
	p.strip(&config.ConnConfig.Config)
	config.BeforeConnect = p.beforeConnect(config.BeforeConnect)
	if c.options.RetireAfterRotation {
		c.retire(config)
	}
	return nil
}

// ConfigureConn is [Connector.Configure] for connections outside a pool. Any
// number of connections may use the configuration concurrently, through
// [pgx.ConnectConfig] or package stdlib. [pgconn.ConnectConfig] changes its
// configuration, so it needs a copy for each connection.
func (c *Connector) ConfigureConn(config *pgx.ConnConfig) error {
	p, err := c.plan(&config.Config)
	if err == nil {
		p.strip(&config.Config)
	}
	return err
}

// plan records the settings that strip removes.
func (c *Connector) plan(config *pgconn.Config) (*plan, error) {
	if reflect.ValueOf(config.LookupFunc).Pointer() == reflect.ValueOf(noLookup).Pointer() {
		return nil, errConfigured
	}
	p := &plan{c: c, full: *config.Copy()}
	p.full.Password = ""
	network, address := pgconn.NetworkAddress(config.Host, config.Port)
	if c.options.ServerFromSecret && network == "unix" {
		return nil, errUnix
	}
	c.server.CompareAndSwap(nil, &address)
	return p, nil
}

// strip removes the settings for the login from a configuration and installs the
// plan's login instead. pgx then applies the remaining settings to a logged-in
// connection.
func (p *plan) strip(config *pgconn.Config) {
	config.User, config.Password = p.c.display(), ""
	config.TLSConfig, config.Fallbacks = nil, nil
	config.ValidateConnect = nil
	config.ConnectTimeout = never
	config.SSLNegotiation, config.SSLCertMode = "", ""
	config.ChannelBinding, config.RequireAuth = "", ""
	config.LookupFunc = noLookup
	config.DialFunc = dialLogin
	config.AfterNetConnect = p.login
}

// restore undoes strip with the removed settings in full.
func restore(config, full *pgconn.Config) {
	config.User, config.Password = full.User, ""
	config.TLSConfig, config.Fallbacks = full.TLSConfig, full.Fallbacks
	config.ValidateConnect = full.ValidateConnect
	config.ConnectTimeout = full.ConnectTimeout
	config.SSLNegotiation, config.SSLCertMode = full.SSLNegotiation, full.SSLCertMode
	config.ChannelBinding, config.RequireAuth = full.ChannelBinding, full.RequireAuth
	config.LookupFunc = full.LookupFunc
	config.DialFunc = full.DialFunc
	config.AfterNetConnect = full.AfterNetConnect
}

// noLookup leaves host name resolution to the login.
func noLookup(_ context.Context, host string) ([]string, error) { return []string{host}, nil }

// dialLogin returns a placeholder for a connection. AfterNetConnect, which
// receives the configuration, then logs in.
func dialLogin(_ context.Context, network, address string) (net.Conn, error) {
	return &stub{addr: addr{network, address}}, nil
}

// login is the AfterNetConnect of a stripped configuration. config is the
// configuration of the connection that pgx makes.
func (p *plan) login(ctx context.Context, config *pgconn.Config, conn net.Conn) (net.Conn, error) {
	s, ok := conn.(*stub)
	switch {
	case !ok:
		return conn, errTLS
	case s.session != nil:
		return conn, errUsed
	}
	r := &request{config: *config}
	restore(&r.config, &p.full)
	r.config.AfterConnect = nil // pgx calls it with the outer connection
	n, err := p.c.connect(ctx, r)
	if user := r.user.Load(); user != nil {
		config.User = *user
	}
	if err != nil {
		return conn, &loginError{err} // pgx closes the connection that comes with an error
	}
	n.session.show(config)
	return n, nil
}

// beforeConnect returns a pool's BeforeConnect. The user's own BeforeConnect sees
// the same configuration as without this package.
func (p *plan) beforeConnect(users func(context.Context, *pgx.ConnConfig) error) func(context.Context, *pgx.ConnConfig) error {
	return func(ctx context.Context, config *pgx.ConnConfig) error {
		if users == nil {
			config.User = p.c.display()
			return nil
		}
		restore(&config.Config, p.full.Copy()) // a copy, because the hook may change values behind pointers
		if err := users(ctx, config); err != nil {
			return err
		}
		return p.c.ConfigureConn(config)
	}
}

// retire sets the hook through which connections leave a pool. (AfterRelease would
// act earlier, but a pool with that hook takes connections back in goroutines, and
// so too late for the next Acquire.)
func (c *Connector) retire(config *pgxpool.Config) {
	prepare := config.PrepareConn
	acquire := config.BeforeAcquire //lint:ignore SA1019 for pools that still use it
	config.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) {
		switch {
		case c.Retired(conn):
			return false, nil
		case prepare != nil:
			return prepare(ctx, conn)
		case acquire != nil: // pgxpool calls it only if there is no PrepareConn
			return acquire(ctx, conn), nil
		}
		return true, nil
	}
}
