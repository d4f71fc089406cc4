package rotate_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

func TestRun(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "v0"})
	for i, want := range []string{"v1", "v2", "v3"} {
		rec := newRecorder(want)
		if err := rotate.Run(t.Context(), srv.Client(), "s", rec); err != nil {
			t.Fatal(err)
		}
		if got, want := rec.String(), "create, set "+want+", test"; got != want {
			t.Errorf("run %d: got %s, want %s", i, got, want)
		}
	}
	if got := srv.Stages("s"); len(got) != 2 {
		t.Errorf("got labels %v, want two versions with some", got)
	}
}

// TestRunAtOnce starts many runs from the same AWSCURRENT version. The one that
// continues waits until all the others have their error.
func TestRunAtOnce(t *testing.T) {
	const n = 16
	srv := secretstest.New(t, secretstest.Secrets{"s": "v0"})
	var refused atomic.Int32
	var tested atomic.Int32
	all := make(chan struct{}) // closed when all but one were refused
	rotator := rotate.APIKey{
		Make: func(context.Context, rotate.Value) (rotate.Value, error) {
			p, err := rotate.Password{}.Generate()
			return rotate.Text(p), err
		},
		Check: func(ctx context.Context, _ rotate.Value) error {
			tested.Add(1)
			select {
			case <-all:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			err := rotate.Run(ctx, srv.Client(), "s", rotator)
			if busy, ok := errors.AsType[*rotate.InProgressError](err); ok {
				if busy.SecretID != "s" || busy.VersionID == "" || !strings.Contains(busy.Error(), busy.VersionID) {
					t.Errorf("got %v", busy)
				}
				if refused.Add(1) == n-1 {
					close(all)
				}
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if refused.Load() != n-1 || tested.Load() != 1 {
		t.Errorf("got %d refused and %d that went on, want %d and 1", refused.Load(), tested.Load(), n-1)
	}
}

// TestRunResumes has a run fail at each step, and another one come later.
func TestRunResumes(t *testing.T) {
	for _, failing := range []string{"set", "test"} {
		synctest.Test(t, func(t *testing.T) {
			srv := secretstest.New(t, secretstest.Secrets{"s": "v0"})
			boom := errors.New("boom")
			rec := newRecorder("v1")
			fail := &failAt{recorder: rec, at: failing, err: boom}
			err := rotate.Run(t.Context(), srv.Client(), "s", fail)
			if !errors.Is(err, boom) {
				t.Fatalf("got %v, want boom", err)
			}
			id := srv.VersionID("s", "AWSPENDING")

			time.Sleep(15*time.Minute - time.Second)
			busy, ok := errors.AsType[*rotate.InProgressError](rotate.Run(t.Context(), srv.Client(), "s", newRecorder("v2")))
			if !ok || busy.VersionID != id || time.Since(busy.Since) > 15*time.Minute {
				t.Fatalf("after 14:59: got %v, want it in progress with version %s", busy, id)
			}

			time.Sleep(2 * time.Second)
			again := newRecorder("v2")
			got, err := rotate.Handler{API: srv.Client(), Rotator: again}.Run(t.Context(), "s")
			if err != nil || got != id || again.String() != "set v1, test" {
				t.Errorf("after 15:01: got %q, %v, calls %s, want version %s finished", got, err, again, id)
			}
		})
	}
}

type failAt struct {
	*recorder
	at  string
	err error
}

func (f *failAt) Set(ctx context.Context, r *rotate.Rotation) error {
	if f.at == "set" {
		return f.err
	}
	return f.recorder.Set(ctx, r)
}

func (f *failAt) Test(ctx context.Context, r *rotate.Rotation) error {
	if f.at == "test" {
		return f.err
	}
	return f.recorder.Test(ctx, r)
}

// TestRunTakesOver continues a rotation that RotateSecret began, at once with a
// negative ResumeAfter.
func TestRunTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "v0"})
		id := srv.PutEmptyPending("s")
		rec := newRecorder("v1")
		if _, ok := errors.AsType[*rotate.InProgressError](rotate.Run(t.Context(), srv.Client(), "s", rec)); !ok {
			t.Error("a version without a value, just made, was not taken for a rotation in progress")
		}
		got, err := rotate.Handler{API: srv.Client(), Rotator: rec, ResumeAfter: -1}.Run(t.Context(), "s")
		if err != nil || got != id || rec.String() != "create, set v1, test" {
			t.Errorf("got %q, %v, calls %s, want version %s", got, err, rec, id)
		}
	})
}

// TestRunAfterGivingUp makes a new version after an earlier one from the same
// AWSCURRENT version lost its label or was rolled back.
func TestRunAfterGivingUp(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "v0"})
	v0 := srv.VersionID("s", "AWSCURRENT")
	boom := errors.New("boom")
	if err := rotate.Run(t.Context(), srv.Client(), "s", &failAt{newRecorder("abandoned"), "set", boom}); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	given := srv.VersionID("s", "AWSPENDING")
	srv.MoveStage("s", "AWSPENDING", v0) // as good as removed: a rotation is outstanding only elsewhere
	id, err := rotate.Handler{API: srv.Client(), Rotator: newRecorder("v1")}.Run(t.Context(), "s")
	if err != nil || id == given {
		t.Fatalf("got version %s, %v, want another than %s", id, err, given)
	}
	srv.MoveStage("s", "AWSPENDING", v0)
	srv.MoveStage("s", "AWSCURRENT", v0) // rolled back
	third, err := rotate.Handler{API: srv.Client(), Rotator: newRecorder("v2")}.Run(t.Context(), "s")
	if err != nil || third == id || third == given || !slices.Contains(srv.Stages("s")[third], "AWSCURRENT") {
		t.Errorf("got version %s, %v, labels %v", third, err, srv.Stages("s"))
	}
}

