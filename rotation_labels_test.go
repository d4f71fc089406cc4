package secrets_test

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A pending version that has no value yet, or may not be read, means wait: the
// service is asked, the resource is not.
func TestRotationPendingOutOfReach(t *testing.T) {
	tests := map[string]secretstest.Fault{
		"denied":                   secretstest.DenyPending(rotName),
		"no value":                 {Op: "GetSecretValue", Stage: secrets.Pending, Times: secretstest.Always, Code: "ResourceNotFoundException"},
		"DescribeSecret too":       {Stage: secrets.Pending, Times: secretstest.Always, Code: "AccessDeniedException"},
		"failing":                  {Op: "GetSecretValue", Stage: secrets.Pending, Times: secretstest.Always, Code: "InternalServiceError"},
		"another key may not read": {Op: "GetSecretValue", Stage: secrets.Pending, Times: secretstest.Always, Code: "DecryptionFailure"},
	}
	for name, fault := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newRotRotation(t, false)
				_, ref := rotBind(t, d.srv)
				rotUse(t, ref, d.db)
				d.srv.Fail(fault)
				if name == "DescribeSecret too" {
					d.srv.Fail(secretstest.DenyDescribe(rotName))
				}
				d.create()
				d.set()
				finished := make(chan struct{})
				go func() {
					defer close(finished)
					time.Sleep(20 * time.Second)
					d.finish()
				}()
				calls := rotCalls(d.srv, func() {
					if got := rotUse(t, ref, d.db); got != "app:pw2" {
						t.Errorf("logged in as %q, want app:pw2", got)
					}
				})
				<-finished
				want := map[string]int{"pw0": 1, "pw1": 1}
				least, most := 10, 40
				if name == "failing" {
					delete(want, "pw0")  // the pending version is there, so the previous one would be a guess
					least, most = 41, 60 // twice a second
				}
				if got := d.db.rejectedBy(); !maps.Equal(got, want) {
					t.Errorf("rejected logins: got %v, want %v", got, want)
				}
				if calls < least || calls > most {
					t.Errorf("%d calls in 20 seconds of waiting, want %d to %d", calls, least, most)
				}
			})
		})
	}
}

// Without DescribeSecret the labels are tried by name.
func TestRotationDescribeDenied(t *testing.T) {
	for _, alternating := range []bool{false, true} {
		t.Run(fmt.Sprintf("alternating=%v", alternating), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newRotRotation(t, alternating)
				d.srv.Fail(secretstest.DenyDescribe(""))
				_, ref := rotBind(t, d.srv)
				for range 5 {
					for _, m := range rotMoments {
						m.do(d)
						rotUse(t, ref, d.db)
						time.Sleep(7 * time.Minute)
						rotUse(t, ref, d.db)
					}
				}
				want := 5
				if alternating {
					want = 0
				}
				if got := d.db.rejections(); got != want {
					t.Errorf("rejected logins in 5 rotations: got %d, want %d", got, want)
				}
			})
		})
	}
}

// Reads that lag show the labels as they were, once.
func TestRotationLabelsGoBackOnce(t *testing.T) {
	for _, op := range []string{"DescribeSecret", "GetSecretValue", ""} {
		for _, skip := range []int{0, 1, 2} {
			t.Run(fmt.Sprintf("%s/skip=%d", op, skip), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := newRotRotation(t, false)
					_, ref := rotBind(t, d.srv)
					rotUse(t, ref, d.db)
					for range 5 {
						d.create()
						d.set()
						rotUse(t, ref, d.db)
						d.test()
						d.srv.Fail(secretstest.Fault{Op: op, Skip: skip, Stale: true})
						d.finish()
						for range 40 {
							rotUse(t, ref, d.db)
							time.Sleep(500 * time.Millisecond)
						}
						d.srv.ClearFaults()
					}
					if got := d.db.rejections(); got != 5 {
						t.Errorf("rejected logins in 5 rotations: got %d, want 5", got)
					}
				})
			})
		}
	}
}

// The first check of the prober lags: it shows the labels from before.
func TestRotationProberSeesOldLabels(t *testing.T) {
	for _, stale := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(stale), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newRotRotation(t, false)
				_, ref := rotBind(t, d.srv)
				rotUse(t, ref, d.db)
				d.rotate() // behind the handle's back
				d.srv.Fail(secretstest.Fault{Stale: true, Times: stale})
				if got := rotUse(t, ref, d.db); got != "app:pw2" {
					t.Errorf("logged in as %q, want app:pw2", got)
				}
				for pw, n := range d.db.rejectedBy() {
					if n > 1 {
						t.Errorf("%s was rejected %d times, want once at most", pw, n)
					}
				}
			})
		})
	}
}

// finishSecret comes between the prober's check of the labels and its request for
// the pending version, which is no longer there: it checks again at once.
func TestTryFinishRaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, ref, s := rotWindow(t)
		time.Sleep(time.Second)
		srv.Fail(secretstest.Fault{Op: "DescribeSecret", Lag: time.Second / 2})
		srv.MoveStage("s", secrets.Current, srv.VersionID("s", secrets.Pending))
		srv.MoveStage("s", secrets.Pending, "")
		start := time.Now()
		if got, err := secrets.Try(rotWithin(10*time.Second), ref, s.use); got != "new" || err != nil {
			t.Errorf("Try = %q, %v", got, err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("Try took %v, want a second check at once", took)
		}
	})
}

// A rejected pending version that becomes current is offered again, once. The one
// that was current, and becomes previous, is not.
func TestTryLabelsMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, ref, s := rotWindow(t)
		s.set()
		time.AfterFunc(5*time.Second, func() {
			srv.MoveStage("s", secrets.Current, srv.VersionID("s", secrets.Pending))
		})
		time.AfterFunc(20*time.Second, func() { // to and fro is no news
			srv.MoveStage("s", secrets.Current, srv.VersionID("s", secrets.Previous))
		})
		_, err := secrets.Try(rotWithin(40*time.Second), ref, s.use)
		if got, want := s.take(), "old new new"; got != want {
			t.Errorf("offered %q, want %q: %v", got, want, err)
		}
	})
}

// finishSecret comes while the prober is rejected with the pending version: the
// version is offered again under its new label, but not in the same breath.
func TestTryLabelsMoveWithinRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, ref, s := rotWindow(t)
		s.set()
		var at []time.Time
		secrets.Try(rotWithin(10*time.Second), ref, func(ctx context.Context, v string) (string, error) {
			if v == "new" {
				if at = append(at, time.Now()); len(at) == 1 {
					srv.MoveStage("s", secrets.Current, srv.VersionID("s", secrets.Pending))
				}
			}
			return s.use(ctx, v)
		})
		if got := s.take(); got != "old new new" {
			t.Errorf("offered %q, want %q", got, "old new new")
		}
		if len(at) > 1 && at[1].Sub(at[0]) < 200*time.Millisecond {
			t.Errorf("offered again after %v", at[1].Sub(at[0]))
		}
	})
}
