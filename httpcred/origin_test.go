package httpcred_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/httpcred"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// redirecting answers each URL with a redirect to the next of a chain.
type redirecting struct {
	chain []string
	seen  []string // each URL, and whether it came with the credential
}

func (s *redirecting) RoundTrip(r *http.Request) (*http.Response, error) {
	s.seen = append(s.seen, fmt.Sprint(r.URL, " ", r.Header.Get("Authorization") == "Bearer one"))
	w := httptest.NewRecorder()
	if n := len(s.seen); n < len(s.chain) {
		w.Header().Set("Location", s.chain[n])
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// A redirect to another scheme, host or port gets no credential. Later
// redirects get none either, even back to the first host.
func TestRedirects(t *testing.T) {
	for _, tt := range []struct {
		chain string
		want  string
	}{
		{"https://a.test/1 https://a.test/2 /3", "true true true"},
		{"https://a.test/1 https://a.test:443/2 https://A.test/3", "true true true"},
		{"https://a.test/1 https://b.test/2", "true false"},
		{"https://a.test/1 https://a.test:8443/2", "true false"},
		{"https://a.test/1 http://a.test/2", "true false"},
		{"https://a.test/1 https://sub.a.test/2", "true false"},
		{"https://a.test/1 https://b.test/2 https://a.test/3 /4", "true false false false"},
		{"https://a.test/1 https://a.test/2 https://b.test/3 /4", "true true false false"},
		{"https://a.test/1 //b.test/2", "true false"},
		{"https://a.test/1 https://a.test@b.test/2", "true false"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &redirecting{chain: strings.Fields(tt.chain)}
			_, _, _, c := world(t, httpcred.Options{Base: s, Hosts: []string{"a.test", "b.test"}})
			resp, err := c.Get(s.chain[0])
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, seen := range s.seen {
				got = append(got, strings.Fields(seen)[1])
			}
			want(t, tt.chain, strings.Join(got, " "), tt.want)
			for r := resp.Request; r != nil; r = r.Response.Request {
				if r.Header.Get("Authorization") == "Bearer one" {
					t.Errorf("%s: the caller can read the credential in its response", r.URL)
				}
				if r.Response == nil {
					break
				}
			}
		})
	}
}

// Before anything is sent it is decided whether the credential may go there.
func TestWhereItGoes(t *testing.T) {
	for _, tt := range []struct {
		url  string
		o    httpcred.Options
		sent bool
	}{
		{"https://api.test/", httpcred.Options{}, true},
		{"http://api.test/", httpcred.Options{}, false},
		{"http://api.test/", httpcred.Options{AllowHTTP: true}, true},
		{"http://localhost:80/", httpcred.Options{}, true},
		{"http://127.1.2.3/", httpcred.Options{}, true},
		{"http://[::1]:80/", httpcred.Options{}, true},
		{"http://[::ffff:127.0.0.1]/", httpcred.Options{}, true},
		{"http://localhost.evil.test/", httpcred.Options{}, false},
		{"http://127.0.0.1.evil.test/", httpcred.Options{}, false},
		{"https://api.test/", httpcred.Options{Hosts: []string{"API.test"}}, true},
		{"https://api.test:8443/", httpcred.Options{Hosts: []string{"api.test"}}, true},
		{"https://api.test/", httpcred.Options{Hosts: []string{"api.test:443"}}, true},
		{"https://api.test/", httpcred.Options{Hosts: []string{"api.test:8443"}}, false},
		{"https://evil.test/", httpcred.Options{Hosts: []string{"api.test"}}, false},
		{"https://api.test/", httpcred.Options{Hosts: []string{}}, false},
		{"https://api.test.evil.test/", httpcred.Options{Hosts: []string{"api.test"}}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &redirecting{}
			tt.o.Base = s
			_, _, _, c := world(t, tt.o)
			_, err := c.Get(tt.url)
			if sent := len(s.seen) == 1; sent != tt.sent || sent != (err == nil) {
				t.Errorf("%s with %v: sent %v, %v, want %v", tt.url, tt.o.Hosts, sent, err, tt.sent)
			}
		})
	}
}

// A value that is not valid in a header is refused, without being shown. Basic
// authentication needs a login in JSON.
func TestSetters(t *testing.T) {
	for _, tt := range []struct {
		secret string
		set    func(*http.Request, string) error
		header string
		want   string // "": an error
	}{
		{"k-1\n", httpcred.Bearer, "Authorization", "Bearer k-1"},
		{" k-1 ", httpcred.Header("X-Api-Key"), "X-Api-Key", "k-1"},
		{"k\nX-Evil: 1", httpcred.Bearer, "Authorization", ""},
		{"k\x00", httpcred.Header("X-Api-Key"), "X-Api-Key", ""},
		{"  ", httpcred.Bearer, "Authorization", ""},
	} {
		r, _ := http.NewRequest("GET", url, nil)
		err := tt.set(r, tt.secret)
		if got := r.Header.Get(tt.header); got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%q: %q, %v, want %q", tt.secret, got, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "k") && strings.Contains(err.Error(), "Evil") {
			t.Errorf("the error shows the value: %v", err)
		}
	}
}

func TestBasic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{id: `{"username":"app","password":"hunter2"}`, "bad": `{"username":"app"}`, "colon": `{"username":"a:b","password":"x"}`})
		c, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ref := secrets.Bind[httpcred.Login](c, id)
		l, err := ref.Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r, _ := http.NewRequest("GET", url, nil)
		err = httpcred.Basic(r, l)
		if user, password, ok := r.BasicAuth(); user != "app" || password != "hunter2" || !ok || err != nil {
			t.Errorf("basic authentication %q %q %v, %v", user, password, ok, err)
		}
		type outer struct{ l httpcred.Login }
		for _, printed := range []string{fmt.Sprintf("%v %+v %#v %s", l, l, l, l), fmt.Sprintf("%+v %#v", outer{l}, outer{l})} {
			if strings.Contains(printed, "hunter2") {
				t.Errorf("prints as %s", printed)
			}
		}
		for _, name := range []string{"bad", "colon"} {
			l, err := secrets.Get[httpcred.Login](context.Background(), c, name)
			if err == nil {
				err = httpcred.Basic(r, l)
			}
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %v, want an error", name, err)
			}
		}
		if httpcred.Basic(r, httpcred.Login{}) == nil {
			t.Error("a zero Login was taken")
		}
	})
}
