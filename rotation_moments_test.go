package secrets_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// The moments of a rotation, in order, and what a handle that knows nothing of
// it has to put up with: rejected logins until it is in.
var rotMoments = []struct {
	name   string
	do     func(*rotRotation)
	single int
}{
	{"before", func(*rotRotation) {}, 0},
	{"announced", (*rotRotation).announce, 0},
	{"created", (*rotRotation).create, 0},
	{"set", (*rotRotation).set, 1},
	{"tested", (*rotRotation).test, 1},
	{"finished", (*rotRotation).finish, 0},
}

// Each moment of a rotation, for both strategies, the steps on time, late, or
// delivered twice: a handle that has been in use all along and one that is
// new both get in, and the new one is rejected as often as it must be.
func TestRotationMoments(t *testing.T) {
	for _, alternating := range []bool{false, true} {
		for _, delay := range []time.Duration{0, time.Second, 10 * time.Minute, 7 * time.Hour} {
			for _, twice := range []bool{false, true} {
				t.Run(fmt.Sprintf("alternating=%v/delay=%v/twice=%v", alternating, delay, twice), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { testRotationMoments(t, alternating, delay, twice) })
				})
			}
		}
	}
}

func testRotationMoments(t *testing.T, alternating bool, delay time.Duration, twice bool) {
	d := newRotRotation(t, alternating)
	d.twice = twice
	_, warm := rotBind(t, d.srv)
	rotUse(t, warm, d.db)
	warmRejected := 0
	for _, m := range rotMoments {
		m.do(d)
		time.Sleep(delay)
		rotUse(t, warm, d.db)
		warmRejected += d.db.rejections()

		_, cold := rotBind(t, d.srv)
		rotUse(t, cold, d.db)
		want := m.single
		if alternating {
			want = 0
		}
		if got := d.db.rejections(); got != want {
			t.Errorf("%s: a new handle was rejected %d times, want %d", m.name, got, want)
		}
	}
	want := 1
	if alternating {
		want = 0
	}
	if warmRejected != want {
		t.Errorf("the handle in use was rejected %d times, want %d", warmRejected, want)
	}
	if warm.Rotating() && delay > 5*time.Minute {
		t.Errorf("Rotating() = true long after the rotation")
	}
}

// A rotation stops for good after any of its steps.
func TestRotationStops(t *testing.T) {
	for _, alternating := range []bool{false, true} {
		for stop := range rotMoments {
			t.Run(fmt.Sprintf("alternating=%v/after %s", alternating, rotMoments[stop].name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := newRotRotation(t, alternating)
					_, ref := rotBind(t, d.srv)
					rotUse(t, ref, d.db)
					for _, m := range rotMoments[:stop+1] {
						m.do(d)
					}
					for range 26 * 60 {
						rotUse(t, ref, d.db)
						time.Sleep(time.Minute)
					}
					want := 0
					if stop >= 3 && !alternating {
						want = 1
					}
					if got := d.db.rejections(); got != want {
						t.Errorf("rejected logins: got %d, want %d", got, want)
					}
				})
			})
		}
	}
}

// A rotation dies after setSecret and is retried an hour later, as AWS does:
// all four steps with the same version.
func TestRotationRetriedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newRotRotation(t, false)
		c, ref := rotBind(t, d.srv)
		rotUse(t, ref, d.db)
		d.create()
		d.set()
		for range 60 {
			if got := rotUse(t, ref, d.db); got != "app:pw2" && !t.Failed() {
				t.Fatalf("logged in as %s, want app:pw2", got)
			}
			if l, err := ref.Get(t.Context()); err != nil || l.Password != "pw1" {
				t.Fatalf("Get = %v, %v while the rotation is outstanding; want the current version", l.Password, err)
			}
			if !ref.Rotating() {
				t.Fatal("Rotating() = false while a pending version is in use")
			}
			time.Sleep(time.Minute)
		}
		if err := d.r.Run(); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			rotUse(t, ref, d.db)
			time.Sleep(time.Minute)
		}
		if l, err := ref.Get(t.Context()); err != nil || l.Password != "pw2" {
			t.Errorf("Get = %v, %v after the rotation", l.Password, err)
		}
		if ref.Rotating() {
			t.Error("Rotating() = true after the rotation: the pin was not let go")
		}
		if got := d.db.rejections(); got != 1 {
			t.Errorf("rejected logins: got %d, want 1", got)
		}
		if got := c.Stats().Rejections; got != 1 {
			t.Errorf("Stats().Rejections = %d, want 1", got)
		}
	})
}

