package tlscred_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/tlscred"
)

// authority signs certificates.
type authority struct {
	key  crypto.Signer
	cert *x509.Certificate
}

var serial atomic.Int64

func template(name string, from, to time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial.Add(1)), Subject: pkix.Name{CommonName: name},
		NotBefore: from, NotAfter: to, DNSNames: []string{name}, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	key := newKey(t)
	c := template(name, time.Now().Add(-time.Hour), time.Now().Add(24*365*time.Hour))
	c.IsCA, c.KeyUsage, c.ExtKeyUsage, c.DNSNames = true, x509.KeyUsageCertSign, nil, nil
	return &authority{key, sign(t, c, c, key.Public(), key)}
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, c, by *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, by, public, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func (a *authority) pem() string { return certPEM(a.cert) }

func certPEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func keyPEM(t testing.TB, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// issue returns a certificate for a name, as the PEM of chain and key.
func (a *authority) issue(t testing.TB, name string, from, to time.Duration) string {
	t.Helper()
	key := newKey(t)
	c := sign(t, template(name, time.Now().Add(from), time.Now().Add(to)), a.cert, key.Public(), a.key)
	return certPEM(c) + keyPEM(t, key)
}

const id = "prod/tls"

func open(t testing.TB, srv *secretstest.Server, ttl time.Duration) *secrets.Client {
	t.Helper()
	c, err := secrets.New(srv.Client(), &secrets.Options{TTL: ttl, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func quiet() *tlscred.Options { return &tlscred.Options{Logger: slog.New(slog.DiscardHandler)} }

// nameOf returns for which name the certificate in use is, or the error.
func nameOf(c *tlscred.Certificate) string {
	cert, err := c.Get(context.Background())
	if err != nil {
		return "error: " + err.Error()
	}
	return cert.Leaf.Subject.CommonName
}

func expect(t *testing.T, what string, c *tlscred.Certificate, want string) {
	t.Helper()
	if got := nameOf(c); got != want {
		t.Errorf("%s: %s is in use, want %s", what, got, want)
	}
}

// Each form is read, with keys of each kind; the chain is in order.
func TestForms(t *testing.T) {
	ca := newAuthority(t, "ca")
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey := newKey(t).(*ecdsa.PrivateKey)
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	leafOf := func(key crypto.Signer) string {
		return certPEM(sign(t, template("leaf", time.Now(), time.Now().Add(time.Hour)), ca.cert, key.Public(), ca.key))
	}
	ecDER, _ := x509.MarshalECPrivateKey(ecKey)
	ecPEM := string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: ecDER}))
	rsaPEM := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)}))
	object := func(kv ...any) string {
		m := map[string]any{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i].(string)] = kv[i+1]
		}
		text, _ := json.Marshal(m)
		return string(text)
	}
	for name, value := range map[string]string{
		"pem":               leafOf(edKey) + ca.pem() + keyPEM(t, edKey),
		"pem, key first":    keyPEM(t, rsaKey) + leafOf(rsaKey) + ca.pem(),
		"pem, ca first":     ca.pem() + ecPEM + leafOf(ecKey),
		"pkcs1":             rsaPEM + leafOf(rsaKey) + ca.pem(),
		"json":              object("certificate", leafOf(ecKey)+ca.pem(), "key", ecPEM),
		"json, acm":         object("Certificate", leafOf(ecKey), "CertificateChain", ca.pem(), "PrivateKey", ecPEM),
		"json, kubernetes":  object("tls.crt", leafOf(ecKey)+ca.pem(), "tls.key", ecPEM),
		"json, chain array": object("cert", leafOf(ecKey), "ca_chain", []string{ca.pem()}, "private_key", ecPEM, "serial", 5),
		"json, twice":       object("cert", leafOf(ecKey)+ca.pem(), "chain", ca.pem(), "key", ecPEM),
	} {
		srv := secretstest.New(t, secretstest.Secrets{id: value})
		cert, err := tlscred.New(open(t, srv, 0), id, quiet()).Get(t.Context())
		switch {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case cert.Leaf.Subject.CommonName != "leaf" || string(cert.Certificate[0]) != string(cert.Leaf.Raw):
			t.Errorf("%s: the first certificate is not the key's", name)
		case len(cert.Certificate) < 2 || string(cert.Certificate[1]) != string(ca.cert.Raw):
			t.Errorf("%s: a chain of %d", name, len(cert.Certificate))
		}
	}
}

