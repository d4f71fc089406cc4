package secrets_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// Get never returns what Try makes do with, for any kind of read.
func TestTryGetIgnoresPin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, ref, s := rotWindow(t)
		if got, err := secrets.Try(t.Context(), ref, s.use); got != "new" || err != nil {
			t.Fatalf("Try = %q, %v", got, err)
		}
		read := func() string {
			a, _ := ref.Get(t.Context())
			b, _ := secrets.Get[string](t.Context(), c, "s")
			sec, _ := c.Get(t.Context(), "s")
			text, _ := sec.Text()
			return a + " " + b + " " + text
		}
		if got := read(); got != "old old old" {
			t.Errorf("reads = %q while the pending version is in use", got)
		}
		other := secrets.Bind[string](c, "s")
		s.take()
		secrets.Try(t.Context(), other, s.use)
		if got := s.take(); got != "old new" {
			t.Errorf("another handle offered %q, want %q: what was learnt belongs to the first", got, "old new")
		}
		srv.MoveStage("s", secrets.Current, srv.VersionID("s", secrets.Pending))
		time.Sleep(10 * time.Second) // refreshed within seconds, since a rotation is outstanding
		if got := read(); got != "new new new" {
			t.Errorf("reads = %q after the rotation", got)
		}
		secrets.Try(t.Context(), ref, s.use)
		if ref.Rotating() {
			t.Error("Rotating() = true: the pin stayed when its version became current")
		}
	})
}

// A pinned version is rejected: nobody but the prober offers the versions that
// were rejected before it.
func TestTryPinRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, ref, s := rotWindow(t)
		secrets.Try(t.Context(), ref, s.use)
		s.set()
		s.take()
		var done sync.WaitGroup
		for range 50 {
			done.Go(func() {
				_, err := secrets.Try(rotWithin(30*time.Second), ref, func(ctx context.Context, v string) (string, error) {
					time.Sleep(10 * time.Millisecond)
					return s.use(ctx, v)
				})
				var rejected *secrets.RejectedError
				if !errors.As(err, &rejected) || len(rejected.Attempts) != 2 {
					t.Errorf("Try = %v, want two versions rejected", err)
				}
			})
		}
		done.Wait()
		got := s.take()
		if n := strings.Count(got, "new"); n != 50 {
			t.Errorf("the pinned version was offered %d times, want 50", n)
		}
		if n := strings.Count(got, "old"); n != 1 {
			t.Errorf("the current version was offered %d times, want once, by the prober", n)
		}
	})
}

// A secret that is pinned stays in the cache; when the pin goes, or its handle,
// it may be evicted.
func TestTryPinHolds(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "old", "a": "1", "b": "2", "c": "3"})
	c := rotClient(t, srv, secrets.Options{Size: 2})
	s := rotAccept("new")
	pin := func() *secrets.Ref[string] {
		ref := secrets.Bind[string](c, "s")
		if got, err := secrets.Try(t.Context(), ref, s.use); got != "new" || err != nil {
			t.Fatalf("Try = %q, %v", got, err)
		}
		return ref
	}
	cached := func() bool {
		for _, id := range strings.Fields("a b c a b c") {
			if _, err := c.Get(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		before := srv.Count()
		c.Get(t.Context(), "s")
		return srv.Count() == before
	}
	srv.PutPending("s", "new")
	ref := pin()
	if !cached() {
		t.Error("a pinned secret was evicted")
	}
	srv.MoveStage("s", secrets.Current, srv.VersionID("s", secrets.Pending))
	if err := c.Refresh(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	secrets.Try(t.Context(), ref, s.use)
	if cached() {
		t.Error("a secret that is no longer pinned was not evicted")
	}

	s.set("newer")
	srv.PutPending("s", "newer")
	s.accepts["new"] = true
	dropped := secrets.Bind[string](c, "s")
	s.set("newer")
	if got, err := secrets.Try(t.Context(), dropped, s.use); got != "newer" || err != nil {
		t.Fatalf("Try = %q, %v", got, err)
	}
	runtime.KeepAlive(dropped)
	dropped = nil
	for range 100 {
		runtime.GC()
		time.Sleep(time.Millisecond) // for the cleanup's goroutine, outside of any bubble
		if !cached() {
			return
		}
	}
	t.Error("the secret of a handle that is gone was never evicted")
}

// The secret leaves the cache and comes back while it is pinned: it is held
// again, and the pin works on.
func TestTryPinnedSecretComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "old", "a": "1", "b": "2", "c": "3"})
		c := rotClient(t, srv, secrets.Options{Size: 2})
		ref := secrets.Bind[string](c, "s")
		srv.PutPending("s", "new")
		s := rotAccept("new")
		secrets.Try(t.Context(), ref, s.use)
		s.take()

		srv.Fail(secretstest.Fault{Op: "GetSecretValue", Secret: "s", Times: secretstest.Always, Code: "AccessDeniedException"})
		time.Sleep(90 * time.Minute) // the value is fetched once an hour
		if _, err := secrets.Try(t.Context(), ref, s.use); err == nil {
			t.Error("Try succeeded though the secret is withdrawn")
		}
		srv.ClearFaults()
		time.Sleep(time.Minute)
		if got, err := secrets.Try(t.Context(), ref, s.use); got != "new" || err != nil {
			t.Errorf("Try = %q, %v", got, err)
		}
		for _, id := range strings.Fields("a b c a b c") {
			c.Get(t.Context(), id)
		}
		if calls := rotCalls(srv, func() { c.Get(t.Context(), "s") }); calls != 0 {
			t.Error("the pinned secret was evicted after it had come back")
		}
		if got := s.take(); got != "new" {
			t.Errorf("offered %q, want the pinned version alone", got)
		}
	})
}

// The secret is deleted and made again under its name while it is pinned.
func TestTryPinnedSecretMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, ref, s := rotWindow(t)
		secrets.Try(t.Context(), ref, s.use)
		s.take()
		srv.Delete("s")
		srv.Put("s", "again")
		s.set("again", "new")
		if err := c.Refresh(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
		if got, err := secrets.Try(t.Context(), ref, s.use); got != "again" || err != nil {
			t.Errorf("Try = %q, %v, want the value of the new secret", got, err)
		}
		if ref.Rotating() {
			t.Error("Rotating() = true: the pin of the old secret stayed")
		}
	})
}
