package rediscred

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

var errRefused = errors.New("refused by the server")

// A queued is what became of a login that waited at the gate.
type queued struct {
	p   *admission
	err error
}

// queue has n logins wait at the gate, one after the other.
func queue(ctx context.Context, g *gate, n int, version string, probe bool) []chan queued {
	var all []chan queued
	for range n {
		c := make(chan queued, 1)
		go func() {
			p, err := g.enter(ctx, g.ticket(), version, probe)
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

func mustEnter(t *testing.T, g *gate, version string, probe bool) *admission {
	t.Helper()
	p, err := g.enter(t.Context(), g.ticket(), version, probe)
	if err != nil {
		t.Fatalf("enter(%q, %v): %v", version, probe, err)
	}
	return p
}

func mustBar(t *testing.T, g *gate, version string, probe bool) {
	t.Helper()
	p, err := g.enter(t.Context(), g.ticket(), version, probe)
	barred, ok := errors.AsType[*barredError](err)
	if !ok || !errors.Is(err, errRefused) || !barred.NotOffered() {
		t.Fatalf("enter(%q, %v): got %v, %v, want it barred with the server's answer", version, probe, p, err)
	}
}

func TestGateOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{max: 2}
		first := mustEnter(t, g, "v", false)
		early := g.ticket()
		all := queue(t.Context(), g, 3, "v", false)
		if got := through(all); !slices.Equal(got, []int{0}) {
			t.Fatalf("%v are admitted beside one under way, want 0", got)
		}
		late := make(chan queued, 1)
		go func() { p, err := g.enter(t.Context(), early, "v", false); late <- queued{p, err} }()
		synctest.Wait()
		g.leave(first, true, nil, false)
		synctest.Wait()
		if len(late) != 1 || len(all[1]) != 0 {
			t.Error("the older ticket did not come first")
		}
		g.leave((<-late).p, true, nil, false)
		g.leave((<-all[0]).p, false, nil, false)
		if got := through(all); !slices.Equal(got, []int{1, 2}) {
			t.Errorf("%v are admitted, want 1 and 2", got)
		}
	})
}

func TestGateRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{max: 1}
		p := mustEnter(t, g, "old", false)
		waiting := queue(t.Context(), g, 2, "old", false)
		prober := queue(t.Context(), g, 1, "old", true)
		other := queue(t.Context(), g, 1, "new", false)
		g.leave(p, false, errRefused, false)
		for _, c := range waiting {
			if q := <-c; !errors.Is(q.err, errRefused) {
				t.Errorf("got %v, want it barred", q.err)
			}
		}
		if len(through(prober)) != 1 || len(through(other)) != 0 {
			t.Fatal("the prober is not next")
		}
		g.leave((<-prober[0]).p, false, errRefused, false)
		g.leave((<-other[0]).p, true, nil, false)
		mustBar(t, g, "old", false)
		time.Sleep(refusalMemory)
		trial := mustEnter(t, g, "old", false)
		mustBar(t, g, "old", false) // one at a time finds out
		g.leave(trial, true, nil, false)
		g.leave(mustEnter(t, g, "old", false), true, nil, false)
	})
}

// A success that began before the refusal does not undo it.
func TestGateOldSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{max: 2}
		early, refused := mustEnter(t, g, "v", false), mustEnter(t, g, "v", false)
		g.leave(refused, false, errRefused, false)
		g.leave(early, true, nil, false)
		mustBar(t, g, "v", false)
	})
}

// A refusal that nobody was told of is told to the next prober.
func TestGateUnheard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{max: 1}
		g.leave(mustEnter(t, g, "v", true), false, errRefused, true)
		mustBar(t, g, "v", true)
		g.leave(mustEnter(t, g, "v", true), false, errRefused, true)
		time.Sleep(refusalMemory)
		g.leave(mustEnter(t, g, "v", true), false, errRefused, false)
		g.leave(mustEnter(t, g, "w", false), false, errRefused, false)
		if time.Sleep(refusalMemory); len(g.refused) != 2 {
			t.Fatalf("%d refusals are remembered, want 2", len(g.refused))
		}
		g.leave(mustEnter(t, g, "x", false), false, errRefused, false)
		if len(g.refused) != 1 {
			t.Errorf("%d refusals are remembered after their time, want 1", len(g.refused))
		}
	})
}

func TestGateContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{max: 1}
		p := mustEnter(t, g, "v", false)
		ctx, cancel := context.WithCancel(t.Context())
		gone := queue(ctx, g, 3, "v", false)
		stays := queue(t.Context(), g, 1, "v", false)
		cancel()
		for _, c := range gone {
			if q := <-c; !errors.Is(q.err, context.Canceled) {
				t.Errorf("got %v, want the context's error", q.err)
			}
		}
		if _, err := g.enter(ctx, g.ticket(), "v", false); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's error", err)
		}
		g.leave(p, true, nil, false)
		g.leave((<-stays[0]).p, true, nil, false)
		if g.underWay != 0 || len(g.waiting) != 0 {
			t.Errorf("%d under way, %d waiting, want none", g.underWay, len(g.waiting))
		}
		g.close()
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := g.enter(ctx, g.ticket(), "v", false); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("closed: got %v, want the context's error", err)
		}
	})
}