// A broken value is an error that describes the fault and does not show the
// value.
func TestBroken(t *testing.T) {
	ca := newAuthority(t, "ca")
	good := ca.issue(t, "a", 0, time.Hour)
	cert, key, _ := strings.Cut(good, "-----BEGIN PRIVATE KEY")
	key = "-----BEGIN PRIVATE KEY" + key
	bad := func(kind, text string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(text)}))
	}
	for value, want := range map[string]string{
		"hunter2":                           "neither PEM nor",
		`{"certificate":"hunter2"}`:         "neither PEM nor",
		cert:                                "no private key",
		key:                                 "no certificate",
		ca.pem() + key:                      "belongs to none",
		cert + bad("PRIVATE KEY", "hunt"):   "key cannot be read",
		bad("CERTIFICATE", "hunter2") + key: "certificate in it cannot be read",
		cert + bad("ENCRYPTED PRIVATE KEY", "hunter2"): "encrypted",
	} {
		srv := secretstest.New(t, secretstest.Secrets{id: value})
		_, err := tlscred.New(open(t, srv, 0), id, quiet()).Get(t.Context())
		var de *secrets.DecodeError
		if !errors.As(err, &de) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunt") {
			t.Errorf("got %v, want a DecodeError that says %q", err, want)
		}
	}
}

// A new version is used once it is known. A broken, expired or not yet valid
// version is not used; the latter is used when it becomes valid.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newAuthority(t, "ca")
		srv := secretstest.New(t, secretstest.Secrets{id: ca.issue(t, "a", -time.Hour, 24*time.Hour)})
		client := open(t, srv, time.Minute)
		c := tlscred.New(client, id, quiet())
		put := func(value string) string {
			v := srv.Put(id, value)
			if err := client.Refresh(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			return v
		}
		expect(t, "at first", c, "a")
		put(ca.issue(t, "b", 0, 24*time.Hour))
		expect(t, "after a rotation", c, "b")

		broken := put("no PEM")
		expect(t, "with a broken new version", c, "b")
		if st := c.Status(); st.Skipped != broken || !strings.Contains(st.Reason, "PEM") {
			t.Errorf("the status is %+v, want the broken version named", st)
		}
		early := put(ca.issue(t, "c", 10*time.Minute, 24*time.Hour))
		expect(t, "before the new one is valid", c, "b")
		if st := c.Status(); st.Skipped != early || !strings.Contains(st.Reason, "not valid before") || st.Subject != "CN=b" {
			t.Errorf("the status is %+v, want the early version named", st)
		}
		time.Sleep(10*time.Minute - time.Nanosecond)
		expect(t, "an instant before", c, "b")
		time.Sleep(time.Nanosecond)
		expect(t, "when it is", c, "c")
		if st := c.Status(); st.Skipped != "" || st.VersionID != early || st.NotAfter.IsZero() || st.SerialNumber == "" || st.DNSNames[0] != "c" {
			t.Errorf("the status is %+v, want the new one in use", st)
		}
		put(ca.issue(t, "d", -2*time.Hour, -time.Hour))
		expect(t, "with an expired new version", c, "c")
		if st := c.Status(); !strings.Contains(st.Reason, "expired") {
			t.Errorf("the status is %+v, want the expired version named", st)
		}
		time.Sleep(25 * time.Hour)
		expect(t, "when the old one has expired too", c, "d")
	})
}

// After a restart there is no old certificate in memory, so the previous
// version replaces a current one that is broken or not valid yet.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newAuthority(t, "ca")
		for what, current := range map[string]string{"broken": "no PEM", "early": ca.issue(t, "b", time.Hour, 2*time.Hour)} {
			srv := secretstest.New(t, secretstest.Secrets{id: ca.issue(t, "a", -time.Hour, time.Hour)})
			srv.Put(id, current)
			c := tlscred.New(open(t, srv, 0), id, quiet())
			for range 3 {
				expect(t, what, c, "a")
			}
			if st := c.Status(); st.Skipped != srv.VersionID(id, secrets.Current) || st.Reason == "" {
				t.Errorf("%s: the status is %+v", what, st)
			}
		}
		srv := secretstest.New(t, secretstest.Secrets{id: ca.issue(t, "alone", time.Hour, 2*time.Hour)})
		expect(t, "with no other", tlscred.New(open(t, srv, 0), id, quiet()), "alone")
	})
}

