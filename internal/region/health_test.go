package region

import (
	"reflect"
	"testing"
	"time"
)

var rules = Rules{MinProbe: time.Second, MaxProbe: 30 * time.Second}

const second = Time(time.Second)

func TestPlan(t *testing.T) {
	fail := func(regions ...int) Health {
		h := New(3)
		for _, i := range regions {
			h.Failed(&rules, i, 0, 0, 0)
		}
		return h
	}
	for name, tt := range map[string]struct {
		h    Health
		now  Time
		want []Ask
	}{
		"healthy":                     {fail(), 0, []Ask{{Region: 0}, {Region: 1}, {Region: 2}}},
		"the first failed":            {fail(0), 0, []Ask{{Region: 1}, {Region: 2}, {Region: 0, Resort: true}}},
		"the first is due":            {fail(0), second, []Ask{{Region: 0, Probe: true}, {Region: 1}, {Region: 2}}},
		"the second failed":           {fail(1), 0, []Ask{{Region: 0}, {Region: 2}, {Region: 1, Resort: true}}},
		"the second is not needed":    {fail(1), second, []Ask{{Region: 0}, {Region: 2}, {Region: 1, Resort: true}}},
		"two failed":                  {fail(0, 1), 0, []Ask{{Region: 2}, {Region: 0, Resort: true}, {Region: 1, Resort: true}}},
		"two are due":                 {fail(0, 1), second, []Ask{{Region: 0, Probe: true}, {Region: 1, Probe: true}, {Region: 2}}},
		"all failed":                  {fail(0, 1, 2), 0, []Ask{{Region: 0, Resort: true}, {Region: 1, Resort: true}, {Region: 2, Resort: true}}},
		"all are due":                 {fail(0, 1, 2), second, []Ask{{Region: 0, Resort: true}, {Region: 1, Resort: true}, {Region: 2, Resort: true}}},
		"the clock was set back":      {fail(0), -1, []Ask{{Region: 0, Probe: true}, {Region: 1}, {Region: 2}}},
		"the clock was set far ahead": {fail(0), 1 << 60, []Ask{{Region: 0, Probe: true}, {Region: 1}, {Region: 2}}},
	} {
		if got := tt.h.Plan(&rules, tt.now, 0); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: plan %+v, want %+v", name, got, tt.want)
		}
	}
}

// One call probes, and the next not before half the interval has passed, which
// doubles up to its bound.
func TestProbes(t *testing.T) {
	h := New(2)
	var now Time
	h.Failed(&rules, 0, now, now, 0)
	var probes []time.Duration
	for last := now; len(probes) < 8; now += second / 4 {
		if plan := h.Plan(&rules, now, 0); plan[0].Probe {
			probes = append(probes, time.Duration(now-last))
			h.Failed(&rules, 0, now, now, 0)
			last = now
		}
	}
	s := time.Second
	want := []time.Duration{s / 2, s, 2 * s, 4 * s, 8 * s, 15 * s, 15 * s, 15 * s}
	if !reflect.DeepEqual(probes, want) {
		t.Errorf("probes after %v, want after %v", probes, want)
	}
	if !h.Failing(0) || h.Failing(1) {
		t.Errorf("failing: %t, %t; want the first alone", h.Failing(0), h.Failing(1))
	}
	if !h.Answered(0, now) || h.Answered(0, now) || h.Failing(0) {
		t.Error("an answer ends the failures, once")
	}
}

// The longest interval is MaxProbe, and none overflows.
func TestLongestInterval(t *testing.T) {
	h := New(2)
	for i := range 100 {
		h.Failed(&rules, 0, Time(i), Time(i), 1-1.0/(1<<53))
	}
	if got := time.Duration(h.regions[0].probe - 99); got > rules.MaxProbe || got < rules.MaxProbe*9/10 {
		t.Errorf("after many failures the next probe is in %v, want about %v", got, rules.MaxProbe)
	}
}

// Calls that were under way when the region answered, or failed, say nothing new.
func TestOldFailures(t *testing.T) {
	h := New(1)
	h.Answered(0, 5)
	if h.Failed(&rules, 0, 4, 6, 0) || h.Failing(0) {
		t.Error("a call that began before the last answer has failed the region")
	}
	if !h.Failed(&rules, 0, 5, 7, 0) || !h.Failing(0) {
		t.Error("a call that began with the last answer has not failed the region")
	}
	probe := h.regions[0].probe
	if h.Failed(&rules, 0, 6, 8, 0) || h.regions[0].failures != 1 || h.regions[0].probe != probe {
		t.Error("a call that was under way when the region failed counts again")
	}
	if h.Failed(&rules, 0, 7, 9, 0) || h.regions[0].failures != 2 {
		t.Error("a call that began since has to count, and is not the first failure")
	}
}
