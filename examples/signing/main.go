// Command signing issues JSON Web Tokens while the signing key rotates. The key
// is in Secrets Manager. Two services verify the tokens: one has access to the
// secret, through its own cache; the other knows only the JWKS document, which
// it reads again when its cache time ends. No token is refused.
//
// Everything runs in one process, on loopback, and with short intervals: with
// the defaults a new key signs after a quarter of an hour, here after a second.
// Every printed number was measured in that run. The exit status is 1 if a
// token was refused.
package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/signing"
)

const name = "prod/token-key"

// The intervals. Rotations are further apart than lead, ttl and lifetime
// together, and lead is longer than the ttl and the age of a document.
const (
	ttl      = 100 * time.Millisecond // of the clients, and of the document
	lead     = time.Second            // before a new key signs
	lifetime = 200 * time.Millisecond // of a token
	interval = 1600 * time.Millisecond
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "signing:", err)
		os.Exit(1)
	}
}

var b64 = base64.RawURLEncoding

// issue makes a token.
func issue(ctx context.Context, keys *signing.Keys, claims any) (string, error) {
	key, err := keys.Signer(ctx)
	if err != nil {
		return "", err
	}
	header, err := json.Marshal(map[string]string{"alg": key.Algorithm(), "kid": key.ID(), "typ": "JWT"})
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	message := b64.EncodeToString(header) + "." + b64.EncodeToString(body)
	return message + "." + b64.EncodeToString(key.Sign([]byte(message))), nil
}

// open parses a token.
func open(token string) (kid, alg, message string, sig []byte, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", "", "", nil, errors.New("not a token")
	}
	text, err := b64.DecodeString(parts[0])
	if err != nil {
		return "", "", "", nil, err
	}
	var header struct{ Alg, Kid string }
	if err := json.Unmarshal(text, &header); err != nil {
		return "", "", "", nil, err
	}
	sig, err = b64.DecodeString(parts[2])
	return header.Kid, header.Alg, parts[0] + "." + parts[1], sig, err
}

// verify verifies with the secret.
func verify(ctx context.Context, keys *signing.Keys, token string) error {
	kid, alg, message, sig, err := open(token)
	if err != nil {
		return err
	}
	key, err := keys.Key(ctx, kid)
	if err != nil {
		return err
	}
	if alg != key.Algorithm() || !key.Verify([]byte(message), sig) {
		return signing.ErrSignature
	}
	return nil
}

// stranger verifies with only the document.
type stranger struct {
	url   string
	until time.Time
	keys  map[string]ed25519.PublicKey
}

func (s *stranger) verify(ctx context.Context, token string, now time.Time) error {
	if !now.Before(s.until) {
		if err := s.read(ctx); err != nil {
			return err
		}
		s.until = now.Add(ttl)
	}
	kid, alg, message, sig, err := open(token)
	switch key := s.keys[kid]; {
	case err != nil:
		return err
	case key == nil:
		return signing.ErrUnknownKey
	case alg != signing.EdDSA || !ed25519.Verify(key, []byte(message), sig):
		return signing.ErrSignature
	}
	return nil
}

func (s *stranger) read(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var set struct{ Keys []struct{ Kid, X string } }
	if err := json.NewDecoder(resp.Body).Decode(&set); err != nil {
		return err
	}
	s.keys = map[string]ed25519.PublicKey{}
	for _, key := range set.Keys {
		if s.keys[key.Kid], err = b64.DecodeString(key.X); err != nil {
			return err
		}
	}
	return nil
}

func newKey() (string, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), err
}

// A dated token is one that was issued.
type dated struct {
	token string
	at    time.Time
}

func run(ctx context.Context, out io.Writer) error {
	const rotations = 2
	first, err := newKey()
	if err != nil {
		return err
	}
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{name: first}})
	defer srv.Close()
	var all [3]*signing.Keys // of the issuer, of a verifier, and of the server of the document
	for i := range all {
		client, err := secrets.New(srv.Client(), &secrets.Options{TTL: ttl, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return err
		}
		defer client.Close()
		all[i] = signing.New(client, name, &signing.Options{Lead: lead})
	}
	server := httptest.NewServer(all[2].JWKSHandler())
	defer server.Close()
	other := &stranger{url: server.URL}

	used := map[string]bool{}
	issued, verified, refused := 0, 0, 0
	var live []dated
	next := time.Now().Add(interval / 4)
	for left, end := rotations, time.Now().Add(interval/4+rotations*interval); time.Now().Before(end) && ctx.Err() == nil; {
		if left > 0 && time.Now().After(next) {
			value, err := newKey()
			if err != nil {
				return err
			}
			srv.Put(name, value)
			left, next = left-1, next.Add(interval)
		}
		token, err := issue(ctx, all[0], map[string]string{"sub": "gopher"})
		if err != nil {
			return err
		}
		kid, _, _, _, _ := open(token)
		used[kid] = true
		issued++
		live = append(live, dated{token, time.Now()})
		for len(live) > 0 && time.Since(live[0].at) > lifetime {
			live = live[1:]
		}
		for _, d := range live {
			verified += 2
			if verify(ctx, all[1], d.token) != nil {
				refused++
			}
			if other.verify(ctx, d.token, time.Now()) != nil {
				refused++
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Fprintf(out, "keys                 %d, the last of them current for %v before it signed\n", len(used), lead)
	fmt.Fprintf(out, "tokens issued        %d\n", issued)
	fmt.Fprintf(out, "verifications        %d, half of them by the JWKS document alone\n", verified)
	fmt.Fprintf(out, "refused tokens: %d\n", refused)
	if refused > 0 || len(used) != rotations+1 {
		return errors.New("a token was refused, or a key was not used")
	}
	return nil
}
