package main

import (
	"regexp"
	"testing"
)

var poolForm = regexp.MustCompile(`^soak (overlapping )?postgres pgxpool( tls)? (single-user|alternating-users)( naive)?: ` +
	`rotations \d+, queries \d+, failed queries \d+, failed connects \d+, wrong logins \d+, ` +
	`api calls per rotation \d+\.\d, slowest connect \d+ms$`)

// A pool that package pgxcred logs in lives through rotations of each strategy,
// those that are given up among them.
func TestPool(t *testing.T) {
	t.Parallel()
	for i := range strategies {
		for _, w := range []way{ways[0], ways[2]} {
			t.Run(w.name+" "+strategies[i].name, func(t *testing.T) {
				t.Parallel()
				o := short(4)
				r := runShort(t, newRun(o, &w, &pools[0], &strategies[i], &policies[0], &scenes[0]))
				if err := policies[0].check(o, &strategies[i], r); err != nil {
					t.Error(err)
				}
				if !poolForm.MatchString(r.String()) {
					t.Errorf("got %q, want the form %v", r, poolForm)
				}
				if r.connects == 0 || !strategies[i].overlaps && r.wrongLogins == 0 {
					t.Errorf("got %v, %d connects: something was not counted", r, r.connects)
				}
			})
		}
	}
}

// One with the hook that pgxpool has fails in the window, even with a fresh read
// for each connect.
func TestNaivePoolFails(t *testing.T) {
	t.Parallel()
	var r *report
	for range 6 { // a slow machine may connect too seldom to meet a window
		r = runShort(t, newRun(short(3), &ways[0], &pools[0], &strategies[0], naivePolicy(t), &scenes[0]))
		if r.failedQueries > 0 && r.failedConnects > 0 && r.wrongLogins > 0 {
			return
		}
	}
	t.Errorf("got %v: no failure", r)
}
