package rotate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A recorder is a Rotator that records its calls.
type recorder struct {
	mu    sync.Mutex // guards calls
	calls []string
	err   error // of every call
	value rotate.Value
}

func (r *recorder) note(what string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, what)
	return r.err
}

func (r *recorder) Create(context.Context, *rotate.Rotation) (rotate.Value, error) {
	return r.value, r.note("create")
}

func (r *recorder) Set(ctx context.Context, ro *rotate.Rotation) error {
	v, err := ro.Pending(ctx)
	if err != nil {
		return err
	}
	return r.note("set " + string(v.Bytes()))
}

func (r *recorder) Test(context.Context, *rotate.Rotation) error { return r.note("test") }

func (r *recorder) String() string { return strings.Join(r.calls, ", ") }

func newRecorder(value string) *recorder { return &recorder{value: rotate.Text(value)} }

func event(srv *secretstest.Server, step rotate.Step, version string) rotate.Event {
	return rotate.Event{Step: step, SecretID: srv.ARN("s"), ClientRequestToken: version}
}

// TestHandle delivers each step twice, as Secrets Manager may.
func TestHandle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
		old := srv.VersionID("s", "AWSCURRENT")
		id := srv.PutEmptyPending("s")
		rec := newRecorder("new")
		h := rotate.Handler{API: srv.Client(), Rotator: rec}
		for _, step := range rotate.Steps() {
			for range 2 {
				if err := h.Handle(t.Context(), event(srv, step, id)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got, want := rec.String(), "create, set new, set new, test, test"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		stages := srv.Stages("s")
		if !slices.Contains(stages[id], "AWSCURRENT") || !slices.Contains(stages[old], "AWSPREVIOUS") {
			t.Errorf("got labels %v, want AWSCURRENT on %s and AWSPREVIOUS on %s", stages, id, old)
		}
		// All of it again, late.
		for _, step := range rotate.Steps() {
			if err := h.Handle(t.Context(), event(srv, step, id)); err != nil {
				t.Errorf("late %s: %v", step, err)
			}
		}
		if n := srv.Count(secretstest.Call{Op: "UpdateSecretVersionStage"}); n != 1 || len(rec.calls) != 5 {
			t.Errorf("got %d label moves and %d calls of the Rotator, want 1 and 5", n, len(rec.calls))
		}
	})
}

func TestHandleBinary(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
	id := srv.PutEmptyPending("s")
	rec := &recorder{value: rotate.Binary([]byte{0, 1, 255})}
	if err := (rotate.Handler{API: srv.Client(), Rotator: rec}).Handle(t.Context(), event(srv, rotate.CreateSecret, id)); err != nil {
		t.Fatal(err)
	}
	out, err := srv.Client().GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s"), VersionStage: aws.String("AWSPENDING")})
	if err != nil || !slices.Equal(out.SecretBinary, []byte{0, 1, 255}) {
		t.Errorf("got %v, %v", out, err)
	}
}

