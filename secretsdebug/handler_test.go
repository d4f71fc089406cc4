package secretsdebug_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretsdebug"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

type limits struct {
	Limit int `json:"limit"`
}

// read reads a secret for a while, as a service does.
func read(ctx context.Context, client *secrets.Client, id string, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Second) {
		client.Get(ctx, id)
	}
}

// TestLife follows a client through the situations that the page is for.
func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"db": `{"password":"hunter2"}`, "limits": `{"limit":7}`, "idle": "hunter2", "old": "hunter2"})
		var log secretsdebug.Log
		client, h := open(t, srv, &log)
		ctx := t.Context()
		ref := secrets.Bind[limits](client, "limits")
		for _, id := range []string{"db", "idle", "old"} {
			if _, err := client.Get(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := ref.Get(ctx); err != nil {
			t.Fatal(err)
		}
		if p := look(t, h, ""); p.Totals.Secrets != 4 || p.Totals.Critical+p.Totals.Warning != 0 || p.Totals.Reads != 4 || p.Totals.Calls != 4 {
			t.Errorf("at first: %+v", p.Totals)
		}

		// A version that does not decode, a secret that access to is withdrawn,
		// a rotation that does not end, an outage.
		srv.Put("limits", `{"limit":"hunter2"}`)
		if err := client.Refresh(ctx, "limits"); err != nil {
			t.Log(err) // the refresh may say so too
		}
		ref.Get(ctx)
		srv.Delete("old")
		client.Refresh(ctx, "old")
		srv.RotationStuckAfterSet("db")
		read(ctx, client, "db", 2*time.Hour)
		if p := look(t, h, "?secret=db"); p.Totals.Rotating != 1 || len(p.Secrets[0].Why) != 1 || !strings.HasPrefix(p.Secrets[0].Why[0].Text, "rotation is stuck") {
			t.Errorf("two hours into a rotation: %+v %+v", p.Totals, p.Secrets[0].Why)
		}
		srv.Fail(secretstest.Outage())
		read(ctx, client, "db", 30*time.Minute)
		synctest.Wait()

		p := look(t, h, "")
		state := make(map[string]string)
		var order []string
		for _, s := range p.Secrets {
			order = append(order, s.Name+" "+s.Severity)
			for _, w := range s.Why {
				state[s.Name] += w.Text + "; "
			}
		}
		if len(order) != 4 || order[0] != "old critical" || order[3] != "idle ok" || !slices.Contains(order, "db warning") || !slices.Contains(order, "limits warning") {
			t.Errorf("the order is %v", order)
		}
		for name, wants := range map[string][]string{
			"old": {"the service refused it: missing"}, "limits": {"limits still uses version", "does not decode (field limit)"},
			"db": {"stale", "refresh fails: network"},
		} {
			for _, want := range wants {
				if !strings.Contains(state[name], want) {
					t.Errorf("%s: %q, want %q", name, state[name], want)
				}
			}
		}
		if p.Totals.Failing != 1 || p.Totals.Stale != 1 || p.Totals.Secrets != 3 {
			t.Errorf("totals: %+v, want 1 failing and stale of 3", p.Totals)
		}
		if p.Totals.CostDollars <= 0 || p.Totals.UncachedCostDollars < 2*p.Totals.CostDollars || p.Totals.Operations["DescribeSecret"].Calls == 0 {
			t.Errorf("cost %v, uncached %v, operations %v", p.Totals.CostDollars, p.Totals.UncachedCostDollars, p.Totals.Operations)
		}
		checkTimeline(t, h, "db", "stale", "failed", "rotation stuck", "rotating", "adopted")
		checkTimeline(t, h, "old", "dropped", "adopted")
		checkTimeline(t, h, "limits", "refused", "adopted")
		checkPages(t, h, "db", "limits", "old", "idle")

		before := srv.Count()
		checkPages(t, h, "db", "limits", "old", "idle")
		if n := srv.Count() - before; n != 0 {
			t.Errorf("the pages made %d requests", n)
		}
		client.Close()
		if p := look(t, h, ""); p.Totals.Reads == 0 {
			t.Errorf("after Close: %+v", p.Totals)
		}
	})
}

// checkTimeline checks that a secret's timeline has these kinds, in this order.
func checkTimeline(t *testing.T, h http.Handler, id string, want ...string) {
	t.Helper()
	p := look(t, h, "?secret="+url.QueryEscape(id))
	if len(p.Secrets) != 1 {
		t.Errorf("%s is not known", id)
		return
	}
	var kinds []string
	left := want
	for _, e := range p.Secrets[0].Events {
		kinds = append(kinds, e.Kind)
		if len(left) > 0 && e.Kind == left[0] {
			left = left[1:]
		}
	}
	if len(left) > 0 {
		t.Errorf("the timeline of %s is %q, want %q in it", id, kinds, want)
	}
}

// checkPages checks that no page, in any format, contains a value.
func checkPages(t *testing.T, h http.Handler, ids ...string) {
	t.Helper()
	queries := []string{"", "?attention=1", "?q=d"}
	for _, id := range ids {
		queries = append(queries, "?secret="+id)
	}
	for _, q := range queries {
		for _, accept := range []string{"text/html", "application/json"} {
			r := httptest.NewRequest(http.MethodGet, "/"+q, nil)
			r.Header.Set("Accept", accept)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if body := w.Body.String(); w.Code != http.StatusOK || strings.Contains(body, "hunter2") || len(body) < 100 {
				t.Errorf("%s of %q is %d:\n%s", accept, q, w.Code, body)
			}
		}
	}
}

// TestWithoutLog shows the events that the client itself keeps.
func TestWithoutLog(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "one", "old": "one"})
	client, h := open(t, srv, nil)
	ctx := t.Context()
	client.Get(ctx, "s")
	client.Get(ctx, "old")
	srv.Put("s", "two")
	srv.Delete("old")
	for _, id := range []string{"s", "old"} {
		client.Refresh(ctx, id)
	}
	checkTimeline(t, h, "s", "adopted")
	if p := look(t, h, ""); len(p.Secrets) != 1 || len(p.Totals.Operations) != 0 {
		t.Errorf("without a log: %+v", p)
	}
	checkPages(t, h, "s")
}

// TestRegistersNowhere: importing the package leaves http.DefaultServeMux alone.
func TestRegistersNowhere(t *testing.T) {
	for _, path := range []string{"/", "/debug/secrets", "/debug/"} {
		if _, pattern := http.DefaultServeMux.Handler(httptest.NewRequest("GET", path, nil)); pattern != "" {
			t.Errorf("%s is served by %q", path, pattern)
		}
	}
}

// TestOverHTTP mounts the page beneath a path, behind a prefix that is stripped.
func TestOverHTTP(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"team/s": "hunter2"})
	client, h := open(t, srv, nil)
	client.Get(t.Context(), "team/s")
	mux := http.NewServeMux()
	mux.Handle("/admin/", http.StripPrefix("/admin", h))
	web := httptest.NewServer(mux)
	defer web.Close()
	resp, err := http.Get(web.URL + "/admin/secrets?secret=" + url.QueryEscape(srv.ARN("team/s")))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "team/s") || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%s, %s:\n%s", resp.Status, resp.Header.Get("Content-Type"), body)
	}
}
