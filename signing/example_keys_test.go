package signing_test

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http/httptest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/signing"
)

// exampleClient returns a client of a fake Secrets Manager, both to be closed.
func exampleClient() (*secretstest.Server, *secrets.Client) {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{
		"webhooks": "a key of an HMAC has 32 bytes or more",
		"token":    newEd25519(),
	}})
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	return srv, client
}

// newEd25519 returns a new private key as PEM, as a rotation function makes it.
func newEd25519() string {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		log.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		log.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// The sender signs and sends the id of the key with the message. The receiver
// verifies with that key. Both may be many processes.
func Example() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	ctx, message := context.Background(), []byte("order 7 was paid")

	sender := signing.New(client, "webhooks", nil)
	id, signature, err := sender.Sign(ctx, message)
	if err != nil {
		log.Fatal(err)
	}
	receiver := signing.New(client, "webhooks", nil)
	switch err := receiver.Verify(ctx, id, message, signature); {
	case err == nil:
		fmt.Println("it is genuine")
	case errors.Is(err, signing.ErrSignature), errors.Is(err, signing.ErrUnknownKey):
		fmt.Println("refuse it") // 401
	default:
		fmt.Println("the keys cannot be read") // 503: the sender may try again
	}
	// Output: it is genuine
}

// Verifiers read the JWKS document, which may lag by ten minutes. A signature
// stays valid for a day after its key has lost its last label.
func ExampleNew() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()

	keys := signing.New(client, "token", &signing.Options{
		Lead:   20 * time.Minute,
		MaxAge: 10 * time.Minute,
		Grace:  24 * time.Hour,
	})
	if _, err := keys.Signer(context.Background()); err != nil { // fail at the start, not at the first token
		log.Fatal(err)
	}
	fmt.Println(keys)
	// Output: signing.Keys("token")
}

// An invented id is not the id of a key.
func ExampleKeys_Verify() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	ctx := context.Background()
	keys := signing.New(client, "webhooks", nil)
	id, signature, err := keys.Sign(ctx, []byte("10 USD"))
	if err != nil {
		log.Fatal(err)
	}

	fmt.Println(keys.Verify(ctx, id, []byte("10 USD"), signature))
	fmt.Println(keys.Verify(ctx, id, []byte("99 USD"), signature))
	fmt.Println(errors.Is(keys.Verify(ctx, "made up", []byte("10 USD"), signature), signing.ErrUnknownKey))
	// Output:
	// <nil>
	// signing: the signature does not match
	// true
}

// The id in the token's header names its key. The key, not the token,
// determines the algorithm.
func ExampleKeys_Key() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	ctx := context.Background()
	keys := signing.New(client, "token", nil)
	id, signature, err := keys.Sign(ctx, []byte("claims"))
	if err != nil {
		log.Fatal(err)
	}

	key, err := keys.Key(ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key.Algorithm(), key.Verify([]byte("claims"), signature))
	// Output: EdDSA true
}

// A Key signs several messages that must have the same key.
func ExampleKey() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	key, err := signing.New(client, "webhooks", nil).Signer(context.Background())
	if err != nil {
		log.Fatal(err)
	}

	first, second := key.Sign([]byte("1")), key.Sign([]byte("2"))
	fmt.Println(key.Verify([]byte("1"), first), key.Verify([]byte("1"), second))
	fmt.Println(key.Algorithm(), key.ID() == srv.VersionID("webhooks", secrets.Current))
	// Output:
	// true false
	// HS256 true
}

// Only public keys are published. HMAC keys are not.
func ExampleKeys_JWKS() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	ctx := context.Background()

	text, err := signing.New(client, "token", nil).JWKS(ctx)
	if err != nil {
		log.Fatal(err)
	}
	var set struct {
		Keys []struct{ Kty, Crv, Alg string }
	}
	if err := json.Unmarshal(text, &set); err != nil {
		log.Fatal(err)
	}
	fmt.Println(set.Keys)
	_, err = signing.New(client, "webhooks", nil).JWKS(ctx)
	fmt.Println(errors.Is(err, signing.ErrNotPublic))
	// Output:
	// [{OKP Ed25519 EdDSA}]
	// true
}

// At /.well-known/jwks.json, for verifiers that must not read the secret.
func ExampleKeys_JWKSHandler() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()

	h := signing.New(client, "token", nil).JWKSHandler()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/jwks.json", nil))
	fmt.Println(w.Code, w.Header().Get("Cache-Control"))
	// Output: 200 public, max-age=300
}
