package signing_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"strings"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/signing"
)

// A webhook is signed with one key. Anybody who has the secret can still verify
// it after a rotation of the key.
func ExampleKeys_Sign() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"webhooks": "a key of an HMAC has 32 bytes or more"}})
	defer srv.Close()
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx := context.Background()

	keys := signing.New(client, "webhooks", nil)
	id, sig, err := keys.Sign(ctx, []byte("paid"))
	if err != nil {
		log.Fatal(err)
	}
	srv.Put("webhooks", "another key, which is of 32 bytes or more too")
	if err := client.Refresh(ctx, "webhooks"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(keys.Verify(ctx, id, []byte("paid"), sig))
	fmt.Println(keys.Verify(ctx, id, []byte("not paid"), sig))
	// Output:
	// <nil>
	// signing: the signature does not match
}

// A JSON Web Token names its key and algorithm in its header. At verification
// the key determines the required algorithm.
func ExampleKeys_Signer() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"jwt": "a key of an HMAC has 32 bytes or more"}})
	defer srv.Close()
	client, err := secrets.New(srv.Client(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	keys, ctx, b64 := signing.New(client, "jwt", nil), context.Background(), base64.RawURLEncoding

	issue := func(claims any) (string, error) {
		key, err := keys.Signer(ctx)
		if err != nil {
			return "", err
		}
		header, _ := json.Marshal(map[string]string{"alg": key.Algorithm(), "kid": key.ID(), "typ": "JWT"})
		body, err := json.Marshal(claims)
		if err != nil {
			return "", err
		}
		message := b64.EncodeToString(header) + "." + b64.EncodeToString(body)
		return message + "." + b64.EncodeToString(key.Sign([]byte(message))), nil
	}
	check := func(token string, claims any) error {
		parts := strings.Split(token, ".")
		var header struct{ Alg, Kid string }
		if len(parts) != 3 {
			return errors.New("not a token")
		}
		text, _ := b64.DecodeString(parts[0])
		if err := json.Unmarshal(text, &header); err != nil {
			return err
		}
		key, err := keys.Key(ctx, header.Kid)
		if err != nil {
			return err
		}
		sig, err := b64.DecodeString(parts[2])
		if err != nil || header.Alg != key.Algorithm() || !key.Verify([]byte(parts[0]+"."+parts[1]), sig) {
			return signing.ErrSignature
		}
		text, _ = b64.DecodeString(parts[1])
		return json.Unmarshal(text, claims)
	}

	token, err := issue(map[string]string{"sub": "gopher"})
	if err != nil {
		log.Fatal(err)
	}
	var claims struct{ Sub string }
	fmt.Println(check(token, &claims), claims.Sub)
	fmt.Println(check(token[:len(token)-4]+"AAAA", &claims))
	// Output:
	// <nil> gopher
	// signing: the signature does not match
}
