package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// rotSlowToStop is a client whose DescribeSecret takes its time to notice that
// it was cancelled.
type rotSlowToStop struct {
	*secretsmanager.Client
	underWay atomic.Int32
}

func (a *rotSlowToStop) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, o ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	a.underWay.Add(1)
	defer a.underWay.Add(-1)
	<-ctx.Done()
	time.Sleep(100 * time.Millisecond)
	return nil, ctx.Err()
}

// Close waits for the request that the prober has under way, and Try says that
// the client is closed.
func TestTryCloseWaitsForProber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
		api := &rotSlowToStop{Client: srv.Client()}
		c, err := secrets.New(api, &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ref := secrets.Bind[string](c, "s")
		done := make(chan error)
		go func() {
			_, err := secrets.Try(context.Background(), ref, rotAccept().use)
			done <- err
		}()
		synctest.Wait()
		if n := api.underWay.Load(); n != 1 {
			t.Fatalf("%d requests under way, want the prober's", n)
		}
		c.Close()
		if n := api.underWay.Load(); n != 0 {
			t.Errorf("%d requests under way after Close", n)
		}
		if err := <-done; err != secrets.ErrClosed {
			t.Errorf("Try = %v, want ErrClosed", err)
		}
	})
}

// A service that hangs does not hold Try past TryOptions.Wait.
func TestTryWaitWhileServiceHangs(t *testing.T) {
	for _, op := range []string{"DescribeSecret", "GetSecretValue", ""} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, _, _, s := rotWindow(t)
				_, ref := rotText(t, srv, &secrets.TryOptions{Wait: 300 * time.Millisecond})
				ref.Get(t.Context())
				srv.Fail(secretstest.Fault{Op: op, Latency: 2 * time.Second, Times: secretstest.Always})
				start := time.Now()
				_, err := secrets.Try(t.Context(), ref, s.use)
				var rejected *secrets.RejectedError
				if !errors.As(err, &rejected) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Try = %v, want a RejectedError", err)
				}
				if took := time.Since(start); took != 300*time.Millisecond {
					t.Errorf("Try took %v, want the 300ms of TryOptions.Wait", took)
				}
			})
		})
	}
}

// rotLoginError is an error of one's own round a rejection.
type rotLoginError struct {
	user string
	err  error
}

func (e *rotLoginError) Error() string { return e.user + ": " + e.err.Error() }
func (e *rotLoginError) Unwrap() error { return e.err }

// errors.As finds all of what the use returned, not only what was inside
// Rejected.
func TestRejectedErrorKeepsTheWrapper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, ref, _ := rotWindow(t)
		_, err := secrets.Try(rotWithin(time.Second), ref, func(_ context.Context, v string) (int, error) {
			return 0, fmt.Errorf("dial: %w", &rotLoginError{v, secrets.Rejected(errRotAuth)})
		})
		var login *rotLoginError
		if !errors.As(err, &login) || login.user != "new" || !errors.Is(err, errRotAuth) {
			t.Errorf("Try = %v: errors.As finds %v, want the last use's wrapper", err, login)
		}
	})
}

// That every version of one secret was rejected is no rejection of another's.
func TestTryNestedRejectedError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, inner, _ := rotWindow(t)
		outer := secrets.Bind[string](c, "s")
		uses := 0
		_, err := secrets.Try(t.Context(), outer, func(context.Context, string) (int, error) {
			uses++
			_, err := secrets.Try(rotWithin(time.Second), inner, rotAccept().use)
			return 0, fmt.Errorf("inner: %w", errors.Join(errRotNetwork, err))
		})
		if uses != 1 || outer.Rotating() == false && err == nil {
			t.Errorf("%d uses, %v; want one, and its error", uses, err)
		}
		if got := c.Stats().Rejections; got != 2 {
			t.Errorf("Stats().Rejections = %d, want the inner call's 2", got)
		}
	})
}

// The prober's use calls Try on its own handle: it would wait for itself.
func TestTryWithinItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, ref, s := rotWindow(t)
		other := secrets.Bind[string](c, "s")
		var nested error
		start := time.Now()
		got, err := secrets.TryOffer(t.Context(), ref, func(ctx context.Context, o secrets.Offer[string]) (string, error) {
			if o.Fallback {
				if got, err := secrets.Try(ctx, other, s.use); got != "new" || err != nil {
					t.Errorf("Try of another handle = %q, %v", got, err)
				}
				_, nested = secrets.Try(ctx, ref, s.use)
			}
			return s.use(ctx, o.Value)
		})
		if got != "new" || err != nil {
			t.Errorf("Try = %q, %v", got, err)
		}
		if nested == nil || time.Since(start) != 0 {
			t.Errorf("Try within the prober's use = %v after %v, want an error at once", nested, time.Since(start))
		}
		// When the prober's work is done its context is like any other.
		var kept context.Context
		fresh := secrets.Bind[string](c, "s")
		secrets.TryOffer(t.Context(), fresh, func(ctx context.Context, o secrets.Offer[string]) (string, error) {
			kept = ctx
			return s.use(ctx, o.Value)
		})
		if got, err := secrets.Try(kept, fresh, s.use); got != "new" || err != nil {
			t.Errorf("Try with a prober's context afterwards = %q, %v", got, err)
		}
	})
}

// rotNotOffered is a rejection of a version that the resource was not asked
// about.
type rotNotOffered struct{ error }

func (rotNotOffered) NotOffered() bool { return true }

// Stats.Rejections counts uses that the resource rejected.
func TestTryCountsWhatWasOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, ref, s := rotWindow(t)
		got, err := secrets.Try(t.Context(), ref, func(ctx context.Context, v string) (string, error) {
			if v == "old" {
				return "", secrets.Rejected(rotNotOffered{errRotAuth})
			}
			return s.use(ctx, v)
		})
		if got != "new" || err != nil {
			t.Errorf("Try = %q, %v", got, err)
		}
		if n := c.Stats().Rejections; n != 0 {
			t.Errorf("Stats().Rejections = %d, want 0", n)
		}
	})
}

// DescribeSecret is withdrawn in the middle of a rotation, or the service is
// not heard of: Rotating does not stay true for good.
func TestRotatingIsBounded(t *testing.T) {
	for name, fault := range map[string]secretstest.Fault{
		"denied": secretstest.DenyDescribe(""),
		"outage": secretstest.Outage(),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, c, ref, _ := rotWindow(t)
				if err := c.Refresh(t.Context(), "s"); err != nil {
					t.Fatal(err)
				}
				if !ref.Rotating() {
					t.Fatal("Rotating() = false while a pending version is there")
				}
				srv.Fail(fault)
				for range 20 {
					ref.Get(t.Context())
					time.Sleep(time.Minute)
				}
				if ref.Rotating() {
					t.Error("Rotating() = true after 20 minutes without a word of the labels")
				}
				srv.ClearFaults()
				for range 130 {
					ref.Get(t.Context())
					time.Sleep(time.Minute)
				}
				if !ref.Rotating() {
					t.Error("Rotating() = false when DescribeSecret shows the pending version again")
				}
			})
		})
	}
}
