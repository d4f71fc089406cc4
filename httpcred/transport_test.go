package httpcred_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/httpcred"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// api is a server that takes some keys, without a socket.
type api struct {
	mu      sync.Mutex // guards the fields below
	accepts map[string]bool
	got     []string                              // the keys that came, in order
	answer  func(key string, r *http.Request) int // 0: what the key deserves
	delay   func(key string, r *http.Request)     // before the answer
	key     func(r *http.Request) string          // nil: the bearer token
}

func accepting(keys ...string) *api {
	a := &api{}
	a.accept(keys...)
	return a
}

func (a *api) accept(keys ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.accepts = map[string]bool{}
	for _, k := range keys {
		a.accepts[k] = true
	}
}

// take returns the keys that came since the last call.
func (a *api) take() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	got := strings.Join(a.got, " ")
	a.got = nil
	return got
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if a.key != nil {
		key = a.key(r)
	}
	a.got = append(a.got, key)
	status := http.StatusUnauthorized
	if a.accepts[key] {
		status = http.StatusOK
	}
	if a.answer != nil {
		if s := a.answer(key, r); s != 0 {
			status = s
		}
	}
	delay := a.delay
	a.mu.Unlock()
	if delay != nil {
		delay(key, r)
	}
	body, _ := io.ReadAll(r.Body)
	w.WriteHeader(status)
	fmt.Fprintf(w, "%d %s with %s %s", status, r.Method, key, body)
}

// RoundTrip makes the server its own transport. As net/http it closes the body
// and ends with the context.
func (a *api) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	defer in.Body.Close()
	a.ServeHTTP(w, in)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

const id = "prod/api-key"

// world is a secret with the current version "one", and a server that accepts
// it.
func world(t *testing.T, o httpcred.Options) (*secretstest.Server, *secrets.Client, *api, *http.Client) {
	t.Helper()
	srv := secretstest.New(t, secretstest.Secrets{id: "zero"})
	srv.Put(id, "one")
	c, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	a := accepting("one")
	if o.Base == nil {
		o.Base = a
	}
	return srv, c, a, &http.Client{Transport: httpcred.New(secrets.Bind[string](c, id), httpcred.Bearer, &o)}
}

const url = "https://api.example.com/thing"

// call returns the response's status and body as one text, or the error's.
func call(c *http.Client, r *http.Request) string {
	resp, err := c.Do(r)
	if err != nil {
		return "error: " + err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "error: " + err.Error()
	}
	return string(body)
}

func get(c *http.Client) string {
	r, _ := http.NewRequest("GET", url, nil)
	return call(c, r)
}

func post(c *http.Client, body string, header ...string) string {
	r, _ := http.NewRequest("POST", url, strings.NewReader(body))
	for _, h := range header {
		r.Header[h] = nil
	}
	return call(c, r)
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// During a rotation from some moment on only the new key works. No request
// fails, one is sent twice, and later ones use the new key at once.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, a, c := world(t, httpcred.Options{})
		want(t, "before", get(c), "200 GET with one ")
		srv.PutPending(id, "two")
		a.accept("two")
		want(t, "in the window", get(c), "200 GET with two ")
		want(t, "after it", get(c)+post(c, "x"), "200 GET with two 200 POST with two x")
		want(t, "the keys", a.take(), "one one two two two")
		srv.MoveStage(id, secrets.Current, srv.VersionID(id, secrets.Pending))
		time.Sleep(10 * time.Minute)
		want(t, "when it is current", get(c), "200 GET with two ")
		want(t, "the keys", a.take(), "two")
	})
}

// A request may be sent again if net/http considers it idempotent and its body
// can be read again. Each version is sent once.
func TestReplay(t *testing.T) {
	streamed := func(method string) *http.Request {
		r, _ := http.NewRequest(method, url, io.NopCloser(strings.NewReader("body")))
		return r
	}
	whole := func(method string) *http.Request {
		r, _ := http.NewRequest(method, url, strings.NewReader("body"))
		return r
	}
	marked := func(r *http.Request, header string) *http.Request { r.Header[header] = nil; return r }
	for _, tt := range []struct {
		r    *http.Request
		keys string
	}{
		{whole("GET"), "one two"}, {whole("PUT"), "one two"}, {whole("DELETE"), "one two"}, {whole("OPTIONS"), "one two"},
		{streamed("PUT"), "one"}, {whole("POST"), "one"}, {whole("PATCH"), "one"},
		{marked(whole("POST"), "Idempotency-Key"), "one two"},
		{marked(whole("PATCH"), "X-Idempotency-Key"), "one two"},
		{marked(streamed("POST"), "Idempotency-Key"), "one"},
	} {
		synctest.Test(t, func(t *testing.T) {
			srv, _, a, c := world(t, httpcred.Options{})
			get(c)
			a.take()
			srv.PutPending(id, "two")
			a.accept("two")
			got := call(c, tt.r)
			want(t, tt.r.Method, a.take(), tt.keys)
			if tt.keys == "one" {
				want(t, "the caller of "+tt.r.Method+" has", got, "401 "+tt.r.Method+" with one body")
				want(t, "and the next", post(c, "x"), "200 POST with two x")
			} else {
				want(t, tt.r.Method, got, "200 "+tt.r.Method+" with two body")
			}
		})
	}
}

