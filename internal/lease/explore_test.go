package lease

import (
	"os"
	"testing"
)

// base are rules with every threshold at another tick.
var base = Rules{
	TTL: 5 * tick, MaxStale: 8 * tick, MinBackoff: 1 * tick, MaxBackoff: 3 * tick,
	FetchAtLeast: 60 * tick, DescribeAgain: 60 * tick, SecondCheck: 2 * tick,
	RotationCheck: 2 * tick, RotationKept: 60 * tick, Recovered: 2 * tick,
}

// with returns base, changed.
func with(change func(*Rules)) Rules {
	r := base
	change(&r)
	return r
}

func TestExplore(t *testing.T) {
	quick := with(func(r *Rules) { r.TTL, r.MaxStale, r.SecondCheck, r.MaxBackoff = 3*tick, 4*tick, tick, 2*tick })
	tests := []struct {
		name  string
		model model
		full  bool // with EXPLORE=full alone
	}{
		{name: "one check", model: model{rules: base, versions: 2, checks: 1, holders: 1, manual: true, failures: true,
			dies: true, slow: true, hints: true, answering: true, early: true, waits: true, removes: true}},
		{name: "order", model: model{rules: quick, versions: 3, checks: 2, manual: true}},
		{name: "order, described", model: model{rules: quick, versions: 2, checks: 2, manual: true, describe: true, dies: true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.full && os.Getenv("EXPLORE") != "full" {
				t.Skip("larger: EXPLORE=full")
			}
			explore(t, &test.model)
		})
	}
}
