// Command oauth2 calls an API with OAuth 2.0 tokens while the client secret
// rotates. It gets the tokens with the client credentials grant, and the client
// secret is in Secrets Manager. From one moment to the next the authorization
// server accepts only the pending secret, and revokes the tokens that it issued
// for the old one. No request fails.
//
// Both servers and Secrets Manager run in the process, on loopback. Every
// printed number was measured in that run. The exit status is 1 if a request
// failed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/httpcred"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

const name = "prod/oauth-client"

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "oauth2:", err)
		os.Exit(1)
	}
}

// source gets access tokens and keeps the one in use. It sends the client id
// and secret to the token endpoint as basic authentication, through httpcred,
// which handles their rotation.
type source struct {
	http *http.Client
	url  string

	mu      sync.Mutex // guards the fields below; held while a token is fetched
	token   string
	expires time.Time
}

func newSource(client *secrets.Client, tokenURL string) *source {
	// It is safe to send a request for a token twice.
	login := secrets.Bind[httpcred.Login](client, name)
	return &source{url: tokenURL, http: &http.Client{Transport: httpcred.New(login, httpcred.Basic, nil)}}
}

// get returns the token in use. If that is the rejected one, it gets another.
func (s *source) get(ctx context.Context, rejected string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token != "" && s.token != rejected && time.Until(s.expires) > 10*time.Second {
		return s.token, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header["Idempotency-Key"] = nil // marks the request as repeatable; the header is not sent
	resp, err := s.http.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer struct {
		Token   string `json:"access_token"`
		Seconds int    `json:"expires_in"`
	}
	if resp.StatusCode != http.StatusOK || json.NewDecoder(resp.Body).Decode(&answer) != nil {
		return "", fmt.Errorf("the token endpoint answered %s", resp.Status)
	}
	s.token, s.expires = answer.Token, time.Now().Add(time.Duration(answer.Seconds)*time.Second)
	return s.token, nil
}

// RoundTrip sends a request with a token. If the token is rejected, it tries
// another, up to two times, because a token may be revoked on its way.
func (s *source) RoundTrip(r *http.Request) (*http.Response, error) {
	var rejected string
	for again := range 3 {
		token, err := s.get(r.Context(), rejected)
		if err != nil {
			return nil, err
		}
		out := r.Clone(r.Context())
		out.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultTransport.RoundTrip(out)
		if err != nil || resp.StatusCode != http.StatusUnauthorized || again == 2 || r.Method != http.MethodGet {
			return resp, err
		}
		resp.Body.Close()
		rejected = token
	}
	panic("unreachable")
}

// world holds the two servers.
type world struct {
	mu     sync.Mutex // guards the fields below
	secret string     // the accepted client secret
	valid  map[string]bool
	issued int
	logins struct{ taken, refused int }
}

func (w *world) rotate(secret string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.secret, w.valid = secret, map[string]bool{}
}

func (w *world) tokenEndpoint(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id, secret, _ := r.BasicAuth()
	if id != "app" || secret != w.secret || r.FormValue("grant_type") != "client_credentials" {
		w.logins.refused++
		rw.WriteHeader(http.StatusUnauthorized)
		io.WriteString(rw, `{"error":"invalid_client"}`)
		return
	}
	w.logins.taken++
	w.issued++
	token := fmt.Sprint("token-", w.issued)
	w.valid[token] = true
	fmt.Fprintf(rw, `{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, token)
}

func (w *world) api(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.valid[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")] {
		rw.WriteHeader(http.StatusUnauthorized)
	}
}

func login(secret string) string { return fmt.Sprintf(`{"username":"app","password":%q}`, secret) }

func run(ctx context.Context, out io.Writer) error {
	const rotations, workers = 5, 4
	w := &world{}
	w.rotate("secret-0")
	tokens, api := httptest.NewServer(http.HandlerFunc(w.tokenEndpoint)), httptest.NewServer(http.HandlerFunc(w.api))
	defer tokens.Close()
	defer api.Close()
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{name: login("secret-0")}})
	defer srv.Close()
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer client.Close()

	caller := &http.Client{Transport: newSource(client, tokens.URL)}
	var requests, failed atomic.Int64
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for ctx.Err() == nil {
				resp, err := caller.Get(api.URL)
				requests.Add(1)
				if err != nil || resp.StatusCode != http.StatusOK {
					failed.Add(1)
				}
				if err == nil {
					resp.Body.Close()
				}
			}
		})
	}
	for i := range rotations {
		secret := fmt.Sprint("secret-", i+1)
		srv.PutPending(name, login(secret)) // createSecret
		w.rotate(secret)                    // setSecret
		for begun := requests.Load(); requests.Load() < begun+50 && ctx.Err() == nil; {
			time.Sleep(time.Millisecond)
		}
		srv.MoveStage(name, secrets.Current, srv.VersionID(name, secrets.Pending)) // finishSecret
	}
	stop()
	running.Wait()

	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(out, "rotations            %d, each with a window in which only the pending secret is taken\n", rotations)
	fmt.Fprintf(out, "requests             %d\n", requests.Load())
	fmt.Fprintf(out, "tokens               %d\n", w.issued)
	fmt.Fprintf(out, "refused logins       %d\n", w.logins.refused)
	fmt.Fprintf(out, "failed requests: %d\n", failed.Load())
	if failed.Load() > 0 || w.issued < rotations {
		return errors.New("a request failed, or a rotation did not take place")
	}
	return nil
}
