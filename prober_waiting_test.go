package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/seed-74dc7b3e/secrets"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// Close ends a walk and those who wait; what a use has got by then is not lost.
func TestTryClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, ref, s := rotWindow(t)
		s.set()
		var done sync.WaitGroup
		for range 10 {
			done.Go(func() {
				if _, err := secrets.Try(t.Context(), ref, s.use); err != secrets.ErrClosed {
					t.Errorf("Try during Close = %v, want ErrClosed", err)
				}
			})
		}
		time.Sleep(time.Minute / 2)
		c.Close()
		done.Wait()
		if _, err := secrets.Try(t.Context(), ref, s.use); err != secrets.ErrClosed {
			t.Errorf("Try after Close = %v, want ErrClosed", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		_, c, ref, s := rotWindow(t)
		got, err := secrets.Try(t.Context(), ref, func(ctx context.Context, v string) (string, error) {
			if v == "new" {
				c.Close()
				synctest.Wait()
				if ctx.Err() != nil {
					t.Error("Close cancelled the context of a use")
				}
			}
			return s.use(ctx, v)
		})
		if got != "new" || err != nil {
			t.Errorf("a use that succeeded during Close: %q, %v", got, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		_, c, ref, s := rotWindow(t)
		secrets.Try(t.Context(), ref, s.use)
		c.Close()
		if got, err := secrets.Try(t.Context(), ref, s.use); err != secrets.ErrClosed {
			t.Errorf("Try of a pinned version after Close = %q, %v, want ErrClosed", got, err)
		}
	})
}

// The secret is deleted, or its permission withdrawn, during a walk: everybody
// has the service's answer, and soon.
func TestTrySecretWithdrawn(t *testing.T) {
	for _, described := range []bool{true, false} {
		for name, withdraw := range map[string]func(*secretstest.Server){
			"deleted":   func(srv *secretstest.Server) { srv.Delete("s") },
			"scheduled": func(srv *secretstest.Server) { srv.ScheduleDeletion("s") },
			"denied": func(srv *secretstest.Server) {
				srv.Fail(secretstest.Fault{Times: secretstest.Always, Code: "AccessDeniedException"})
			},
		} {
			t.Run(fmt.Sprintf("%s/described=%v", name, described), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					srv, _, ref, s := rotWindow(t)
					if !described {
						srv.Fail(secretstest.DenyDescribe(""))
					}
					s.set()
					start := time.Now()
					var done sync.WaitGroup
					for range 10 {
						done.Go(func() {
							_, err := secrets.Try(rotWithin(10*time.Minute), ref, s.use)
							var rejected *secrets.RejectedError
							if err == nil || errors.As(err, &rejected) || !strings.Contains(err.Error(), `"s"`) {
								t.Errorf("Try = %v, want the service's answer", err)
							}
							var notFound *types.ResourceNotFoundException
							if name == "deleted" && !errors.As(err, &notFound) {
								t.Errorf("Try = %v, want a ResourceNotFoundException", err)
							}
						})
					}
					time.Sleep(30 * time.Second)
					withdraw(srv)
					done.Wait()
					if took := time.Since(start); took > 45*time.Second {
						t.Errorf("the answer took %v after the secret was withdrawn", took-30*time.Second)
					}
				})
			})
		}
	}
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

// The service is down when a version is refused: those in memory are offered.
func TestTryServiceDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, ref, s := rotWindow(t)
		secrets.Try(t.Context(), ref, s.use) // "new" is pinned
		s.take()
		srv.Fail(secretstest.Outage())
		s.set("old") // the password was rolled back
		if got, err := secrets.Try(rotWithin(10*time.Second), ref, s.use); got != "old" || err != nil {
			t.Errorf("Try = %q, %v, want what is in memory", got, err)
		}
		if got := s.take(); got != "new old" {
			t.Errorf("offered %q", got)
		}

		s.set()
		_, err := secrets.Try(rotWithin(10*time.Second), ref, s.use)
		var rejected *secrets.RejectedError
		if !errors.As(err, &rejected) || !strings.Contains(err.Error(), "asking for others failed") {
			t.Errorf("Try = %v, want a RejectedError that says that the service could not be asked", err)
		}
	})
}

// When the service is down, labels that were seen long ago are not gone by: only
// the current version is offered.
func TestTryServiceDownOldLabels(t *testing.T) {
	for _, ago := range []time.Duration{30 * time.Second, 30 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			srv := secretstest.New(t, secretstest.Secrets{"s": "prev"})
			srv.Put("s", "old")
			srv.PutPending("s", "new")
			_, ref := rotText(t, srv, nil)
			s := rotAccept("new")
			secrets.Try(t.Context(), ref, s.use) // "new" is pinned
			s.set("prev")
			secrets.Try(rotWithin(time.Second), ref, s.use) // "prev" is now, and is in memory
			s.take()
			time.Sleep(ago)
			srv.Fail(secretstest.Outage())
			s.set()
			secrets.Try(rotWithin(10*time.Minute), ref, s.use)
			want := "prev old new"
			if ago > time.Minute {
				want = "prev old"
			}
			if got := s.take(); !strings.HasPrefix(got, want) || ago > time.Minute && strings.Contains(got, "new") {
				t.Errorf("%v after the labels were seen: offered %q, want %q first", ago, got, want)
			}
		})
	}
}

