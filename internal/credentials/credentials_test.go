package credentials_test

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// changing is a provider whose source changes while it runs, behind the SDK's own
// cache as config puts it there.
type changing struct {
	p atomic.Pointer[aws.CredentialsProvider]
}

func (c *changing) Retrieve(ctx context.Context) (aws.Credentials, error) {
	cred, err := (*c.p.Load()).Retrieve(ctx)
	cred.CanExpire, cred.Expires = true, time.Now() // asked again every time
	return cred, err
}

// clientOf returns a client of srv that gets its credentials of p.
func clientOf(srv *secretstest.Server, p aws.CredentialsProvider) *secretsmanager.Client {
	return srv.Client(func(o *secretsmanager.Options) { o.Credentials = aws.NewCredentialsCache(p) })
}

func TestMatrix(t *testing.T) {
	for _, r := range rows {
		for _, mode := range []secrets.RefreshMode{secrets.RefreshAhead, secrets.RefreshOnRead} {
			t.Run(r.name, func(t *testing.T) {
				broken := given(keys)(t)
				if r.provider != nil {
					broken = r.provider(t)
				}
				synctest.Test(t, func(t *testing.T) { check(t, r, broken, mode) })
			})
		}
	}
}

// check reads a cached secret and one that is not while r lasts, for an hour,
// and afterwards.
func check(t *testing.T, r row, broken aws.CredentialsProvider, mode secrets.RefreshMode) {
	srv := secretstest.New(t, secretstest.Secrets{"cached": "v", "other": "v"})
	var p changing
	well := given(keys)(t)
	p.p.Store(&well)
	c, err := secrets.New(clientOf(srv, &p), &secrets.Options{Refresh: mode, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Get(t.Context(), "cached"); err != nil {
		t.Fatal(err)
	}
	p.p.Store(&broken)
	if r.service != nil {
		r.service(srv)
	}
	r.fails(t, "Refresh", c.Refresh(t.Context(), "cached"))
	_, err = c.Get(t.Context(), "other")
	r.fails(t, "a cold Get", err)
	for range 60 {
		if _, err := c.Get(t.Context(), "cached"); (err != nil) != r.drops {
			t.Fatalf("Get of the cached secret = %v; want it dropped: %t", err, r.drops)
		}
		time.Sleep(time.Minute)
	}
	p.p.Store(&well)
	srv.ClearFaults()
	time.Sleep(20 * time.Minute)
	for _, id := range []string{"cached", "other"} {
		if _, err := c.Get(t.Context(), id); err != nil {
			t.Errorf("Get(%s) afterwards = %v", id, err)
		}
	}
	if st := c.Stats(); (st.Denials > 0) != r.drops {
		t.Errorf("%d secrets were dropped; want some: %t", st.Denials, r.drops)
	}
}

// fails holds that a read tells who said no.
func (r row) fails(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s succeeded", what)
		return
	}
	for _, want := range r.says {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s = %v; want %q in it", what, err, want)
		}
	}
	if r.is != nil && !r.is(err) {
		t.Errorf("%s = %v, which is not of the SDK's type", what, err)
	}
}

// The documentation has every row, with what becomes of the cached value.
func TestDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/credentials.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		kept := "stays"
		if r.drops {
			kept = "goes"
		}
		want := "| " + r.name + " | " + kept + " | "
		if !strings.Contains(string(page), want) {
			t.Errorf("docs/credentials.md has no row that begins with %q", want)
		}
	}
	if got := strings.Count(string(page), " | stays | ") + strings.Count(string(page), " | goes | "); got != len(rows) {
		t.Errorf("docs/credentials.md has %d rows, want %d", got, len(rows))
	}
}

// A clock that is off by no more than the SDK corrects costs nothing but a second
// attempt.
func TestClockSkewThatTheSDKCorrects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "v"})
		c, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		defer srv.ClockSkew(20 * time.Minute)()
		for range 10 {
			if _, err := c.Get(t.Context(), "s"); err != nil {
				t.Errorf("Get = %v", err)
			}
			if err := c.Refresh(t.Context(), "s"); err != nil {
				t.Errorf("Refresh = %v", err)
			}
			time.Sleep(time.Minute)
		}
	})
}
