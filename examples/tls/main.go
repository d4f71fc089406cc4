// Command tls serves HTTPS with a certificate from Secrets Manager. The
// certificate is replaced by a good one, by a broken one, which is not used,
// and by one that is not valid yet. Meanwhile a client sends requests without a
// pause, each on a new connection. The client's trusted authorities are in a
// secret too. No handshake fails.
//
// Secrets Manager runs in the process, and the server on loopback. Every
// printed number was measured in that run. The exit status is 1 if a handshake
// failed.
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
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/tlscred"
)

const certName, rootsName = "prod/tls", "prod/authorities"

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "tls:", err)
		os.Exit(1)
	}
}

// authority signs certificates.
type authority struct {
	key    *ecdsa.PrivateKey
	cert   *x509.Certificate
	serial int64
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "example authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	t, err = x509.ParseCertificate(der)
	return &authority{key: key, cert: t, serial: 1}, err
}

// issue returns a new certificate with its key, as PEM.
func (a *authority) issue(from time.Time) (string, error) {
	a.serial++
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: from, NotAfter: from.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, t, a.cert, key.Public(), a.key)
	if err != nil {
		return "", err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	return block("CERTIFICATE", cert) + block("PRIVATE KEY", private), err
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func run(ctx context.Context, out io.Writer) error {
	ca, err := newAuthority()
	if err != nil {
		return err
	}
	first, err := ca.issue(time.Now().Add(-time.Minute))
	if err != nil {
		return err
	}
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{certName: first, rootsName: block("CERTIFICATE", ca.cert.Raw)}})
	defer srv.Close()
	quiet := slog.New(slog.DiscardHandler)
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: quiet})
	if err != nil {
		return err
	}
	defer client.Close()

	cert := tlscred.New(client, certName, &tlscred.Options{Logger: quiet})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{
		TLSConfig: &tls.Config{GetCertificate: cert.GetCertificate},
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }),
	}
	go server.ServeTLS(l, "", "")
	defer server.Close()

	load := ask(ctx, client, l.Addr().String())
	load.settle(ctx)
	steps := []struct {
		what string
		from time.Duration
	}{{"a new certificate", -time.Minute}, {"a broken one", 0}, {"one that is valid in an hour", time.Hour}, {"another new one", -time.Minute}}
	for _, step := range steps {
		value := "this is no certificate"
		if step.from != 0 {
			if value, err = ca.issue(time.Now().Add(step.from)); err != nil {
				return err
			}
		}
		srv.Put(certName, value)
		if err := client.Refresh(ctx, certName); err != nil { // or wait for the TTL
			return err
		}
		load.settle(ctx)
		st := cert.Status()
		fmt.Fprintf(out, "%-30s in use: serial number %s, until %s; %s\n", step.what, st.SerialNumber, st.NotAfter.Format(time.DateOnly), or(st.Reason, "it is the current one"))
	}
	load.stop()
	fmt.Fprintf(out, "handshakes                     %d, with %d certificates\n", load.done.Load(), load.certificates())
	fmt.Fprintf(out, "failed handshakes: %d\n", load.failed.Load())
	if load.failed.Load() > 0 || load.certificates() != 3 {
		return errors.New("a handshake failed, or a certificate was not used that should have been")
	}
	return nil
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// load connects as several clients without a pause.
type load struct {
	done, failed atomic.Int64
	seen         sync.Map // serial numbers
	stop         func()
}

func ask(ctx context.Context, client *secrets.Client, addr string) *load {
	ctx, cancel := context.WithCancel(ctx)
	d := &tlscred.Dialer{Roots: tlscred.NewPool(client, rootsName), Config: &tls.Config{ServerName: "localhost"}}
	l := &load{}
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for ctx.Err() == nil {
				conn, err := d.DialContext(context.WithoutCancel(ctx), "tcp", addr)
				if err != nil {
					l.failed.Add(1)
				} else {
					l.seen.Store(conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64(), true)
					conn.Close()
				}
				l.done.Add(1)
			}
		})
	}
	l.stop = func() { cancel(); running.Wait() }
	return l
}

// settle waits until further handshakes have begun and ended.
func (l *load) settle(ctx context.Context) {
	for begun := l.done.Load(); l.done.Load() < begun+12 && ctx.Err() == nil; {
		time.Sleep(time.Millisecond)
	}
}

func (l *load) certificates() (n int) {
	l.seen.Range(func(_, _ any) bool { n++; return true })
	return n
}
