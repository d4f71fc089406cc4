package secrets_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
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
