package secrets_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

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
					if got := d.db.refused(); got != 5 {
						t.Errorf("refused logins in 5 rotations: got %d, want 5", got)
					}
				})
			})
		}
	}
}

// The first look of the prober lags: it shows the labels from before.
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
				for pw, n := range d.db.refusedBy() {
					if n > 1 {
						t.Errorf("%s was refused %d times, want once at most", pw, n)
					}
				}
			})
		})
	}
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
				d.db.refused()

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
				// Labels first: the old version is refused once when it is current
				// and not yet valid, the newer one when it ceases to be.
				want := 1
				if labelsFirst {
					want = 2
				}
				if got := d.db.refused(); got != want {
					t.Errorf("refused logins: got %d, want %d", got, want)
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
		if got := d.db.refused(); got != 1 {
			t.Errorf("the primary refused %d logins, want 1", got)
		}
		if got := replica.refused(); got != 2 { // the new one too early, the old one too late
			t.Errorf("the replica refused %d logins, want 2", got)
		}
	})
}

// Fifty workers share one handle: nobody fails, the old version is refused only
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
			refused := d.db.refusedBy()
			old := fmt.Sprintf("pw%d", d.n-1)
			if n := refused[old]; n < 1 || n > workers || len(refused) != 1 {
				t.Errorf("rotation %d: refused logins %v, want some of %s and of nothing else", d.n, refused, old)
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

// rotText is a handle of plain text, for tests that script each use.
func rotText(t *testing.T, srv *secretstest.Server, o *secrets.TryOptions) (*secrets.Client, *secrets.Ref[string]) {
	t.Helper()
	c := rotClient(t, srv, secrets.Options{})
	return c, secrets.Bind[string](c, "s").WithTry(o)
}

// rotScript is a use that accepts some values and counts what it is offered.
type rotScript struct {
	mu      sync.Mutex // guards the fields below
	accepts map[string]bool
	offered []string
}

func rotAccept(values ...string) *rotScript {
	s := &rotScript{}
	s.set(values...)
	return s
}

func (s *rotScript) set(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepts = map[string]bool{}
	for _, v := range values {
		s.accepts[v] = true
	}
}

func (s *rotScript) use(_ context.Context, v string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offered = append(s.offered, v)
	if !s.accepts[v] {
		return "", secrets.Rejected(errRotAuth)
	}
	return v, nil
}

// take returns what was offered since the last call.
func (s *rotScript) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := strings.Join(s.offered, " ")
	s.offered = nil
	return got
}

func rotWithin(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// The order of a walk: the current version as it is now, the pending, the
// previous one, and then custom labels that were asked for; each version once,
// whatever labels it has.
func TestTryOrder(t *testing.T) {
	tests := []struct {
		name    string
		options *secrets.TryOptions
		move    func(*secretstest.Server)
		want    string
	}{
		{"default", nil, nil, "one two pend prev"},
		{"current only", &secrets.TryOptions{Stages: []string{secrets.Current}}, nil, "one two"},
		{"without previous", &secrets.TryOptions{Stages: []string{secrets.Pending}}, nil, "one two pend"},
		{"without pending", &secrets.TryOptions{Stages: []string{secrets.Previous, secrets.Current}}, nil, "one two prev"},
		{"custom", &secrets.TryOptions{Stages: []string{"BLUE", secrets.Previous, "GREEN", "NOBODY"}}, nil, "one two prev blue green"},
		{"nil means default", &secrets.TryOptions{Stages: nil}, nil, "one two pend prev"},
		{"empty means current only", &secrets.TryOptions{Stages: []string{}}, nil, "one two"},
		{"pending left on current", nil, func(srv *secretstest.Server) {
			srv.MoveStage("s", secrets.Pending, srv.VersionID("s", secrets.Current))
		}, "one two prev"},
		{"custom label on current", &secrets.TryOptions{Stages: []string{"BLUE"}}, func(srv *secretstest.Server) {
			srv.MoveStage("s", "BLUE", srv.VersionID("s", secrets.Current))
		}, "one two"},
		{"no pending", nil, func(srv *secretstest.Server) { srv.MoveStage("s", secrets.Pending, "") }, "one two prev"},
		{"previous was current", nil, func(srv *secretstest.Server) { srv.Put("s", "three") }, "one three pend two"},
	}
	for _, described := range []bool{true, false} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s/described=%v", tt.name, described), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
					if !described {
						srv.Fail(secretstest.DenyDescribe(""))
					}
					_, ref := rotText(t, srv, tt.options)
					if _, err := ref.Get(t.Context()); err != nil {
						t.Fatal(err)
					}
					prev := srv.PutStages("s", "prev", "X")
					srv.Put("s", "two")
					srv.MoveStage("s", secrets.Previous, prev)
					srv.PutStages("s", "blue", "BLUE")
					srv.PutStages("s", "green", "GREEN")
					srv.PutPending("s", "pend")
					if tt.move != nil {
						tt.move(srv)
					}
					s := rotAccept()
					_, err := secrets.Try(rotWithin(30*time.Second), ref, s.use)
					var rejected *secrets.RejectedError
					if !errors.As(err, &rejected) {
						t.Fatalf("Try = %v, want a RejectedError", err)
					}
					got := s.take()
					if got != tt.want {
						t.Errorf("offered %q, want %q", got, tt.want)
					}
					if n := len(strings.Fields(got)); len(rejected.Attempts) != n {
						t.Errorf("%d attempts in %v, want %d", len(rejected.Attempts), rejected, n)
					}
				})
			})
		}
	}
}

