package signing_test

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
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/signing"
)

const id = "prod/token-key"

func open(t testing.TB, srv *secretstest.Server) *secrets.Client {
	t.Helper()
	c, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// hmacKey returns the value of an HMAC's key.
func hmacKey(name string) string { return name + strings.Repeat("-", 32) }

// edKey returns the value of a new Ed25519 key.
func edKey(t testing.TB) string {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// A token is something signed.
type token struct {
	key     string
	message string
	sig     []byte
}

func signed(t testing.TB, k *signing.Keys, message string) token {
	t.Helper()
	key, sig, err := k.Sign(context.Background(), []byte(message))
	if err != nil {
		t.Fatal(err)
	}
	return token{key, message, sig}
}

func verify(k *signing.Keys, tok token) error {
	return k.Verify(context.Background(), tok.key, []byte(tok.message), tok.sig)
}

// Both kinds of keys sign and verify, and nothing else passes.
func TestSignVerify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quoted, _ := json.Marshal(edKey(t))
		for value, alg := range map[string]string{
			hmacKey("raw"):                            signing.HS256,
			`{"key":"` + hmacKey("in JSON") + `"}`:    signing.HS256,
			`{"other":"` + hmacKey("raw JSON") + `"}`: signing.HS256,
			edKey(t):                         signing.EdDSA,
			`{"key":` + string(quoted) + `}`: signing.EdDSA,
		} {
			srv := secretstest.New(t, secretstest.Secrets{id: value})
			k := signing.New(open(t, srv), id, nil)
			tok := signed(t, k, "message")
			if err := verify(k, tok); err != nil {
				t.Errorf("%s: %v", alg, err)
			}
			if key, err := k.Signer(t.Context()); err != nil || key.Algorithm() != alg || key.ID() != srv.VersionID(id, secrets.Current) {
				t.Errorf("the key to sign with is %v, %v, want %s", key, err, alg)
			}
			forged := tok
			forged.message = "massage"
			if err := verify(k, forged); err != signing.ErrSignature {
				t.Errorf("%s: another message: %v, want ErrSignature", alg, err)
			}
			forged = tok
			forged.sig = nil
			if err := verify(k, forged); err != signing.ErrSignature {
				t.Errorf("%s: no signature: %v, want ErrSignature", alg, err)
			}
			for _, unknown := range []string{"", "x", strings.Repeat("z", 36), "../../" + tok.key} {
				forged = tok
				forged.key = unknown
				if err := verify(k, forged); !errors.Is(err, signing.ErrUnknownKey) {
					t.Errorf("%s: key %q: %v, want ErrUnknownKey", alg, unknown, err)
				}
			}
		}
	})
}

// A value that is not a key is an error that does not show it.
func TestNoKeys(t *testing.T) {
	rsa := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte("hunter2")}))
	for _, value := range []string{"hunter2", "{}", rsa, "-----BEGIN hunter2 hunter2 hunter2 hunter2 hunter2", strings.ReplaceAll(rsa, "RSA ", "")} {
		srv := secretstest.New(t, secretstest.Secrets{id: value})
		k := signing.New(open(t, srv), id, nil)
		_, _, err := k.Sign(t.Context(), nil)
		if !errors.As(err, new(*secrets.DecodeError)) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Sign = %v, want a DecodeError", err)
		}
		if err := k.Verify(t.Context(), "x", nil, nil); !errors.As(err, new(*secrets.DecodeError)) {
			t.Errorf("Verify = %v, want a DecodeError", err)
		}
	}
}

// document verifies with only the JWKS document, and reads it again after its
// max-age.
type document struct {
	k    *signing.Keys
	read time.Time
	keys map[string]ed25519.PublicKey
}