// Each version is parsed once, however many handshakes there are.
func TestParsedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newAuthority(t, "ca")
		srv := secretstest.New(t, secretstest.Secrets{id: ca.issue(t, "a", -time.Hour, 24*time.Hour)})
		parsed := 0
		o := quiet()
		o.Decode = func(s *secrets.Secret) (*tls.Certificate, error) {
			parsed++
			cert, err := tls.X509KeyPair(s.Bytes(), s.Bytes())
			return &cert, err
		}
		c := tlscred.New(open(t, srv, time.Minute), id, o)
		for i := range 5 {
			for range 100 {
				if got := nameOf(c); strings.HasPrefix(got, "error") {
					t.Fatal(got)
				}
			}
			srv.Put(id, ca.issue(t, fmt.Sprint("v", i), -time.Hour, 24*time.Hour))
			time.Sleep(2 * time.Minute)
		}
		if expect(t, "in the end", c, "v4"); parsed != 6 {
			t.Errorf("6 versions were parsed %d times", parsed)
		}
	})
}

// A function that returns less than a certificate is refused.
func TestDecodeRefused(t *testing.T) {
	ca := newAuthority(t, "ca")
	other, _ := tls.X509KeyPair([]byte(ca.issue(t, "x", 0, time.Hour)), []byte(ca.issue(t, "x", 0, time.Hour)))
	boom := errors.New("boom hunter2")
	for _, decode := range []func(*secrets.Secret) (*tls.Certificate, error){
		func(*secrets.Secret) (*tls.Certificate, error) { return nil, nil },
		func(*secrets.Secret) (*tls.Certificate, error) { return &tls.Certificate{}, nil },
		func(*secrets.Secret) (*tls.Certificate, error) { return &other, nil },
		func(*secrets.Secret) (*tls.Certificate, error) {
			return &tls.Certificate{Certificate: [][]byte{ca.cert.Raw}, PrivateKey: newKey(t)}, nil
		},
		func(*secrets.Secret) (*tls.Certificate, error) { return nil, boom },
	} {
		o := quiet()
		o.Decode = decode
		srv := secretstest.New(t, secretstest.Secrets{id: "x"})
		_, err := tlscred.New(open(t, srv, 0), id, o).Get(t.Context())
		if !errors.As(err, new(*secrets.DecodeError)) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Get = %v, want a DecodeError", err)
		}
	}
}

// The errors of the service, and of a closed client, fail handshakes.
func TestServiceErrors(t *testing.T) {
	srv := secretstest.New(t, nil)
	client := open(t, srv, 0)
	c, p := tlscred.New(client, id, quiet()), tlscred.NewPool(client, id)
	if got := nameOf(c); !strings.Contains(got, "ResourceNotFound") {
		t.Errorf("without a secret: %s", got)
	}
	if _, err := p.Get(t.Context()); err == nil {
		t.Error("a pool without a secret")
	}
	if st := c.Status(); st.SecretID != id || st.VersionID != "" {
		t.Errorf("the status before the first use is %+v", st)
	}
	client.Close()
	if _, err := c.Get(t.Context()); err != secrets.ErrClosed {
		t.Errorf("after Close: %v", err)
	}
	if got := fmt.Sprintf("%v %+v", c, p); got != `tlscred.Certificate("prod/tls") tlscred.Pool("prod/tls")` {
		t.Errorf("prints as %s", got)
	}
}

// A server that wants another authority's certificates is shown none.
func TestClientCertificate(t *testing.T) {
	ca, other := newAuthority(t, "ca"), newAuthority(t, "other")
	srv := secretstest.New(t, secretstest.Secrets{id: ca.issue(t, "a", -time.Hour, time.Hour)})
	c := tlscred.New(open(t, srv, 0), id, quiet())
	for by, want := range map[*authority]int{ca: 1, other: 0} {
		cert, err := c.GetClientCertificate(&tls.CertificateRequestInfo{
			AcceptableCAs: [][]byte{by.cert.RawSubject}, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}, Version: tls.VersionTLS13,
		})
		if err != nil || len(cert.Certificate) != want {
			t.Errorf("for %s: a chain of %d, %v, want %d", by.cert.Subject, len(cert.Certificate), err, want)
		}
	}
}
