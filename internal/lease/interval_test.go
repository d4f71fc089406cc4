package lease_test

import (
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/lease"
)

// confirmed returns the delay of the check after one in which DescribeSecret says d.
func confirmed(l *lease.Lease, m lease.Moment, n uint64, d lease.Description) time.Duration {
	d.Current = "v1"
	ck := l.Begin(&rules, m.Now, n)
	l.Described(&rules, m, &ck, d)
	l.End(&rules, m, &ck)
	return l.Due(&rules).Sub(m.Now)
}

func TestIntervalsOfAnOutstandingRotation(t *testing.T) {
	l := cached(t, &rules)
	m := after(time.Second)
	for n, want := range []time.Duration{2, 4, 8, 16, 32, 64, 90, 90} {
		got := confirmed(l, m, uint64(n)+2, lease.Description{Pending: "v2"})
		want *= time.Second
		if want < 90*time.Second {
			want -= want / 10 // the least draw
		}
		if want == 90*time.Second {
			want -= want / 10
		}
		if got != want || !l.Rotating() {
			t.Errorf("check %d: next after %v, rotating %v; want %v", n+1, got, l.Rotating(), want)
		}
	}
	if got := confirmed(l, m, 20, lease.Description{Pending: "v3"}); got != 1800*time.Millisecond {
		t.Errorf("the next rotation: next after %v, want the first interval again", got)
	}
	if got := confirmed(l, m, 21, lease.Description{}); got != 90*time.Second || l.Rotating() {
		t.Errorf("after it: next after %v, rotating %v; want 90s", got, l.Rotating())
	}
}

func TestRotationIsNotBelievedForEver(t *testing.T) {
	l := cached(t, &rules)
	confirmed(l, after(0), 2, lease.Description{Pending: "v2"})
	get := func(at time.Duration, n uint64) {
		ck := l.Begin(&rules, start.Add(at), n)
		l.Observed(&rules, after(at), &ck, lease.Observation{Version: "v1", Same: true, Fetched: true})
		l.End(&rules, after(at), &ck)
	}
	if get(rules.RotationKept-1, 3); !l.Rotating() {
		t.Error("an outstanding rotation is forgotten too early")
	}
	if get(rules.RotationKept, 4); l.Rotating() {
		t.Error("an outstanding rotation that DescribeSecret shows no longer is kept")
	}
	confirmed(l, after(0), 5, lease.Description{Pending: "v2"})
	if fail(l, &rules, after(rules.RotationKept), 6); l.Rotating() {
		t.Error("a failed check keeps an outstanding rotation")
	}
}

func TestRotationWindow(t *testing.T) {
	for _, test := range []struct {
		name          string
		opens, closes time.Duration
		least, most   time.Duration
	}{
		{"far away", time.Hour, 2 * time.Hour, 90 * time.Second, 90 * time.Second},
		{"opens soon", 60 * time.Second, time.Hour, 60 * time.Second, 60*time.Second + 100*time.Second/8},
		{"opens at once", time.Second, time.Hour, 25 * time.Second, 25 * time.Second},
		{"open", -time.Hour, time.Hour, 25 * time.Second, 25 * time.Second},
		{"closed just now", -time.Hour, -80 * time.Second, 25 * time.Second, 25 * time.Second},
		{"closed", -time.Hour, -90 * time.Second, 90 * time.Second, 90 * time.Second},
	} {
		d := lease.Description{Windowed: true, Opens: start.Add(test.opens), Closes: start.Add(test.closes)}
		if got := confirmed(cached(t, &rules), after(0), 2, d); got != test.least {
			t.Errorf("%s: next after %v, want %v", test.name, got, test.least)
		}
		l := &lease.Lease{}
		adopt(t, l, &rules, after(0), 1, "v1")
		if got := confirmed(l, late(after(0)), 2, d); got > test.most || got < test.least*4/5 {
			t.Errorf("%s, drawn late: next after %v, want from %v to %v", test.name, got, test.least, test.most)
		}
	}
}