func (d *document) verify(t *testing.T, tok token) bool {
	t.Helper()
	if time.Since(d.read) >= signing.DefaultMaxAge {
		w := httptest.NewRecorder()
		d.k.JWKSHandler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		var set struct {
			Keys []struct{ Kty, Crv, X, Kid, Use, Alg string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil || w.Code != 200 {
			t.Fatalf("status %d, %v", w.Code, err)
		}
		d.keys = map[string]ed25519.PublicKey{}
		for _, key := range set.Keys {
			x, err := base64.RawURLEncoding.DecodeString(key.X)
			if err != nil || key.Kty != "OKP" || key.Crv != "Ed25519" || key.Alg != "EdDSA" || key.Use != "sig" {
				t.Fatalf("key %+v, %v", key, err)
			}
			d.keys[key.Kid] = x
		}
		d.read = time.Now()
	}
	public := d.keys[tok.key]
	return public != nil && ed25519.Verify(public, []byte(tok.message), tok.sig)
}

// For a day with rotations an hour apart, every signature verifies for half an
// hour: in the same process, in another with its own cache, and with a JWKS
// document that a third process serves and that is read when due. No unknown
// key occurs, so none is requested.
func TestRotationInvalidatesNothing(t *testing.T) {
	hours := 24
	if testing.Short() {
		hours = 6
	}
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{id: edKey(t)})
		signer, other := signing.New(open(t, srv), id, nil), signing.New(open(t, srv), id, nil)
		doc := &document{k: signing.New(open(t, srv), id, nil)}
		type dated struct {
			token
			at time.Time
		}
		var live []dated
		start, failed, checked, keys := time.Now(), 0, 0, map[string]bool{}
		for step := 0; time.Since(start) < time.Duration(hours)*time.Hour; step++ {
			switch step % 120 {
			case 60:
				srv.PutPending(id, edKey(t))
			case 62:
				srv.MoveStage(id, secrets.Current, srv.VersionID(id, secrets.Pending))
			}
			tok := signed(t, signer, fmt.Sprint("message ", step))
			keys[tok.key] = true
			live = append(live, dated{tok, time.Now()})
			for len(live) > 0 && time.Since(live[0].at) > 30*time.Minute {
				live = live[1:]
			}
			for _, d := range []dated{live[0], live[len(live)/2], live[len(live)-1]} {
				checked++
				if verify(signer, d.token) != nil || verify(other, d.token) != nil || !doc.verify(t, d.token) {
					failed++
				}
			}
			time.Sleep(30 * time.Second)
		}
		t.Logf("%d keys: failed verifications %d of %d", len(keys), failed, checked)
		if failed > 0 {
			t.Errorf("%d of %d verifications failed", failed, checked)
		}
		if len(keys) != hours+1 {
			t.Errorf("%d keys were used in %d rotations, want one more", len(keys), hours)
		}
	})
}

// A new key signs after Lead. In a running process Lead counts from when the
// key is first seen, in a starting process from its creation. A key that is
// current again signs at once.
func TestLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{id: hmacKey("one")})
		one := srv.VersionID(id, secrets.Current)
		client := open(t, srv)
		k := signing.New(client, id, nil)
		signs := func(what string, k *signing.Keys, want string) {
			t.Helper()
			if got := signed(t, k, "x").key; got != want {
				t.Errorf("%s: signed with %s, want %s", what, got, want)
			}
		}
		refresh := func() {
			t.Helper()
			for range 2 { // a version that goes back is believed the second time
				if err := client.Refresh(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				time.Sleep(3 * time.Second)
			}
		}
		signs("the only key", k, one)
		time.Sleep(time.Hour)
		two := srv.PutPending(id, hmacKey("two"))
		time.Sleep(time.Hour) // a rotation that was stuck
		srv.MoveStage(id, secrets.Current, two)
		refresh()
		signs("a new key", k, one)
		signs("a new key that was made long ago, in a new process", signing.New(client, id, nil), two)
		time.Sleep(signing.DefaultLead - time.Second)
		signs("just before", k, one)
		time.Sleep(time.Second)
		signs("after", k, two)
		srv.MoveStage(id, secrets.Current, one)
		refresh()
		signs("one that is current again", k, one)
		three := srv.Put(id, hmacKey("three"))
		refresh()
		signs("a key that was just made, in a new process", signing.New(client, id, nil), one)
		signs("without a lead", signing.New(client, id, &signing.Options{Lead: -1}), three)
	})
}

// A verifier that lags asks for a key that it does not know, however many
// signatures come; forged ids cost it a call in ten seconds, no more.
func TestUnknownKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{id: hmacKey("one")})
		signer := signing.New(open(t, srv), id, &signing.Options{Lead: -1})
		client := open(t, srv)
		verifier := signing.New(client, id, nil)
		if err := verify(verifier, signed(t, signer, "x")); err != nil {
			t.Fatal(err)
		}
		srv.Put(id, hmacKey("two"))
		fresh := signing.New(open(t, srv), id, &signing.Options{Lead: -1})
		tok := signed(t, fresh, "x")
		before := client.Stats()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if err := verify(verifier, tok); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if calls := client.Stats().Sub(before).Calls(); calls > 3 {
			t.Errorf("50 signatures with one new key cost %d calls", calls)
		}
		before = client.Stats()
		for i := range 600 {
			forged := tok
			forged.key = fmt.Sprintf("%036d", i)
			if err := verify(verifier, forged); !errors.Is(err, signing.ErrUnknownKey) {
				t.Fatalf("a forged id: %v", err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if calls := client.Stats().Sub(before).Calls(); calls > 3*7 {
			t.Errorf("a minute of forged ids cost %d calls", calls)
		}
		time.Sleep(time.Minute)
		before = client.Stats()
		for _, no := range []string{"", "short", strings.Repeat("/", 40), strings.Repeat("x", 65)} {
			if err := verify(verifier, token{key: no}); err != signing.ErrUnknownKey {
				t.Errorf("key %q: %v", no, err)
			}
		}
		if calls := client.Stats().Sub(before).Calls(); calls > 0 {
			t.Errorf("ids that no version has cost %d calls", calls)
		}
		srv.Fail(secretstest.Outage())
		forged := tok
		forged.key = strings.Repeat("f", 36)
		if err := verify(verifier, forged); !errors.Is(err, signing.ErrUnknownKey) || !strings.Contains(err.Error(), "cannot be asked") {
			t.Errorf("an unknown key in an outage: %v", err)
		}
		if err := verify(verifier, tok); err != nil {
			t.Errorf("a known key in an outage: %v", err)
		}
	})
}

