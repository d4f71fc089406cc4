package secrets_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// The labels can be had and the current version's value cannot: the pending one
// is offered all the same.
func TestTryCurrentOutOfReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, ref, s := rotWindow(t)
		srv.Put("s", "newer")
		srv.Fail(secretstest.Fault{Op: "GetSecretValue", Stage: secrets.Current, Times: secretstest.Always})
		start := time.Now()
		if got, err := secrets.Try(rotWithin(10*time.Second), ref, s.use); got != "new" || err != nil {
			t.Errorf("Try = %q, %v", got, err)
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("Try took %v, want the pending version at once", took)
		}
	})
}

// For a moment no version has the label AWSCURRENT, or so it seems: that is no
// reason to give up.
func TestTryCurrentMissing(t *testing.T) {
	for _, mode := range []secrets.RefreshMode{secrets.RefreshAhead, secrets.RefreshOnRead} {
		synctest.Test(t, func(t *testing.T) {
			srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
			c := rotClient(t, srv, secrets.Options{Refresh: mode})
			ref := secrets.Bind[string](c, "s")
			ref.Get(t.Context())
			srv.Put("s", "new")
			srv.Fail(secretstest.Fault{Op: "GetSecretValue", Stage: secrets.Current, Code: "ResourceNotFoundException", Times: 4})
			if got, err := secrets.Try(rotWithin(30*time.Second), ref, rotAccept("new").use); got != "new" || err != nil {
				t.Errorf("Try = %q, %v", got, err)
			}
			if ref.Rotating() {
				t.Error("Rotating() = true when the current version was found to work")
			}
		})
	}
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

// The service is down when a version is rejected: those in memory are offered.
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
		if !errors.As(err, &rejected) || !strings.Contains(err.Error(), "asking the service for others failed") {
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
