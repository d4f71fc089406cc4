package rotate_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/rotate"
)

func TestScramVerifier(t *testing.T) {
	// The exchange of RFC 7677, section 3: StoredKey and ServerKey were
	// computed from its salt and password, and accepted against its proof and
	// signature below.
	const auth = "n=user,r=rOprNGfwEbeRWgbNEkqO," +
		"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096," +
		"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
	v, err := rotate.ScramVerifier("pencil", unbase64(t, "W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
	if err != nil {
		t.Fatal(err)
	}
	stored, server := splitVerifier(t, v, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$")
	if got, want := mac(server, auth), unbase64(t, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="); !equal(got, want) {
		t.Errorf("server signature: got %x, want %x", got, want)
	}
	proof := unbase64(t, "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
	clientKey := xor(proof, mac(stored, auth))
	if !equal(sha(clientKey), stored) {
		t.Errorf("the RFC's proof does not fit the stored key %x", stored)
	}
}

func unbase64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// splitVerifier returns the stored and the server key of a SCRAM verifier.
func splitVerifier(t *testing.T, v, prefix string) (stored, server []byte) {
	t.Helper()
	keys, ok := strings.CutPrefix(v, prefix)
	a, b, colon := strings.Cut(keys, ":")
	if !ok || !colon {
		t.Fatalf("got %s, want it to begin with %s", v, prefix)
	}
	return unbase64(t, a), unbase64(t, b)
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func sha(b []byte) []byte { h := sha256.Sum256(b); return h[:] }

func xor(a, b []byte) []byte {
	out := make([]byte, len(a))
	for i := range a {
		out[i] = a[i] ^ b[i]
	}
	return out
}

func equal(a, b []byte) bool { return bytes.Equal(a, b) }
