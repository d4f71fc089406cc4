package rotation

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A run drives a protocol by hand.
type run struct {
	*Protocol
	call    Call
	now     Instant
	current string
}

func newRun(stages ...string) *run {
	cfg := Default()
	cfg.Stages = stages
	return &run{Protocol: New(cfg), current: "1"}
}

func (r *run) after(d time.Duration) *run { r.now = r.now.add(d); return r }

// rejectCurrent has the first use rejected, and makes the call the prober.
func (r *run) rejectCurrent(t *testing.T) {
	t.Helper()
	turn := r.Begin(&r.call, r.current, r.now, true)
	if turn.Do != Use || turn.ID != r.current {
		t.Fatalf("Begin = %+v, want a use of %s", turn, r.current)
	}
	r.Rejected(&r.call, turn.Version, r.now)
	if turn := r.Begin(&r.call, r.current, r.now, true); turn.Do != Probe {
		t.Fatalf("Begin = %+v, want to be the prober", turn)
	}
	r.StartRound(r.now, r.current, 1000)
}

// round answers the prober's questions until it pauses: with labels, and with
// versions that the resource rejects. It returns what happened.
func (r *run) round(labels Labels, miss map[string]Result) string {
	var did []string
	for range 20 {
		s := r.Next(&r.call, r.now, r.current)
		switch {
		case s.Do == Pause:
			return strings.Join(append(did, fmt.Sprint(time.Duration(s.At-r.now))), " ")
		case s.Do == Ask && labels == nil:
			did = append(did, "ask")
			r.Uninformed(r.now, r.current)
		case s.Do == Ask:
			did = append(did, "ask")
			r.Informed(r.now, labels, r.current)
		case miss[s.ID] != none:
			did = append(did, "miss-"+s.ID)
			r.Missed(s, miss[s.ID])
		case r.Fetched(&r.call, s, s.ID, r.now):
			did = append(did, s.ID)
			r.ProberRejected(&r.call, s, s.ID, r.now)
		}
	}
	return "no end"
}

var three = Labels{Current: "1", Pending: "2", Previous: "0"}