// When no version is taken the caller has the server's own response to the
// current one, at once, and each version was sent once.
func TestAllRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, a, c := world(t, httpcred.Options{})
		srv.PutPending(id, "two")
		a.accept()
		start := time.Now()
		want(t, "the response", get(c), "401 GET with one ")
		want(t, "the keys", a.take(), "one two zero")
		if took := time.Since(start); took != 0 {
			t.Errorf("it took %v", took)
		}
		want(t, "the next response", get(c), "401 GET with one ")
		want(t, "its keys", a.take(), "one")
		if n := srv.Count(secretstest.Call{Op: "DescribeSecret"}); n > 2 {
			t.Errorf("%d questions to the service, want one round's", n)
		}
	})
}

// A stray 403 locks a good key out of nothing: not the requests of the same
// moment, nor later ones, and not for the sake of the previous key.
func TestStrayRejection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, a, c := world(t, httpcred.Options{IsRejected: httpcred.Statuses(401, 403)})
		get(c)
		srv.Fail(secretstest.Fault{Op: "DescribeSecret", Latency: time.Second, Times: 1})
		a.answer = func(_ string, r *http.Request) int {
			if r.Header.Get("X-Stray") != "" {
				return 403
			}
			return 0
		}
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 50 * time.Millisecond)
				r, _ := http.NewRequest("GET", url, nil)
				if i == 5 {
					r.Header.Set("X-Stray", "yes")
				}
				switch got := call(c, r); {
				case i == 5:
					want(t, "the stray one", got, "403 GET with one ")
				case got != "200 GET with one ":
					t.Errorf("request %d: %s", i, got)
				}
			})
		}
		all.Wait()
		a.take()
		time.Sleep(time.Minute)
		want(t, "a minute later", get(c), "200 GET with one ")
		want(t, "the keys", a.take(), "one")
	})
}

// The new key is not known everywhere yet: the previous one is used in its
// place, and the new one offered again once a minute.
func TestPreviousInItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client, a, c := world(t, httpcred.Options{})
		get(c)
		srv.Put(id, "two")
		if err := client.Refresh(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		a.take()
		for range 90 {
			want(t, "meanwhile", get(c)+post(c, ""), "200 GET with one 200 POST with one ")
			time.Sleep(time.Second)
		}
		if got := strings.Count(a.take(), "two"); got != 2 {
			t.Errorf("the new key was offered %d times in 90 s, want twice", got)
		}
		a.accept("one", "two")
		time.Sleep(time.Minute)
		want(t, "when it is known", get(c)+get(c), "200 GET with two 200 GET with two ")
	})
}

// A response that does not show whether the key was accepted pins nothing.
func TestNoVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, a, c := world(t, httpcred.Options{})
		srv.PutPending(id, "two")
		a.accept()
		a.answer = func(key string, _ *http.Request) int {
			if key == "two" {
				return 503
			}
			return 0
		}
		want(t, "the response", get(c), "503 GET with two ")
		a.answer = nil
		a.accept("one")
		a.take()
		time.Sleep(httpcred.DefaultPause)
		want(t, "later", get(c), "200 GET with one ")
		want(t, "its keys", a.take(), "one")
	})
}

// A request that hangs while it offers another version keeps others for ten
// seconds, no longer.
func TestHungProber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, a, c := world(t, httpcred.Options{})
		get(c)
		srv.PutPending(id, "two")
		a.accept()
		a.delay = func(key string, r *http.Request) {
			if key == "two" {
				<-r.Context().Done()
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			r, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
			if got := call(c, r); !strings.Contains(got, "canceled") {
				t.Errorf("the request that hung: %s", got)
			}
		})
		synctest.Wait()
		start := time.Now()
		for range 20 {
			all.Go(func() { want(t, "another", get(c), "401 GET with one ") })
		}
		time.Sleep(11 * time.Second)
		if took := time.Since(start); took > 11*time.Second {
			t.Errorf("others waited %v", took)
		}
		cancel()
		all.Wait()
	})
}

// That the secret takes long to be read is no reason to give up.
func TestSlowService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{id: "one"})
		client, err := secrets.New(srv.Client(), &secrets.Options{FetchTimeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		srv.Fail(secretstest.Fault{Op: "GetSecretValue", Latency: 20 * time.Second, Times: 1})
		c := &http.Client{Transport: httpcred.New(secrets.Bind[string](client, id), httpcred.Bearer, &httpcred.Options{Base: accepting("one")})}
		want(t, "the response", get(c), "200 GET with one ")
	})
}

// Options.Wait has a rejected request wait for a version to come.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, a, c := world(t, httpcred.Options{Wait: 20 * time.Second})
		a.accept("two")
		time.AfterFunc(5*time.Second, func() { srv.PutPending(id, "two") })
		start := time.Now()
		want(t, "the response", get(c), "200 GET with two ")
		if took := time.Since(start); took < 5*time.Second || took > 12*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
