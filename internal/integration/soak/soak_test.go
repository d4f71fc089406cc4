package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver/dbtest"
)

// The servers that the runs share, each with users of its own.
var (
	postgres = dbtest.SharedPostgres(&dbserver.Options{MaxConnections: 400})
	mariaDB  = dbtest.SharedMariaDB(&dbserver.Options{MaxConnections: 400, Settings: mariaDBSettings()})
	runs     atomic.Int32 // so far
)

// tested are the backends of the short runs: PgBouncer once for each driver, with
// what differs most.
var tested = slices.DeleteFunc(slices.Clone(backends), func(b backend) bool {
	return b.plain || b.dials || b.bouncer != nil && b.name != "pgbouncer" && b.name != "pgbouncer-pq-file-md5"
})

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// short are settings for a run of a second or two.
func short(rotations int) *settings {
	return &settings{
		rotations: rotations, naiveRotations: rotations, functionRotations: rotations, workers: 10,
		window: 300 * time.Millisecond, gap: 200 * time.Millisecond, ttl: 50 * time.Millisecond,
	}
}

var form = regexp.MustCompile(`^soak (rotate )?(postgres|postgres-pq|postgres-plain|mariadb|pgbouncer[a-z0-9-]*) (single-user|alternating-users)( [a-z0-9 ]+)?: ` +
	`rotations \d+, queries \d+, failed queries \d+, failed connects \d+, wrong logins \d+, ` +
	`api calls per rotation \d+\.\d, slowest connect \d+ms$`)

// naiveTested are the backends of the naive policy's runs: one with each driver
// and server.
var naiveTested = tested[:3]

// A soak that shows no failure is worth something only if it can show one: the
// naive policy fails in the window of every single-user rotation.
func TestNaivePolicyFails(t *testing.T) {
	t.Parallel()
	for i := range naiveTested {
		t.Run(naiveTested[i].name, func(t *testing.T) {
			t.Parallel()
			for j := range strategies {
				// Where the policy fails it fails often, but a slow machine may make
				// so few logins in three rotations that none falls into a window.
				var r *report
				for range 6 {
					r = runShort(t, newRun(short(3), &ways[0], &naiveTested[i], &strategies[j], naivePolicy(t), &scenes[0]))
					if strategies[j].overlaps || r.failedQueries > 0 && r.failedConnects > 0 {
						break
					}
				}
				if !form.MatchString(r.String()) {
					t.Errorf("got %q, want the form %v", r, form)
				}
				if r.queries == 0 || r.wrongLogins == 0 || r.apiCalls == 0 {
					t.Errorf("got %v: something was not counted", r)
				}
				failed := r.failedQueries > 0 && r.failedConnects > 0
				if want := !strategies[j].overlaps; failed != want {
					t.Errorf("got %v: failures %t, want %t", r, failed, want)
				}
				if err := noFailure(short(3), &strategies[j], r); err == nil {
					t.Errorf("%v: passes the check", r)
				}
			}
		})
	}
}

func naivePolicy(t *testing.T) *policy {
	t.Helper()
	p, err := pick(policies, func(p *policy) string { return p.name }, "naive")
	if err != nil {
		t.Fatal(err)
	}
	return p[0]
}

