package secrets_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// rotThree is rotWindow with a previous version, "prev", that nobody accepts.
func rotThree(t *testing.T) (*secretstest.Server, *secrets.Client, *secrets.Ref[string], *rotScript) {
	t.Helper()
	srv := secretstest.New(t, secretstest.Secrets{"s": "prev"})
	srv.Put("s", "old")
	c, ref := rotText(t, srv, nil)
	if _, err := ref.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	srv.PutPending("s", "new")
	return srv, c, ref, rotAccept("new")
}

// The pending version is out of reach for one call: the previous one is not
// offered in its place.
func TestTryPreviousIsNoGuess(t *testing.T) {
	for name, fault := range map[string]secretstest.Fault{
		"failing":   {Op: "GetSecretValue", Stage: secrets.Pending, Code: "InternalServiceError"},
		"throttled": {Op: "GetSecretValue", Stage: secrets.Pending, Code: "ThrottlingException"},
		"dropped":   {Op: "GetSecretValue", Stage: secrets.Pending, Drop: true},
		"no labels": {Op: "DescribeSecret", Code: "InternalServiceError", Times: 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, _, ref, s := rotThree(t)
				srv.Fail(fault)
				if got, err := secrets.Try(rotWithin(10*time.Second), ref, s.use); got != "new" || err != nil {
					t.Errorf("Try = %q, %v", got, err)
				}
				if got := s.take(); got != "old new" {
					t.Errorf("offered %q, want %q", got, "old new")
				}
			})
		})
	}
}

// The prober's caller leaves while the pending version is being fetched: the
// next prober makes do with what is in memory, and does not guess.
func TestTryPreviousIsNoGuessAfterALeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, ref, s := rotThree(t)
		if _, err := c.GetVersion(t.Context(), "s", secrets.Stage(secrets.Previous)); err != nil {
			t.Fatal(err)
		}
		srv.Fail(secretstest.Fault{Op: "GetSecretValue", Stage: secrets.Pending, Latency: 10 * time.Second})
		if _, err := secrets.Try(rotWithin(time.Millisecond), ref, s.use); err == nil {
			t.Error("Try succeeded before the pending version was there")
		}
		if got, err := secrets.Try(rotWithin(10*time.Second), ref, s.use); got != "new" || err != nil {
			t.Errorf("Try = %q, %v", got, err)
		}
		if got := s.take(); got != "old new" {
			t.Errorf("offered %q, want %q", got, "old new")
		}
	})
}

// A pending version that the first answer shows without a value may be a
// replica's that lags: the previous one is offered after the second such answer.
func TestTryValuelessTwice(t *testing.T) {
	valueless := secretstest.Fault{Op: "GetSecretValue", Stage: secrets.Pending, Code: "ResourceNotFoundException"}
	for times, want := range map[int]string{1: "old new", secretstest.Always: "old prev"} {
		synctest.Test(t, func(t *testing.T) {
			srv, _, ref, s := rotThree(t)
			s.set("new", "prev")
			valueless.Times = times
			srv.Fail(valueless)
			if _, err := secrets.Try(rotWithin(10*time.Second), ref, s.use); err != nil {
				t.Error(err)
			}
			if got := s.take(); got != want {
				t.Errorf("without a value %d times: offered %q, want %q", times, got, want)
			}
		})
	}
}

// The rotation is finished, and the new version's value out of reach for a
// moment: the one that was just rejected is not offered again as the previous
// one, nor when a replica that lags shows it as current once more.
func TestTryRejectedOnceInARotation(t *testing.T) {
	outOfReach := secretstest.Fault{Op: "GetSecretValue", Stage: secrets.Current, Code: "InternalServiceError", Times: 3}
	expect := func(t *testing.T, ref *secrets.Ref[string]) {
		t.Helper()
		s := rotAccept("new")
		if got, err := secrets.Try(rotWithin(20*time.Second), ref, s.use); got != "new" || err != nil {
			t.Errorf("Try = %q, %v", got, err)
		}
		if got := s.take(); got != "old new" {
			t.Errorf("offered %q, want %q", got, "old new")
		}
	}
	t.Run("current becomes previous", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			srv, _, ref, _ := rotWindow(t)
			srv.Fail(secretstest.DenyPending("s"))
			time.AfterFunc(2*time.Second, func() {
				srv.MoveStage("s", secrets.Current, srv.VersionID("s", secrets.Pending))
				srv.MoveStage("s", secrets.Pending, "")
				srv.Fail(outOfReach)
			})
			expect(t, ref)
		})
	})
	t.Run("labels go back once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
			_, ref := rotText(t, srv, nil)
			ref.Get(t.Context())
			time.Sleep(10 * time.Second)
			srv.Put("s", "new")
			srv.Fail(outOfReach, secretstest.Fault{Op: "DescribeSecret", Skip: 1, Lag: 5 * time.Second})
			expect(t, ref)
		})
	})
}

// The service goes down, for good as it seems, and the client learnt of a new
// current version in between: the prober offers it, and not what the labels
// said before.
func TestTryNoticesCurrentInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, ref, s := rotThree(t)
		s.set("newest")
		done := make(chan struct{})
		start := time.Now()
		go func() {
			defer close(done)
			if got, err := secrets.Try(rotWithin(time.Minute), ref, s.use); got != "newest" || err != nil {
				t.Errorf("Try = %q, %v", got, err)
			}
		}()
		time.Sleep(time.Second)
		srv.Fail(secretstest.Outage())
		time.Sleep(20 * time.Second)
		srv.ClearFaults()
		srv.Put("s", "newest")
		if err := c.Refresh(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
		srv.Fail(secretstest.Outage())
		<-done
		if took := time.Since(start); took > 23*time.Second {
			t.Errorf("Try took %v, want it to notice within two seconds", took)
		}
		if got := s.take(); strings.Count(got, "newest") != 1 {
			t.Errorf("offered %q", got)
		}
	})
}

// A version is decoded once, however often it is offered.
func TestTryDecodesOncePerVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "prev"})
		srv.Put("s", "old")
		srv.PutPending("s", "new")
		srv.PutStages("s", "broken", "BLUE")
		decoded := map[string]int{}
		c := rotClient(t, srv, secrets.Options{})
		ref := secrets.BindFunc(c, "s", func(s *secrets.Secret) (string, error) {
			v, err := s.Text()
			decoded[v]++
			if v == "broken" {
				return "", errRotAuth
			}
			return v, err
		}).WithTry(&secrets.TryOptions{Stages: []string{secrets.Pending, secrets.Previous, "BLUE"}})
		offers := 0
		for range 24 * 60 {
			secrets.Try(rotWithin(30*time.Second), ref, func(context.Context, string) (int, error) {
				offers++
				return 0, secrets.Rejected(errRotAuth)
			})
			time.Sleep(30 * time.Second)
		}
		for v, n := range decoded {
			if n != 1 {
				t.Errorf("%q was decoded %d times, want once", v, n)
			}
		}
		if offers < 100 || len(decoded) != 4 {
			t.Errorf("%d offers of %d versions in a day: the test shows nothing", offers, len(decoded))
		}
		if n := c.Stats().DecodeErrors; n != 1 {
			t.Errorf("Stats().DecodeErrors = %d, want 1", n)
		}
	})
}
