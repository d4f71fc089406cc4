package gate

import (
	"testing"
	"time"
)

var start = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)

// mustBegin checks when the next login may begin, and begins it.
func (p *pace) mustBegin(t *testing.T, now, since time.Time, underWay, limit int, want time.Duration) {
	t.Helper()
	at, ok := p.next(now, since, underWay, 10, limit)
	if !ok {
		t.Fatalf("with %d under way of %d: none may begin, want it after %v", underWay, limit, want)
	}
	if got := max(0, at.Sub(now)); got != want {
		t.Fatalf("with %d under way of %d: may begin after %v, want %v", underWay, limit, got, want)
	}
	p.begin(later(now, at), underWay)
}

func TestPaceBeginsWithOne(t *testing.T) {
	var p pace
	p.mustBegin(t, start, start, 0, 4, 0)
	p.mustBegin(t, start, start, 1, 4, patience)
	if _, ok := p.next(start.Add(time.Second), start, 2, 10, 4); ok {
		t.Error("a third login may begin with a server that is near, want two")
	}
	p.mustBegin(t, start.Add(patience), start.Add(patience), 1, 4, 0) // two are allowed now
	p.empty()
	p.mustBegin(t, start.Add(time.Second), start.Add(time.Second), 1, 4, patience)
}

func TestPaceOfAFarServer(t *testing.T) {
	const login = 80 * time.Millisecond
	var p pace
	p.verdict(login, false)
	now, long := start, start.Add(-time.Hour)
	p.mustBegin(t, now, now, 0, 4, 0)
	for _, test := range []struct {
		since   time.Time
		waiting int
		want    time.Duration
	}{
		{now, 1, login}, // it waits as long as a login takes
		{long, 1, login / 2},
		{long, longQueue, login / 4},
	} {
		if at, ok := p.next(now, test.since, 1, test.waiting, 4); !ok || at.Sub(now) != test.want {
			t.Errorf("a second one of %d that has waited for %v: begins after %v, want %v", test.waiting, now.Sub(test.since), at.Sub(now), test.want)
		}
	}
	p.mustBegin(t, now, long, 1, 4, login/4)
	now = now.Add(login / 4)
	p.mustBegin(t, now, long, 2, 4, login) // from when the second one began
	now = now.Add(login)
	p.mustBegin(t, now, long, 3, 4, login)
	now = now.Add(login)
	p.mustBegin(t, now, long, 3, 4, login/4)
	if _, ok := p.next(now.Add(time.Second), long, 2, 1, 4); ok {
		t.Error("a third login may begin with a short queue, want two")
	}
	p.refused = now
	if _, ok := p.next(now.Add(time.Second), long, 2, 100, 4); ok {
		t.Error("a third login may begin after a refusal, want two")
	}
	p.refused = long
	if _, ok := p.next(now.Add(time.Second), start, 4, 10, 4); ok {
		t.Error("a fifth login may begin, want four")
	}
}

func TestPaceOfDriversThatAsk(t *testing.T) {
	p := pace{asks: true}
	p.verdict(time.Millisecond, true)
	for i := range 4 {
		p.mustBegin(t, start, start, i, 4, 0)
	}
	if _, ok := p.next(start, start, 4, 10, 4); ok {
		t.Error("a fifth login may begin, want four")
	}
	p.verdict(time.Millisecond, false)
	if _, ok := p.next(start, start, 2, 10, 4); ok {
		t.Error("a third login may begin after one that did not ask, want two")
	}
}

// The time of a login that counts follows the server when that moves away.
func TestPaceFollowsTheServer(t *testing.T) {
	var p pace
	p.verdict(2*time.Millisecond, false)
	if got := p.most(4, true); got != fewLogins {
		t.Errorf("near: got %d logins, want %d", got, fewLogins)
	}
	for range 200 {
		p.verdict(80*time.Millisecond, false)
	}
	if got := p.most(4, true); got != 4 {
		t.Errorf("after 200 slow logins: got %d logins, want 4", got)
	}
	p.verdict(2*time.Millisecond, false)
	if got := p.most(4, true); got != fewLogins {
		t.Errorf("after a quick one: got %d logins, want %d", got, fewLogins)
	}
}

func TestPaceWithoutBoundOrWithOne(t *testing.T) {
	var p pace
	for i := range 100 {
		p.mustBegin(t, start, start, i, 0, 0)
	}
	if _, ok := p.next(start.Add(time.Hour), start, 1, 10, 1); ok {
		t.Error("a second login may begin of one")
	}
}

func TestRetriesKeepThePace(t *testing.T) {
	r := retries{perHour: defaultRetriesPerHour}
	now, n := start, 0
	for now.Before(start.Add(time.Minute)) {
		at, ok := r.at(now)
		if !ok {
			t.Fatal("none may begin")
		}
		if n > 0 && (at.Sub(now) < 5*time.Second || at.Sub(now) > 5500*time.Millisecond) {
			t.Fatalf("retry %d after %v, want 5 to 5.5 seconds", n, at.Sub(now))
		}
		now = later(now, at)
		r.begin(now)
		n++
	}
	if n < 11 || n > 13 {
		t.Errorf("retries in a minute: got %d, want 12 or so", n)
	}
}

// In no hour there are more retries than the option says, and they go on
// throughout it.
func TestRetriesPerHour(t *testing.T) {
	for _, perHour := range []int{1, 2, 10, 100, 720} {
		r := retries{perHour: perHour}
		var all []time.Time
		for now := start; now.Before(start.Add(5 * time.Hour)); {
			at, _ := r.at(now)
			now = later(now, at)
			r.begin(now)
			all = append(all, now)
			now = now.Add(time.Millisecond)
		}
		for i, first := range all {
			n := 0
			for _, other := range all[i:] {
				if other.Sub(first) < time.Hour {
					n++
				}
			}
			if n > perHour {
				t.Fatalf("%d an hour: got %d in the hour after %v", perHour, n, first.Sub(start))
			}
			if i > 0 && first.Sub(all[i-1]) > 2*time.Hour*11/10/time.Duration(perHour)+6*time.Second {
				t.Errorf("%d an hour: %v without a retry", perHour, first.Sub(all[i-1]))
			}
		}
	}
}

func TestNoRetries(t *testing.T) {
	var r retries
	if at, ok := r.at(start); ok {
		t.Errorf("may begin at %v, want never", at)
	}
}
