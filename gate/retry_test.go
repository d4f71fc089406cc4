package gate

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// A refusal that may be over in a moment is found out after a second, and then
// at growing intervals.
func TestGateTransientRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGate(4)
		first := mustEnter(t, g, "v1", false)
		first.soon = true
		end(g, first, refused)
		barredAtOnce(t, g, "v1")
		for _, wait := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, retryPace, retryPace} {
			if at, r := g.retryAt("v1", secrets.Current); r == nil || time.Until(at) != wait {
				t.Fatalf("next retry: got %v after, want %v", time.Until(at), wait)
			}
			time.Sleep(wait)
			again := mustEnter(t, g, "v1", true)
			again.soon = true
			end(g, again, refused)
		}
		time.Sleep(retryPace)
		end(g, mustEnter(t, g, "v1", true), accepted)
		end(g, mustEnter(t, g, "v1", false), accepted)
	})
}

// While two versions wait to be tried again they take turns, and one that is
// neither current nor pending waits longer.
func TestGateRetriesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGate(4)
		stages := map[string]string{"v1": secrets.Current, "v2": secrets.Pending, "v0": secrets.Previous}
		tries := map[string]int{}
		offer := func(version string) {
			p, err := g.enter(t.Context(), uint64(g.Ticket()), version, stages[version], true)
			if err == nil {
				tries[version]++
				end(g, p, refused)
			}
		}
		for begin := time.Now(); time.Since(begin) < 2*time.Minute; time.Sleep(time.Second) {
			for _, version := range []string{"v1", "v2", "v0"} {
				offer(version)
			}
		}
		if tries["v1"] < 9 || tries["v2"] < 9 || tries["v1"]+tries["v2"] > 26 {
			t.Errorf("tries in 2m: got %v, want about 11 of v1 and of v2", tries)
		}
		if tries["v0"] != 2 { // once, and again after a minute
			t.Errorf("tries of the previous version: got %d, want 2", tries["v0"])
		}
	})
}

// A refused version that comes to another label is offered at once.
func TestGateOffersAtOnceUnderAnotherLabel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGate(4)
		p, err := g.enter(t.Context(), 1, "v1", secrets.Pending, true)
		if err != nil {
			t.Fatal(err)
		}
		end(g, p, refused)
		if _, err := g.enter(t.Context(), 2, "v1", secrets.Pending, true); err == nil {
			t.Error("admitted under the label under which it was refused")
		}
		end(g, mustEnter(t, g, "v1", true), accepted) // as AWSCURRENT
	})
}
