package tlscred_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/tlscred"
)

// selfSigned returns a key with a certificate that is its own authority, as PEM.
func selfSigned(name string) (key, certificate string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		log.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		log.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
}

// exampleClient returns a client of a fake Secrets Manager that has the
// certificates of a server and a client, and the authorities of both.
func exampleClient() (*secretstest.Server, *secrets.Client) {
	serverKey, serverCert := selfSigned("shop.internal")
	clientKey, clientCert := selfSigned("till-7")
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{
		"server/tls": serverKey + serverCert, "server-authorities": serverCert,
		"client/tls": clientKey + clientCert, "client-authorities": clientCert,
	}})
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	return srv, client
}

// exampleServer is an HTTPS server that greets clients by their certificates.
func exampleServer(config *tls.Config) *httptest.Server {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, len(r.TLS.PeerCertificates))
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.TLS = config
	server.StartTLS()
	return server
}

// Server and client verify each other. Certificates and authorities may be
// replaced while they run.
func Example() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	config := tlscred.ServerConfig(tlscred.New(client, "server/tls", quiet()), tlscred.NewPool(client, "client-authorities"), nil)
	server := exampleServer(config)
	defer server.Close()

	dialer := &tlscred.Dialer{
		Certificate: tlscred.New(client, "client/tls", quiet()),
		Roots:       tlscred.NewPool(client, "server-authorities"),
		Config:      &tls.Config{ServerName: "shop.internal"}, // dialed by its address here
	}
	transport := dialer.Transport()
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(server.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status, resp.TLS.PeerCertificates[0].DNSNames)
	// Output: 200 OK [shop.internal]
}

// At the start a program makes sure that it has a certificate.
func ExampleCertificate_Get() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	cert, err := tlscred.New(client, "server/tls", quiet()).Get(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cert.Leaf.DNSNames)
	// Output: [shop.internal]
}

// A server whose other settings are its own.
func ExampleCertificate_GetCertificate() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	cert := tlscred.New(client, "server/tls", quiet())
	server := exampleServer(&tls.Config{GetCertificate: cert.GetCertificate, MinVersion: tls.VersionTLS13})
	defer server.Close()

	roots, err := tlscred.NewPool(client, "server-authorities").Get(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	conn, err := tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "shop.internal"})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(tls.VersionName(conn.ConnectionState().Version))
	// Output: TLS 1.3
}

// A client of a library that takes a tls.Config.
func ExampleCertificate_GetClientCertificate() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	cert := tlscred.New(client, "client/tls", quiet())
	config := &tls.Config{ServerName: "shop.internal", GetClientCertificate: cert.GetClientCertificate}

	shown, err := config.GetClientCertificate(&tls.CertificateRequestInfo{
		Version: tls.VersionTLS13, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(shown.Leaf.Subject.CommonName)
	// Output: till-7
}

// A certificate that does not parse leaves the good one in use, and says why.
func ExampleCertificate_Status() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	ctx := context.Background()
	cert := tlscred.New(client, "server/tls", quiet())
	if _, err := cert.Get(ctx); err != nil {
		log.Fatal(err)
	}

	broken := srv.Put("server/tls", "-----BEGIN CERTIFICATE-----")
	if err := client.Refresh(ctx, "server/tls"); err != nil {
		log.Fatal(err)
	}
	if _, err := cert.Get(ctx); err != nil {
		log.Fatal(err)
	}
	st := cert.Status()
	fmt.Println(st.DNSNames, time.Until(st.NotAfter) > 0)
	fmt.Println(st.Skipped == broken, st.Reason != "")
	// Output:
	// [shop.internal] true
	// true true
}

// A secret in another form is read by a function of the program's, here the one of
// crypto/tls.
func ExampleOptions() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	cert := tlscred.New(client, "server/tls", &tlscred.Options{
		Logger: slog.New(slog.DiscardHandler),
		Decode: func(s *secrets.Secret) (*tls.Certificate, error) {
			pair, err := tls.X509KeyPair(s.Bytes(), s.Bytes())
			return &pair, err
		},
	})
	c, err := cert.Get(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Leaf.DNSNames)
	// Output: [shop.internal]
}

// For protocols other than HTTP: a connection whose handshake is done.
func ExampleDialer_DialContext() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	server := exampleServer(tlscred.ServerConfig(tlscred.New(client, "server/tls", quiet()), nil, nil))
	defer server.Close()

	d := &tlscred.Dialer{
		Roots:  tlscred.NewPool(client, "server-authorities"),
		Config: &tls.Config{ServerName: "shop.internal"},
		Net:    net.Dialer{Timeout: 5 * time.Second},
	}
	conn, err := d.DialContext(context.Background(), "tcp", server.Listener.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(conn.(*tls.Conn).ConnectionState().HandshakeComplete)
	// Output: true
}

// An http.Client that shows a certificate to whoever asks for one.
func ExampleDialer_Transport() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	d := &tlscred.Dialer{Certificate: tlscred.New(client, "client/tls", quiet())}

	transport := d.Transport()
	defer transport.CloseIdleConnections()
	c := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	fmt.Println(c.Timeout, transport.DialTLSContext != nil)
	// Output: 10s true
}

// While authorities are being replaced both are trusted.
func ExampleNewPool() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	ctx := context.Background()
	pool := tlscred.NewPool(client, "server-authorities")
	one, err := pool.Get(ctx)
	if err != nil {
		log.Fatal(err)
	}

	_, next := selfSigned("next.internal")
	srv.Put("server-authorities", next) // the one before it keeps AWSPREVIOUS
	if err := client.Refresh(ctx, "server-authorities"); err != nil {
		log.Fatal(err)
	}
	two, err := pool.Get(ctx)
	if err != nil {
		log.Fatal(err)
	}
	block, _ := pem.Decode([]byte(next))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		log.Fatal(err)
	}
	for _, roots := range []*x509.CertPool{one, two} {
		_, err = cert.Verify(x509.VerifyOptions{Roots: roots})
		fmt.Println(err == nil)
	}
	// Output:
	// false
	// true
}

// The pool as crypto/x509 takes it, to verify what did not come in a handshake.
func ExamplePool_Get() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	ctx := context.Background()
	roots, err := tlscred.NewPool(client, "client-authorities").Get(ctx)
	if err != nil {
		log.Fatal(err)
	}
	cert, err := tlscred.New(client, "client/tls", quiet()).Get(ctx)
	if err != nil {
		log.Fatal(err)
	}

	_, err = cert.Leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	fmt.Println(err)
	// Output: <nil>
}