// All are refused: one error before the deadline is long past, one login for
// each version, and the service is asked and not the resource.
func TestTryAllRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newRotRotation(t, false)
		d.create()
		d.db.set(rotLogin{"app", "nobody knows"})
		_, ref := rotBind(t, d.srv)
		start := time.Now()
		var err error
		calls := rotCalls(d.srv, func() { _, err = secrets.Try(rotWithin(30*time.Second), ref, d.db.login) })
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("Try took %v, want the 30s of its context", took)
		}
		var rejected *secrets.RejectedError
		if !errors.As(err, &rejected) {
			t.Fatalf("Try = %v, want a RejectedError", err)
		}
		if !errors.Is(err, errRotAuth) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v is not the refusal and the deadline", err)
		}
		want := []secrets.Attempt{
			{VersionID: d.srv.VersionID(rotName, secrets.Current), Stage: secrets.Current},
			{VersionID: d.srv.VersionID(rotName, secrets.Pending), Stage: secrets.Pending},
			{VersionID: d.srv.VersionID(rotName, secrets.Previous), Stage: secrets.Previous},
		}
		if rejected.SecretID != rotName || !slices.Equal(rejected.Attempts, want) {
			t.Errorf("Attempts = %v of %q, want %v", rejected.Attempts, rejected.SecretID, want)
		}
		for _, a := range want {
			if !strings.Contains(err.Error(), a.VersionID) || !strings.Contains(err.Error(), a.Stage) {
				t.Errorf("message %q does not name %v", err, a)
			}
		}
		if got := d.db.refusedBy(); len(got) != 3 || got["pw0"] != 1 || got["pw1"] != 1 || got["pw2"] != 1 {
			t.Errorf("refused logins: %v, want each version once", got)
		}
		if calls < 10 || calls > 25 {
			t.Errorf("%d calls of the service in 30s, want 10 to 25", calls)
		}
	})
}

// A RejectedError never shows what a use returned, which may quote the
// password.
func TestRejectedErrorRedaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newRotRotation(t, false)
		d.db.set(rotLogin{"app", "nobody knows"})
		_, ref := rotBind(t, d.srv)
		_, err := secrets.Try(rotWithin(time.Second), ref, d.db.login)
		var rejected *secrets.RejectedError
		if !errors.As(err, &rejected) || !errors.Is(err, errRotAuth) {
			t.Fatalf("Try = %v, want a RejectedError of errRotAuth", err)
		}
		type holder struct {
			e   *secrets.RejectedError
			err error
		}
		js, _ := json.Marshal(rejected)
		var logged strings.Builder
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "err", err)
		shown := []string{string(js), logged.String(), fmt.Errorf("wrapped: %w", err).Error()}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T %v"} {
			shown = append(shown, fmt.Sprintf(verb, err), fmt.Sprintf(verb, *rejected), fmt.Sprintf(verb, holder{rejected, err}), fmt.Sprintf(verb, []any{rejected}))
		}
		for _, s := range shown {
			if strings.Contains(s, "pw1") || strings.Contains(s, "pw0") || strings.Contains(s, "707731") {
				t.Errorf("shown: %s", s)
			}
		}
	})
}

func TestRejectedIf(t *testing.T) {
	asked := false
	is := func(err error) bool { asked = true; return errors.Is(err, errRotAuth) }
	if err := secrets.RejectedIf(nil, is); err != nil || asked {
		t.Errorf("RejectedIf(nil) = %v, asked %v", err, asked)
	}
	if err := secrets.Rejected(nil); err != nil {
		t.Errorf("Rejected(nil) = %v", err)
	}
	if err := secrets.RejectedIf(errRotNetwork, is); err != errRotNetwork {
		t.Errorf("RejectedIf of another error = %v", err)
	}
	if err := secrets.RejectedIf(errRotAuth, is); err == errRotAuth || !errors.Is(err, errRotAuth) {
		t.Errorf("RejectedIf of a refusal = %v", err)
	}
}

// rotHandler calls a function when a message is logged.
type rotHandler struct {
	slog.Handler
	match  string
	call   func()
	called bool
}

func (h *rotHandler) logger() *slog.Logger { h.Handler = slog.DiscardHandler; return slog.New(h) }

func (h *rotHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *rotHandler) Handle(_ context.Context, r slog.Record) error {
	if h.match != "" && strings.Contains(r.Message, h.match) && !h.called {
		h.called = true
		h.call()
	}
	return nil
}
