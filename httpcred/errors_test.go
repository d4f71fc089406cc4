package httpcred_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/httpcred"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// The context of a request ends it, and an answered one's body can be read
// after RoundTrip has returned.
func TestContexts(t *testing.T) {
	srv, client, _, _ := world(t, httpcred.Options{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		io.WriteString(w, strings.Repeat("x", 1<<20))
	}))
	defer server.Close()
	c := &http.Client{Transport: httpcred.New(secrets.Bind[string](client, id), httpcred.Bearer, nil)}
	resp, err := c.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if len(body) != 1<<20 || err != nil {
		t.Errorf("read %d bytes, %v", len(body), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", server.URL, nil)
	if _, err := c.Do(r); !errors.Is(err, context.Canceled) {
		t.Errorf("a request whose context has ended: %v", err)
	}
	srv.Fail(secretstest.Outage())
	client.Close()
	if _, err := c.Get(server.URL); !errors.Is(err, secrets.ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
}

// If the secret cannot be read, the error says so, the body is closed, and
// nothing is sent. The same holds for a function that cannot sign.
func TestErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client, a, _ := world(t, httpcred.Options{})
		broken := errors.New("no such algorithm")
		for name, c := range map[string]http.RoundTripper{
			"missing": httpcred.New(secrets.Bind[string](client, "missing"), httpcred.Bearer, &httpcred.Options{Base: a}),
			"broken":  httpcred.New(secrets.Bind[string](client, id), func(*http.Request, string) error { return broken }, &httpcred.Options{Base: a}),
		} {
			body := &closing{Reader: strings.NewReader("x")}
			r, _ := http.NewRequest("POST", url, body)
			resp, err := c.RoundTrip(r)
			if resp != nil || err == nil || !body.closed || strings.Contains(err.Error(), "one") {
				t.Errorf("%s: %v, %v, body closed %v", name, resp, err, body.closed)
			}
			if name == "broken" && !errors.Is(err, broken) {
				t.Errorf("%v, want the function's error", err)
			}
		}
		want(t, "sent", a.take(), "")
	})
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

// A function may sign the request; each version signs anew, and the caller's
// request is not changed.
func TestSigning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client, a, _ := world(t, httpcred.Options{})
		mac := func(key, path string) string {
			h := hmac.New(sha256.New, []byte(key))
			io.WriteString(h, path)
			return hex.EncodeToString(h.Sum(nil))
		}
		sign := func(r *http.Request, key string) error {
			q := r.URL.Query()
			q.Set("sig", mac(key, r.URL.Path))
			r.URL.RawQuery = q.Encode()
			return nil
		}
		a.key = func(r *http.Request) string {
			for _, k := range []string{"zero", "one", "two"} {
				if r.URL.Query().Get("sig") == mac(k, r.URL.Path) {
					return k
				}
			}
			return "?"
		}
		c := &http.Client{Transport: httpcred.New(secrets.Bind[string](client, id), sign, &httpcred.Options{Base: a})}
		get(c)
		srv.PutPending(id, "two")
		a.accept("two")
		r, _ := http.NewRequest("GET", url, nil)
		resp, err := c.Do(r)
		if err != nil || resp.StatusCode != 200 || resp.Request.URL.RawQuery != "" || r.URL.RawQuery != "" {
			t.Errorf("%v, %v; the caller sees %q", resp, err, resp.Request.URL.RawQuery)
		}
		want(t, "the keys", a.take(), "one one two")
	})
}