// What the long soak shows, in short.
func TestNoFailureUnderRotation(t *testing.T) {
	t.Parallel()
	for i := range tested {
		t.Run(tested[i].name, func(t *testing.T) {
			t.Parallel()
			for j := range strategies {
				for k := range ways {
					if !ways[k].fits(&tested[i]) || tested[i].bouncer != nil && strategies[j].overlaps {
						continue
					}
					o := short(5)
					r := runShort(t, newRun(o, &ways[k], &tested[i], &strategies[j], &policies[0], &scenes[0]))
					if err := policies[0].check(o, &strategies[j], r); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
}

// A run that is given no server starts one, and stops it.
func TestRunOnItsOwnServer(t *testing.T) {
	t.Parallel()
	mariaDB.Server(t) // or the test is left out
	o := short(1)
	o.maxPasswordErrors = 3
	run := newRun(o, &ways[0], &backends[2], &strategies[0], &policies[0], &scenes[0])
	r, err := run.do(t.Context())
	if err != nil || r.queries == 0 {
		t.Errorf("got %v, error %v", r, err)
	}
	if run.server == nil || run.server.PID() != 0 {
		t.Errorf("got the server %+v, want one that was stopped", run.server)
	}
}

// runShort does a run on a shared server.
func runShort(t *testing.T, run *run) *report {
	t.Helper()
	run.user = fmt.Sprint("app", runs.Add(1))
	run.server = postgres.Server(t)
	if run.backend.name == "mariadb" {
		run.server = mariaDB.Server(t)
	}
	r, err := run.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v\n%s", r, r.details())
	return r
}

func TestNoFailure(t *testing.T) {
	single, alternating := &strategies[0], &strategies[1]
	good := report{scene: &scenes[0], rotations: 20, queries: 1000, wrongLogins: 20, mostWrong: 1, slowestConnect: time.Second, elapsed: time.Minute}
	for _, test := range []struct {
		name     string
		strategy *strategy
		logins   int
		spoil    func(*report)
		wantErr  bool
	}{
		{"nothing wrong", single, 0, func(*report) {}, false},
		{"one login at a time", single, 1, func(*report) {}, false},
		{"no load", single, 0, func(r *report) { r.queries = 1 }, true},
		{"a failed query", single, 0, func(r *report) { r.failedQueries = 1 }, true},
		{"a failed connect", single, 0, func(r *report) { r.failedConnects = 1 }, true},
		{"two wrong logins once", single, 0, func(r *report) { r.mostWrong = 2 }, false},
		{"three wrong logins once", single, 0, func(r *report) { r.mostWrong = 3 }, true},
		{"three counted late", single, 0, func(r *report) { r.mostWrong, r.slowestConnect = 3, 3*time.Second }, false},
		{"too many counted late", single, 0, func(r *report) { r.rotations, r.wrongLogins, r.slowestConnect = 5, 11, 15*time.Second }, true},
		{"too many in the mean", single, 0, func(r *report) { r.wrongLogins = 22 }, true},
		{"many in the mean of few", single, 0, func(r *report) { r.rotations, r.wrongLogins = 19, 25 }, false},
		{"a driver that is not held", single, 0, func(r *report) { r.plain, r.wrongLogins, r.mostWrong = true, 40, 2 }, false},
		{"too many of it, far apart", single, 0, func(r *report) { r.plain, r.scene, r.wrongLogins = true, &scenes[1], 31 }, true},
		{"many of it, far away", single, 0, func(r *report) { r.plain, r.scene, r.wrongLogins, r.mostWrong = true, &scenes[2], 40, 4 }, false},
		{"too many of it, far away", single, 0, func(r *report) { r.plain, r.scene, r.wrongLogins = true, &scenes[2], 43 }, true},
		{"rotations given up", single, 0, func(r *report) { r.givenUp, r.wrongLogins, r.mostWrong = true, 40, 3 }, false},
		{"held when it dials", single, 0, func(r *report) { r.dials, r.scene, r.wrongLogins, r.mostWrong = true, &scenes[1], 30, 2 }, false},
		{"too many when it dials, far away", single, 0, func(r *report) { r.dials, r.scene, r.wrongLogins = true, &scenes[2], 22 }, true},
		{"no bound", single, -1, func(r *report) { r.wrongLogins, r.mostWrong = 500, 50 }, false},
		{"a wrong login", alternating, 0, func(r *report) { r.wrongLogins, r.mostWrong = 1, 1 }, true},
		{"no wrong login", alternating, 0, func(r *report) { r.wrongLogins, r.mostWrong = 0, 0 }, false},
	} {
		r := good
		test.spoil(&r)
		err := noFailure(&settings{maxLogins: test.logins}, test.strategy, &r)
		if (err != nil) != test.wantErr {
			t.Errorf("%s: got error %v, want one: %t", test.name, err, test.wantErr)
		}
	}
}

// A fleet costs one wrong login for each of its clients, and nothing fails.
func TestFleet(t *testing.T) {
	t.Parallel()
	p, err := pick(policies, func(p *policy) string { return p.name }, "fleet")
	if err != nil {
		t.Fatal(err)
	}
	o := short(3)
	r := runShort(t, newRun(o, &ways[0], &backends[0], &strategies[0], p[0], &scenes[0]))
	if err := p[0].check(o, &strategies[0], r); err != nil {
		t.Error(err)
	}
	if r.wrongLogins > fleetSize*r.rotations {
		t.Errorf("wrong logins: got %d in %d rotations, want %d in each at most", r.wrongLogins, r.rotations, fleetSize)
	}
	r.mostWrong, r.slowestConnect = 2*fleetSize+1, 0
	if p[0].check(o, &strategies[0], r) == nil {
		t.Errorf("%v: passes the check with %d wrong logins", r, r.mostWrong)
	}
}
