package tlscred_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"net/http"

	"github.com/seed-74dc7b3e/secrets/tlscred"
)

// A server whose certificate is replaced while it runs.
func ExampleNew() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()

	cert := tlscred.New(client, "server/tls", quiet())
	if _, err := cert.Get(context.Background()); err != nil { // fail at the start, not at the first handshake
		log.Fatal(err)
	}
	server := &http.Server{Addr: ":443", TLSConfig: &tls.Config{GetCertificate: cert.GetCertificate}}
	fmt.Println(server.Addr, cert.Status().DNSNames) // then server.ListenAndServeTLS("", "")
	// Output: :443 [shop.internal]
}

// A client whose certificate no authority in the pool has signed is refused.
func ExampleServerConfig() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	cert := tlscred.New(client, "server/tls", quiet())
	clients := tlscred.NewPool(client, "client-authorities")
	server := exampleServer(tlscred.ServerConfig(cert, clients, &tls.Config{MinVersion: tls.VersionTLS13}))
	defer server.Close()

	for _, id := range []string{"client/tls", "server/tls"} { // the second is of another authority
		d := &tlscred.Dialer{
			Certificate: tlscred.New(client, id, quiet()),
			Roots:       tlscred.NewPool(client, "server-authorities"),
			Config:      &tls.Config{ServerName: "shop.internal"},
		}
		transport := d.Transport()
		resp, err := (&http.Client{Transport: transport}).Get(server.URL)
		if err == nil {
			resp.Body.Close()
		}
		fmt.Println(err == nil)
		transport.CloseIdleConnections()
	}
	// Output:
	// true
	// false
}
