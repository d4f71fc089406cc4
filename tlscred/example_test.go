package tlscred_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/tlscred"
)

func ExampleNew() {
	var api *secretsmanager.Client // secretsmanager.NewFromConfig(cfg)
	client, err := secrets.New(api, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	cert := tlscred.New(client, "prod/tls", nil)
	if _, err := cert.Get(context.Background()); err != nil { // fail at the start, not at the first handshake
		log.Fatal(err)
	}
	server := &http.Server{Addr: ":443", TLSConfig: &tls.Config{GetCertificate: cert.GetCertificate}}
	log.Fatal(server.ListenAndServeTLS("", ""))
}

// Both sides verify each other by authorities that a secret holds.
func ExampleServerConfig() {
	serve := func(client *secrets.Client) *http.Server {
		cert := tlscred.New(client, "server/tls", nil)
		return &http.Server{TLSConfig: tlscred.ServerConfig(cert, tlscred.NewPool(client, "client-authorities"), nil)}
	}
	ask := func(client *secrets.Client) *http.Client {
		d := &tlscred.Dialer{Certificate: tlscred.New(client, "client/tls", nil), Roots: tlscred.NewPool(client, "server-authorities")}
		return &http.Client{Transport: d.Transport()}
	}
	fmt.Println(serve != nil, ask != nil)
	// Output: true true
}
