package docs_test

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

var ctx = context.Background()

var quiet = slog.New(slog.DiscardHandler)

const name = "prod/db"

// open returns a fake with one secret and a client of it, which ends with t.
func open(t *testing.T, o secrets.Options) (*secretstest.Server, *secrets.Client) {
	t.Helper()
	srv := secretstest.New(t, secretstest.Secrets{name: "first value"})
	o.Logger = quiet
	c, err := secrets.New(srv.Client(), &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return srv, c
}

// What a TTL costs: a secret that is read every second of a day.
func TestCosts(t *testing.T) {
	var b table
	b.head("TTL", "a new version is seen within", "calls a day and secret", "dollars a month, 100 instances × 20 secrets")
	for _, ttl := range []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 12 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			_, c := open(t, secrets.Options{TTL: ttl})
			readDays(t, c, 1)
			before := c.Stats()
			readDays(t, c, 4)
			d := c.Stats().Sub(before)
			b.row(short(ttl), short(ttl), fmt.Sprintf("%.0f", float64(d.Calls())/4), fmt.Sprintf("%.2f", d.Cost()/4*30*100*20))
		})
	}
	checkTable(t, "freshness.md", "costs", b.String())
}

// readDays reads every second. Few reads of a day are different from the others,
// so one in ten seconds stands for all.
func readDays(t *testing.T, c *secrets.Client, days int) {
	t.Helper()
	for end := time.Now().Add(time.Duration(days) * 24 * time.Hour); time.Now().Before(end); time.Sleep(10 * time.Second) {
		if _, err := c.Get(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
}

// short prints a duration without zero minutes and seconds.
func short(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d >= time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}
