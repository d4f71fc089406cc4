package secretconf_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

var validated int // by counted

type counted struct {
	Key   string `secret:"prod/key"`
	Flags string `secret:"prod/flags,optional"`
}

func (c *counted) Validate() error {
	validated++
	if c.Key != "k-1" || c.Flags == "" {
		return errors.New("no")
	}
	return nil
}

// Refused versions are decoded once, not at every Get. If a secret disappears
// and Validate refuses the rest without it, the old struct is not used anymore.
func TestRefusedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c := world(t, secretstest.Secrets{"prod/flags": "x"})
		b := bind[counted](t, c, nil)
		b.Get(t.Context())
		srv.Put("prod/key", "k-2")
		c.Refresh(t.Context(), "prod/key")
		validated = 0
		for range 100 {
			if got, err := b.Get(t.Context()); err != nil || got.Key != "k-1" || b.Err() == nil {
				t.Fatalf("Get = %v, %v, Err %v", got, err, b.Err())
			}
			time.Sleep(5 * time.Second)
		}
		if validated != 1 {
			t.Errorf("a refused version was validated %d times in 100 reads", validated)
		}
		srv.Delete("prod/flags")
		c.Refresh(t.Context(), "prod/flags")
		if got, err := b.Get(t.Context()); err == nil {
			t.Errorf("Get = %v after a secret that it needs was deleted", got)
		}
	})
}

// A secret that was evicted and fetched again has not changed.
func TestEvicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := secretstest.Secrets{"prod/key": "k-1", "prod/flags": "x"}
		for i := range 20 {
			all[fmt.Sprint("other", i)] = "x"
		}
		srv := secretstest.New(t, all)
		c, err := secrets.New(srv.Client(), &secrets.Options{Size: 3, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		b := bind[counted](t, c, nil)
		first, err := b.Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			c.Get(t.Context(), fmt.Sprint("other", i))
		}
		before := srv.Count()
		second, err := b.Get(t.Context())
		if err != nil || second != first || srv.Count() == before {
			t.Errorf("after an eviction Get = %v, %v with %d calls, want the same struct", second, err, srv.Count()-before)
		}
		if _, err := bind[struct {
			A string `secret:"prod/key"`
			B string `secret:"prod/flags"`
			C string `secret:"other1"`
			D string `secret:"other2"`
		}](t, c, nil).Get(t.Context()); err == nil {
			t.Error("more secrets than fit in Options.Size were taken")
		}
	})
}
