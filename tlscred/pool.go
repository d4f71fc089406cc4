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

// A Pool contains the certificates of trusted authorities, read from a secret.
// It uses all versions of the secret that have a staging label. Each is PEM
// text, or a JSON object with PEM in the field ca, ca_bundle or certificate. A
// Pool is safe for concurrent use by multiple goroutines and needs no closing.
// Make one with [NewPool].
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

// NewPool returns the pool in the secret with the given name or ARN. It makes
// no request. The client must outlive the pool. After the client's Close,
// handshakes fail with [secrets.ErrClosed].
func NewPool(client *secrets.Client, secretID string) *Pool {
	return &Pool{id: secretID, ref: secrets.BindFunc(client, secretID, parseAuthorities)}
}

// Get returns the pool to verify with now. The caller must not modify it. Get
// blocks and fails as [secrets.Ref.Versions] does. It skips versions that do
// not parse, and returns an error if no version parses.
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

// Format writes what [Pool.String] returns, for every verb.
func (p *Pool) Format(f fmt.State, _ rune) { io.WriteString(f, p.String()) }

// ServerConfig returns a copy of base for a server that presents cert. base may
// be nil. If clients is not nil, the server requires a client certificate
// signed by an authority in that pool: it uses
// [tls.RequireAndVerifyClientCert], unless base sets another ClientAuth.
//
// With clients, every connection gets its own configuration. Later changes to
// the returned configuration, such as those that a server makes, do not reach
// it. Therefore set NextProtos in base; the default is that of net/http: h2 and
// http/1.1.
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

// A Dialer makes TLS connections as a client. It is safe for concurrent use by
// multiple goroutines. Its fields must not be changed once it is in use.
type Dialer struct {
	Certificate *Certificate // presented to servers that request one; nil means none
	Roots       *Pool        // used to verify servers; nil means Config.RootCAs
	Config      *tls.Config  // all other settings; nil means the defaults of crypto/tls
	Net         net.Dialer   // makes the underlying connections
}

// DialContext connects to addr and performs the handshake. Use it as the field
// DialTLSContext of an [http.Transport], or wherever a function like that of
// [net.Dialer] is expected.
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
// included. It uses no proxy, because d would not verify a connection through a
// proxy.
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
