package main

import (
	"context"
	"regexp"
	"slices"
	"testing"
	"time"
)

var liveForm = regexp.MustCompile(`^soak (http bearer|tls)( naive)?: rotations \d+, (requests|handshakes) \d+, ` +
	`failed (requests|handshakes) \d+, wrong logins \d+, api calls per rotation \d+\.\d, slowest (request|handshake) \d+ms$`)

// A rotating key and rotating certificates fail no request and no handshake; with
// the policies that most programs have they do.
func TestLive(t *testing.T) {
	t.Parallel()
	for _, s := range liveServers {
		for _, naive := range []bool{false, true} {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				r := newLiveRun(short(4), s, naive)
				if err := r.do(t.Context()); err != nil {
					t.Fatal(err)
				}
				t.Logf("%v\n%s", &r.report, r.report.details())
				if !liveForm.MatchString(r.report.String()) {
					t.Errorf("got %q, want the form %v", &r.report, liveForm)
				}
				if err := r.check(); (err != nil) != naive {
					t.Errorf("naive %t: got %v", naive, err)
				}
				if naive && r.report.failedQueries == 0 || r.report.apiCalls == 0 {
					t.Errorf("got %v: something was not counted", &r.report)
				}
			})
		}
	}
}

func TestLiveCheck(t *testing.T) {
	for _, test := range []struct {
		name    string
		spoil   func(*liveRun)
		wantErr bool
	}{
		{"nothing wrong", func(*liveRun) {}, false},
		{"a failed request", func(r *liveRun) { r.report.failedQueries = 1 }, true},
		{"too many wrong logins", func(r *liveRun) { r.report.mostWrong = liveWorkers + 1 }, true},
		{"no load", func(r *liveRun) { r.report.queries = 1 }, true},
		{"no rotation", func(r *liveRun) { r.report.wrongLogins = 0 }, true},
	} {
		r := newLiveRun(short(2), liveServers[0], false)
		r.report.queries, r.report.wrongLogins, r.report.mostWrong = 1000, 4, liveWorkers
		test.spoil(r)
		if err := r.check(); (err != nil) != test.wantErr {
			t.Errorf("%s: got %v, want an error: %t", test.name, err, test.wantErr)
		}
	}
}

// Runs that are about databases leave the others out.
func TestLiveChosen(t *testing.T) {
	o := short(1)
	o.scenes, o.policies, o.faults = "busy", "sqlcred", true
	if err := o.soakLive(t.Context(), []string{"http"}); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if o.faults = false; o.soakLive(ctx, []string{"http"}) != nil {
		t.Error("a run after the end")
	}
}

// In a fleet that is told of changes no process waits for its TTL: with alternating
// users none has a wrong login.
func TestPushedFleet(t *testing.T) {
	t.Parallel()
	i := slices.IndexFunc(policies, func(p policy) bool { return p.name == "fleet-pushed" })
	o := short(2)
	o.gap = pushedWithin + 100*time.Millisecond
	r := runShort(t, newRun(o, &ways[0], &backends[0], &strategies[1], &policies[i], &scenes[0]))
	if err := policies[i].check(o, &strategies[1], r); err != nil {
		t.Error(err)
	}
	r.mostWrong = 1
	if policies[i].check(o, &strategies[1], r) == nil {
		t.Errorf("%v: passes the check with a wrong login", r)
	}
}
