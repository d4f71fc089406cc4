package secrets_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

const rotName = "prod/db"

var (
	errRotAuth    = errors.New("resource: login refused")
	errRotNetwork = errors.New("resource: connection reset")
)

type rotLogin struct{ Username, Password string }

func (l rotLogin) text() string {
	b, _ := json.Marshal(map[string]string{"username": l.Username, "password": l.Password})
	return string(b)
}

// rotResource is something that people log in to.
type rotResource struct {
	latency time.Duration // of a login

	mu    sync.Mutex // guards the fields below
	users map[string]string
	good  int
	wrong []rotLogin
}

func newRotResource(users ...rotLogin) *rotResource {
	db := &rotResource{users: map[string]string{}}
	for _, u := range users {
		db.set(u)
	}
	return db
}

func (db *rotResource) set(u rotLogin) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.users[u.Username] = u.Password
}

// login is a use: the server looks at the password when the latency is half over.
func (db *rotResource) login(ctx context.Context, l rotLogin) (string, error) {
	if !rotSleep(ctx, db.latency/2) {
		return "", ctx.Err()
	}
	db.mu.Lock()
	ok := db.users[l.Username] == l.Password
	if ok {
		db.good++
	} else {
		db.wrong = append(db.wrong, l)
	}
	db.mu.Unlock()
	if !rotSleep(ctx, db.latency/2) {
		return "", ctx.Err()
	}
	if !ok {
		return "", secrets.RejectedIf(fmt.Errorf("%w (password %q)", errRotAuth, l.Password), func(err error) bool { return errors.Is(err, errRotAuth) })
	}
	return l.Username + ":" + l.Password, nil
}

// refused returns how many logins were refused since the last call.
func (db *rotResource) refused() int {
	db.mu.Lock()
	defer db.mu.Unlock()
	n := len(db.wrong)
	db.wrong = nil
	return n
}

// refusedBy returns how many logins were refused by password, since the last call.
func (db *rotResource) refusedBy() map[string]int {
	db.mu.Lock()
	defer db.mu.Unlock()
	m := map[string]int{}
	for _, l := range db.wrong {
		m[l.Password]++
	}
	db.wrong = nil
	return m
}

func rotSleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// rotation drives the rotation of one secret and of the resource behind it.
type rotRotation struct {
	t           *testing.T
	srv         *secretstest.Server
	db          *rotResource
	r           *secretstest.Rotation
	alternating bool
	twice       bool // each step is delivered twice
	n           int
	cur, next   rotLogin
}

// newRotRotation returns a secret that was rotated once already, so that there
// is a previous version.
func newRotRotation(t *testing.T, alternating bool) *rotRotation {
	first := rotLogin{"app", "pw0"}
	srv := secretstest.New(t, secretstest.Secrets{rotName: first.text()})
	d := &rotRotation{t: t, srv: srv, db: newRotResource(first), r: srv.Rotation(rotName), alternating: alternating, cur: first}
	d.rotate()
	return d
}

func (d *rotRotation) step(s rotate.Step) {
	d.t.Helper()
	if err := d.r.Step(s); err != nil {
		d.t.Fatal(err)
	}
	if d.twice {
		if err := d.r.Redeliver(s); err != nil {
			d.t.Fatal(err)
		}
	}
}

// announce makes the pending version, without a value.
func (d *rotRotation) announce() { d.r.Start() }

func (d *rotRotation) create() {
	d.t.Helper()
	d.n++
	d.next = rotLogin{d.cur.Username, fmt.Sprintf("pw%d", d.n)}
	if d.alternating {
		d.next.Username = map[string]string{"app": "app_clone", "app_clone": "app"}[d.cur.Username]
	}
	d.r.SetValue(d.next.text())
	d.step(rotate.CreateSecret)
}

func (d *rotRotation) set() {
	d.t.Helper()
	d.db.set(d.next)
	d.step(rotate.SetSecret)
}

func (d *rotRotation) test() { d.t.Helper(); d.step(rotate.TestSecret) }

func (d *rotRotation) finish() {
	d.t.Helper()
	d.step(rotate.FinishSecret)
	d.cur = d.next
}

func (d *rotRotation) rotate() {
	d.t.Helper()
	d.announce()
	d.create()
	d.set()
	d.test()
	d.finish()
}

// rotClient returns a client of the server that logs nothing.
func rotClient(t *testing.T, srv *secretstest.Server, o secrets.Options) *secrets.Client {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	c, err := secrets.New(srv.Client(), &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func rotBind(t *testing.T, srv *secretstest.Server) (*secrets.Client, *secrets.Ref[rotLogin]) {
	t.Helper()
	c := rotClient(t, srv, secrets.Options{})
	return c, secrets.Bind[rotLogin](c, rotName)
}

// rotUse uses the handle and fails the test if that fails.
func rotUse(t *testing.T, ref *secrets.Ref[rotLogin], db *rotResource) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	got, err := secrets.Try(ctx, ref, db.login)
	if err != nil {
		t.Errorf("Try: %v", err)
	}
	return got
}

// rotCalls counts the calls of the service since f began.
func rotCalls(srv *secretstest.Server, f func()) int {
	n := srv.Count()
	f()
	return srv.Count() - n
}

// The moments of a rotation, in order, and what a handle that knows nothing of
// it has to put up with: refused logins until it is in.
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
// new both get in, and the new one is refused as often as it must be.
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
	warmRefused := 0
	for _, m := range rotMoments {
		m.do(d)
		time.Sleep(delay)
		rotUse(t, warm, d.db)
		warmRefused += d.db.refused()

		_, cold := rotBind(t, d.srv)
		rotUse(t, cold, d.db)
		want := m.single
		if alternating {
			want = 0
		}
		if got := d.db.refused(); got != want {
			t.Errorf("%s: a new handle was refused %d times, want %d", m.name, got, want)
		}
	}
	want := 1
	if alternating {
		want = 0
	}
	if warmRefused != want {
		t.Errorf("the handle in use was refused %d times, want %d", warmRefused, want)
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
					if got := d.db.refused(); got != want {
						t.Errorf("refused logins: got %d, want %d", got, want)
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
		if got := d.db.refused(); got != 1 {
			t.Errorf("refused logins: got %d, want 1", got)
		}
		if got := c.Stats().Rejections; got != 1 {
			t.Errorf("Stats().Rejections = %d, want 1", got)
		}
	})
}

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
				if got := d.db.refusedBy(); !maps.Equal(got, want) {
					t.Errorf("refused logins: got %v, want %v", got, want)
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
				if got := d.db.refused(); got != want {
					t.Errorf("refused logins in 5 rotations: got %d, want %d", got, want)
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
