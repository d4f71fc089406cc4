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
	errConfigured = errors.New("pgxcred: the configuration logs in with a secret already")
	errUsed       = errors.New("pgxcred: this is the configuration of an open connection: connect with the one that was " +
		"given to Configure, or with a copy of that")
	errTLS  = errors.New("pgxcred: set TLSConfig and Fallbacks before Configure, which has to see them")
	errUnix = errors.New("pgxcred: Options.ServerFromSecret needs a configuration that names a TCP host, any: " +
		"for a Unix socket, and without a host, pgx sets up no TLS")
)

// never is a ConnectTimeout that ends nothing. Zero would, in a pool: it makes
// two minutes of it.
const never = 100 * 365 * 24 * time.Hour

// A plan is how connections of one configuration are made: what pgx would do,
// done inside a login, while the configuration itself is emptied of it.
type plan struct {
	c    *Connector
	full pgconn.Config // as it was before Configure, without the password
}

// Configure makes a pool log in with the connector's secret. It changes config
// and does no I/O. It must come after everything that sets TLSConfig, Fallbacks,
// ValidateConnect, DialFunc, LookupFunc or AfterNetConnect, and after
// BeforeConnect, PrepareConn and BeforeAcquire: those hooks go on to be called,
// and BeforeConnect may change what it is given as ever. The rest may be set
// later.
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

// ConfigureConn is [Connector.Configure] for connections outside a pool. The
// configuration may be used for any number of them, at the same time, with
// [pgx.ConnectConfig] or package stdlib; [pgconn.ConnectConfig] changes the
// configuration it is given and needs a copy of it for each connection.
func (c *Connector) ConfigureConn(config *pgx.ConnConfig) error {
	p, err := c.plan(&config.Config)
	if err == nil {
		p.strip(&config.Config)
	}
	return err
}

// plan notes what strip takes away.
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

// strip takes from a configuration what only a login can do, and puts the
// login in its place. pgx then does the rest with a connection that is logged
// in.
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

// restore undoes strip, with full for what was taken away.
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

// noLookup leaves the look-up to the login.
func noLookup(_ context.Context, host string) ([]string, error) { return []string{host}, nil }

// dialLogin stands in for a connection until AfterNetConnect, which knows the
// configuration, logs in.
func dialLogin(_ context.Context, network, address string) (net.Conn, error) {
	return &stub{addr: addr{network, address}}, nil
}

// login is the AfterNetConnect of a stripped configuration. config is that of
// the one connection that is to be made.
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
	r.config.AfterConnect = nil // pgx calls it, with the connection that it makes
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

// beforeConnect is a pool's BeforeConnect. The user's own sees a configuration
// as it would be without this package.
func (p *plan) beforeConnect(users func(context.Context, *pgx.ConnConfig) error) func(context.Context, *pgx.ConnConfig) error {
	return func(ctx context.Context, config *pgx.ConnConfig) error {
		if users == nil {
			config.User = p.c.display()
			return nil
		}
		restore(&config.Config, p.full.Copy()) // the hook may change what pointers lead to
		if err := users(ctx, config); err != nil {
			return err
		}
		return p.c.ConfigureConn(config)
	}
}

// retire sets the hook by which connections leave a pool. (AfterRelease would do
// it earlier, but a pool with that hook takes connections back in goroutines,
// and so too late for the next Acquire.)
func (c *Connector) retire(config *pgxpool.Config) {
	prepare := config.PrepareConn
	acquire := config.BeforeAcquire //lint:ignore SA1019 for pools that use it still
	config.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) {
		switch {
		case c.Retired(conn):
			return false, nil
		case prepare != nil:
			return prepare(ctx, conn)
		case acquire != nil: // which pgxpool calls only if there is no PrepareConn
			return acquire(ctx, conn), nil
		}
		return true, nil
	}
}
