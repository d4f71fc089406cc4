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

// A Dialer makes connections to Redis servers and logs them in with a secret. It
// is safe for concurrent use by multiple goroutines.
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
// The client must outlive the dialer. Close does not close the client.
func New(client *secrets.Client, secretID string, o *Options) *Dialer {
	d := &Dialer{client: client, id: secretID, options: o.orDefault(), nodes: make(map[string]*node)}
	d.closing, d.close = context.WithCancel(context.Background())
	d.ref = d.bind()
	return d
}

// retryPause is how long [secrets.TryOffer] waits before it offers a version
// again. It must not be longer than the gate's own pace.
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

// Addr returns host:port from the secret, for a client's configuration. The port
// is 6379 if the secret has none. Addr returns an error if the secret names no
// host.
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

// DialContext connects to a server, logs in and returns the connection. The
// connection is of type [*Conn], and uses TLS as Options.TLS says. Nothing but
// AUTH has been sent on it.
//
// DialContext first offers the server the version of the secret that is current
// or that the server at this address last accepted. If the server refuses it,
// DialContext offers the others. See the package documentation.
//
// If the server accepts no version, DialContext makes at most one login with each
// and returns a [*secrets.RejectedError] that quotes the server's last answer. It
// returns the error when ctx ends or, if ctx has no deadline, after
// Options.MaxWait. Other errors, such as network errors, are returned unchanged. A
// server's error answer is a [*LoginError]. No error contains a password.
//
// DialContext sends no password after ctx has ended. If ctx ends while a login
// waits for its verdict, DialContext returns, and the login goes on for up to one
// second to learn whether the server accepts the password.
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

// bound returns a context that ends with ctx. If ctx has no deadline, the context
// also ends after Options.MaxWait.
func (d *Dialer) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); !ok && d.options.maxWait() > 0 {
		return context.WithTimeout(ctx, d.options.maxWait())
	}
	return context.WithCancel(ctx)
}

// Close ends all calls of DialContext that wait or log in. These and all later
// calls return [secrets.ErrClosed]. Open connections stay open. Close may be
// called more than once. It always returns nil.
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

// Format implements [fmt.Formatter]. Every verb prints the secret's name.
func (d *Dialer) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "rediscred.Dialer(%q)", d.id) }

// explain adds what the dialer knows to the error of reading the secret.
func (d *Dialer) explain(err error) error {
	undecodable, ok := errors.AsType[*secrets.DecodeError](err)
	if m := d.misread.Load(); ok && m != nil && undecodable.VersionID == m.version {
		return fmt.Errorf("%w: %v", err, m.err)
	}
	return err
}

// maxNodes is the maximum number of addresses that a dialer remembers. Without
// it, cluster nodes that come and go would accumulate.
const maxNodes = 256

// A node describes the server at one address: which versions it accepted and
// refused. The nodes of a cluster disagree while their users are being changed
// one after the other.
type node struct {
	network, addr string

	ref    *secrets.Ref[*version]
	gate   *gate.Gate
	users  int       // DialContexts under way
	used   time.Time // when the last one began
	answer atomic.Pointer[string]
}

// use returns the node of an address and keeps it until done is called.
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

// forgetLocked makes room for a node. It removes the least recently used node
// among those not in use.
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

// current returns the id of the version that the client believes to be current,
// or "". It does not block.
func (n *node) current() string {
	v, ok := n.ref.Peek()
	if !ok {
		return ""
	}
	return v.id
}

// scrub returns err without passwords.
func scrub(err error, v *version) error { return dblogin.Scrub(err, v.password) }
