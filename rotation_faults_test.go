package secrets_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// rotTeam is a number of workers that use one handle until they are stopped.
type rotTeam struct {
	stop chan struct{}
	done sync.WaitGroup
}

func rotWork(t *testing.T, n int, every time.Duration, ref *secrets.Ref[rotLogin], db *rotResource) *rotTeam {
	team := &rotTeam{stop: make(chan struct{})}
	for i := range n {
		team.done.Go(func() {
			time.Sleep(every * time.Duration(i) / time.Duration(n))
			for {
				select {
				case <-team.stop:
					return
				case <-time.After(every):
					rotUse(t, ref, db)
				}
			}
		})
	}
	return team
}

func (w *rotTeam) end() { close(w.stop); w.done.Wait() }

// The service throttles, fails, drops connections, answers garbage, late or from
// a state gone by, at random, while the secret is rotated: no use fails.
func TestRotationRandomFaults(t *testing.T) {
	seeds := uint64(4)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		for _, alternating := range []bool{false, true} {
			t.Run(fmt.Sprintf("seed=%d/alternating=%v", seed, alternating), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testRotationRandomFaults(t, seed+1, alternating) })
			})
		}
	}
}

func testRotationRandomFaults(t *testing.T, seed uint64, alternating bool) {
	const rotations, workers = 15, 5
	rng := rand.New(rand.NewPCG(seed, 4))
	first := rotLogin{"app", "pw0"}
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{rotName: first.text()}, Seed: seed, TB: t})
	d := &rotRotation{t: t, srv: srv, db: newRotResource(first), r: srv.Rotation(rotName), alternating: alternating, cur: first}
	d.db.latency = 10 * time.Millisecond
	d.rotate()
	_, ref := rotBind(t, srv)
	rotUse(t, ref, d.db)
	often := func(f secretstest.Fault) secretstest.Fault {
		f.Times, f.Probability = secretstest.Always, 0.12
		return f
	}
	srv.Fail(
		often(secretstest.Fault{Code: "ThrottlingException"}),
		often(secretstest.Fault{Code: "InternalServiceError"}),
		often(secretstest.Fault{Drop: true}),
		often(secretstest.Fault{Garbage: true}),
		often(secretstest.Fault{Empty: true}),
		often(secretstest.Fault{Stale: true}),
		often(secretstest.Fault{Lag: 2 * time.Second}),
		often(secretstest.Fault{Latency: 700 * time.Millisecond}),
	)
	team := rotWork(t, workers, 500*time.Millisecond, ref, d.db)
	steps := []func(*rotRotation){(*rotRotation).announce, (*rotRotation).create, (*rotRotation).set, (*rotRotation).test, (*rotRotation).finish}
	d.db.rejections()
	for range rotations {
		for _, step := range steps {
			step(d)
			time.Sleep(time.Duration(rng.Int64N(int64(4 * time.Second))))
		}
		time.Sleep(time.Duration(rng.Int64N(int64(8 * time.Minute))))
		for pw, n := range d.db.rejectedBy() {
			if n > workers+2 { // those who were under way, and the prober as its labels moved
				t.Errorf("rotation %d: %s was rejected %d times to %d workers", d.n, pw, n, workers)
			}
		}
	}
	team.end()
}

// What a rotation costs in calls of the service and in rejected logins, over 200
// of each strategy, with windows of 0 to 500 ms, five workers and the default
// options. A use under way when the password changes is rejected, so with one
// user there may be one for each worker.
func TestRotationCost(t *testing.T) {
	rotations := 200
	if testing.Short() {
		rotations = 20
	}
	for _, alternating := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(2, 7))
			d := newRotRotation(t, alternating)
			d.db.latency = 4 * time.Millisecond
			c, ref := rotBind(t, d.srv)
			rotUse(t, ref, d.db)
			pace, pause := 150*time.Millisecond, 20*time.Second
			if alternating { // a handle that misses a whole rotation has a user whose password went twice
				pace, pause = 4*time.Second, 6*time.Minute
			}
			team := rotWork(t, 5, pace, ref, d.db)

			perHour := float64(rotCalls(d.srv, func() { time.Sleep(time.Hour) }))
			start, stats := time.Now(), c.Stats()
			var each []int
			calls := rotCalls(d.srv, func() {
				for range rotations {
					each = append(each, rotCalls(d.srv, func() {
						d.announce()
						d.create()
						d.set()
						time.Sleep(time.Duration(rng.Int64N(int64(500 * time.Millisecond))))
						d.test()
						d.finish()
						time.Sleep(pause)
					}))
				}
			})
			team.end()
			slices.Sort(each)
			usual := perHour * time.Since(start).Hours()
			mean := (float64(calls) - usual) / float64(rotations)
			rejected := float64(len(d.db.wrong)) / float64(rotations)
			t.Logf("alternating=%v: api calls per rotation %.1f beyond the usual refresh (median %d, most %d with it), rejected logins per rotation %.2f, %+v",
				alternating, mean, each[len(each)/2], each[len(each)-1], rejected, c.Stats().Sub(stats))
			if mean > 6 || each[len(each)-1] > 8 {
				t.Errorf("api calls per rotation: %.1f, most %d; want 6 at most, and never above 8", mean, each[len(each)-1])
			}
			if alternating && rejected != 0 || rejected > 5 {
				t.Errorf("rejected logins per rotation: %.2f; want one for each worker at most, and none with two users", rejected)
			}
		})
	}
}