// A key verifies until its version has no label, and for Grace longer.
func TestGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{id: edKey(t)})
		client := open(t, srv)
		strict, lenient := signing.New(client, id, nil), signing.New(client, id, &signing.Options{Grace: time.Hour})
		tok := signed(t, strict, "x")
		check := func(what string, wantStrict, wantLenient error) {
			t.Helper()
			if err := client.Refresh(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			if s, l := verify(strict, tok), verify(lenient, tok); !errors.Is(s, wantStrict) || !errors.Is(l, wantLenient) {
				t.Errorf("%s: %v and with grace %v, want %v and %v", what, s, l, wantStrict, wantLenient)
			}
			doc, err := lenient.JWKS(t.Context())
			if has := strings.Contains(string(doc), tok.key); err != nil || has != (wantLenient == nil) {
				t.Errorf("%s: in the document: %v, %v", what, has, err)
			}
		}
		check("current", nil, nil)
		srv.Put(id, edKey(t))
		check("previous", nil, nil)
		srv.Put(id, edKey(t))
		check("without a label", signing.ErrUnknownKey, nil)
		time.Sleep(time.Hour - time.Second)
		check("in its grace", signing.ErrUnknownKey, nil)
		time.Sleep(time.Second)
		check("after it", signing.ErrUnknownKey, signing.ErrUnknownKey)
		srv.MoveStage(id, "KEEP", tok.key)
		time.Sleep(time.Minute)
		check("with a label of one's own", nil, nil)
	})
}

// The document holds public keys and nothing else, and says how long it lasts.
func TestJWKS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{id: hmacKey("one")})
		client := open(t, srv)
		k := signing.New(client, id, &signing.Options{MaxAge: time.Minute})
		if _, err := k.JWKS(t.Context()); err != signing.ErrNotPublic {
			t.Errorf("an HMAC's key: %v, want ErrNotPublic", err)
		}
		w := httptest.NewRecorder()
		k.JWKSHandler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != 503 || strings.Contains(w.Body.String(), id) {
			t.Errorf("an HMAC's key: status %d %s", w.Code, w.Body)
		}
		srv.Put(id, edKey(t))
		client.Refresh(t.Context(), id)
		w = httptest.NewRecorder()
		k.JWKSHandler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		h := w.Header()
		if w.Code != 200 || h.Get("Cache-Control") != "public, max-age=60" || h.Get("Content-Type") != "application/jwk-set+json" {
			t.Errorf("status %d, headers %v", w.Code, h)
		}
		if n := strings.Count(w.Body.String(), `"kid"`); n != 1 || strings.Contains(w.Body.String(), "one---") {
			t.Errorf("the document is %s, want one public key", w.Body)
		}
		w = httptest.NewRecorder()
		if k.JWKSHandler().ServeHTTP(w, httptest.NewRequest("POST", "/", nil)); w.Code != 405 {
			t.Errorf("POST: status %d, want 405", w.Code)
		}
	})
}

// Nothing prints a key, and a closed client ends them.
func TestKeyIsRedacted(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{id: hmacKey("hunter2")})
	client := open(t, srv)
	k := signing.New(client, id, nil)
	key, err := k.Signer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(key)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", key)
	type outer struct{ k *signing.Key }
	for _, out := range []string{fmt.Sprintf("%v %+v %#v %s %x", key, key, key, key, key), fmt.Sprintf("%+v %#v", outer{key}, *key), string(text), log.String()} {
		if strings.Contains(out, "hunter2") || strings.Contains(out, "68756e74657232") {
			t.Errorf("prints as %s", out)
		}
	}
	if got := fmt.Sprintf("%+v", k); got != `signing.Keys("prod/token-key")` {
		t.Errorf("the keys print as %s", got)
	}
	client.Close()
	if _, _, err := k.Sign(t.Context(), nil); err != secrets.ErrClosed {
		t.Errorf("Sign after Close = %v", err)
	}
	if err := verify(k, token{key: key.ID()}); err != secrets.ErrClosed {
		t.Errorf("Verify after Close = %v", err)
	}
}

// The key of a secret that was just made is rotated at once: that there was no
// previous version a moment ago does not make the new one sign before its time.
func TestLeadOfANewSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{id: hmacKey("one")})
		client := open(t, srv)
		k := signing.New(client, id, nil)
		one := signed(t, k, "x").key
		var two string
		for i := range 5 {
			time.Sleep(100 * time.Millisecond)
			if i == 0 {
				two = srv.Put(id, hmacKey("two"))
				if err := client.Refresh(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
			if got := signed(t, k, "x").key; got != one {
				t.Fatalf("%d00 ms after the rotation: signed with %s, want %s", i, got, one)
			}
		}
		// Its version loses its label: the new key signs at once.
		srv.MoveStage(id, secrets.Previous, two)
		if err := client.Refresh(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if got := signed(t, k, "x").key; got != two {
			t.Errorf("signed with %s, which has no label, want %s", got, two)
		}
	})
}