// Fifty workers share one handle: nobody fails, the old version is rejected only
// to those who were under way with it, and all others wait for one prober.
func TestRotationWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers = 50
		d := newRotRotation(t, false)
		d.db.latency = 20 * time.Millisecond
		_, ref := rotBind(t, d.srv)
		rotUse(t, ref, d.db)
		stop, done := make(chan struct{}), sync.WaitGroup{}
		for i := range workers {
			done.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				for {
					select {
					case <-stop:
						return
					default:
						rotUse(t, ref, d.db)
						time.Sleep(5 * time.Millisecond)
					}
				}
			})
		}
		for range 10 {
			time.Sleep(10 * time.Second)
			d.create()
			time.Sleep(time.Second)
			calls := rotCalls(d.srv, func() {
				d.set()
				time.Sleep(500 * time.Millisecond)
				d.finish()
				time.Sleep(10 * time.Second)
			})
			rejected := d.db.rejectedBy()
			old := fmt.Sprintf("pw%d", d.n-1)
			if n := rejected[old]; n < 1 || n > workers || len(rejected) != 1 {
				t.Errorf("rotation %d: rejected logins %v, want some of %s and of nothing else", d.n, rejected, old)
			}
			if calls > 6 {
				t.Errorf("rotation %d: %d calls of the service, want 6 at most", d.n, calls)
			}
		}
		close(stop)
		done.Wait()
		if ref.Rotating() {
			t.Error("Rotating() = true when all is over")
		}
	})
}

// A version is rolled back by moving the labels, before or after the password.
func TestRotationRollback(t *testing.T) {
	for _, labelsFirst := range []bool{false, true} {
		t.Run(fmt.Sprintf("labelsFirst=%v", labelsFirst), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newRotRotation(t, false)
				_, ref := rotBind(t, d.srv)
				rotUse(t, ref, d.db)
				d.rotate()
				time.Sleep(6 * time.Minute)
				rotUse(t, ref, d.db)
				d.db.rejections()

				steps := []func(){
					func() { d.db.set(rotLogin{"app", "pw1"}) },
					func() { d.srv.MoveStage(rotName, secrets.Current, d.srv.VersionID(rotName, secrets.Previous)) },
				}
				if labelsFirst {
					slices.Reverse(steps)
				}
				for _, step := range steps {
					step()
					for range 20 {
						rotUse(t, ref, d.db)
						time.Sleep(time.Minute)
					}
				}
				if l, err := ref.Get(t.Context()); err != nil || l.Password != "pw1" {
					t.Errorf("Get = %v, %v, want the version that was rolled back to", l.Password, err)
				}
				// Labels first: the old version is rejected once when it is current
				// and not yet valid, the newer one when it ceases to be.
				want := 1
				if labelsFirst {
					want = 2
				}
				if got := d.db.rejections(); got != want {
					t.Errorf("rejected logins: got %d, want %d", got, want)
				}
			})
		})
	}
}

// Two hosts of one secret disagree for a while: each handle finds what works
// at its own.
func TestRotationReplicaLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newRotRotation(t, false)
		replica := newRotResource(rotLogin{"app", "pw1"})
		c, primaryRef := rotBind(t, d.srv)
		replicaRef := secrets.Bind[rotLogin](c, rotName)
		both := func() {
			rotUse(t, primaryRef, d.db)
			rotUse(t, replicaRef, replica)
			time.Sleep(10 * time.Second)
		}
		both()
		d.create()
		d.set()
		both()
		d.finish()
		for range 60 { // the replica is behind for ten minutes
			both()
		}
		replica.set(rotLogin{"app", "pw2"})
		for range 60 {
			both()
		}
		if primaryRef.Rotating() || replicaRef.Rotating() {
			t.Errorf("Rotating() = %v, %v when all is over", primaryRef.Rotating(), replicaRef.Rotating())
		}
		if got := d.db.rejections(); got != 1 {
			t.Errorf("the primary rejected %d logins, want 1", got)
		}
		if got := replica.rejections(); got != 2 { // the new one too early, the old one too late
			t.Errorf("the replica rejected %d logins, want 2", got)
		}
	})
}
