package secrets_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// Peek returns what is in memory, and asks nobody.
func TestPeek(t *testing.T) {
	for _, mode := range []secrets.RefreshMode{secrets.RefreshAhead, secrets.RefreshOnRead} {
		synctest.Test(t, func(t *testing.T) {
			srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
			c := rotClient(t, srv, secrets.Options{MaxStale: time.Hour, Refresh: mode})
			ref := secrets.Bind[string](c, "s")
			expect := func(what, want string) {
				t.Helper()
				var got string
				var ok bool
				if calls := rotCalls(srv, func() { got, ok = ref.Peek(); synctest.Wait() }); calls != 0 {
					t.Errorf("%s: Peek made %d calls", what, calls)
				}
				if got != want || ok != (want != "") {
					t.Errorf("%s: Peek = %q, %v, want %q", what, got, ok, want)
				}
			}
			expect("cold", "")
			if _, err := c.Get(t.Context(), "s"); err != nil {
				t.Fatal(err)
			}
			expect("read as another type", "one")
			srv.Put("s", "two")
			if err := c.Refresh(t.Context(), "s"); err != nil {
				t.Fatal(err)
			}
			expect("refreshed", "two")
			srv.Fail(secretstest.Outage())
			time.Sleep(10 * time.Minute)
			expect("expired", "two")
			time.Sleep(time.Hour)
			expect("past MaxStale", "")
			srv.ClearFaults()
			time.Sleep(time.Minute)
			if _, err := ref.Get(t.Context()); err != nil {
				t.Fatal(err)
			}
			expect("again", "two")
			c.Close()
			expect("after Close", "")
		})
	}
}

// Peek does not wait for another goroutine that decodes the value.
func TestPeekWhileDecoding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		c := rotClient(t, srv, secrets.Options{})
		release, done := make(chan struct{}), make(chan struct{})
		ref := secrets.BindFunc(c, "s", func(s *secrets.Secret) (string, error) { <-release; return s.Text() })
		go func() { ref.Get(t.Context()); close(done) }()
		synctest.Wait()
		if got, ok := ref.Peek(); ok {
			t.Errorf("Peek while the value is being decoded = %q", got)
		}
		close(release)
		<-done
		if got, ok := ref.Peek(); got != "one" || !ok {
			t.Errorf("Peek = %q, %v", got, ok)
		}
	})
}

// Peek has maps of its own, and a value that does not decode is none.
func TestPeekClonesAndDecodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": `{"a":"1"}`, "bad": "no JSON"})
		c := rotClient(t, srv, secrets.Options{})
		ref, bad := secrets.Bind[map[string]string](c, "s"), secrets.Bind[map[string]string](c, "bad")
		ref.Get(t.Context())
		c.Get(t.Context(), "bad")
		m, _ := ref.Peek()
		m["a"] = "scribbled"
		if m, ok := ref.Peek(); m["a"] != "1" || !ok {
			t.Errorf("Peek = %v, %v, want a copy", m, ok)
		}
		if m, ok := bad.Peek(); m != nil || ok {
			t.Errorf("Peek of what does not decode = %v, %v", m, ok)
		}
	})
}

// An Offer prints its version and label, never its value, on its own and in
// what prints it by its methods.
func TestOfferRedaction(t *testing.T) {
	o := secrets.Offer[string]{Value: canary, VersionID: "v1", Stage: secrets.Pending, Fallback: true}
	type field struct{ O secrets.Offer[string] }
	for what, v := range map[string]any{"itself": o, "a pointer": &o, "a slice": []any{o}, "a map": map[string]any{"k": o}, "a field": field{o}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if got := fmt.Sprintf(verb, v); leaks(got) != "" {
				t.Errorf("%s of %s shows the value: %s", verb, what, got)
			}
		}
		var log journal
		log.logger().Info("message", "offer", v, slog.Group("g", "offer", v))
		if got := log.String(); leaks(got) != "" {
			t.Errorf("slog of %s shows the value: %s", what, got)
		}
	}
	if got, want := fmt.Sprint(o), "secrets.Offer(AWSPENDING version v1)"; got != want {
		t.Errorf("an Offer prints as %q, want %q", got, want)
	}
}

func rotNoUse(context.Context, rotLogin) (int, error) { return 0, nil }

func rotNoOffer(context.Context, secrets.Offer[rotLogin]) (int, error) { return 0, nil }

// A use that nobody rejects allocates nothing.
func TestTryAllocates(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": `{"Username":"app","Password":"pw"}`})
	c := rotClient(t, srv, secrets.Options{})
	ref := secrets.Bind[rotLogin](c, "s")
	ctx := t.Context()
	if _, err := ref.Get(ctx); err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string]func(){
		"Try":      func() { secrets.Try(ctx, ref, rotNoUse) },
		"TryOffer": func() { secrets.TryOffer(ctx, ref, rotNoOffer) },
		"Peek":     func() { ref.Peek() },
	} {
		if n := testing.AllocsPerRun(100, try); n != 0 {
			t.Errorf("%s allocates %v times, want 0", name, n)
		}
	}
}
