package tlscred

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/seed-74dc7b3e/secrets"
)

// A Pool is the certificates of the authorities to trust, that follow a secret:
// those of all its versions with a staging label, as PEM text or as PEM in the
// field ca, ca_bundle or certificate of a JSON object. It is safe for concurrent
// use by multiple goroutines and needs no closing. Make one with [NewPool].
type Pool struct {
	id   string
	ref  *secrets.Ref[[]*x509.Certificate]
	made atomic.Pointer[made]
}

// made is a pool and the ids of the versions that it was made of.
type made struct {
	versions []string
	pool     *x509.CertPool
}

// NewPool returns the pool in the secret of the given name or ARN. It makes no
// request. The client must outlive the pool; after its Close handshakes fail
// with [secrets.ErrClosed].
func NewPool(client *secrets.Client, secretID string) *Pool {
	return &Pool{id: secretID, ref: secrets.BindFunc(client, secretID, parseAuthorities)}
}

// Get returns the pool to verify with now. It must not be changed. It blocks
// and fails as [secrets.Ref.Versions] does. A version that does not parse is left
// out, and an error if no other is left.
func (p *Pool) Get(ctx context.Context) (*x509.CertPool, error) {
	if p == nil || p.ref == nil {
		panic("tlscred: nil or zero Pool; make one with tlscred.NewPool")
	}
	all, err := p.ref.Versions(ctx)
	if err != nil {
		return nil, err
	}
	m := &made{versions: make([]string, len(all))}
	for i, v := range all {
		m.versions[i] = v.ID
	}
	if last := p.made.Load(); last != nil && slices.Equal(last.versions, m.versions) {
		return last.pool, nil
	}
	m.pool = x509.NewCertPool()
	for _, v := range all {
		for _, cert := range v.Value {
			m.pool.AddCert(cert)
		}
	}
	p.made.Store(m)
	return m.pool, nil
}

// String returns the type and the secret's id.
func (p *Pool) String() string { return fmt.Sprintf("tlscred.Pool(%q)", p.id) }

// Format writes what [Pool.String] returns, whatever the verb.
func (p *Pool) Format(f fmt.State, _ rune) { io.WriteString(f, p.String()) }

// ServerConfig returns a copy of base, which may be nil, for a server that shows
// cert and, unless clients is nil, wants a certificate of its clients that an
// authority in that pool signed: [tls.RequireAndVerifyClientCert], unless base
// says otherwise.
//
// With clients every connection has a configuration of its own. What a server
// adds to the one that is returned here does not get there, so NextProtos has to
// be set in base; where it is not, it is that of net/http: h2 and http/1.1.
func ServerConfig(cert *Certificate, clients *Pool, base *tls.Config) *tls.Config {
	if cert == nil {
		panic("tlscred: ServerConfig: cert is nil; make one with tlscred.New")
	}
	cfg := &tls.Config{}
	if base != nil {
		cfg = base.Clone()
	}
	cfg.Certificates, cfg.GetCertificate = nil, cert.GetCertificate
	if clients == nil {
		return cfg
	}
	if cfg.ClientAuth == tls.NoClientCert {
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if cfg.NextProtos == nil {
		cfg.NextProtos = []string{"h2", "http/1.1"}
	}
	each := cfg.Clone()
	cfg.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		pool, err := clients.Get(contextOf(h))
		if err != nil {
			return nil, err
		}
		c := each.Clone()
		c.ClientCAs = pool
		return c, nil
	}
	return cfg
}

// A Dialer makes TLS connections as a client. Its fields must not be changed
// once it is in use; then it is safe for concurrent use by multiple goroutines.
type Dialer struct {
	Certificate *Certificate // to show to servers that ask for one; nil: none
	Roots       *Pool        // to verify servers by; nil: Config.RootCAs
	Config      *tls.Config  // everything else; nil: the defaults of crypto/tls
	Net         net.Dialer   // makes the connections below
}

// DialContext connects to addr and performs the handshake. It is for the field
// DialTLSContext of an [http.Transport], and for anything that wants a function
// like that of [net.Dialer].
func (d *Dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	cfg := &tls.Config{}
	if d.Config != nil {
		cfg = d.Config.Clone()
	}
	if d.Certificate != nil {
		cfg.Certificates, cfg.GetClientCertificate = nil, d.Certificate.GetClientCertificate
	}
	if d.Roots != nil {
		pool, err := d.Roots.Get(ctx)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = pool
	}
	return (&tls.Dialer{NetDialer: &d.Net, Config: cfg}).DialContext(ctx, network, addr)
}

// Transport returns a copy of [http.DefaultTransport] that dials with d, HTTP/2
// included. It uses no proxy: what is sent through one would not be verified by
// d.
func (d *Dialer) Transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	with := *d
	with.Config = &tls.Config{}
	if d.Config != nil {
		with.Config = d.Config.Clone()
	}
	if with.Config.NextProtos == nil {
		with.Config.NextProtos = []string{"h2", "http/1.1"}
	}
	t.Proxy, t.DialTLSContext, t.ForceAttemptHTTP2 = nil, with.DialContext, true
	return t
}
