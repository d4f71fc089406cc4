package httpcred_test

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/httpcred"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

func ExampleNew() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/api-key": "k-1"}})
	defer srv.Close()
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	accepts := "Bearer k-1"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != accepts {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, "hello")
	}))
	defer server.Close()

	key := secrets.Bind[string](client, "prod/api-key")
	api := &http.Client{Transport: httpcred.New(key, httpcred.Bearer, nil)}
	for range 2 {
		resp, err := api.Get(server.URL)
		if err != nil {
			log.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(resp.StatusCode, string(body))

		// The server accepts only the new key, which is not current yet.
		srv.PutPending("prod/api-key", "k-2")
		accepts = "Bearer k-2"
	}
	// Output:
	// 200 hello
	// 200 hello
}

// A secret in JSON, and a header of the API's own.
func ExampleHeader() {
	type credential struct {
		Key string `json:"api_key"`
	}
	setKey := httpcred.Header("X-Api-Key")
	set := func(r *http.Request, c credential) error { return setKey(r, c.Key) }

	r := httptest.NewRequest("GET", "/", nil)
	if err := set(r, credential{Key: "k-1"}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Header.Get("X-Api-Key"))
	// Output: k-1
}
