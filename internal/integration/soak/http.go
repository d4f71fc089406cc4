package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	mrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/httpcred"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// httpSite is a server that knows one key, and a client.
type httpSite struct {
	r       *liveRun
	server  *httptest.Server
	client  *http.Client
	end     func() error
	api     *secretsmanager.Client // the rotation's
	current string                 // version id
	key     atomic.Pointer[string]
	refused atomic.Int64
}

func startHTTP(r *liveRun) (liveSite, error) {
	s := &httpSite{r: r, api: r.fake.ClientFor(secretstest.Identity{ARN: rotatorARN})}
	s.key.Store(new(rand.Text()))
	out, err := s.api.CreateSecret(context.Background(), &secretsmanager.CreateSecretInput{Name: aws.String(secretID), SecretString: s.key.Load()})
	if err != nil {
		return nil, err
	}
	s.current = *out.VersionId
	s.server = httptest.NewServer(http.HandlerFunc(s.serve))
	base := s.server.Client().Transport.(*http.Transport)
	base.MaxIdleConnsPerHost = liveWorkers
	if r.naive {
		s.client, s.end = &http.Client{Transport: newNaiveHTTP(r, base)}, func() error { return nil }
		return s, nil
	}
	client, err := secrets.New(r.fake.ClientFor(secretstest.Identity{ARN: appARN}), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	s.client = &http.Client{Transport: httpcred.New(secrets.Bind[string](client, secretID), httpcred.Bearer, &httpcred.Options{Base: base})}
	s.end = client.Close
	return s, nil
}

func (s *httpSite) serve(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+*s.key.Load() {
		s.refused.Add(1)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	io.Copy(w, r.Body)
}

// use puts something to the server and gets it back.
func (s *httpSite) use(ctx context.Context) error {
	body := rand.Text()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, s.server.URL, strings.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err == nil && string(got) != body {
		err = fmt.Errorf("status %d and %d bytes", resp.StatusCode, len(got))
	}
	return err
}

// rotate replaces the only key, with a window until the label moves.
func (s *httpSite) rotate(ctx context.Context) error {
	pending := s.r.fake.PutEmptyPending(secretID)
	if err := sleep(ctx, mrand.N(s.r.gap/20+1)); err != nil {
		return err
	}
	next := rand.Text()
	if _, err := s.api.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: aws.String(secretID), ClientRequestToken: aws.String(pending),
		SecretString: &next, VersionStages: []string{secrets.Pending},
	}); err != nil {
		return err
	}
	s.key.Store(&next)
	if err := sleep(ctx, mrand.N(s.r.window+1)); err != nil {
		return err
	}
	err := finish(ctx, s.api, pending, s.current)
	s.current = pending
	return err
}

func (s *httpSite) wrongLogins() int { return int(s.refused.Load()) }

func (s *httpSite) close() error {
	s.server.Close()
	return s.end()
}

// naiveHTTP keeps the key; when it is refused the secret is read again, once, and
// the request sent again, once.
type naiveHTTP struct {
	api  *secretsmanager.Client
	base http.RoundTripper
	kept atomic.Pointer[string]
}

func newNaiveHTTP(r *liveRun, base http.RoundTripper) *naiveHTTP {
	return &naiveHTTP{api: r.fake.ClientFor(secretstest.Identity{ARN: appARN}), base: base}
}

func (n *naiveHTTP) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := n.send(r, false)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	resp.Body.Close()
	return n.send(r, true)
}

func (n *naiveHTTP) send(r *http.Request, fresh bool) (*http.Response, error) {
	key := n.kept.Load()
	if key == nil || fresh {
		out, err := n.api.GetSecretValue(r.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String(secretID)})
		if err != nil {
			return nil, err
		}
		key = out.SecretString
		n.kept.Store(key)
	}
	r = r.Clone(r.Context())
	body, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	r.Body = body
	r.Header.Set("Authorization", "Bearer "+*key)
	return n.base.RoundTrip(r)
}
