package tlscred

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// Options are the settings of a [Certificate]. A nil *Options and zero fields
// mean the defaults. [New] copies them.
type Options struct {
	// Decode returns the certificate of a version of the secret. Set it if the
	// secret is in a format that the package does not support. It is called once
	// for each version. Its error is not shown, since it may quote the key.
	Decode func(*secrets.Secret) (*tls.Certificate, error)

	// Logger logs when a certificate comes into use, and when a new version is not
	// used. The default is [slog.Default].
	Logger *slog.Logger
}

// A Certificate is a private key with its chain, read from a secret. It is safe
// for concurrent use by multiple goroutines and needs no closing. Make one with
// [New].
type Certificate struct {
	id      string
	ref     *secrets.Ref[*pair]
	raw     *secrets.Ref[*secrets.Secret] // tells which version is current, even if it does not parse
	decode  func(*secrets.Secret) (*tls.Certificate, error)
	log     *slog.Logger
	inUse   atomic.Pointer[pair]
	early   atomic.Pointer[skipped] // the last version that was not valid when it was current
	misread atomic.Pointer[skipped] // the last version that does not parse
}

// skipped is a version that is not in use though it is current, and why not.
type skipped struct{ version, reason string }

// New returns the certificate in the secret with the given name or ARN. It
// makes no request. o may be nil. The client must outlive the certificate.
// After the client's Close, handshakes fail with [secrets.ErrClosed].
func New(client *secrets.Client, secretID string, o *Options) *Certificate {
	c := &Certificate{id: secretID, decode: parse, log: slog.Default()}
	if o != nil && o.Decode != nil {
		c.decode = o.Decode
	}
	if o != nil && o.Logger != nil {
		c.log = o.Logger
	}
	c.ref = secrets.BindFunc(client, secretID, c.pairOf)
	c.raw = secrets.Bind[*secrets.Secret](client, secretID)
	return c
}

// GetCertificate is for the field GetCertificate of a server's [tls.Config].
func (c *Certificate) GetCertificate(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.Get(contextOf(h))
}

// GetClientCertificate is for the field of that name in a client's
// [tls.Config]. If the server does not accept this kind of certificate, it
// returns an empty one, as the field's documentation requires, and none is
// sent.
func (c *Certificate) GetClientCertificate(i *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	cert, err := c.Get(contextOf(i))
	if err != nil {
		return nil, err
	}
	if i.SupportsCertificate(cert) != nil {
		return &tls.Certificate{}, nil
	}
	return cert, nil
}

