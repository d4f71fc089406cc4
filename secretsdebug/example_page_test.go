package secretsdebug_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretsdebug"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// ask returns the status and the secrets of a page, as JSON has them.
func ask(page http.Handler, query url.Values) (int, []string) {
	r := httptest.NewRequest("GET", "/debug/secrets?"+query.Encode(), nil)
	r.Header.Set("Accept", "application/json")
	w := httptest.NewRecorder()
	page.ServeHTTP(w, r)
	var answer struct{ Secrets []struct{ Name string } }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil && w.Code == http.StatusOK {
		log.Fatal(err)
	}
	var names []string
	for _, s := range answer.Secrets {
		names = append(names, s.Name)
	}
	return w.Code, names
}

// The page of a client without a Log, with the same protection as the program's
// other pages for operators. A monitor asks it which secrets need attention.
func ExampleHandler() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x", "prod/api-key": "y"}})
	defer srv.Close()
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if err := client.Prefetch(context.Background(), "prod/db", "prod/api-key"); err != nil {
		log.Fatal(err)
	}

	page := secretsdebug.Handler(client, nil)
	fmt.Println(ask(page, url.Values{"q": {"api"}}))
	fmt.Println(ask(page, url.Values{"attention": {"1"}}))
	status, _ := ask(page, url.Values{"secret": {"prod/unknown"}})
	fmt.Println(status)
	// Output:
	// 200 [prod/api-key]
	// 200 []
	// 404
}

// A Log and a metric both get the events. The Log knows of a secret that left
// the cache because the service refused it.
func ExampleLog_OnEvent() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	events := secretsdebug.Log{Size: 1000}
	dropped := 0
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler), OnEvent: func(e secrets.Event) {
		events.OnEvent(e)
		if e.Kind == secrets.EventDropped {
			dropped++
		}
	}})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Get(context.Background(), "prod/db"); err != nil {
		log.Fatal(err)
	}
	srv.Delete("prod/db")
	err = client.Refresh(context.Background(), "prod/db")
	client.Close() // waits until all events are told

	fmt.Println(secrets.ClassOf(err), dropped)
	fmt.Println(ask(secretsdebug.Handler(client, &events), url.Values{"attention": {"1"}}))
	// Output:
	// missing 1
	// 200 [prod/db]
}
