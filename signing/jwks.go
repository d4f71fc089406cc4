package signing

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// ErrNotPublic says that no version of the secret has a public key.
var ErrNotPublic = errors.New("signing: the secret has no Ed25519 key, and other keys are not published")

// JWKS returns the JSON Web Key Set of all public keys that verify. It blocks
// and fails as [secrets.Ref.Versions] does. If there is no public key, it
// returns [ErrNotPublic].
func (k *Keys) JWKS(ctx context.Context) ([]byte, error) {
	all, err := k.all(ctx)
	if err != nil {
		return nil, err
	}
	type jwk struct {
		Kty string `json:"kty"`
		Crv string `json:"crv"`
		X   string `json:"x"`
		Kid string `json:"kid"`
		Use string `json:"use"`
		Alg string `json:"alg"`
	}
	var set struct {
		Keys []jwk `json:"keys"`
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if key := all[id]; key.public != nil {
			set.Keys = append(set.Keys, jwk{"OKP", "Ed25519", base64.RawURLEncoding.EncodeToString(key.public), id, "sig", EdDSA})
		}
	}
	if set.Keys == nil {
		return nil, ErrNotPublic
	}
	return json.Marshal(set)
}

// JWKSHandler returns a handler that serves the result of [Keys.JWKS]. Clients
// may cache the response for Options.MaxAge. If JWKS fails, the handler answers
// 503, without the reason.
func (k *Keys) JWKSHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		doc, err := k.JWKS(r.Context())
		if err != nil {
			http.Error(w, "the keys are not available", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("Content-Length", strconv.Itoa(len(doc)))
		w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(k.o.MaxAge.Seconds())))
		w.Write(doc)
	})
}
