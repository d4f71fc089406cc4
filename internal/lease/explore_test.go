package lease

import (
	"os"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/explore"
)

func visit(t *testing.T, m *model) {
	t.Helper()
	began := time.Now()
	got, err := explore.All(m.first(), func(s state, v explore.Visit[state, event]) { m.next(s, v) })
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v, %v", got, time.Since(began).Round(time.Millisecond))
	if missed := m.unseen(); len(missed) > 0 {
		t.Errorf("the model never came to: %v", missed)
	}
}

// base are rules with every threshold at another tick.
var base = Rules{
	TTL: 5 * tick, MaxStale: 8 * tick, MinBackoff: 1 * tick, MaxBackoff: 3 * tick,
	FetchAtLeast: 60 * tick, DescribeAgain: 60 * tick, SecondCheck: 2 * tick,
	RotationCheck: 2 * tick, RotationKept: 60 * tick, Recovered: 2 * tick, HintJitter: 1 * tick, HintGap: 2 * tick,
}

// with returns base, changed.
func with(change func(*Rules)) Rules {
	r := base
	change(&r)
	return r
}

func TestExplore(t *testing.T) {
	quick := with(func(r *Rules) { r.TTL, r.MaxStale, r.SecondCheck, r.MaxBackoff = 3*tick, 4*tick, tick, 2*tick })
	least := with(func(r *Rules) { r.TTL, r.MaxStale, r.SecondCheck, r.MaxBackoff = 2*tick, 3*tick, tick, tick })
	tests := []struct {
		name  string
		model model
		full  bool // with EXPLORE=full alone
		short bool // with go test -short too
	}{
		{name: "one check", model: model{rules: base, versions: 2, checks: 1, holders: 1, manual: true, failures: true,
			dies: true, slow: true, answering: true, early: true}},
		{short: true, name: "one check, hints, waits", model: model{rules: quick, versions: 2, checks: 1, manual: true, failures: true,
			dies: true, slow: true, hints: true, waits: true, removes: true}},
		{name: "three versions", model: model{rules: least, versions: 3, checks: 2, manual: true}},
		{name: "three versions, undated", model: model{rules: least, versions: 3, checks: 2, manual: true, undated: true}},
		{name: "order, held, failing", model: model{rules: least, versions: 2, checks: 2, holders: 1, manual: true,
			failures: true, dies: true, hints: true}},
		{name: "order, slow", model: model{rules: least, versions: 2, checks: 2, manual: true, slow: true, dies: true}},
		{name: "order, described", model: model{rules: least, versions: 2, checks: 2, manual: true, describe: true, dies: true,
			failures: true}},
		{short: true, name: "described", model: model{rules: with(func(r *Rules) { r.FetchAtLeast, r.DescribeAgain = 7*tick, 6*tick }),
			versions: 3, checks: 1, describe: true, denied: true, hourly: true, inMemory: true, failures: true, slow: true}},
		{name: "replicas", model: model{rules: least, versions: 2, checks: 2, manual: true, replica: true, failures: true}},
		{short: true, name: "replicas, described", model: model{rules: least, versions: 3, checks: 1, manual: true, replica: true, describe: true,
			failures: true, dies: true}},
		{short: true, name: "recovery", model: model{rules: with(func(r *Rules) { r.FetchAtLeast = 4 * tick }),
			versions: 2, checks: 1, describe: true, hourly: true, failures: true, answering: true, slow: true}},
		{name: "no", model: model{rules: least, versions: 2, checks: 2, holders: 1, manual: true, unknown: true, noes: true,
			dies: true, removes: true}},
		{name: "without ids", model: model{rules: least, versions: 2, checks: 2, manual: true, noIDs: true, undated: true, slow: true}},
		{short: true, name: "rotation", model: model{rules: with(func(r *Rules) { r.TTL, r.RotationCheck, r.RotationKept = 6*tick, tick, 4*tick }),
			versions: 1, checks: 1, describe: true, denied: true, pending: true, failures: true}},
		{short: true, name: "windows", model: model{rules: with(func(r *Rules) { r.TTL = 8 * tick }), versions: 1, checks: 1, holders: 1,
			describe: true, windows: [][2]int8{{-1, 2}, {3, 6}, {9, 12}, {-6, -2}}, slow: true}},
		{name: "on read, clock set back", model: model{rules: with(func(r *Rules) { *r = least; r.OnRead = true }), versions: 2, checks: 1,
			manual: true, failures: true, slow: true, back: true}},
		{name: "on read", model: model{rules: with(func(r *Rules) { *r = quick; r.OnRead = true }), versions: 2, checks: 1,
			manual: true, failures: true, dies: true, slow: true, hints: true, waits: true, describe: true, inMemory: true}},
		{name: "on read, order", model: model{rules: with(func(r *Rules) { *r = least; r.OnRead = true }), versions: 2, checks: 2,
			manual: true, failures: true, dies: true, describe: true}},
		{short: true, name: "told", model: model{rules: with(func(r *Rules) { *r = quick; r.SecondCheck, r.HintJitter = 2*tick, 2*tick }), versions: 2, checks: 1,
			told: true, failures: true, slow: true}},
		{name: "told on read", model: model{rules: with(func(r *Rules) { *r = least; r.OnRead = true }), versions: 2, checks: 1,
			told: true, slow: true}},
		{short: true, name: "restored", model: model{rules: quick, versions: 2, checks: 1, holders: 1, restores: true, failures: true, noes: true,
			answering: true, slow: true, removes: true}},
		{name: "restored, order", model: model{rules: least, versions: 2, checks: 2, restores: true, manual: true, unknown: true, failures: true}},
		{name: "restored on read", model: model{rules: with(func(r *Rules) { *r = quick; r.OnRead = true }), versions: 2, checks: 1, restores: true,
			failures: true, slow: true}},
		{name: "stale for less than the TTL", model: model{rules: with(func(r *Rules) { r.MaxStale = 3 * tick }), versions: 2, checks: 1,
			holders: 2, manual: true, failures: true, dies: true, slow: true, hints: true, answering: true}},
		{name: "never stale", model: model{rules: with(func(r *Rules) { r.MaxStale = 0 }), versions: 2, checks: 1,
			holders: 1, manual: true, failures: true, dies: true, slow: true, hints: true, answering: true}},

		{full: true, name: "one check, everything", model: model{rules: base, versions: 2, checks: 1, holders: 1, manual: true, failures: true,
			dies: true, slow: true, hints: true, answering: true, early: true, waits: true, removes: true}},
		{full: true, name: "told, order", model: model{rules: least, versions: 2, checks: 2, manual: true, told: true, dies: true}},
		{full: true, name: "told on read, failing", model: model{rules: with(func(r *Rules) { *r = quick; r.OnRead = true }), versions: 2, checks: 1,
			told: true, restores: true, failures: true, slow: true}},
		{full: true, name: "three versions, slow", model: model{rules: quick, versions: 3, checks: 2, manual: true, slow: true, dies: true}},
		{full: true, name: "three versions, undated, hints", model: model{rules: quick, versions: 3, checks: 2, manual: true, undated: true, hints: true}},
		{full: true, name: "order, slow, held, failing", model: model{rules: least, versions: 2, checks: 2, holders: 1, manual: true,
			slow: true, failures: true, dies: true}},
		{full: true, name: "order, slow, described", model: model{rules: quick, versions: 2, checks: 2, manual: true, describe: true, dies: true,
			failures: true, inMemory: true, slow: true}},
		{full: true, name: "no, failing", model: model{rules: quick, versions: 2, checks: 2, holders: 1, manual: true, unknown: true, noes: true,
			dies: true, failures: true, removes: true}},
		{full: true, name: "rotation, held", model: model{rules: with(func(r *Rules) { r.TTL, r.RotationCheck, r.RotationKept = 6*tick, 2*tick, 7*tick }),
			versions: 2, checks: 1, holders: 1, describe: true, denied: true, pending: true, failures: true, slow: true}},
		{full: true, name: "on read, everything", model: model{rules: with(func(r *Rules) { r.OnRead = true }), versions: 2, checks: 1,
			manual: true, failures: true, dies: true, slow: true, hints: true, waits: true, describe: true, inMemory: true}},
	}
	for _, test := range tests {
		if test.full && os.Getenv("EXPLORE") != "full" || testing.Short() && !test.short {
			continue
		}
		t.Run(test.name, func(t *testing.T) { visit(t, &test.model) })
	}
}
