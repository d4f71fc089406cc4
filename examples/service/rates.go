package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/httpcred"
)

// A ratesAPI is a client of the rates API, which requires a key.
type ratesAPI struct {
	client *http.Client
	base   *url.URL
}

// newRatesAPI returns a client that sends the key as a bearer token, only to
// the host of base. If the API rejects the key, the client tries the other
// versions of the secret, which a rotation has made or is making, before it
// returns the rejection.
func newRatesAPI(key *secrets.Ref[string], base *url.URL) *ratesAPI {
	transport := httpcred.New(key, httpcred.Bearer, &httpcred.Options{Hosts: []string{base.Host}})
	return &ratesAPI{client: &http.Client{Transport: transport, Timeout: 10 * time.Second}, base: base}
}

// getRate answers GET /rates/{currency}.
func (a *app) getRate(w http.ResponseWriter, r *http.Request) error {
	target := a.rates.base.JoinPath("rates", r.PathValue("currency"))
	request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, target.String(), nil)
	if err != nil {
		return err
	}
	response, err := a.rates.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotFound {
		return &statusError{http.StatusNotFound, "no such currency"}
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the rates API answers %s", response.Status)
	}
	var rate json.RawMessage
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<16)).Decode(&rate); err != nil {
		return fmt.Errorf("the rates API does not answer with JSON")
	}
	return reply(w, rate)
}
