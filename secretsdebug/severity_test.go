package secretsdebug

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

func TestJudge(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	before := func(d time.Duration) time.Time { return now.Add(-d) }
	for name, tt := range map[string]struct {
		change func(*secrets.Status)
		level  severity
		want   []string // how the reasons begin
	}{
		"fit":    {func(*secrets.Status) {}, fine, nil},
		"unread": {func(st *secrets.Status) { st.Expires, st.NextCheck = before(time.Hour), time.Time{} }, fine, nil},
		"first failure": {func(st *secrets.Status) {
			st.Failures, st.FailingSince, st.LastClass = 1, before(time.Second), secrets.ClassThrottled
		}, notice, []string{"refresh fails: throttled, 1 time"}},
		"recovered": {func(st *secrets.Status) { st.LastFailure, st.LastClass = before(time.Second), secrets.ClassNetwork }, fine, nil},
		"stale": {func(st *secrets.Status) {
			st.Failures, st.FailingSince, st.StaleSince, st.LastClass = 9, before(time.Hour), before(time.Minute), secrets.ClassNetwork
		}, warning, []string{"stale", "refresh fails: network, 9 times"}},
		"too old": {func(st *secrets.Status) { st.Version, st.Failures, st.LastClass = "", 99, secrets.ClassServer }, critical, []string{"no version can be served", "refresh fails: server, 99"}},
		"refused": {func(st *secrets.Status) {
			st.Refused = []secrets.Event{{Type: "main.Limits", Field: "limit", Version: "v2", From: "v1"}}
		}, warning, []string{"main.Limits still uses version v1: version v2 does not decode (field limit)"}},
		"refused at first": {func(st *secrets.Status) { st.Refused = []secrets.Event{{Type: "int", Version: "v1"}} }, critical, []string{"version v1 does not decode as int, and no other does"}},
		"pinned": {func(st *secrets.Status) {
			st.Pins = []secrets.Event{{Type: "main.Login", Version: "0123456789", Stage: "AWSPENDING"}}
		}, notice, []string{"main.Login uses version 01234567 (AWSPENDING)"}},
		"rotating": {func(st *secrets.Status) {
			st.Rotation = secrets.RotationState{Phase: secrets.RotationInProgress, Since: before(time.Hour)}
		}, notice, []string{"rotation under way"}},
		"stuck": {func(st *secrets.Status) {
			st.Rotation = secrets.RotationState{Phase: secrets.RotationInProgress, Since: before(time.Hour + 1)}
		}, warning, []string{"rotation is stuck"}},
		"failed": {func(st *secrets.Status) { st.Rotation.Phase = secrets.RotationFailed }, warning, []string{"rotation is stuck"}},
		"due": {func(st *secrets.Status) {
			st.Rotation = secrets.RotationState{Phase: secrets.RotationDue, NextRotation: now}
		}, fine, nil},
		"overdue": {func(st *secrets.Status) {
			st.Rotation = secrets.RotationState{Phase: secrets.RotationDue, NextRotation: before(1)}
		}, warning, []string{"rotation is overdue"}},
		"all": {func(st *secrets.Status) {
			st.Pins = []secrets.Event{{Version: "v"}}
			st.StaleSince = before(time.Minute)
			st.Refused = []secrets.Event{{Type: "int", Version: "v1"}}
		}, critical, []string{"version v1 does not decode", "stale", "a handle uses version v"}},
	} {
		st := fit("s", now)
		tt.change(&st)
		reasons := judge(&st, now)
		ok := len(reasons) == len(tt.want) && level(reasons) == tt.level
		for i := range min(len(reasons), len(tt.want)) {
			ok = ok && strings.HasPrefix(reasons[i].text, tt.want[i])
		}
		if !ok {
			t.Errorf("%s: %v %v, want %v %q", name, level(reasons), reasons, tt.level, tt.want)
		}
	}
}

func TestOrder(t *testing.T) {
	now := time.Now()
	status := func(name string, change func(*secrets.Status)) *row {
		st := fit(name, now)
		change(&st)
		return rowOf(&st, now)
	}
	stale := func(d time.Duration) func(*secrets.Status) {
		return func(st *secrets.Status) { st.StaleSince = now.Add(-d) }
	}
	all := []*row{
		status("fit-b", func(*secrets.Status) {}), status("stale-1m", stale(time.Minute)), status("fit-a", func(*secrets.Status) {}),
		status("gone", func(st *secrets.Status) { st.Version = "" }), status("stale-1h", stale(time.Hour)),
		status("pinned", func(st *secrets.Status) { st.Pins = make([]secrets.Event, 1) }),
	}
	slices.SortFunc(all, worse)
	var got []string
	for _, r := range all {
		got = append(got, r.Name)
	}
	if want := []string{"gone", "stale-1h", "stale-1m", "pinned", "fit-a", "fit-b"}; !slices.Equal(got, want) {
		t.Errorf("the order is %v, want %v", got, want)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1540 * time.Microsecond: "1.5ms", 123456 * time.Nanosecond: "120µs", 0: "0s", 12340 * time.Millisecond: "12.3s", time.Minute: "1m", 61 * time.Second: "1m1s",
		time.Hour: "1h", 70 * time.Minute: "1h10m", 47*time.Hour + 59*time.Minute: "47h59m", 50 * time.Hour: "2d2h", -time.Minute: "-1m",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
	now := time.Now()
	for at, want := range map[time.Time]string{{}: "–", now: "now", now.Add(-time.Minute): "1m ago", now.Add(time.Hour): "in 1h"} {
		if got := ago(now, at); got != want {
			t.Errorf("ago(%v) = %q, want %q", at.Sub(now), got, want)
		}
	}
}

func TestFigures(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %q, want %q", n, got, want)
		}
	}
	for d, want := range map[float64]string{0: "$0", 0.000005: "0.0005¢", 0.0017: "0.17¢", 0.01: "$0.01", 6.1728: "$6.17"} {
		if got := dollars(d); got != want {
			t.Errorf("dollars(%v) = %q, want %q", d, got, want)
		}
	}
}