// Beyond Options.MaxStale no version is offered, pinned or not.
func TestTryMaxStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
		c := rotClient(t, srv, secrets.Options{MaxStale: 2 * time.Hour})
		ref := secrets.Bind[string](c, "s")
		srv.PutPending("s", "new")
		s := rotAccept("new")
		secrets.Try(t.Context(), ref, s.use)
		srv.Fail(secretstest.Outage())
		time.Sleep(time.Hour)
		if got, err := secrets.Try(t.Context(), ref, s.use); got != "new" || err != nil {
			t.Errorf("Try an hour into an outage = %q, %v", got, err)
		}
		time.Sleep(2 * time.Hour)
		if got, err := secrets.Try(t.Context(), ref, s.use); err == nil {
			t.Errorf("Try three hours into an outage = %q, want an error", got)
		}
	})
}

// The current version does not decode: a pending one that does is used.
func TestTryCurrentDoesNotDecode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": `{"Password":"good"}`})
		c := rotClient(t, srv, secrets.Options{})
		ref := secrets.Bind[rotLogin](c, "s")
		ref.Get(t.Context())
		srv.Put("s", "not JSON")
		srv.PutPending("s", `{"Password":"next"}`)
		c.Refresh(t.Context(), "s")
		var offered []string
		use := func(_ context.Context, l rotLogin) (string, error) {
			offered = append(offered, l.Password)
			if l.Password != "next" {
				return "", secrets.Rejected(errRotAuth)
			}
			return l.Password, nil
		}
		for range 2 {
			if got, err := secrets.Try(rotWithin(10*time.Second), ref, use); got != "next" || err != nil {
				t.Fatalf("Try = %q, %v", got, err)
			}
		}
		if got := fmt.Sprint(offered); got != "[good next next]" {
			t.Errorf("offered %v", got)
		}
	})
}

// Uses have maps and slices of their own, also the prober's.
func TestTryClones(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": `{"hosts":["old"]}`})
		c := rotClient(t, srv, secrets.Options{})
		ref := secrets.Bind[map[string][]string](c, "s")
		srv.PutPending("s", `{"hosts":["new"]}`)
		for range 3 {
			_, err := secrets.Try(t.Context(), ref, func(_ context.Context, m map[string][]string) (int, error) {
				host := m["hosts"][0]
				m["hosts"][0] = "scribbled"
				m["more"] = nil
				if host != "new" {
					return 0, secrets.Rejected(errors.New(host))
				}
				return len(m), nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if m, err := ref.Get(t.Context()); err != nil || m["hosts"][0] != "old" {
			t.Errorf("Get = %v, %v", m, err)
		}
		if n := c.Stats().Rejections; n != 1 {
			t.Errorf("%d rejections, want 1: a use saw what another had scribbled", n)
		}
	})
}

// rotNoIDs is an endpoint that gives versions no ids and knows no DescribeSecret.
type rotNoIDs struct{ c *secretsmanager.Client }

func (a rotNoIDs) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, o ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	out, err := a.c.GetSecretValue(ctx, in, o...)
	if err == nil {
		out.VersionId = nil
	}
	return out, err
}

// An endpoint without version ids still serves Try: what was refused is not
// left alone for ever.
func TestTryWithoutVersionIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
		c, err := secrets.New(rotNoIDs{srv.Client()}, &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ref := secrets.Bind[string](c, "s")
		s := rotAccept("new")
		time.AfterFunc(10*time.Second, func() { srv.Put("s", "new") })
		if got, err := secrets.Try(rotWithin(3*time.Minute), ref, s.use); got != "new" || err != nil {
			t.Errorf("Try = %q, %v", got, err)
		}
	})
}

// The log's handler may use the handle.
func TestTryLogsWithoutLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
		h := &rotHandler{}
		c, err := secrets.New(srv.Client(), &secrets.Options{Logger: h.logger()})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ref := secrets.Bind[string](c, "s")
		h.match, h.call = "other than the current", func() {
			ref.Rotating()
			secrets.Try(context.Background(), ref, func(context.Context, string) (int, error) { return 0, nil })
		}
		srv.PutPending("s", "new")
		if got, err := secrets.Try(t.Context(), ref, rotAccept("new").use); got != "new" || err != nil {
			t.Errorf("Try = %q, %v", got, err)
		}
		if !h.called {
			t.Error("nothing was logged of the version in use")
		}
	})
}