// A round asks, offers the pending version, asks again since finishSecret may
// have moved the labels, and then offers the previous one.
func TestRound(t *testing.T) {
	tests := []struct {
		name   string
		labels Labels
		miss   map[string]Result
		want   string
	}{
		{"all rejected", three, nil, "ask 2 ask 0 250ms"},
		{"no pending", Labels{Current: "1", Previous: "0"}, nil, "ask 0 250ms"},
		{"pending on current", Labels{Current: "1", Pending: "1", Previous: "0"}, nil, "ask 0 250ms"},
		{"pending out of reach", three, map[string]Result{"2": Unreachable}, "ask miss-2 ask 250ms"},
		{"pending denied", three, map[string]Result{"2": Denied}, "ask miss-2 ask 0 250ms"},
		{"pending unusable", three, map[string]Result{"2": Unusable}, "ask miss-2 0 250ms"},
		{"pending without a value", three, map[string]Result{"2": Absent}, "ask miss-2 ask 250ms"},
		{"the service is down", nil, nil, "ask 250ms"},
		{"a new current version", Labels{Current: "3", Previous: "1"}, nil, "ask 3 250ms"},
		{"it is out of reach", Labels{Current: "3", Pending: "2", Previous: "0"}, map[string]Result{"3": Unreachable}, "ask miss-3 2 ask 250ms"},
		{"it is missing", Labels{Current: "3", Previous: "0"}, map[string]Result{"3": Absent}, "ask miss-3 250ms"},
	}
	for _, tt := range tests {
		r := newRun()
		r.Protocol.cfg.Stages = nil
		r.rejectCurrent(t)
		if got := r.round(tt.labels, tt.miss); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// The second answer that the pending version has no value counts.
func TestValuelessTwice(t *testing.T) {
	r := newRun()
	r.cfg.Stages = nil
	r.rejectCurrent(t)
	miss := map[string]Result{"2": Absent}
	r.round(three, miss)
	r.after(time.Second).StartRound(r.now, r.current, 1000)
	if got, want := r.round(three, miss), "ask miss-2 0 375ms"; got != want {
		t.Errorf("second round: %s, want %s", got, want)
	}
}

// finishSecret moved the labels between the question and the request for the
// pending version: the prober asks again at once, and offers what is current.
func TestFinishRaces(t *testing.T) {
	r := newRun()
	r.cfg.Stages = nil
	r.rejectCurrent(t)
	r.Next(&r.call, r.now, r.current)
	r.Informed(r.now, three, "1")
	s := r.Next(&r.call, r.now, r.current)
	r.Missed(s, Absent)
	if s = r.Next(&r.call, r.now, r.current); s.Do != Ask {
		t.Fatalf("Next = %+v, want to ask again", s)
	}
	r.Informed(r.now, Labels{Current: "2", Previous: "1"}, "2")
	if s = r.Next(&r.call, r.now, "2"); s.Do != Fetch || s.Version != (Version{"2", Current}) {
		t.Errorf("Next = %+v, want the current version", s)
	}
}

// The service is asked at intervals that grow: to five seconds while it
// answers, to one while it does not. A rejection that says something new has it
// asked at once.
func TestPace(t *testing.T) {
	for labels, want := range map[*Labels]string{
		&three:      "250ms 375ms 562.5ms 843.75ms 1.265625s 1.898437s 2.847656s 4.271484s 5s 5s",
		new(Labels): "250ms 375ms 562.5ms 843.75ms 1s 1s 1s 1s 1s 1s",
	} {
		r := newRun()
		r.cfg.Stages = nil
		r.rejectCurrent(t)
		var gaps []string
		for range 10 {
			got := r.round(*labels, nil)
			gap := got[strings.LastIndex(got, " ")+1:]
			d, _ := time.ParseDuration(gap)
			gaps = append(gaps, d.Truncate(time.Microsecond).String())
			if !strings.HasPrefix(got, "ask") {
				t.Errorf("a round that began after its pause: %s", got)
			}
			r.after(d-1).StartRound(r.now, r.current, 1000)
			if r.Phase() == Asking {
				t.Fatal("the service is asked before its time")
			}
			r.round(*labels, nil)
			r.after(1).StartRound(r.now, r.current, 1000)
		}
		if got := strings.Join(gaps, " "); got != want {
			t.Errorf("intervals %s, want %s", got, want)
		}
		r.round(*labels, nil)
		r.Rejected(&Call{}, Version{"9", Current}, r.now)
		if r.StartRound(r.now, r.current, 1000); r.Phase() != Asking {
			t.Error("the service is not asked at once after a rejection that is news")
		}
	}
}

// The pause of a version that is rejected again and again doubles, up to its
// bound; uses that were under way at once count as one.
func TestPauseGrows(t *testing.T) {
	r := newRun()
	for _, want := range []time.Duration{1, 2, 4, 8, 15, 15} {
		for range 3 {
			r.Rejected(&Call{}, Version{"1", Current}, r.now)
		}
		if r.mayOffer("1", r.now.add(want*time.Minute-1)) || !r.mayOffer("1", r.now.add(want*time.Minute)) {
			t.Errorf("rejection at %v: the pause is not %d minutes", time.Duration(r.now), want)
		}
		r.after(want * time.Minute)
	}
}

// The bounds of the pause are the configuration's.
func TestPauseIsConfigured(t *testing.T) {
	r := newRun()
	r.cfg.MinPause, r.cfg.MaxPause = time.Second, 3*time.Second
	for _, want := range []time.Duration{1, 2, 3, 3} {
		r.Rejected(&Call{}, Version{"1", Current}, r.now)
		if r.mayOffer("1", r.now.add(want*time.Second-1)) || !r.mayOffer("1", r.now.add(want*time.Second)) {
			t.Errorf("rejection at %v: the pause is not %d seconds", time.Duration(r.now), want)
		}
		r.after(want * time.Second)
	}
}

// With Once a call that waits gives up at the end of the round, and goes on
// where the prober left in its middle.
func TestOnce(t *testing.T) {
	for _, ended := range []bool{false, true} {
		r := newRun()
		r.cfg.Stages, r.cfg.Once = nil, true
		r.rejectCurrent(t)
		var waiter Call
		if turn := r.Begin(&waiter, "1", r.now, true); turn.Do != Wait {
			t.Fatalf("Begin = %+v, want to wait for the prober", turn)
		}
		want := Probe
		if ended {
			want = GiveUp
			for range 10 {
				s := r.Next(&r.call, r.now, "1")
				if s.Do == Stop {
					break
				} else if s.Do == Ask {
					r.Informed(r.now, Labels{Current: "1"}, "1")
				}
			}
		}
		r.Leave()
		if turn := r.Begin(&waiter, "1", r.now, true); turn.Do != want {
			t.Errorf("round ended %v: Begin = %+v, want %v", ended, turn, want)
		}
	}
}

// When the pin is rejected, what was rejected before it may be offered again;
// when a version becomes current or pending it may, and when it becomes
// previous it may not.
func TestLifts(t *testing.T) {
	r := newRun()
	r.cfg.Stages = nil
	r.rejectCurrent(t)
	r.ProberAccepted(&r.call, Version{"2", Pending}, "1")
	r.Leave()
	if r.Phase() != Pinned || r.mayOffer("1", r.now) {
		t.Fatalf("phase %v after a fallback was accepted, want Pinned and version 1 in its pause", r.Phase())
	}
	var other Call
	turn := r.Begin(&other, "1", r.now, true)
	if r.Rejected(&other, turn.Version, r.now); r.Phase() != Rejected || !r.mayOffer("1", r.now) || r.mayOffer("2", r.now) {
		t.Errorf("phase %v after the pin was rejected, version 1 may be offered: %v, 2: %v", r.Phase(), r.mayOffer("1", r.now), r.mayOffer("2", r.now))
	}
	// It had become current by then: that is no news of it.
	if turn = r.Begin(&other, "1", r.now, true); turn.Do != Probe {
		t.Fatalf("Begin = %+v, want to be the prober", turn)
	}
	r.StartRound(r.now, "1", 1000)
	if r.Informed(r.now, Labels{Current: "2", Previous: "1"}, "2"); r.mayOffer("2", r.now) {
		t.Error("the label under which a version was rejected lifts its rejection")
	}
	for stage, want := range map[string]bool{Current: true, Pending: true, Previous: false, "BLUE": false} {
		x := rejection{under: hadOther, lift: standing}
		if x.relabel(stage); (x.lift == moved) != want {
			t.Errorf("a rejected version comes to %s: lifted %v, want %v", stage, x.lift == moved, want)
		}
	}
}

// A handle that settles while its prober is in a round: the prober offers no
// more than the current version, and nothing is left when it leaves.
func TestSettlesInARound(t *testing.T) {
	for _, informed := range []bool{false, true} {
		r := newRun()
		r.cfg.Stages = nil
		r.rejectCurrent(t)
		if informed {
			r.Informed(r.now, three, "1")
		}
		r.Accepted(Turn{Version: Version{"3", Current}, Gen: r.gen})
		r.current = "3"
		if !r.Quiet() || !r.Phase().HasProber() {
			t.Fatalf("phase %v, quiet %v after an acceptance", r.Phase(), r.Quiet())
		}
		if !informed {
			r.Informed(r.now, Labels{Current: "3", Pending: "2", Previous: "1"}, "3")
		}
		s := r.Next(&r.call, r.now, "3")
		if s.Do != Fetch || s.Version != (Version{"3", Current}) {
			t.Errorf("Next = %+v, want the current version", s)
		}
		if informed { // and then it was over
			r.Missed(s, Unreachable)
			if s := r.Next(&r.call, r.now, "3"); s.Do != Pause {
				t.Errorf("Next = %+v, want a pause: what the labels said is forgotten", s)
			}
		}
		if r.Leave(); r.Phase() != Settled || !r.empty() {
			t.Errorf("phase %v, want Settled and nothing remembered", r.Phase())
		}
	}
}

// The service cannot be asked: labels are gone by for a while, unless the
// current version has moved since they were seen, and only for what is in memory.
func TestMakesDo(t *testing.T) {
	for _, tt := range []struct {
		name    string
		later   time.Duration
		current string
		want    string
	}{
		{"at once", time.Second, "1", "ask 2 250ms"},
		{"later", 2 * time.Minute, "1", "ask 250ms"},
		{"another current version", time.Second, "3", "ask 250ms"},
		{"the one that the labels said", time.Second, "2", "ask 250ms"},
	} {
		r := newRun()
		r.cfg.Stages = nil
		r.rejectCurrent(t)
		r.Informed(r.now, three, "1")
		r.Leave() // its use ended with another error
		r.current = tt.current
		r.after(tt.later).call = Call{}
		r.Rejected(&Call{}, Version{tt.current, Current}, r.now.add(-time.Second))
		if turn := r.Begin(&r.call, r.current, r.now, true); turn.Do != Probe {
			t.Fatalf("%s: Begin = %+v, want to be the prober", tt.name, turn)
		}
		r.news = true
		r.StartRound(r.now, r.current, 1000)
		if got := r.round(nil, nil); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// No more rejections are remembered than fit, and the oldest go.
func TestRejectionsAreBounded(t *testing.T) {
	r := newRun()
	for i := range 100 {
		r.Rejected(&Call{}, Version{fmt.Sprint(i), Current}, r.now)
	}
	all := r.Rejections()
	if len(all) != maxRejections || all[0].ID != "68" || all[len(all)-1].ID != "99" {
		t.Errorf("%d rejections from %s to %s", len(all), all[0].ID, all[len(all)-1].ID)
	}
}

// Which labels may be offered: nil is the default, empty the current one alone.
func TestStages(t *testing.T) {
	for _, tt := range []struct {
		stages []string
		want   string
	}{
		{nil, "AWSCURRENT AWSPENDING AWSPREVIOUS"},
		{[]string{}, "AWSCURRENT"},
		{[]string{"BLUE", Previous}, "AWSCURRENT AWSPREVIOUS BLUE"},
	} {
		c := Config{Stages: tt.stages}
		all := []string{Current, Pending, Previous, "BLUE"}
		got := strings.Join(slices.DeleteFunc(all, func(s string) bool { return !c.allows(s) }), " ")
		if got != tt.want {
			t.Errorf("Stages %#v allow %s, want %s", tt.stages, got, tt.want)
		}
	}
}

func TestPhaseNames(t *testing.T) {
	for p, want := range map[Phase]string{Settled: "Settled", Pinned: "Pinned", Rejected: "Rejected", Asking: "Asking", Probing: "Probing", Polling: "Polling"} {
		if p.String() != want || p.HasProber() != (p >= Asking) {
			t.Errorf("phase %d is %v, with a prober %v", p, p, p.HasProber())
		}
	}
}

// A resource that says when it may be offered a version again has a round begin
// then, although the service is not to be asked yet; in one round, and not before
// the version's pause is over.
func TestOfferAgain(t *testing.T) {
	for _, test := range []struct {
		name         string
		pause, again time.Duration // of the version; after the rejection, 0: it is not said
		want         string        // what the rounds do, and how long the pauses after them are
	}{
		{"not said", time.Hour, 0, "ask 500ms; ask 750ms; ask 1.125s"},
		{"before the service is asked", 100 * time.Millisecond, 200 * time.Millisecond, "ask 200ms; 1 300ms"},
		{"after the service is asked", 700 * time.Millisecond, 700 * time.Millisecond, "ask 500ms; ask 200ms; 1 550ms"},
		{"within the version's pause", 100 * time.Millisecond, time.Millisecond, "ask 100ms; 1 400ms"},
	} {
		cfg := Default()
		cfg.MinPoll, cfg.MinPause, cfg.MaxPause = 500*time.Millisecond, test.pause, test.pause
		r := &run{Protocol: New(cfg), current: "1"}
		r.rejectCurrent(t)
		if test.again > 0 {
			r.OfferAgain("1", r.now.add(test.again))
		}
		var did []string
		for range strings.Count(test.want, ";") + 1 {
			did = append(did, r.round(Labels{Current: "1"}, nil))
			pause, err := time.ParseDuration(did[len(did)-1][strings.LastIndex(did[len(did)-1], " ")+1:])
			if err != nil {
				t.Fatal(err)
			}
			r.after(pause).StartRound(r.now, r.current, 1000)
		}
		if got := strings.Join(did, "; "); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