func TestEntryChecks(t *testing.T) {
	for _, tt := range []struct {
		name string
		prep func(srv *secretstest.Server) rotate.Event
		want string
	}{
		{"no such version", func(srv *secretstest.Server) rotate.Event {
			return event(srv, rotate.SetSecret, strings.Repeat("x", 36))
		}, "not a version of this secret"},
		{"not pending", func(srv *secretstest.Server) rotate.Event {
			return event(srv, rotate.SetSecret, srv.PutStages("s", "v", "CUSTOM"))
		}, "not AWSPENDING"},
		{"superseded", func(srv *secretstest.Server) rotate.Event {
			first := srv.PutStages("s", "v", "AWSPENDING", "CUSTOM")
			srv.PutPending("s", "w")
			return event(srv, rotate.FinishSecret, first)
		}, "not AWSPENDING"},
		{"scheduled for deletion", func(srv *secretstest.Server) rotate.Event {
			id := srv.PutPending("s", "v")
			srv.ScheduleDeletion("s")
			return event(srv, rotate.SetSecret, id)
		}, "scheduled for deletion"},
		{"no secret", func(srv *secretstest.Server) rotate.Event {
			return rotate.Event{Step: rotate.SetSecret, SecretID: "other", ClientRequestToken: "x"}
		}, "DescribeSecret"},
		{"step", func(srv *secretstest.Server) rotate.Event { return event(srv, "dropSecret", "x") }, "Step"},
		{"id", func(srv *secretstest.Server) rotate.Event {
			return rotate.Event{Step: rotate.SetSecret, ClientRequestToken: "x"}
		}, "SecretId"},
		{"token", func(srv *secretstest.Server) rotate.Event { return event(srv, rotate.SetSecret, "") }, "ClientRequestToken"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
				e := tt.prep(srv)
				rec := newRecorder("new")
				err := rotate.Handler{API: srv.Client(), Rotator: rec}.Handle(t.Context(), e)
				if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "rotate: ") {
					t.Errorf("got error %v, want one with %q", err, tt.want)
				}
				if len(rec.calls) != 0 {
					t.Errorf("the Rotator was called: %s", rec)
				}
			})
		})
	}
}

// disabled is an API whose secrets have rotation switched off.
type disabled struct{ rotate.API }

func (d disabled) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, o ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	out, err := d.API.DescribeSecret(ctx, in, o...)
	if err == nil {
		out.RotationEnabled = aws.Bool(false)
	}
	return out, err
}

func TestRotationDisabled(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
	id := srv.PutEmptyPending("s")
	rec := newRecorder("new")
	h := rotate.Handler{API: disabled{srv.Client()}, Rotator: rec, ResumeAfter: -1}
	if err := h.Handle(t.Context(), event(srv, rotate.CreateSecret, id)); err == nil || !strings.Contains(err.Error(), "not enabled") || len(rec.calls) > 0 {
		t.Errorf("got error %v and calls %s, want an error and none", err, rec)
	}
	if got, err := h.Run(t.Context(), "s"); err != nil || got != id {
		t.Errorf("Run: got %q, %v, want %s: it rotates by hand what is switched off", got, err, id)
	}
}

func TestErrorNamesStep(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": canary})
	id := srv.PutPending("s", canary)
	cause := errors.New("cause")
	err := rotate.Handler{API: srv.Client(), Rotator: &recorder{err: cause}}.Handle(t.Context(), event(srv, rotate.TestSecret, id))
	want := "rotate: testSecret of " + srv.ARN("s") + ", version " + id + ": cause"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	e, ok := errors.AsType[*rotate.Error](err)
	if !ok || e.Step != rotate.TestSecret || e.VersionID != id || !errors.Is(err, cause) {
		t.Errorf("got %#v", err)
	}
	srv.Fail(secretstest.Fault{Op: "DescribeSecret", Times: secretstest.Always, Code: "AccessDeniedException"})
	err = rotate.Handler{API: srv.Client(), Rotator: &recorder{}}.Handle(t.Context(), event(srv, rotate.TestSecret, id))
	if err == nil || !strings.Contains(err.Error(), "AccessDeniedException") {
		t.Errorf("got %v, want AccessDeniedException", err)
	}
	srv.ClearFaults()
	srv.Fail(secretstest.Fault{Op: "DescribeSecret", Times: secretstest.Always, Garbage: true})
	err = rotate.Handler{API: srv.Client(), Rotator: &recorder{}}.Handle(t.Context(), event(srv, rotate.TestSecret, id))
	if err == nil || !strings.Contains(err.Error(), "could not be decoded") {
		t.Errorf("got %v, want one that does not quote the answer", err)
	}
}

// lagging is an API in which versions that are not AWSCURRENT are seen late.
type lagging struct {
	rotate.API
	until time.Time
}

