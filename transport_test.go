package secrets_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// counting passes requests on to a fake, whatever host they are for.
func counting(srv *secretstest.Server, sent *atomic.Int64) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		sent.Add(1)
		return srv.HTTPClient().Transport.RoundTrip(r)
	})
}

func TestPlainHTTP(t *testing.T) {
	for endpoint, allowed := range map[string]bool{
		"http://example.com":                             false,
		"http://secretsmanager.us-east-1.amazonaws.com":  false,
		"http://10.0.0.1:4566":                           false,
		"http://169.254.169.254":                         false,
		"http://0.0.0.0:4566":                            false, // that may be any interface
		"http://[::]:4566":                               false,
		"http://[2001:db8::1]:4566":                      false,
		"http://[fe80::1%25lo]:4566":                     false,
		"http://127.0.0.1.example.com":                   false,
		"http://localhost.example.com":                   false,
		"http://notlocalhost":                            false,
		"http://2130706433":                              false, // 127.0.0.1 to some resolvers
		"http://localstack:4566":                         false,
		"HTTP://example.com":                             false,
		"http://localhost":                               true,
		"http://localhost:4566":                          true,
		"http://LocalHost.:4566":                         true,
		"http://secretsmanager.localhost:4566":           true,
		"http://127.0.0.1:4566":                          true,
		"http://127.3.2.1":                               true,
		"http://[::1]:4566":                              true,
		"http://[::ffff:127.0.0.1]:4566":                 true,
		"https://example.com":                            true,
		"https://secretsmanager.us-east-1.amazonaws.com": true,
	} {
		t.Run(endpoint, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				checkTransport(t, endpoint, nil, allowed)
				checkTransport(t, endpoint, &secrets.Options{AllowHTTP: true}, true)
			})
		})
	}
}

func checkTransport(t *testing.T, endpoint string, o *secrets.Options, allowed bool) {
	t.Helper()
	srv := secretstest.New(t, secretstest.Secrets{"s": "{}", "s2": "v"})
	srv.Put("s", "{}")
	var sent atomic.Int64
	c := open(t, sdkClient(endpoint, counting(srv, &sent)), o)
	for what, read := range singleReads() {
		err := read(t.Context(), c, "s")
		switch {
		case allowed && err != nil:
			t.Errorf("%s over %s = %v", what, endpoint, err)
		case !allowed && (err == nil || !strings.Contains(err.Error(), "refusing plain http") || !strings.Contains(err.Error(), "AllowHTTP")):
			t.Errorf("%s over %s = %v, want an error that says why and how to allow it", what, endpoint, err)
		}
	}
	if n := sent.Load(); allowed != (n > 0) {
		t.Errorf("%d requests were sent to %s", n, endpoint)
	}
}

// The endpoint may be another one for each request, and code of the program's
// own may change the request later still.
func TestPlainHTTPIsCheckedPerRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "v"})
		var sent atomic.Int64
		resolver := &turning{to: "https://example.com"}
		api := secretsmanager.New(sdkClient("https://example.com", counting(srv, &sent)).Options(), func(o *secretsmanager.Options) {
			o.BaseEndpoint = nil
			o.EndpointResolverV2 = resolver
		})
		var log journal
		c := open(t, api, &secrets.Options{Logger: log.logger()})
		checkRead(t, c, "s", "v")
		resolver.to = "http://example.com"
		before := sent.Load()
		if err := c.Refresh(t.Context(), "s"); err == nil || !strings.Contains(err.Error(), "refusing plain http") {
			t.Errorf("Refresh = %v, want a refusal", err)
		}
		time.Sleep(6 * time.Minute)
		checkRead(t, c, "s", "v") // a refusal is a failure like another: the old value serves
		time.Sleep(6 * time.Minute)
		checkRead(t, c, "s", "v")
		if n := sent.Load() - before; n != 0 {
			t.Errorf("%d requests were sent over plain http", n)
		}
		if !strings.Contains(log.String(), "refusing plain http") {
			t.Errorf("the log does not say why refreshes fail:\n%s", log.String())
		}
		resolver.to = "https://example.com"
		if err := c.Refresh(t.Context(), "s"); err != nil {
			t.Errorf("Refresh over https again = %v", err)
		}
	})
}

// turning is an endpoint resolver whose endpoint changes.
type turning struct{ to string }

func (r *turning) ResolveEndpoint(context.Context, secretsmanager.EndpointParameters) (smithyendpoints.Endpoint, error) {
	u, err := url.Parse(r.to)
	return smithyendpoints.Endpoint{URI: *u}, err
}

// An https endpoint that redirects to plain http is no way round the refusal:
// the SDK's requests cannot be sent a second time by the HTTP client.
func TestRedirectToPlainHTTPIsNotFollowed(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"a": "value"})
	var sent, plain atomic.Int64
	rt := roundTripper(func(r *http.Request) (*http.Response, error) {
		sent.Add(1)
		if r.URL.Scheme != "https" {
			plain.Add(1)
		}
		h := http.Header{"Location": {"http://example.com/"}}
		return &http.Response{StatusCode: http.StatusTemporaryRedirect, Header: h, Body: http.NoBody, Request: r}, nil
	})
	api := srv.Client(func(o *secretsmanager.Options) { o.HTTPClient = &http.Client{Transport: rt} })
	c := newClient(t, api, nil)
	if s, err := c.Get(t.Context(), "a"); err == nil {
		t.Errorf("Get returned %v", s)
	}
	if sent.Load() == 0 || plain.Load() != 0 {
		t.Errorf("%d requests, %d of them over plain http, want some and none", sent.Load(), plain.Load())
	}
}
