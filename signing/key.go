package signing

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// The algorithms, with their names in JOSE.
const (
	HS256 = "HS256" // HMAC with SHA-256
	EdDSA = "EdDSA" // Ed25519
)

// minHMAC is how long an HMAC's key has to be, in bytes: as RFC 7518 wants it.
const minHMAC = 32

// A Key is one version of the secret. It prints as its id and algorithm.
type Key struct {
	id      string
	created time.Time
	private func() ed25519.PrivateKey // nil: the key is an HMAC's
	public  ed25519.PublicKey
	secret  func() []byte // a function, so that nothing prints it
}

// ID returns the id of the key, which is the id of the secret's version.
func (k *Key) ID() string { return k.id }

// Algorithm returns [HS256] or [EdDSA].
func (k *Key) Algorithm() string {
	if k.public != nil {
		return EdDSA
	}
	return HS256
}

// Sign returns the signature of a message.
func (k *Key) Sign(message []byte) []byte {
	if k.public != nil {
		return ed25519.Sign(k.private(), message)
	}
	mac := hmac.New(sha256.New, k.secret())
	mac.Write(message)
	return mac.Sum(nil)
}

// Verify reports whether signature is a signature of message by the key.
func (k *Key) Verify(message, signature []byte) bool {
	if k.public != nil {
		return ed25519.Verify(k.public, message, signature)
	}
	return hmac.Equal(k.Sign(message), signature)
}

// String returns the key's id and algorithm.
func (k *Key) String() string { return fmt.Sprintf("signing.Key(%s %s)", k.Algorithm(), k.id) }

// Format writes what [Key.String] returns, for every verb.
func (k *Key) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// LogValue returns what [Key.String] returns.
func (k *Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText returns what [Key.String] returns.
func (k *Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// decode makes a key of a version.
func decode(s *secrets.Secret) (*Key, error) {
	k := &Key{id: s.VersionID(), created: s.CreatedDate()}
	value := s.Bytes()
	var fields struct{ Key *string }
	if bytes.HasPrefix(value, []byte("{")) && json.Unmarshal(value, &fields) == nil && fields.Key != nil {
		value = []byte(*fields.Key)
	}
	if !bytes.HasPrefix(bytes.TrimSpace(value), []byte("-----BEGIN ")) {
		if len(value) < minHMAC {
			return nil, fmt.Errorf("the key has %d bytes; an HMAC with SHA-256 needs %d", len(value), minHMAC)
		}
		k.secret = func() []byte { return value }
		return k, nil
	}
	block, _ := pem.Decode(value)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("it is PEM, but not a PKCS #8 private key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, errors.New("its private key is not an Ed25519 key")
	}
	k.private = func() ed25519.PrivateKey { return private }
	k.public = private.Public().(ed25519.PublicKey)
	return k, nil
}