// TestRunLosesLabel has another writer of AWSPENDING come in between.
func TestRunLosesLabel(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "v0"})
	rotator := rotate.APIKey{
		Make:  func(context.Context, rotate.Value) (rotate.Value, error) { return rotate.Text("v1"), nil },
		Apply: func(context.Context, rotate.Value, rotate.Value) error { srv.PutPending("s", "other"); return nil },
		Check: func(context.Context, rotate.Value) error { t.Error("went on without its label"); return nil },
	}
	// A version without labels is no longer listed, so this takes MaxLag.
	h := rotate.Handler{API: srv.Client(), Rotator: rotator, MaxLag: -1}
	if _, err := h.Run(t.Context(), "s"); !errors.Is(err, rotate.ErrNotPending) || !strings.Contains(err.Error(), "testSecret") {
		t.Errorf("got %v, want testSecret to fail with ErrNotPending", err)
	}
}

func TestRunErrors(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "v0", "gone": "x"})
	srv.ScheduleDeletion("gone")
	for id, want := range map[string]string{"": "empty", "none": "ResourceNotFound", "gone": "scheduled for deletion"} {
		if err := rotate.Run(t.Context(), srv.Client(), id, newRecorder("x")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", id, err, want)
		}
	}
	boom := errors.New("boom")
	err := rotate.Run(t.Context(), srv.Client(), "s", &recorder{err: boom})
	if e, ok := errors.AsType[*rotate.Error](err); !ok || e.Step != rotate.CreateSecret || e.SecretID != "s" || !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
}

func TestRunToken(t *testing.T) {
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := make(map[string]bool)
	for _, tt := range []struct {
		arn, cur string
		n        int
	}{{"a", "b", 0}, {"a", "b", 1}, {"a", "c", 0}, {"b", "b", 0}} {
		id := rotate.RunToken(tt.arn, tt.cur, tt.n)
		if !uuid.MatchString(id) || seen[id] || id != rotate.RunToken(tt.arn, tt.cur, tt.n) {
			t.Errorf("%v: got %s", tt, id)
		}
		seen[id] = true
	}
}

// TestRunAtOnceIdempotent starts runs whose Rotator makes the same value each
// time. Secrets Manager treats their requests as repetitions and refuses none.
func TestRunAtOnceIdempotent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 3
		srv := secretstest.New(t, secretstest.Secrets{"s": "v0"})
		var went, refused, running, most atomic.Int32
		made := make(chan struct{}) // closed when all have made their value
		var makers sync.WaitGroup
		makers.Add(n)
		go func() { makers.Wait(); close(made) }()
		rotator := rotate.APIKey{
			Make: func(context.Context, rotate.Value) (rotate.Value, error) {
				makers.Done()
				<-made
				return rotate.Text("v1"), nil
			},
			Apply: func(context.Context, rotate.Value, rotate.Value) error {
				most.Store(max(most.Load(), running.Add(1)))
				defer running.Add(-1)
				time.Sleep(time.Second)
				return nil
			},
			Check: func(context.Context, rotate.Value) error { return nil },
		}
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				err := rotate.Run(t.Context(), srv.Client(), "s", rotator)
				if _, ok := errors.AsType[*rotate.InProgressError](err); ok {
					refused.Add(1)
				} else if err != nil {
					t.Error(err)
				} else {
					went.Add(1)
				}
			})
		}
		wg.Wait()
		if went.Load() != 1 || refused.Load() != n-1 || most.Load() != 1 {
			t.Errorf("%d went on, %d were refused, %d called Apply at once, want 1, %d and 1", went.Load(), refused.Load(), most.Load(), n-1)
		}
		checkNoClaim(t, srv)
	})
}

// checkNoClaim checks that no label of Run's own is left.
func checkNoClaim(t *testing.T, srv *secretstest.Server) {
	t.Helper()
	for id, labels := range srv.Stages("s") {
		for _, l := range labels {
			if !strings.HasPrefix(l, "AWS") {
				t.Errorf("version %s is left with the label %q", id, l)
			}
		}
	}
}

// TestRunRemovesClaims resumes a run that was cut short, and leaves no label
// of it.
func TestRunRemovesClaims(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "v0"})
	boom := errors.New("boom")
	if err := rotate.Run(t.Context(), srv.Client(), "s", &failAt{newRecorder("v1"), "set", boom}); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if _, err := (rotate.Handler{API: srv.Client(), Rotator: newRecorder("v2"), ResumeAfter: -1}).Run(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	checkNoClaim(t, srv)
}
