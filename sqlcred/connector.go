package sqlcred

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/gate"
	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

const (
	// retryPause is how soon Try may offer a version again. The gate sets the pace.
	retryPause = 100 * time.Millisecond

	// rejectedWait is how long Connects without a deadline wait from the moment
	// on that the server has refused every version, and rejectedLeast how long
	// one of them waits at least.
	rejectedWait  = 3 * time.Second
	rejectedLeast = 250 * time.Millisecond
)

// A Connector connects to a database with the user name and password of a
// secret. It is a [driver.Connector], for [database/sql.OpenDB], and is safe
// for concurrent use by multiple goroutines.
type Connector struct {
	client  *secrets.Client
	id      string
	open    func(Login) (driver.Connector, error)
	options Options
	ref     *secrets.Ref[*version]
	gate    *gate.Gate
	made    connectors
	state   state
	recheck recheck
	driver  atomic.Pointer[driver.Driver] // of the last connector that open made
	misread atomic.Pointer[misread]       // the last version that does not decode
	wrong   atomic.Uint64                 // logins that the server refused
	closing context.Context               // ends with Close
	close   context.CancelFunc            // ends closing
}

var _ interface {
	driver.Connector
	io.Closer
} = (*Connector)(nil)

// New returns a connector that logs in with the secret of the given name or
// ARN, through the connectors that open makes of the secret's versions. It
// does no I/O. o may be nil.
//
// open should not connect. It is called once per version, or a few times,
// possibly at the same time. What it returns is closed, if it is an
// [io.Closer], by Close, or a minute after the last login with a version that
// is not current any more; open is called again if that is offered again.
//
// A connector of pgx or lib/pq gets a hook by which it waits for its turn before it
// sends the password: after the one that it has for AfterNetConnect, and in place of
// lib/pq's own dialer, but not of another. Without TLS the connection below one of
// pgx is then a wrapper, whose method NetConn returns the [net.TCPConn]; with TLS it
// is the [crypto/tls.Conn]. Other connectors wait when they dial.
// A connector that calls [gate.Hold] by itself has a method HoldsPassword() bool
// that returns true.
//
// The client must outlive the connector, and is not closed with it.
func New(client *secrets.Client, secretID string, open func(Login) (driver.Connector, error), o *Options) *Connector {
	if open == nil {
		panic("sqlcred: New: open is nil; give it the function that makes a driver's connector, or use OpenDB")
	}
	c := &Connector{client: client, id: secretID, open: open, options: o.orDefault()}
	c.closing, c.close = context.WithCancel(context.Background())
	c.ref = secrets.BindFunc(client, secretID, c.decode).WithTry(&secrets.TryOptions{Stages: c.options.Stages, Pause: retryPause})
	c.gate = gate.New(&gate.Options{MaxLogins: c.options.MaxLogins, RetriesPerHour: c.options.RetriesPerHour, Rotating: c.ref.Rotating})
	return c
}

// isMade panics if c was not made by New.
func (c *Connector) isMade() {
	if c == nil || c.ref == nil {
		panic("sqlcred: nil or zero Connector; make one with sqlcred.New")
	}
}

// Connect logs in and returns the connection. It offers the server the version
// of the secret that is current or was last found to work, and the others when
// that is refused; see the package's documentation. It is database/sql that
// calls it.
//
// If no version is accepted, the error is a [*secrets.RejectedError], after at
// most one login with each version; it comes when the context ends or, if that
// has no deadline, after Options.MaxWait, and quotes the server's last answer.
// If the account is to blame it is an [*AccountError]. Everything else,
// network errors among it, is returned as the driver returned it, except that
// it never is [driver.ErrBadConn], which would make database/sql log in again.
//
// No error contains a password: what a driver or open says is withheld if it
// contains the password of a version that was offered, in any of the usual
// escapes. errors.As then does not find that error, but those that it wraps and
// that are clean.
//
// A Connect whose context has ended begins no login. A login that is under way
// when its context ends goes on without its caller for a second, to learn
// whether the server takes the password; the connection is closed.
func (c *Connector) Connect(ctx context.Context) (driver.Conn, error) {
	c.isMade()
	if c.closing.Err() != nil {
		return nil, c.closedError()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	bounded, cancel := c.bound(ctx)
	defer cancel()
	defer context.AfterFunc(c.closing, cancel)()
	_, hasDeadline := ctx.Deadline()
	a := &attempt{c: c, ticket: c.gate.Ticket(), began: time.Now()}
	conn, err := a.run(bounded, !hasDeadline && c.options.maxWait() > 0)
	switch {
	case c.closing.Err() != nil:
		if err == nil {
			conn.Close()
		}
		return nil, c.closedError()
	case err == nil:
		return conn, nil
	case bounded.Err() != nil && ctx.Err() == nil && !errors.As(err, new(*secrets.RejectedError)):
		err = fmt.Errorf("sqlcred: connect with %q: gave up after %v: %w", c.id, c.options.maxWait(), err)
	}
	return nil, a.explain(err)
}

// bound returns a context that ends with ctx, or if that has no deadline after
// Options.MaxWait.
func (c *Connector) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); !ok && c.options.maxWait() > 0 {
		return context.WithTimeout(ctx, c.options.maxWait())
	}
	return context.WithCancel(ctx)
}

// Driver returns the driver of the connections. Before the first of them it
// may be a stand-in that opens nothing.
func (c *Connector) Driver() driver.Driver {
	if d := c.driver.Load(); d != nil {
		return *d
	}
	return noDriver{}
}

// Close ends the Connects that wait or log in, which return
// [secrets.ErrClosed], as all do from then on, and closes those connectors
// made by open that are an [io.Closer]. It does not wait for a driver that
// ignores its context: the connection it returns is closed. Connections that are
// open stay so. Close may be called more than once; [database/sql.DB.Close]
// calls it.
func (c *Connector) Close() error {
	c.isMade()
	c.close()
	c.gate.Close()
	passwords := c.made.passwords()
	return dblogin.Scrub(c.made.close(), passwords...)
}

// Format implements [fmt.Formatter]: every verb prints the secret's name.
func (c *Connector) Format(f fmt.State, verb rune) {
	fmt.Fprintf(f, "sqlcred.Connector(%q)", c.id)
}

// A version is what the connector knows of one version of the secret.
type version struct {
	id    string
	login Login
}

func (c *Connector) decode(s *secrets.Secret) (*version, error) {
	l, err := decodeSecret(s, c.options.Keys)
	if err != nil {
		c.misread.Store(&misread{s.VersionID(), err})
		return nil, err
	}
	return &version{id: s.VersionID(), login: c.options.complete(l)}, nil
}

// misread is why a version of the secret does not decode. The client withholds
// the reason, because it cannot know that it quotes no value.
type misread struct {
	version string
	err     error
}

// noDriver stands in for a driver that is not known yet.
type noDriver struct{}

func (noDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("sqlcred: open a connection with database/sql.OpenDB")
}
