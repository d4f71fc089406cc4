package secretsdebug_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretsdebug"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A page beside the service's own, for operators. It is JSON for programs.
func Example() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": `{"username":"app"}`}})
	defer srv.Close()

	var events secretsdebug.Log
	client, err := secrets.New(srv.Client(), &secrets.Options{OnEvent: events.OnEvent})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	admin := http.NewServeMux()
	admin.Handle("/debug/secrets", secretsdebug.Handler(client, &events))

	if _, err := client.Get(context.Background(), "prod/db"); err != nil {
		log.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/debug/secrets", nil)
	r.Header.Set("Accept", "application/json")
	w := httptest.NewRecorder()
	admin.ServeHTTP(w, r)
	var page struct {
		Secrets []struct{ Name, Severity string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
		log.Fatal(err)
	}
	fmt.Println(page.Secrets)
	// Output: [{prod/db ok}]
}
