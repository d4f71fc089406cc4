package sqlcred

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/seed-74dc7b3e/secrets"
)

// A Connector connects to a database with the user name and password of a
// secret. It is a [driver.Connector], for [database/sql.OpenDB], and is safe
// for concurrent use by multiple goroutines.
type Connector struct {
	id      string
	open    func(Login) (driver.Connector, error)
	options Options
	ref     *secrets.Ref[*version]
	gate    gate
	driver  atomic.Pointer[driver.Driver] // of the last connector that open made
	misread atomic.Pointer[misread]       // the last version that is no login

	mu      sync.Mutex // guards the fields below
	closers []io.Closer
	closed  bool
}

var _ interface {
	driver.Connector
	io.Closer
} = (*Connector)(nil)

// New returns a connector that logs in with the secret of the given name or
// ARN, by way of the connectors that open makes of the secret's versions. It
// does no I/O. open is called once per version, or a few times, possibly at
// the same time; it should not connect. o may be nil.
//
// The client must outlive the connector, and is not closed with it.
func New(client *secrets.Client, secretID string, open func(Login) (driver.Connector, error), o *Options) *Connector {
	c := &Connector{id: secretID, open: open, options: o.orDefault()}
	c.ref = secrets.BindFunc(client, secretID, c.decode).WithTry(&secrets.TryOptions{Stages: c.options.Stages})
	c.gate.max = c.options.maxLogins()
	c.gate.rotating = c.ref.Rotating
	return c
}

// Connect logs in and returns the connection. It offers the server the version
// of the secret that is current or was last found to work, and the others when
// that is refused; see the package's documentation. It is database/sql that
// calls it.
//
// If no version is accepted, the error is a [*secrets.RejectedError], after at
// most one login with each version; it comes when the context ends or, if that
// has no deadline, after Options.MaxWait. If the account is to blame it is an
// [*AccountError]. Everything else, network errors among it, is returned as
// the driver returned it, except that it never is [driver.ErrBadConn], which
// would make database/sql log in again. Errors hold no password.
func (c *Connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := c.checkOpen(); err != nil {
		return nil, err
	}
	bounded := ctx
	if _, ok := ctx.Deadline(); !ok && c.options.maxWait() > 0 {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, c.options.maxWait())
		defer cancel()
	}
	ticket := c.gate.ticket()
	conn, err := secrets.TryOffer(bounded, c.ref, func(ctx context.Context, o secrets.Offer[*version]) (driver.Conn, error) {
		return c.login(ctx, o.Value, ticket, o.Fallback)
	})
	if err == nil {
		return conn, nil
	}
	var rejected *secrets.RejectedError
	if bounded.Err() != nil && ctx.Err() == nil && !errors.As(err, &rejected) {
		return nil, fmt.Errorf("sqlcred: connect with %q: gave up after %v: %w", c.id, c.options.maxWait(), err)
	}
	return nil, c.explain(err)
}

// Driver returns the driver of the connections. Before the first of them it
// may be a stand-in that opens nothing.
func (c *Connector) Driver() driver.Driver {
	if d := c.driver.Load(); d != nil {
		return *d
	}
	return noDriver{}
}

// Close closes those connectors made by open that are an [io.Closer]. After it
// Connect returns [secrets.ErrClosed]. Connections that are open stay so. It
// may be called more than once; [database/sql.DB.Close] calls it.
func (c *Connector) Close() error {
	c.mu.Lock()
	closers := c.closers
	c.closers = nil
	c.closed = true
	c.mu.Unlock()
	var errs []error
	for _, closer := range closers {
		errs = append(errs, closer.Close())
	}
	return errors.Join(errs...)
}

// Format implements [fmt.Formatter]: every verb prints the secret's name.
func (c *Connector) Format(f fmt.State, verb rune) {
	fmt.Fprintf(f, "sqlcred.Connector(%q)", c.id)
}

func (c *Connector) checkOpen() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return fmt.Errorf("sqlcred: connect with %q: %w", c.id, secrets.ErrClosed)
	}
	return nil
}

// keep notes what Close has to close.
func (c *Connector) keep(made driver.Connector) error {
	closer, ok := made.(io.Closer)
	if !ok {
		return nil
	}
	c.mu.Lock()
	closed := c.closed
	if !closed {
		c.closers = append(c.closers, closer)
	}
	c.mu.Unlock()
	if closed {
		closer.Close()
		return fmt.Errorf("sqlcred: connect with %q: %w", c.id, secrets.ErrClosed)
	}
	return nil
}

// A version is what the connector knows of one version of the secret.
type version struct {
	id        string
	login     Login
	connector atomic.Pointer[driver.Connector] // made by open when it is first needed
}