func (l lagging) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, o ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	out, err := l.API.DescribeSecret(ctx, in, o...)
	if err == nil && time.Now().Before(l.until) {
		for id, labels := range out.VersionIdsToStages {
			if !slices.Contains(labels, "AWSCURRENT") {
				delete(out.VersionIdsToStages, id)
			}
		}
	}
	return out, err
}

func (l lagging) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, o ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	if in.VersionId != nil && time.Now().Before(l.until) {
		return nil, &types.ResourceNotFoundException{Message: aws.String("not yet")}
	}
	return l.API.GetSecretValue(ctx, in, o...)
}

// TestLag makes reads lag. A step waits for a version that must exist, and a
// second createSecret, which cannot read the first one's value, keeps it.
func TestLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
		id := srv.PutPending("s", "first")
		start := time.Now()
		rec := newRecorder("second")
		h := rotate.Handler{API: lagging{srv.Client(), start.Add(2 * time.Second)}, Rotator: rec}
		for _, step := range []rotate.Step{rotate.CreateSecret, rotate.SetSecret} {
			if err := h.Handle(t.Context(), event(srv, step, id)); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(start); d < 2*time.Second || d > 4*time.Second {
			t.Errorf("it took %v, want the lag of 2s and a little", d)
		}
		if got, want := rec.String(), "set first"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}

		// Only values lag now.
		rec = newRecorder("second")
		h = rotate.Handler{API: valuesLag{srv.Client(), time.Now().Add(time.Second)}, Rotator: rec}
		if err := h.Handle(t.Context(), event(srv, rotate.CreateSecret, id)); err != nil {
			t.Fatal(err)
		}
		if err := h.Handle(t.Context(), event(srv, rotate.SetSecret, id)); err != nil {
			t.Fatal(err)
		}
		if got, want := rec.String(), "create, set first"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}

		// It is not waited for beyond MaxLag, nor beyond the context.
		forever := lagging{srv.Client(), start.Add(24 * time.Hour)}
		for _, tt := range []struct {
			maxLag, timeout, want time.Duration
		}{{0, time.Hour, 5 * time.Second}, {time.Second, time.Hour, time.Second}, {-1, time.Hour, 0}, {0, 500 * time.Millisecond, 500 * time.Millisecond}} {
			ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
			start := time.Now()
			err := rotate.Handler{API: forever, Rotator: rec, MaxLag: tt.maxLag}.Handle(ctx, event(srv, rotate.SetSecret, id))
			if d := time.Since(start); err == nil || d != tt.want {
				t.Errorf("%+v: got error %v after %v", tt, err, d)
			}
			if want := tt.timeout < time.Hour; errors.Is(err, context.DeadlineExceeded) != want {
				t.Errorf("%+v: got error %v, want a deadline error: %t", tt, err, want)
			}
			cancel()
		}
	})
}

type valuesLag struct {
	rotate.API
	until time.Time
}

func (l valuesLag) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, o ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	return lagging(l).GetSecretValue(ctx, in, o...)
}

