//go:build !race

package main

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// names returns the names of all metrics that are scraped, and of their labels.
func names(t *testing.T) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	for _, s := range live(t, 1, func(_ *testing.T, srv *secretstest.Server, _ *service) { srv.RegionOutage(secretstest.DefaultRegion) }).series {
		s.labels.Range(func(l labels.Label) {
			name := s.labels.Get(model.MetricNameLabel)
			if !slices.Contains(found[name], l.Name) {
				found[name] = append(found[name], l.Name)
			}
		})
	}
	return found
}

// check checks that an expression uses metrics and labels that there are, and
// returns the metrics.
func check(t *testing.T, have map[string][]string, where, expr string) (used []string) {
	t.Helper()
	expr = strings.NewReplacer("$__rate_interval", "5m", "$job", ".*").Replace(expr)
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return nil
	}
	parser.Inspect(parsed, func(n parser.Node, _ []parser.Node) error {
		sel, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		used = append(used, sel.Name)
		for _, m := range sel.LabelMatchers {
			if !slices.Contains(have[sel.Name], m.Name) {
				t.Errorf("%s: %s has no label %s, only %q", where, sel.Name, m.Name, have[sel.Name])
			}
		}
		return nil
	})
	return used
}

// TestNames checks that the rules and the dashboard use metrics that are there, and
// that the dashboard shows them all.
func TestNames(t *testing.T) {
	have := names(t)
	for _, r := range rules(t) {
		if len(check(t, have, r.Alert, r.Expr)) == 0 {
			t.Errorf("%s uses no metric", r.Alert)
		}
	}
	text, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	shown := make(map[string]bool)
	ids := make(map[int]bool)
	for _, p := range board.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 || p.GridPos.W*p.GridPos.H == 0 || len(p.Targets) == 0 {
			t.Errorf("panel %d, %q: its number is taken, or its place or targets are wrong", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			for _, name := range check(t, have, p.Title, target.Expr) {
				shown[name] = true
			}
			for label := range strings.SplitSeq(target.LegendFormat, "{{") {
				if label, _, found := strings.Cut(label, "}}"); found && !strings.Contains(target.Expr, "by ("+label+")") {
					t.Errorf("%s: the legend shows %s, which the expression drops", p.Title, label)
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if !shown[name] {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}
