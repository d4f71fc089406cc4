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

// Configure makes a pool log in with the secret of the given name or ARN. It
// changes config, does no I/O, and belongs between [pgxpool.ParseConfig] with
// what else there is to set, and [pgxpool.NewWithConfig]. o may be nil. It is
// [New] and [Connector.Configure] in one.
func Configure(config *pgxpool.Config, client *secrets.Client, secretID string, o *Options) error {
	return New(client, secretID, o).Configure(config)
}

// ConfigureConn is [Configure] for connections outside a pool. The
// configuration may be used for any number of them, at the same time. It is [New] and
// [Connector.ConfigureConn] in one.
func ConfigureConn(config *pgx.ConnConfig, client *secrets.Client, secretID string, o *Options) error {
	return New(client, secretID, o).ConfigureConn(config)
}

// A Connector logs in for pgx with the user name and password of a secret. All
// configurations that it was given share what it learns of a rotation, and the
// bound of logins at a time: a program that has a pool and single connections
// with one secret makes one Connector for them. It is safe for concurrent use
// by multiple goroutines.
type Connector struct {
	id      string
	options Options
	sql     *sqlcred.Connector
	user    atomic.Pointer[string] // of the last login that succeeded, for display
	server  atomic.Pointer[string] // address in the first configuration, for display
}

var _ io.Closer = (*Connector)(nil)

// New returns a Connector for the secret of the given name or ARN. It does no
// I/O. o may be nil. The client must outlive the connector, and is not closed
// with it.
func New(client *secrets.Client, secretID string, o *Options) *Connector {
	c := &Connector{id: secretID, options: o.orDefault()}
	o = &c.options
	c.sql = sqlcred.New(client, secretID, c.open, &sqlcred.Options{
		Keys: o.Keys, MaxLogins: o.MaxLogins, MaxWait: o.MaxWait, RetriesPerHour: o.RetriesPerHour, Logger: o.Logger, Stages: o.Stages, IsRefused: o.IsRefused, Edit: c.edit,
	})
	return c
}

// Retired reports whether conn, which the connector logged in, should be given
// up: another version of the secret has become current since, and not the one
// that it was opened with. It does no I/O. While the current version is not
// known, and for other connections, it reports false.
func (c *Connector) Retired(conn *pgx.Conn) bool {
	n, ok := conn.PgConn().Conn().(*netConn)
	return ok && n.session.target.c == c && c.sql.Retired(n.session.target.login)
}

// Close ends the logins that wait or are under way: they return
// [secrets.ErrClosed], as all do from then on. Connections that are open stay
// so. It may be called more than once. A program need not call it: closing the
// pool ends the pool's logins, but for those that wait up to a second for the
// server's verdict.
func (c *Connector) Close() error { return c.sql.Close() }

// Format implements [fmt.Formatter]: every verb prints the secret's name.
func (c *Connector) Format(f fmt.State, verb rune) {
	fmt.Fprintf(f, "pgxcred.Connector(%q)", c.id)
}

// edit puts the server that is logged in to in the place of the secret's, for the
// messages of package sqlcred.
func (c *Connector) edit(l *sqlcred.Login) {
	if server := c.server.Load(); server != nil && !c.options.ServerFromSecret {
		l.Host, l.Port = *server, 0
	}
}

// display is the user name that a configuration shows before the login.
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

// bound hides a deadline that is later than MaxWait, so that the sql connector
// applies that: a pool sets one of its own where there is none.
func (c *Connector) bound(ctx context.Context) context.Context {
	deadline, ok := ctx.Deadline()
	if !ok || c.options.maxWait() > 0 && time.Until(deadline) > c.options.maxWait() {
		return unbounded{ctx}
	}
	return ctx
}

// unbounded is a context that does not tell its deadline.
type unbounded struct{ context.Context }

func (unbounded) Deadline() (time.Time, bool) { return time.Time{}, false }