// contextOf returns the context of a handshake. A ClientHelloInfo that was not
// made by crypto/tls has none.
func contextOf(h interface{ Context() context.Context }) context.Context {
	if ctx := h.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

// Get returns the certificate to use now. The caller must not modify it. Get
// blocks and fails as [secrets.Ref.Get] does; a cached certificate is returned
// at once. If no version of the secret is a certificate, the error is a
// [*secrets.DecodeError].
func (c *Certificate) Get(ctx context.Context) (*tls.Certificate, error) {
	if c == nil || c.ref == nil {
		panic("tlscred: nil or zero Certificate; make one with tlscred.New")
	}
	current, err := c.ref.Get(ctx)
	if err != nil && !errors.As(err, new(*secrets.DecodeError)) {
		return nil, err
	}
	now, last := time.Now(), c.inUse.Load()
	if err == nil && current.valid(now) {
		c.use(current)
		return current.cert, nil
	}
	if last == nil || !last.valid(now) {
		last = c.previous(ctx, now)
	}
	switch {
	case last != nil:
		c.skip(current, now)
		c.use(last)
		return last.cert, nil
	case err != nil:
		return nil, c.explain(err)
	}
	c.skip(current, now)
	c.use(current) // the peer decides
	return current.cert, nil
}

// previous returns the previous version of the secret if it is valid.
func (c *Certificate) previous(ctx context.Context, now time.Time) *pair {
	v, err := c.ref.Version(ctx, secrets.Stage(secrets.Previous))
	if err != nil || !v.Value.valid(now) {
		return nil
	}
	return v.Value
}

// use notes which certificate is in use.
func (c *Certificate) use(p *pair) {
	before := c.inUse.Load()
	if before == p || !c.inUse.CompareAndSwap(before, p) {
		return
	}
	c.log.Info("tlscred: certificate in use", "secret", c.id, "version", p.version, "subject", p.leaf.Subject.String(), "not_after", p.leaf.NotAfter)
}

// skip notes that the current version, which may be nil, is not valid now.
func (c *Certificate) skip(current *pair, now time.Time) {
	if current == nil {
		return
	}
	s := &skipped{current.version, current.fault(now)}
	if before := c.early.Swap(s); before != nil && *before == *s {
		return
	}
	c.log.Warn("tlscred: the current version of the certificate is not valid", "secret", c.id, "version", s.version, "reason", s.reason)
}

// explain adds why a version does not parse, which the client withholds.
func (c *Certificate) explain(err error) error {
	var de *secrets.DecodeError
	if m := c.misread.Load(); m != nil && errors.As(err, &de) && de.VersionID == m.version {
		return fmt.Errorf("tlscred: %w: %s", err, m.reason)
	}
	return err
}

// pairOf makes a pair of a version.
func (c *Certificate) pairOf(s *secrets.Secret) (*pair, error) {
	cert, err := c.decode(s)
	var p *pair
	if err == nil {
		p, err = newPair(s.VersionID(), cert)
	}
	if err != nil {
		reason := "Options.Decode refused it"
		if f := fault(""); errors.As(err, &f) {
			reason = string(f)
		}
		c.misread.Store(&skipped{s.VersionID(), reason})
		c.log.Warn("tlscred: a version of the certificate is not usable", "secret", c.id, "version", s.VersionID(), "reason", reason)
		return nil, err
	}
	return p, nil
}

// A Status describes the certificate in use. It contains no key.
type Status struct {
	SecretID     string
	VersionID    string // of the secret; empty if none has been used yet
	Subject      string
	DNSNames     []string
	SerialNumber string // in hexadecimal
	NotBefore    time.Time
	NotAfter     time.Time // when it expires

	// Skipped is the current version if it is not in use, or is in use although
	// something is wrong with it. Reason says why. Both are empty if there is no
	// such version.
	Skipped, Reason string
}

// Status describes the certificate in use. It does not block.
func (c *Certificate) Status() Status {
	st := Status{SecretID: c.id}
	p := c.inUse.Load()
	if p == nil {
		return st
	}
	st.VersionID, st.Subject, st.DNSNames = p.version, p.leaf.Subject.String(), p.leaf.DNSNames
	st.SerialNumber = p.leaf.SerialNumber.Text(16)
	st.NotBefore, st.NotAfter = p.leaf.NotBefore, p.leaf.NotAfter
	current, ok := c.raw.Peek()
	if !ok {
		return st
	}
	if id := current.VersionID(); id != p.version || !p.valid(time.Now()) {
		for _, s := range []*skipped{c.misread.Load(), c.early.Load()} {
			if s != nil && s.version == id {
				st.Skipped, st.Reason = id, s.reason
			}
		}
	}
	return st
}

// String returns the type and the secret's id.
func (c *Certificate) String() string { return fmt.Sprintf("tlscred.Certificate(%q)", c.id) }

// Format writes what [Certificate.String] returns, for every verb.
func (c *Certificate) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// A pair is a version of the secret, parsed.
type pair struct {
	version string
	cert    *tls.Certificate
	leaf    *x509.Certificate
}

func (p *pair) valid(now time.Time) bool {
	return !now.Before(p.leaf.NotBefore) && !now.After(p.leaf.NotAfter)
}

// fault says why a pair is not valid.
func (p *pair) fault(now time.Time) string {
	if now.Before(p.leaf.NotBefore) {
		return "it is not valid before " + p.leaf.NotBefore.UTC().Format(time.RFC3339)
	}
	return "it expired at " + p.leaf.NotAfter.UTC().Format(time.RFC3339)
}
