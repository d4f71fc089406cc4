package testing

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// The fake, the client and the first read are made once, outside of the loop: what
// is measured is the service with a warm cache.
func BenchmarkHandler(b *testing.B) {
	srv := secretstest.New(b, secretstest.Secrets{name: "k-1"})
	client, err := secrets.New(srv.Client(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	key := secrets.Bind[string](client, name)
	if err := secrets.Load(context.Background(), key); err != nil {
		b.Fatal(err)
	}
	handler := Handler(key)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-API-Key", "k-1")
		for pb.Next() {
			w := httptest.NewRecorder()
			if handler.ServeHTTP(w, r); w.Code != http.StatusNoContent {
				b.Errorf("status %d", w.Code)
			}
		}
	})
	if got := srv.Count(secretstest.Call{Op: "GetSecretValue"}); got != 1 {
		b.Errorf("%d calls, want the first read's alone", got)
	}
}
