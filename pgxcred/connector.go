package pgxcred

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// Configure makes a pool log in with the secret of the given name or ARN.
//
// It changes config and does no I/O. Call it after [pgxpool.ParseConfig] and all
// other changes to config, and before [pgxpool.NewWithConfig]. o may be nil.
// Configure combines [New] and [Connector.Configure].
func Configure(config *pgxpool.Config, client *secrets.Client, secretID string, o *Options) error {
	return New(client, secretID, o).Configure(config)
}

// ConfigureConn is [Configure] for connections outside a pool. Any number of
// connections may use the configuration concurrently. ConfigureConn combines
// [New] and [Connector.ConfigureConn].
func ConfigureConn(config *pgx.ConnConfig, client *secrets.Client, secretID string, o *Options) error {
	return New(client, secretID, o).ConfigureConn(config)
}

// A Connector logs in for pgx with the user name and password of a secret.
//
// All configurations that it configures share its knowledge of a rotation and its
// limit on logins. A program that uses one secret for a pool and for single
// connections should make one Connector for both. A Connector is safe for
// concurrent use by multiple goroutines.
type Connector struct {
	id      string
	options Options
	sql     *sqlcred.Connector
	user    atomic.Pointer[string] // of the last login that succeeded, for display
	server  atomic.Pointer[string] // address in the first configuration, for display
}

var _ io.Closer = (*Connector)(nil)

// New returns a Connector for the secret of the given name or ARN. It does no
// I/O. o may be nil. The client must outlive the connector. Close does not close
// the client.
func New(client *secrets.Client, secretID string, o *Options) *Connector {
	c := &Connector{id: secretID, options: o.orDefault()}
	o = &c.options
	c.sql = sqlcred.New(client, secretID, c.open, &sqlcred.Options{
		Keys: o.Keys, MaxLogins: o.MaxLogins, MaxWait: o.MaxWait, RetriesPerHour: o.RetriesPerHour, Logger: o.Logger, Stages: o.Stages, IsRefused: o.IsRefused, Edit: c.edit, Validate: named,
	})
	return c
}

// named refuses a version without a user name, with which pgx would log in as the
// user of the operating system.
func named(l sqlcred.Login) error {
	if l.Username == "" {
		return errNoUser
	}
	return nil
}

var errNoUser error = publicError("pgxcred: the secret has no user name: give it a field \"username\", or name the one that it has in Options.Keys")

// A publicError quotes nothing from a secret, so that package secrets shows it.
type publicError string

func (e publicError) Error() string       { return string(e) }
func (e publicError) PublicError() string { return string(e) }

// Retired reports whether conn should be closed after a rotation. The connector
// must have logged in conn. A connection retires once a version other than its
// own has become current since it was opened. Retired does no I/O. It reports
// false for other connections, and while the current version is unknown.
func (c *Connector) Retired(conn *pgx.Conn) bool {
	n, ok := conn.PgConn().Conn().(*netConn)
	return ok && n.session.target.c == c && c.sql.Retired(n.session.target.login)
}

// Close ends all logins that wait or are under way. These and all later logins
// return [secrets.ErrClosed]. Open connections stay open. Close may be called
// more than once. A program need not call it, because closing the pool ends the
// pool's logins, except those that wait up to one second for the server's verdict.
func (c *Connector) Close() error { return c.sql.Close() }

// Format implements [fmt.Formatter]. Every verb prints the secret's name.
func (c *Connector) Format(f fmt.State, verb rune) {
	fmt.Fprintf(f, "pgxcred.Connector(%q)", c.id)
}

// edit replaces the secret's server by the configuration's, for the messages of
// package sqlcred.
func (c *Connector) edit(l *sqlcred.Login) {
	if server := c.server.Load(); server != nil && !c.options.ServerFromSecret {
		l.Host, l.Port = *server, 0
	}
}

// display returns the user name that a configuration shows before the login.
func (c *Connector) display() string {
	if user := c.user.Load(); user != nil {
		return *user
	}
	return "secret:" + c.id
}

// connect logs in.
func (c *Connector) connect(ctx context.Context, r *request) (*netConn, error) {
	conn, err := c.sql.Connect(c.bound(context.WithValue(ctx, requestKey{}, r)))
	if err != nil {
		return nil, err
	}
	n, err := sqlcred.DriverConn(conn).(*session).hijack(ctx)
	if err == nil {
		c.user.Store(r.user.Load())
	}
	return n, err
}

// bound hides a deadline that is later than MaxWait, so that the sqlcred connector
// applies MaxWait. A pool sets its own deadline if the context has none.
func (c *Connector) bound(ctx context.Context) context.Context {
	deadline, ok := ctx.Deadline()
	if !ok || c.options.maxWait() > 0 && time.Until(deadline) > c.options.maxWait() {
		return unbounded{ctx}
	}
	return ctx
}

// unbounded is a context that hides its deadline.
type unbounded struct{ context.Context }

func (unbounded) Deadline() (time.Time, bool) { return time.Time{}, false }
