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
	// retryPause is how soon Try may offer a version again. It is short because
	// the gate sets the pace.
	retryPause = 100 * time.Millisecond

	// rejectedWait is how long Connects without a deadline wait after the server
	// has refused every version. rejectedLeast is the least time that each waits.
	rejectedWait  = 3 * time.Second
	rejectedLeast = 250 * time.Millisecond
)

// A Connector connects to a database with a secret's user name and password.
// It is a [driver.Connector] for [database/sql.OpenDB]. It is safe for concurrent
// use by multiple goroutines.
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
	driver  atomic.Pointer[driver.Driver] // driver of the last connector that open made
	wrong   atomic.Uint64                 // logins that the server refused
	closing context.Context               // ends with Close
	close   context.CancelFunc            // ends closing
}

var _ interface {
	driver.Connector
	io.Closer
} = (*Connector)(nil)

// New returns a connector that logs in with a secret.
//
// secretID is the secret's name or ARN. open makes a driver's connector for the
// login of one version of the secret. New does no I/O. o may be nil.
//
// open should not connect. It is called once or a few times per version,
// possibly concurrently. If its result is an [io.Closer], it is closed by Close.
// The result for a version that is no longer current is closed one minute after
// the last login with it, and open is called again if that version is offered
// again.
//
// Connectors of pgx and lib/pq receive a hook, so that they wait for their turn
// just before they send the password. With pgx the hook runs after an existing
// AfterNetConnect. With lib/pq it replaces the default dialer; a custom dialer
// stays in place. Without TLS, the network connection of a pgx connection is then
// a wrapper, and its method NetConn returns the [net.TCPConn]. With TLS it is
// the [crypto/tls.Conn]. Other connectors wait when they dial. A connector that
// calls [gate.Hold] itself must have a method HoldsPassword() bool that returns
// true.
//
// The client must outlive the connector. Close does not close the client.
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

// Connect logs in and returns the connection. database/sql calls it.
//
// Connect first offers the server the version of the secret that is current or
// that the server last accepted. If the server refuses it, Connect offers the
// others. See the package documentation.
//
// If the server accepts no version, Connect makes at most one login with each
// and returns a [*secrets.RejectedError] that quotes the server's last answer.
// It returns the error when the context ends or, if the context has no deadline,
// after Options.MaxWait. If the account is the cause, the error is an
// [*AccountError]. Connect returns other errors, such as network errors, as the
// driver returned them. It never returns [driver.ErrBadConn], which would make
// database/sql log in again.
//
// No error contains a password. An error of a driver or of open is withheld if
// it contains the password of a version that was offered, in any of the usual
// escapes. errors.As does not find a withheld error, but it finds the errors
// wrapped inside it that contain no password.
//
// A Connect whose context has ended begins no login. If the context ends while a
// login is under way, Connect returns, and the login goes on for up to one second
// to learn whether the server accepts the password. Its connection is closed.
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

// bound returns a context that ends with ctx. If ctx has no deadline, the context
// also ends after Options.MaxWait.
func (c *Connector) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); !ok && c.options.maxWait() > 0 {
		return context.WithTimeout(ctx, c.options.maxWait())
	}
	return context.WithCancel(ctx)
}

// Driver returns the driver of the connections. Before the first connection it
// may be a placeholder that cannot open one.
func (c *Connector) Driver() driver.Driver {
	if d := c.driver.Load(); d != nil {
		return *d
	}
	return noDriver{}
}

// Close ends all calls of Connect that wait or log in. These and all later calls
// return [secrets.ErrClosed]. Close also closes each connector made by open that
// is an [io.Closer].
//
// Close does not wait for a driver that ignores its context; the connection that
// such a driver returns is closed. Open connections stay open. Close may be
// called more than once. [database/sql.DB.Close] calls it.
func (c *Connector) Close() error {
	c.isMade()
	c.close()
	c.gate.Close()
	passwords := c.made.passwords()
	return dblogin.Scrub(c.made.close(), passwords...)
}

// Format implements [fmt.Formatter]. Every verb prints the secret's name.
func (c *Connector) Format(f fmt.State, verb rune) {
	fmt.Fprintf(f, "sqlcred.Connector(%q)", c.id)
}

// A version is a decoded version of the secret.
type version struct {
	id    string
	login Login
}

func (c *Connector) decode(s *secrets.Secret) (*version, error) {
	l, err := decodeSecret(s, c.options.Keys)
	if err != nil {
		return nil, err
	}
	l = c.options.complete(l)
	if c.options.Validate != nil {
		if err := c.options.Validate(l); err != nil {
			return nil, err
		}
	}
	return &version{id: s.VersionID(), login: l}, nil
}

// noDriver is a placeholder for a driver that is not known yet.
type noDriver struct{}

func (noDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("sqlcred: open a connection with database/sql.OpenDB")
}
