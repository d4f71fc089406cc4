package main

import (
	"errors"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver/dbtest"
)

var sharedRedis = dbtest.SharedRedis(&dbserver.Options{MaxConnections: 1000})

var redisForm = regexp.MustCompile(`^soak (rotate )?redis(-rueidis|-redigo)? (single-user|two-passwords)( naive)?: ` +
	`rotations \d+, commands \d+, failed commands \d+, failed connects \d+, wrong logins \d+, ` +
	`api calls per rotation \d+\.\d, slowest connect \d+ms$`)

// runRedis does a short run on the shared server.
func runRedis(t *testing.T, name string, s redisStrategy, naive bool) *redisRun {
	t.Helper()
	run := newRedisRun(short(3), name, s, naive)
	run.server, run.user = sharedRedis.Server(t), t.Name()+"/"+s.name
	if err := run.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%v\n%s", &run.report, run.report.details())
	if !redisForm.MatchString(run.report.String()) {
		t.Errorf("got %q, want the form %v", run.report.String(), redisForm)
	}
	return run
}

// What the long soak shows, in short, beside a policy that fails: a soak that
// shows no failure is worth something only if it can show one.
func TestRedis(t *testing.T) {
	t.Parallel()
	for name := range redisServers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, s := range redisStrategies {
				if err := runRedis(t, name, s, false).check(); err != nil {
					t.Errorf("%s: %v", s.name, err)
				}
			}
		})
	}
	t.Run("naive", func(t *testing.T) {
		t.Parallel()
		run := runRedis(t, "redis", redisStrategies[0], true)
		if rep := &run.report; rep.failedQueries == 0 || rep.failedConnects == 0 || rep.apiCalls == 0 || run.check() == nil {
			t.Errorf("got %v, want failures", rep)
		}
	})
}

func TestRedisCheck(t *testing.T) {
	good := report{rotations: 20, queries: 1000, connects: 100, mostWrong: 1, wrongLogins: 20}
	for _, test := range []struct {
		name     string
		strategy int
		spoil    func(*report)
		wantErr  bool
	}{
		{"nothing wrong", 0, func(*report) {}, false},
		{"a failed command", 0, func(r *report) { r.failedQueries = 1 }, true},
		{"a failed connect", 0, func(r *report) { r.failedConnects = 1 }, true},
		{"two wrong logins once", 0, func(r *report) { r.mostWrong, r.wrongLogins = 2, 21 }, false},
		{"two wrong logins twice", 0, func(r *report) { r.mostWrong, r.wrongLogins = 2, 22 }, true},
		{"three wrong logins", 0, func(r *report) { r.mostWrong = 3 }, true},
		{"no commands", 0, func(r *report) { r.queries = 1 }, true},
		{"no connects", 0, func(r *report) { r.connects = 1 }, true},
		{"a wrong login with two passwords", 1, func(*report) {}, true},
		{"none with two passwords", 1, func(r *report) { r.mostWrong, r.wrongLogins = 0, 0 }, false},
	} {
		run := &redisRun{settings: &settings{}, strategy: redisStrategies[test.strategy]}
		run.report.report = good
		test.spoil(&run.report.report)
		if err := run.check(); (err != nil) != test.wantErr {
			t.Errorf("%s: got error %v, want one: %t", test.name, err, test.wantErr)
		}
	}
}

// What -servers, -policies and the other flags choose.
func TestRedisChosen(t *testing.T) {
	databases, redis, live := splitServers("postgres,redis,tls,redis-redigo,mariadb,http")
	if databases != "postgres,mariadb" || !slices.Equal(redis, []string{"redis", "redis-redigo"}) || !slices.Equal(live, []string{"tls", "http"}) {
		t.Errorf("got %q, %q and %q", databases, redis, live)
	}
	if databases, _, _ = splitServers("redis"); databases != "" {
		t.Errorf("got %q, want none", databases)
	}
	for _, o := range []settings{{faults: true, scenes: "busy"}, {maxPasswordErrors: 3, scenes: "busy"}, {scenes: "isolated"}} {
		if err := o.soakRedis(t.Context(), []string{"redis"}); err != nil {
			t.Errorf("got %v, want nothing done", err)
		}
	}
	o := short(1)
	o.policies, o.ways, o.scenes, o.window, o.gap = "sqlcred", "hand", "busy", time.Millisecond, time.Millisecond
	sharedRedis.Server(t) // or the test is left out
	if err := o.soakRedis(t.Context(), []string{"redis"}); err != nil {
		t.Error(err)
	}
	bad := newRedisRun(o, "redis", redisStrategies[0], false)
	bad.server, bad.user = sharedRedis.Server(t), "with a space"
	if err := doTogether(t.Context(), []*redisRun{bad}); err == nil || errors.Is(err, t.Context().Err()) {
		t.Errorf("got %v, want the server's error", err)
	}
}
