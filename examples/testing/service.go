// Package testing shows how a service that reads secrets is tested. Its test
// files do so with testify and with gomega, and benchmark the service.
package testing

import (
	"crypto/subtle"
	"net/http"

	"github.com/seed-74dc7b3e/secrets"
)

// Handler serves requests that bring the key which the secret holds.
func Handler(key *secrets.Ref[string]) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want, err := key.Get(r.Context())
		switch {
		case err != nil:
			http.Error(w, "no key to check against", http.StatusServiceUnavailable)
		case subtle.ConstantTimeCompare([]byte(r.Header.Get("X-API-Key")), []byte(want)) == 0:
			http.Error(w, "wrong key", http.StatusForbidden)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
}