// TestConcurrentCreate delivers createSecret many times at once: one value
// wins, and every delivery succeeds.
func TestConcurrentCreate(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": `{"k":"old"}`})
	id := srv.PutEmptyPending("s")
	h := rotate.Handler{API: srv.Client(), Rotator: rotate.APIKey{
		Make: func(_ context.Context, cur rotate.Value) (rotate.Value, error) {
			p, err := rotate.Password{}.Generate()
			if err != nil {
				return rotate.Value{}, err
			}
			return cur.WithField("k", p)
		},
		Check: func(context.Context, rotate.Value) error { return nil },
	}}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := h.Handle(t.Context(), event(srv, rotate.CreateSecret, id)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := srv.Count(secretstest.Call{Op: "PutSecretValue", Outcome: "OK"}); n != 1 {
		t.Errorf("got %d values stored, want 1", n)
	}
}

// TestFinishTwice moves the label although the answer is lost, and fails to.
func TestFinishTwice(t *testing.T) {
	for _, late := range []bool{true, false} {
		srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
		id := srv.PutPending("s", "new")
		srv.Fail(secretstest.Fault{Op: "UpdateSecretVersionStage", Code: "InvalidRequestException", Late: late})
		err := rotate.Handler{API: srv.Client(), Rotator: &recorder{}}.Handle(t.Context(), event(srv, rotate.FinishSecret, id))
		if (err == nil) != late || slices.Contains(srv.Stages("s")[id], "AWSCURRENT") != late {
			t.Errorf("carried out %t: got error %v, labels %v", late, err, srv.Stages("s")[id])
		}
	}
}

// TestRotationToken checks the token that PutSecretValue gets.
func TestRotationToken(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
	id := srv.PutEmptyPending("s")
	api := &putSpy{API: srv.Client()}
	e := event(srv, rotate.CreateSecret, id)
	e.RotationToken = strings.Repeat("t", 40)
	if err := (rotate.Handler{API: api, Rotator: newRecorder("new")}).Handle(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	in := api.last
	if aws.ToString(in.RotationToken) != e.RotationToken || aws.ToString(in.ClientRequestToken) != id || !slices.Equal(in.VersionStages, []string{"AWSPENDING"}) {
		t.Errorf("got token %v, version %v, labels %v", in.RotationToken, in.ClientRequestToken, in.VersionStages)
	}
}

type putSpy struct {
	rotate.API
	last *secretsmanager.PutSecretValueInput
}

func (p *putSpy) PutSecretValue(ctx context.Context, in *secretsmanager.PutSecretValueInput, o ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error) {
	p.last = in
	return p.API.PutSecretValue(ctx, in, o...)
}

func TestIncompleteHandler(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
	id := srv.PutEmptyPending("s")
	for _, h := range []rotate.Handler{{}, {API: srv.Client()}, {Rotator: newRecorder("x")}} {
		if err := h.Handle(t.Context(), event(srv, rotate.CreateSecret, id)); err == nil || !strings.Contains(err.Error(), "nil") {
			t.Errorf("got %v, want an error that names the missing field", err)
		}
		if _, err := h.Run(t.Context(), "s"); err == nil || !strings.Contains(err.Error(), "nil") {
			t.Errorf("Run: got %v, want an error that names the missing field", err)
		}
	}
	if err := (rotate.Handler{API: srv.Client(), Rotator: &recorder{}}).Handle(t.Context(), event(srv, rotate.CreateSecret, id)); err == nil || !strings.Contains(err.Error(), "no value") {
		t.Errorf("got %v, want one about the missing value", err)
	}
}

// TestServicePassword takes passwords from GetRandomPassword.
func TestServicePassword(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": `{"username":"u","host":"h","password":"old"}`})
	p := rotate.Password{Length: 20, ExcludePunctuation: true, ExcludeUppercase: true, FromService: true}
	rotator := rotate.Postgres(newPostgresDB(nil).open, &rotate.SQLOptions{Password: p})
	id := srv.PutEmptyPending("s")
	e := event(srv, rotate.CreateSecret, id)
	if err := (rotate.Handler{API: struct{ rotate.API }{srv.Client()}, Rotator: rotator}).Handle(t.Context(), e); err == nil || !strings.Contains(err.Error(), "GetRandomPassword") {
		t.Errorf("got %v, want an error: the API has no GetRandomPassword", err)
	}
	if err := (rotate.Handler{API: srv.Client(), Rotator: rotator}).Handle(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	out, err := srv.Client().GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s"), VersionId: &id})
	if err != nil {
		t.Fatal(err)
	}
	got, err := rotate.Text(*out.SecretString).Field("password")
	if err != nil || len(got) != 20 || without(got, lower+digits) != "" {
		t.Errorf("got a password of %d characters, %v", len(got), err)
	}
	if n := srv.Count(secretstest.Call{Op: "GetRandomPassword", Outcome: "OK"}); n != 1 {
		t.Errorf("got %d calls of GetRandomPassword, want 1", n)
	}
}
