package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A read past MaxStale says that there was a value, and when it was confirmed; the
// cause is there as before, and gone when the service answers.
func TestTooOldErrorSaysSinceWhen(t *testing.T) {
	for _, mode := range []secrets.RefreshMode{secrets.RefreshAhead, secrets.RefreshOnRead} {
		synctest.Test(t, func(t *testing.T) {
			srv := secretstest.New(t, secretstest.Secrets{"prod/db": "v"})
			down := false
			api := apiFunc(func(ctx context.Context, in *secretsmanager.GetSecretValueInput) (*secretsmanager.GetSecretValueOutput, error) {
				if down {
					return nil, fmt.Errorf("read tcp: %w", syscall.ECONNRESET)
				}
				return srv.Client().GetSecretValue(ctx, in)
			})
			c := open(t, api, &secrets.Options{TTL: time.Minute, MaxStale: time.Hour, Refresh: mode, Size: 4})
			ref := secrets.Bind[string](c, "prod/db")
			if err := secrets.Load(ctx, ref); err != nil {
				t.Fatal(err)
			}
			st, _ := c.Status("prod/db")
			since := st.Confirmed.UTC().Format(time.RFC3339)
			down = true
			_, cold := c.Get(ctx, "never/read")
			time.Sleep(30 * time.Minute)
			if _, err := ref.Get(ctx); err != nil {
				t.Fatalf("%v: within MaxStale: %v", mode, err)
			}
			time.Sleep(2 * time.Hour)
			errs := map[string]error{"Load": secrets.Load(ctx, ref)}
			_, errs["Get"] = c.Get(ctx, "prod/db")
			_, errs["again, remembered"] = ref.Get(ctx)
			time.Sleep(time.Minute)
			_, errs["Get, later"] = c.Get(ctx, "prod/db")
			errs["Prefetch"] = c.Prefetch(ctx, "prod/db", "other")
			for how, err := range errs {
				if err == nil || !strings.Contains(err.Error(), "too old to be served (last confirmed "+since) {
					t.Errorf("%v: %s: %v, want it to say that the value is too old, since %s", mode, how, err, since)
				}
				if !errors.Is(err, syscall.ECONNRESET) || secrets.ClassOf(err) != secrets.ClassOf(cold) {
					t.Errorf("%v: %s: class %q, cause found %t; want as of another: %q", mode, how, secrets.ClassOf(err), errors.Is(err, syscall.ECONNRESET), secrets.ClassOf(cold))
				}
			}
			if cold == nil || strings.Contains(cold.Error(), "too old") {
				t.Errorf("%v: a secret that was never read: %v", mode, cold)
			}
			down = false
			time.Sleep(time.Minute)
			if _, err := c.Get(ctx, "prod/db"); err != nil {
				t.Fatal(err)
			}
			for _, id := range strings.Split("abcdefghi", "") { // evict it
				srv.Put(id, "x")
				c.Get(ctx, id)
			}
			down = true
			if _, err := c.Get(ctx, "prod/db"); err == nil || strings.Contains(err.Error(), "too old") {
				t.Errorf("%v: evicted, and not too old: %v", mode, err)
			}
		})
	}
}
