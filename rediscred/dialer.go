package rediscred

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/gate"
	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

// A Dialer makes connections to Redis servers that are logged in already, with
// the user name and password of a secret. It is safe for concurrent use by
// multiple goroutines.
type Dialer struct {
	client  *secrets.Client
	id      string
	options Options
	ref     *secrets.Ref[*version] // for Addr
	misread atomic.Pointer[misread]
	closing context.Context    // ends with Close
	close   context.CancelFunc // ends closing

	mu    sync.Mutex       // guards nodes, and the use of each
	nodes map[string]*node // by network and address
}

// New returns a dialer that logs in with the secret of the given name or ARN.
// It does no I/O. o may be nil.
//
// The client must outlive the dialer, and is not closed with it.
func New(client *secrets.Client, secretID string, o *Options) *Dialer {
	d := &Dialer{client: client, id: secretID, options: o.orDefault(), nodes: make(map[string]*node)}
	d.closing, d.close = context.WithCancel(context.Background())
	d.ref = d.bind()
	return d
}

// retryPause is for how long [secrets.TryOffer] does not offer a version again.
// The gate has a pace of its own, and this must not be slower.
const retryPause = 100 * time.Millisecond

func (d *Dialer) bind() *secrets.Ref[*version] {
	return secrets.BindFunc(d.client, d.id, d.decode).WithTry(&secrets.TryOptions{Stages: d.options.Stages, Pause: retryPause})
}

// isMade panics if d was not made by New.
func (d *Dialer) isMade() {
	if d == nil || d.ref == nil {
		panic("rediscred: nil or zero Dialer; make one with rediscred.New")
	}
}

// Addr returns host:port of the secret, for a client's configuration; the port
// is 6379 where the secret has none. It is an error if the secret names no host.
func (d *Dialer) Addr(ctx context.Context) (string, error) {
	d.isMade()
	v, err := d.ref.Get(ctx)
	if err != nil {
		return "", d.explain(err)
	}
	if v.addr == "" {
		return "", fmt.Errorf("rediscred: secret %q has no field %q", d.id, "host")
	}
	return v.addr, nil
}

// DialContext connects to a server, with TLS where that is asked for, logs in
// and returns the connection, of type [*Conn]: nothing has been sent on it but
// AUTH. It offers the server the version of the secret that is current or was
// last found to work at that address, and the others when that is refused; see
// the package's documentation.
//
// If no version is accepted, the error is a [*secrets.RejectedError], after at
// most one login with each version; it comes when ctx ends or, if that has no
// deadline, after Options.MaxWait, and quotes the server's last answer.
// Everything else, network errors among it, is returned as it is. What a server
// answers is a [*LoginError]. No error contains a password.
//
// A DialContext whose context has ended sends no password. A login whose
// context ends while the verdict is on its way goes on without its caller for
// at most a second, to learn whether the server takes the password.
func (d *Dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	d.isMade()
	if d.closing.Err() != nil {
		return nil, d.closedError()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n := d.use(network, addr)
	defer d.done(n)
	bounded, cancel := d.bound(ctx)
	defer cancel()
	conn, err := gate.Try(bounded, n.gate, n.ref, func(ctx context.Context, o secrets.Offer[*version]) (*Conn, error) {
		return d.connect(ctx, n, o)
	})
	switch {
	case d.closing.Err() != nil:
		if err == nil {
			conn.Close()
		}
		return nil, d.closedError()
	case err == nil:
		return conn, nil
	case errors.As(err, new(*secrets.RejectedError)):
		return nil, n.explain(err)
	case bounded.Err() != nil && errors.Is(err, bounded.Err()):
		return nil, fmt.Errorf("rediscred: connect to %s with %q: no verdict on the login: %w", addr, d.id, err)
	}
	return nil, d.explain(err)
}

// bound returns a context that ends with ctx, or if that has no deadline after
// Options.MaxWait.
func (d *Dialer) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); !ok && d.options.maxWait() > 0 {
		return context.WithTimeout(ctx, d.options.maxWait())
	}
	return context.WithCancel(ctx)
}

// Close ends the DialContexts that wait or log in, which return
// [secrets.ErrClosed], as all do from then on. Connections that are open stay
// so. Close may be called more than once; it returns nil.
func (d *Dialer) Close() error {
	d.isMade()
	d.mu.Lock()
	for _, n := range d.nodes {
		n.gate.Close()
	}
	d.mu.Unlock()
	d.close()
	return nil
}

func (d *Dialer) closedError() error {
	return fmt.Errorf("rediscred: dialer for %q: %w", d.id, secrets.ErrClosed)
}

// Format implements [fmt.Formatter]: every verb prints the secret's name.
func (d *Dialer) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "rediscred.Dialer(%q)", d.id) }

// explain adds to an error of a read what the dialer knows.
func (d *Dialer) explain(err error) error {
	undecodable, ok := errors.AsType[*secrets.DecodeError](err)
	if m := d.misread.Load(); ok && m != nil && undecodable.VersionID == m.version {
		return fmt.Errorf("%w: %v", err, m.err)
	}
	return err
}

// maxNodes is how many addresses a dialer remembers what it learnt of. The
// nodes of a cluster that come and go would otherwise add up.
const maxNodes = 256

// A node is what a dialer knows of one address: which version was found to
// work there, and which was refused. Nodes of a cluster disagree while their
// users are being changed one after the other.
type node struct {
	network, addr string

	ref    *secrets.Ref[*version]
	gate   *gate.Gate
	users  int       // DialContexts under way
	used   time.Time // when the last one began
	answer atomic.Pointer[string]
}

// use returns the node of an address, and keeps it until done.
func (d *Dialer) use(network, addr string) *node {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := network + "\x00" + addr
	n := d.nodes[key]
	if n == nil {
		d.forgetLocked()
		n = &node{network: network, addr: addr, ref: d.bind()}
		n.gate = gate.New(&gate.Options{MaxLogins: d.options.MaxLogins, RetriesPerHour: d.options.RetriesPerHour, Rotating: n.ref.Rotating})
		if d.closing.Err() != nil {
			n.gate.Close()
		}
		d.nodes[key] = n
	}
	n.users++
	n.used = time.Now()
	return n
}

func (d *Dialer) done(n *node) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n.users--
}

// forgetLocked makes room for a node: of those that nobody uses, the one that
// was used longest ago goes.
func (d *Dialer) forgetLocked() {
	if len(d.nodes) < maxNodes {
		return
	}
	oldest := ""
	for key, n := range d.nodes {
		if n.users == 0 && (oldest == "" || n.used.Before(d.nodes[oldest].used)) {
			oldest = key
		}
	}
	delete(d.nodes, oldest)
}

// current returns the id of the version that is current as far as the client
// knows, or "". It does not block.
func (n *node) current() string {
	v, ok := n.ref.Peek()
	if !ok {
		return ""
	}
	return v.id
}

// scrub returns err without what shows a password.
func scrub(err error, v *version) error { return dblogin.Scrub(err, v.password) }
