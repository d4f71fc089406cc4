package httpcred_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/httpcred"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// exampleClient returns a client of a fake Secrets Manager, both to be closed.
func exampleClient() (*secretstest.Server, *secrets.Client) {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{
		"prod/api-key": "k-1",
		"prod/basic":   `{"username":"app","password":"hunter2"}`,
	}})
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	return srv, client
}

// exampleAPI is a server that answers 200 to whoever accepts says, else status.
func exampleAPI(status int, accepts func(*http.Request) bool) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !accepts(r) {
			w.WriteHeader(status)
		}
	}))
}

// One http.Client for an API whose key rotates. The credential goes only to
// that host, wherever redirects lead.
func Example() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	api := exampleAPI(401, func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer k-1" })
	defer api.Close()

	key := secrets.Bind[string](client, "prod/api-key")
	c := &http.Client{Transport: httpcred.New(key, httpcred.Bearer, &httpcred.Options{
		Hosts: []string{"127.0.0.1"}, // "api.example.com"
	})}
	resp, err := c.Get(api.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)

	_, err = c.Get("http://localhost/")
	fmt.Println(err != nil) // another host
	// Output:
	// 200 OK
	// true
}

// A bearer token of OAuth 2.0.
func ExampleBearer() {
	r := httptest.NewRequest("GET", "/", nil)
	if err := httpcred.Bearer(r, "k-1\n"); err != nil { // an editor left a newline in the secret
		log.Fatal(err)
	}
	fmt.Println(r.Header.Get("Authorization") == "Bearer k-1")
	// Output: true
}

// A user name and a password that rotate together.
func ExampleBasic() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	api := exampleAPI(401, func(r *http.Request) bool {
		user, password, ok := r.BasicAuth()
		return ok && user == "app" && password == "hunter2"
	})
	defer api.Close()

	login := secrets.Bind[httpcred.Login](client, "prod/basic")
	c := &http.Client{Transport: httpcred.New(login, httpcred.Basic, nil)}
	resp, err := c.Get(api.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

// Prints as the user name.
func ExampleLogin() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	l, err := secrets.Get[httpcred.Login](context.Background(), client, "prod/basic")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%v %+v\n", l, struct{ Login httpcred.Login }{l})
	// Output: app {Login:app}
}

// An API that answers 403 to a key that it does not know.
func ExampleStatuses() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	api := exampleAPI(403, func(r *http.Request) bool { return r.Header.Get("X-Api-Key") == "k-2" })
	defer api.Close()
	srv.PutPending("prod/api-key", "k-2") // the rotation has given the new key to the API

	key := secrets.Bind[string](client, "prod/api-key")
	c := &http.Client{Transport: httpcred.New(key, httpcred.Header("X-Api-Key"), &httpcred.Options{
		IsRejected: httpcred.Statuses(401, 403),
	})}
	resp, err := c.Get(api.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

// A Transport may be wrapped by another RoundTripper, here one that sets the
// User-Agent.
func ExampleTransport_RoundTrip() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	api := exampleAPI(400, func(r *http.Request) bool { return r.UserAgent() == "shop/1.2" })
	defer api.Close()

	t := httpcred.New(secrets.Bind[string](client, "prod/api-key"), httpcred.Bearer, nil)
	named := roundTripperFunc(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Header.Set("User-Agent", "shop/1.2")
		return t.RoundTrip(r)
	})
	resp, err := (&http.Client{Transport: named}).Get(api.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status, resp.Request.Header.Get("Authorization") == "") // the caller never has the key
	// Output: 200 OK true
}

type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// At the end of the program, before the secrets' client is closed.
func ExampleTransport_CloseIdleConnections() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	t := httpcred.New(secrets.Bind[string](client, "prod/api-key"), httpcred.Bearer, &httpcred.Options{
		Base: http.DefaultTransport.(*http.Transport).Clone(), // connections of its own
	})
	defer t.CloseIdleConnections()

	fmt.Println(t)
	// Output: httpcred.Transport("prod/api-key")
}
