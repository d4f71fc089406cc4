package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

var errRefused = errors.New("refused by the server")

// newGate makes a gate whose logins ask before they send their passwords.
func newGate(max int) (g *Gate, rotating *bool) {
	rotating = new(bool)
	g = New(&Options{MaxLogins: max, Rotating: func() bool { return *rotating }})
	g.pace.asks = true
	return g, rotating
}

// end ends a login that has asked.
func end(g *Gate, p *pass, v verdict) {
	g.asks(p)
	var err error
	if v == refused {
		err = errRefused
	}
	g.leave(p, v, err)
}

// mustEnter enters at once.
func mustEnter(t *testing.T, g *Gate, version string, probe bool) *pass {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	p, err := g.enter(ctx, uint64(g.Ticket()), version, secrets.Current, probe)
	if err != nil {
		t.Fatalf("enter(%q, %v): %v", version, probe, err)
	}
	return p
}

// barredAtOnce checks that a version is barred.
func barredAtOnce(t *testing.T, g *Gate, version string) {
	t.Helper()
	p, err := g.enter(t.Context(), uint64(g.Ticket()), version, secrets.Current, false)
	var barred *RefusedError
	if !errors.As(err, &barred) || !errors.Is(err, errRefused) {
		t.Fatalf("enter(%q): got %v, %v, want it barred with the driver's error", version, p, err)
	}
}

// queue starts n logins that wait at the gate, one after the other, and
// returns what becomes of each.
type queued struct {
	p   *pass
	err error
}

func queue(ctx context.Context, g *Gate, n int, version string) []chan queued {
	var all []chan queued
	for range n {
		c := make(chan queued, 1)
		go func() {
			p, err := g.enter(ctx, uint64(g.Ticket()), version, secrets.Current, false)
			c <- queued{p, err}
		}()
		synctest.Wait()
		all = append(all, c)
	}
	return all
}

// through returns the indexes of those who were admitted or barred.
func through(all []chan queued) []int {
	synctest.Wait()
	var done []int
	for i, c := range all {
		if len(c) > 0 {
			done = append(done, i)
		}
	}
	return done
}

func TestGateLimitsAndKeepsOrder(t *testing.T) {
	for _, max := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(max), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, _ := newGate(max)
				all := queue(t.Context(), g, 10, "v1")
				for first := 0; first < 10; first++ {
					last := min(first+max, 10)
					var want []int
					for i := range last {
						want = append(want, i)
					}
					if got := through(all); !slices.Equal(got, want[first:]) {
						t.Fatalf("with %d logins over: under way %v, want %v", first, got, want[first:])
					}
					q := <-all[first]
					end(g, q.p, accepted)
				}
			})
		})
	}
}

// A caller who was barred and returns is not behind those who came later.
func TestGateKeepsThePlaceOfTheBarred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGate(1)
		first := mustEnter(t, g, "v1", false)
		early := uint64(g.Ticket())
		barred := make(chan error)
		go func() {
			_, err := g.enter(t.Context(), early, "v1", secrets.Current, false)
			barred <- err
		}()
		synctest.Wait()
		late := queue(t.Context(), g, 3, "v2")
		end(g, first, refused)
		if err := <-barred; !errors.Is(err, errRefused) {
			t.Fatalf("got %v, want it barred", err)
		}
		again := make(chan queued, 1)
		go func() {
			p, err := g.enter(t.Context(), early, "v2", secrets.Current, false)
			again <- queued{p, err}
		}()
		synctest.Wait()
		if got := through(late); !slices.Equal(got, []int{0}) {
			t.Fatalf("under way: got %v, want the first of v2", got)
		}
		end(g, (<-late[0]).p, accepted)
		if got := through(late); len(got) != 0 || len(through([]chan queued{again})) != 1 {
			t.Errorf("the next is %v of those who came later", got)
		}
	})
}

func TestGateWithoutLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, rotating := newGate(-1)
		*rotating = true
		if got := through(queue(t.Context(), g, 100, "v1")); len(got) != 100 {
			t.Errorf("under way: got %d, want 100", len(got))
		}
	})
}

func TestGateOneAtATimeDuringRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, rotating := newGate(4)
		all := queue(t.Context(), g, 8, "v1")
		if got := through(all); len(got) != 4 {
			t.Fatalf("under way before: got %v, want 4", got)
		}
		*rotating = true
		for i := range 3 { // no one takes the place of the first three
			end(g, (<-all[i]).p, accepted)
		}
		if got := through(all); !slices.Equal(got, []int{3}) {
			t.Fatalf("under way when the rotation is known: got %v, want 3", got)
		}
		end(g, (<-all[3]).p, accepted)
		if got := through(all); !slices.Equal(got, []int{4}) {
			t.Fatalf("next: got %v, want 4", got)
		}
		*rotating = false
		end(g, (<-all[4]).p, accepted)
		if got := through(all); !slices.Equal(got, []int{5, 6, 7}) {
			t.Fatalf("after the rotation: got %v, want 5 to 7", got)
		}
	})
}

func TestGateHeedsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGate(1)
		first := mustEnter(t, g, "v1", false)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("a cause"))
		defer cancel()
		start := time.Now()
		_, err := g.enter(ctx, uint64(g.Ticket()), "v1", secrets.Current, false)
		if err != context.DeadlineExceeded || time.Since(start) != time.Second {
			t.Errorf("enter: got %v after %v, want %v after 1s", err, time.Since(start), context.DeadlineExceeded)
		}
		next := queue(t.Context(), g, 1, "v1")
		end(g, first, accepted)
		if got := through(next); len(got) != 1 {
			t.Errorf("a caller who left still has a place")
		}
	})
}

// A login whose context ends at the moment it is let through has to leave like
// any other; the gate must not lose the place.
func TestGateContextEndsWhileAdmitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGate(1)
		for range 100 {
			first := mustEnter(t, g, "v1", false)
			ctx, cancel := context.WithCancel(t.Context())
			second := queue(ctx, g, 1, "v1")
			go cancel()
			go end(g, first, accepted)
			synctest.Wait()
			if q := <-second[0]; q.err == nil {
				end(g, q.p, accepted)
			}
			end(g, mustEnter(t, g, "v1", false), accepted)
		}
	})
}

func TestGateRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGate(4)
		first := mustEnter(t, g, "v1", false)
		sibling := mustEnter(t, g, "v1", false)
		prober := mustEnter(t, g, "v1", true)
		other := mustEnter(t, g, "v2", false)
		waiting := queue(t.Context(), g, 3, "v1")
		waitingOther := queue(t.Context(), g, 1, "v2")

		end(g, first, refused)
		if !sibling.stopped() || !errors.Is(sibling.reason, errRefused) {
			t.Errorf("sibling: stopped %v, reason %v, want it stopped by the refusal", sibling.stopped(), sibling.reason)
		}
		if prober.stopped() {
			t.Errorf("a prober was stopped, which offers the version although it was refused")
		}
		if other.stopped() {
			t.Errorf("a login with another version was stopped")
		}
		if got := through(waiting); len(got) != 3 {
			t.Fatalf("waiting with the refused version: %v of 3 barred", got)
		}
		for _, c := range waiting {
			var barred *RefusedError
			if q := <-c; !errors.As(q.err, &barred) || !errors.Is(q.err, errRefused) {
				t.Errorf("waiting with the refused version: got %v, want it barred", q.err)
			}
		}
		if got := through(waitingOther); len(got) != 1 {
			t.Errorf("a login with another version did not get the place")
		}
		barredAtOnce(t, g, "v1")
	})
}

// When the slot of a refused login is free, the version is marked already:
// with one login at a time only one wrong password reaches the server.
func TestGateMarksBeforeNextLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGate(1)
		all := queue(t.Context(), g, 50, "v1")
		logins := 0
		for _, c := range all {
			q := <-c
			if q.err == nil {
				logins++
				end(g, q.p, refused)
			}
		}
		if logins != 1 {
			t.Errorf("logins with the refused version: got %d, want 1", logins)
		}
	})
}

// A prober does not repeat a login that was refused after its caller had left:
// it is told, once.
func TestGateTellsAProberWhatNobodyHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGate(4)
		p := mustEnter(t, g, "v1", false)
		p.left = true
		end(g, p, refused)
		var barred *RefusedError
		if _, err := g.enter(t.Context(), uint64(g.Ticket()), "v1", secrets.Current, true); !errors.As(err, &barred) {
			t.Errorf("the first prober: got %v, want it barred", err)
		}
		time.Sleep(retryPace)
		end(g, mustEnter(t, g, "v1", true), refused)
	})
}

func TestGateProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGate(4)
		end(g, mustEnter(t, g, "v1", false), refused)

		time.Sleep(2 * retryPace)
		end(g, mustEnter(t, g, "v1", true), refused)
		barredAtOnce(t, g, "v1")
		time.Sleep(2 * retryPace)
		end(g, mustEnter(t, g, "v1", true), failed) // a network error says nothing
		barredAtOnce(t, g, "v1")
		time.Sleep(2 * retryPace)
		end(g, mustEnter(t, g, "v1", true), accepted)
		end(g, mustEnter(t, g, "v1", false), accepted)

		// The version is refused while the prober waits for its turn.
		g.max = 1
		first := mustEnter(t, g, "v1", false)
		probing := make(chan *pass)
		go func() {
			p, err := g.enter(t.Context(), uint64(g.Ticket()), "v1", secrets.Current, true)
			if err != nil {
				t.Errorf("prober: %v", err)
			}
			probing <- p
		}()
		synctest.Wait()
		end(g, first, refused)
		barredAtOnce(t, g, "v1")
		time.Sleep(2 * retryPace)
		end(g, <-probing, accepted)
		end(g, mustEnter(t, g, "v1", false), accepted)
	})
}

// A login that began before the refusal and got in proves nothing: the
// server's password may have changed between the two.
func TestGateEarlierSuccessIsNoProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGate(4)
		early := mustEnter(t, g, "v1", false)
		end(g, mustEnter(t, g, "v1", false), refused)
		end(g, early, accepted)
		barredAtOnce(t, g, "v1")
	})
}

// A refusal is not for ever, even if no prober comes: after a while one login
// finds out.
func TestGateTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGate(4)
		end(g, mustEnter(t, g, "v1", false), refused)
		time.Sleep(refusalMemory - 1)
		barredAtOnce(t, g, "v1")
		time.Sleep(1 * time.Nanosecond)

		trial := mustEnter(t, g, "v1", false)
		barredAtOnce(t, g, "v1")
		end(g, trial, refused)
		barredAtOnce(t, g, "v1")

		time.Sleep(refusalMemory)
		trial = mustEnter(t, g, "v1", false)
		end(g, trial, failed)
		barredAtOnce(t, g, "v1")

		time.Sleep(refusalMemory)
		end(g, mustEnter(t, g, "v1", false), accepted)
		for range 4 {
			mustEnter(t, g, "v1", false)
		}
	})
}

func TestGateForgetsOldVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGate(4)
		for i := range 1000 {
			end(g, mustEnter(t, g, fmt.Sprint("v", i), false), refused)
			time.Sleep(time.Second)
		}
		if got := len(g.refused); got > maxRefusals {
			t.Errorf("versions remembered: got %d, want at most %d", got, maxRefusals)
		}
	})
}

// Many logins, refusals and contexts that end at once: no place is lost, the
// bound holds.
func TestGateUnderLoad(t *testing.T) {
	synctest.Test(t, testGateUnderLoad)
}

func testGateUnderLoad(t *testing.T) {
	g, _ := newGate(3)
	var underWay, most int
	lock := make(chan struct{}, 1)
	done := make(chan struct{})
	for worker := range 16 {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range 300 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%5)*50*time.Microsecond)
				p, err := g.enter(ctx, uint64(g.Ticket()), fmt.Sprint("v", (worker+i)%3), secrets.Current, i%7 == 0)
				cancel()
				if err != nil {
					continue
				}
				lock <- struct{}{}
				underWay++
				most = max(most, underWay)
				<-lock
				time.Sleep(time.Duration(i%3) * 20 * time.Microsecond)
				lock <- struct{}{}
				underWay--
				<-lock
				if i%11 == 0 {
					end(g, p, refused)
				} else {
					end(g, p, accepted)
				}
			}
		}()
	}
	for range 16 {
		<-done
	}
	if most > 3 {
		t.Errorf("logins under way: got %d, want at most 3", most)
	}
	if len(g.underWay) != 0 || len(g.waiting) != 0 {
		t.Errorf("left behind: %d under way, %d waiting", len(g.underWay), len(g.waiting))
	}
}
