package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"sync"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/tlscred"
)

// The secrets of a server, a client, and the authorities that both trust.
const (
	serverTLS = "server/tls"
	clientTLS = "client/tls"
	rootsTLS  = "roots"
)

// tlsSite is a server that asks for certificates, and a client, each with a cache
// of its own.
type tlsSite struct {
	r       *liveRun
	n       int // rotations so far
	ca      *authority
	clients []*secrets.Client
	l       net.Listener
	served  sync.WaitGroup
	dialer  interface {
		DialContext(ctx context.Context, network, addr string) (net.Conn, error)
	}
}

func startTLS(r *liveRun) (_ liveSite, err error) {
	s := &tlsSite{r: r}
	if s.ca, err = newAuthority(); err != nil {
		return nil, err
	}
	r.fake.Put(rootsTLS, s.ca.pem)
	if err := errors.Join(s.issue(serverTLS), s.issue(clientTLS)); err != nil {
		return nil, err
	}
	for range 2 {
		c, err := secrets.New(r.fake.ClientFor(secretstest.Identity{ARN: appARN}), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return nil, err
		}
		s.clients = append(s.clients, c)
	}
	quiet := &tlscred.Options{Logger: slog.New(slog.DiscardHandler)}
	config := tlscred.ServerConfig(tlscred.New(s.clients[0], serverTLS, quiet), tlscred.NewPool(s.clients[0], rootsTLS), nil)
	if s.l, err = tls.Listen("tcp", "127.0.0.1:0", config); err != nil {
		return nil, err
	}
	s.served.Go(s.serve)
	s.dialer = &tlscred.Dialer{
		Certificate: tlscred.New(s.clients[1], clientTLS, quiet), Roots: tlscred.NewPool(s.clients[1], rootsTLS),
		Config: &tls.Config{ServerName: "localhost"},
	}
	if r.naive {
		s.dialer, err = s.naiveDialer(quiet)
	}
	return s, err
}

// naiveDialer has the certificates that its process found when it began.
func (s *tlsSite) naiveDialer(o *tlscred.Options) (*tls.Dialer, error) {
	ctx := context.Background()
	cert, err := tlscred.New(s.clients[1], clientTLS, o).Get(ctx)
	if err != nil {
		return nil, err
	}
	roots, err := tlscred.NewPool(s.clients[1], rootsTLS).Get(ctx)
	return &tls.Dialer{Config: &tls.Config{ServerName: "localhost", RootCAs: roots, Certificates: []tls.Certificate{*cert}}}, err
}

func (s *tlsSite) serve() {
	for {
		conn, err := s.l.Accept()
		if err != nil {
			return
		}
		s.served.Go(func() {
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			_, _ = io.Copy(conn, conn)
		})
	}
}

// use shakes hands, sends something and gets it back.
func (s *tlsSite) use(ctx context.Context) error {
	conn, err := s.dialer.DialContext(ctx, "tcp", s.l.Addr().String())
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("hello")); err != nil {
		return err
	}
	_, err = io.ReadFull(conn, make([]byte, 5))
	return err
}

// rotate replaces a certificate, by turns the server's, the client's, and both with
// the authority that signs them, which is trusted first.
func (s *tlsSite) rotate(ctx context.Context) error {
	s.n++
	ids := [][]string{{serverTLS}, {clientTLS}, {serverTLS, clientTLS}}[s.n%3]
	if len(ids) > 1 {
		ca, err := newAuthority()
		if err != nil {
			return err
		}
		s.ca = ca
		s.r.fake.Put(rootsTLS, ca.pem)
		if err := s.spread(ctx, rootsTLS); err != nil {
			return err
		}
	}
	for _, id := range ids {
		if err := errors.Join(s.issue(id), s.spread(ctx, id)); err != nil {
			return err
		}
	}
	return nil
}

// spread has both sides know a secret, as they do after the TTL. Handshakes that
// have begun before end first.
func (s *tlsSite) spread(ctx context.Context, id string) error {
	for _, c := range s.clients {
		if err := c.Refresh(ctx, id); err != nil {
			return err
		}
	}
	s.r.settle()
	return nil
}

func (s *tlsSite) wrongLogins() int { return 0 }

func (s *tlsSite) close() error {
	err := s.l.Close()
	s.served.Wait()
	for _, c := range s.clients {
		err = errors.Join(err, c.Close())
	}
	return err
}

// issue makes a certificate and puts it into a secret.
func (s *tlsSite) issue(id string) error {
	text, err := s.ca.issue("localhost")
	if err == nil {
		s.r.fake.Put(id, text)
	}
	return err
}

// An authority signs certificates.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pem  string
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	c := template("authority")
	c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{key, cert, block("CERTIFICATE", der)}, err
}

// issue returns a key and a certificate.
func (a *authority) issue(name string) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	der, err := x509.CreateCertificate(rand.Reader, template(name), a.cert, key.Public(), a.key)
	if err != nil {
		return "", err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	return block("PRIVATE KEY", private) + block("CERTIFICATE", der), err
}

func template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62)) // never fails
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name + " " + serial.String()}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
