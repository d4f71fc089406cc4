//go:build !race

// The race detector has nothing to find here, and building Prometheus with it takes
// a minute.

package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// scrapeEvery is how often the test scrapes, and evaluates the rules.
const scrapeEvery = time.Minute

// live runs the service on a fake one for some hours of a bubble's time, in which
// something goes wrong after half an hour, and returns what a Prometheus has scraped.
func live(t *testing.T, hours int, wrong func(*testing.T, *secretstest.Server, *service)) *history {
	h := &history{}
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, start)
		s, err := newService(srv.Client(), secrets.Options{Size: 8, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.use(ctx, 20*time.Second)
		}()
		for minute := range hours * 60 {
			if minute == 30 && wrong != nil {
				wrong(t, srv, s)
			}
			time.Sleep(scrapeEvery)
			synctest.Wait()
			h.scrape(t, s.admin, time.Now())
		}
		cancel()
		<-done
	})
	return h
}

// fired returns the alerts that fire on what was scraped.
func fired(t *testing.T, h *history) []string {
	t.Helper()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, LookbackDelta: 5 * time.Minute})
	firing := make(map[string]bool)
	for _, rule := range rules(t) {
		q, err := engine.NewRangeQuery(t.Context(), h, nil, rule.Expr, h.first(), h.last(), scrapeEvery)
		if err != nil {
			t.Fatalf("%s: %v", rule.Alert, err)
		}
		result := q.Exec(t.Context())
		m, err := result.Matrix()
		if err != nil {
			t.Fatalf("%s: %v", rule.Alert, err)
		}
		for _, series := range m {
			firing[rule.Alert] = firing[rule.Alert] || lasts(series.Floats, time.Duration(rule.For))
		}
		q.Close()
	}
	for name, is := range firing {
		if !is {
			delete(firing, name)
		}
	}
	return slices.Sorted(maps.Keys(firing))
}

// lasts reports whether there are samples without a gap for at least that long.
func lasts(samples []promql.FPoint, d time.Duration) bool {
	for i, begin := 0, 0; i < len(samples); i++ {
		if i > 0 && samples[i].T-samples[i-1].T > scrapeEvery.Milliseconds() {
			begin = i
		}
		if samples[i].T-samples[begin].T >= d.Milliseconds() {
			return true
		}
	}
	return false
}

// rules returns the rules as Prometheus reads them.
func rules(t *testing.T) (all []rulefmt.Rule) {
	t.Helper()
	text, err := os.ReadFile("alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	groups, errs := rulefmt.Parse(text, false, model.LegacyValidation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	for _, g := range groups.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

func TestAlerts(t *testing.T) {
	all := make(map[string]bool)
	for name, tt := range map[string]struct {
		hours int
		wrong func(*testing.T, *secretstest.Server, *service)
		want  []string
	}{
		"nothing":       {3, nil, nil},
		"a new version": {2, func(_ *testing.T, srv *secretstest.Server, _ *service) { srv.Put("prod/api-key", "another") }, nil},
		"a rotation":    {2, func(_ *testing.T, srv *secretstest.Server, _ *service) { srv.Rotate("prod/db") }, nil},
		"a short outage": {2, func(_ *testing.T, srv *secretstest.Server, _ *service) {
			end := srv.RegionOutage(secretstest.DefaultRegion)
			time.AfterFunc(4*time.Minute, end)
		}, nil},
		"an outage":        {3, func(_ *testing.T, srv *secretstest.Server, _ *service) { srv.RegionOutage(secretstest.DefaultRegion) }, []string{"SecretsStale"}},
		"a long outage":    {8, func(_ *testing.T, srv *secretstest.Server, _ *service) { srv.Fail(secretstest.Outage()) }, []string{"SecretsStale", "SecretsUnconfirmed"}},
		"throttling":       {2, func(_ *testing.T, srv *secretstest.Server, _ *service) { srv.ThrottleStorm() }, []string{"SecretsStale", "SecretsThrottled"}},
		"no credentials":   {2, func(_ *testing.T, srv *secretstest.Server, _ *service) { srv.STSDenied() }, []string{"SecretsNotPermitted", "SecretsStale"}},
		"no key":           {2, func(_ *testing.T, srv *secretstest.Server, _ *service) { srv.KMSRevoked("prod/api-key") }, []string{"SecretsNotPermitted", "SecretsRemoved"}},
		"a deletion":       {2, func(_ *testing.T, srv *secretstest.Server, _ *service) { srv.Delete("prod/api-key") }, []string{"SecretsRemoved"}},
		"a bad version":    {2, func(_ *testing.T, srv *secretstest.Server, _ *service) { srv.Put("prod/limit", "seven") }, []string{"SecretsDoNotDecode"}},
		"a stuck rotation": {3, func(_ *testing.T, srv *secretstest.Server, _ *service) { srv.RotationStuckAfterSet("prod/db") }, []string{"SecretsRotationStuck"}},
		"a changed password": {2, func(t *testing.T, _ *secretstest.Server, s *service) {
			go func() {
				for range 100 {
					ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
					secrets.Try(ctx, s.login, func(context.Context, login) (int, error) { return 0, secrets.Rejected(errors.New("wrong password")) })
					cancel()
					time.Sleep(10 * time.Second)
				}
			}()
		}, []string{"SecretsRejected"}},
		"a small cache": {2, func(t *testing.T, srv *secretstest.Server, s *service) {
			for i := range 200 {
				id := string(rune('a'+i%26)) + string(rune('a'+i/26))
				srv.Put(id, "x")
				s.client.Get(t.Context(), id)
			}
		}, []string{"SecretsCacheTooSmall"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fired(t, live(t, tt.hours, tt.wrong)); !slices.Equal(got, tt.want) {
				t.Errorf("alerts %q, want %q", got, tt.want)
			}
		})
		for _, a := range tt.want {
			all[a] = true
		}
	}
	for _, r := range rules(t) {
		if !all[r.Alert] && r.Alert != "SecretsEventsDropped" { // a slow hook, see the root package's tests
			t.Errorf("no case has %s fire", r.Alert)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || r.Labels["severity"] == "" {
			t.Errorf("%s lacks a summary, a description or a severity", r.Alert)
		}
	}
}