func (c *Connector) decode(s *secrets.Secret) (*version, error) {
	l, err := decodeSecret(s, c.options.Keys)
	if err != nil {
		c.misread.Store(&misread{s.VersionID(), err})
		return nil, err
	}
	return &version{id: s.VersionID(), login: c.options.complete(l)}, nil
}

// misread is why a version of the secret is no login. The client tells only
// that it is none, for it can't know that the reason holds no value.
type misread struct {
	version string
	err     error
}

// explain adds the reason to an error that is about such a version.
func (c *Connector) explain(err error) error {
	var undecodable *secrets.DecodeError
	if m := c.misread.Load(); m != nil && errors.As(err, &undecodable) && undecodable.VersionID == m.version {
		return fmt.Errorf("%w: %v", err, m.err)
	}
	return err
}

// connector returns the driver's connector for v.
func (c *Connector) connector(v *version) (driver.Connector, error) {
	if made := v.connector.Load(); made != nil {
		return *made, nil
	}
	l := v.login
	l.opened = c.currentVersion()
	made, err := c.open(l)
	if err != nil {
		err = fmt.Errorf("sqlcred: open for %q: %w", c.id, notBadConn(err))
		return nil, withoutPassword(err, v.login.Password())
	}
	if !v.connector.CompareAndSwap(nil, &made) {
		if closer, ok := made.(io.Closer); ok {
			closer.Close()
		}
		return *v.connector.Load(), c.checkOpen()
	}
	if err := c.keep(made); err != nil {
		return nil, err
	}
	d := made.Driver()
	c.driver.Store(&d)
	return made, nil
}

// login offers one version to the server. fallback says that another one was
// rejected, and that the callers who wait depend on this login.
func (c *Connector) login(ctx context.Context, v *version, ticket uint64, fallback bool) (driver.Conn, error) {
	connector, err := c.connector(v)
	if err != nil {
		return nil, err
	}
	current := c.currentVersion()
	p, err := c.gate.enter(ctx, ticket, v.id, fallback)
	if err != nil {
		var turned *turnedAway
		return nil, secrets.RejectedIf(err, func(err error) bool { return errors.As(err, &turned) })
	}
	var ok bool
	var refused error
	defer func() { c.gate.leave(p, ok, refused) }() // also when the driver panics

	conn, stopped, err := dial(ctx, connector, p.stop)
	if err == nil && stopped && !alive(ctx, conn) {
		conn.Close()
		err = p.reason
	}
	if err == nil {
		ok = true
		return c.wrap(conn, v.id, current), nil
	}
	if account := accountError(err, v.login.Username); account != nil {
		return nil, account
	}
	switch {
	case stopped:
		// This one was no look at the server's mind: only the refusal that
		// stopped it was.
		return nil, secrets.Rejected(&turnedAway{p.reason})
	case c.options.isRefused(err):
		refused = notBadConn(err)
		return nil, secrets.Rejected(refused)
	}
	return nil, notBadConn(err)
}

// NotOffered keeps logins that did not take place out of what the client counts
// as rejections.
func (e *turnedAway) NotOffered() bool { return true }

// notBadConn cuts the chain of an error that wraps driver.ErrBadConn, for
// which database/sql would connect again.
func notBadConn(err error) error {
	if errors.Is(err, driver.ErrBadConn) {
		return errors.New(err.Error())
	}
	return err
}

// alive tells whether a driver that was told to stop, and connected all the
// same, has left the connection usable.
func alive(ctx context.Context, conn driver.Conn) bool {
	if v, ok := conn.(driver.Validator); ok && !v.IsValid() {
		return false
	}
	if p, ok := conn.(driver.Pinger); ok {
		return p.Ping(ctx) == nil
	}
	return true
}

// withoutPassword returns err, or if its text holds the password, an error
// that says so in its place: parsers of DSNs quote what they can't read.
func withoutPassword(err error, password string) error {
	text := err.Error()
	quoted := strconv.Quote(password)
	for _, form := range []string{
		password,
		quoted[1 : len(quoted)-1],
		url.QueryEscape(password),
		url.PathEscape(password),
		strings.TrimPrefix(url.UserPassword("", password).String(), ":"),
		escapeKeyword(password),
	} {
		if form != "" && strings.Contains(text, form) {
			return errors.New("sqlcred: the driver does not take the login; its error holds the password and is left out")
		}
	}
	return err
}

// noDriver stands in for a driver that is not known yet.
type noDriver struct{}

func (noDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("sqlcred: open a connection with database/sql.OpenDB")
}
