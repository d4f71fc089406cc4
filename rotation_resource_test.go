package secrets_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

const rotName = "prod/db"

var (
	errRotAuth    = errors.New("resource: login rejected")
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

// rejections returns how many logins were rejected since the last call.
func (db *rotResource) rejections() int {
	db.mu.Lock()
	defer db.mu.Unlock()
	n := len(db.wrong)
	db.wrong = nil
	return n
}

// rejectedBy returns how many logins were rejected by password, since the last call.
func (db *rotResource) rejectedBy() map[string]int {
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
