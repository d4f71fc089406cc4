package secretstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-74dc7b3e/secrets/rotate"
)

// stepTimeout is how long a rotation function may run: as long as a Lambda
// function.
const stepTimeout = 15 * time.Minute

// A Rotation delivers the rotation steps of one secret, one at a time. A test
// can examine the secret between any two steps:
//
//	r := srv.Rotation("prod/db")
//	r.Step(rotate.CreateSecret, rotate.SetSecret)
//	... // the password has changed and the label has not moved
//	r.Step(rotate.TestSecret, rotate.FinishSecret)
//
// A Rotation is safe for concurrent use by multiple goroutines. Steps may even
// be delivered at once, as AWS may do.
type Rotation struct {
	srv    *Server
	secret *secret

	// The server's lock guards what follows.
	manual   bool               // steps are delivered by Step only
	timer    *time.Timer        // for the next scheduled rotation
	ctx      context.Context    // of the functions of the rotation under way
	cancel   context.CancelFunc // ends ctx
	done     chan struct{}      // closed by the goroutine that delivers the steps, when it ends
	err      error              // of the last rotation
	token    string             // the event's RotationToken
	version  string             // the version under way
	attempts int                // of the scheduled rotation that has not succeeded yet
	value    *value             // the next value of the built-in function
}

// Rotation returns the rotation of a secret, for manual delivery of its steps.
// From then on RotateSecret and the schedule only add the new version,
// AWSPENDING and without a value, and Step delivers the steps. Release ends
// that.
func (s *Server) Rotation(id string) *Rotation {
	s.helper()()
	s.mu.Lock()
	sec, err := s.helperSecretLocked(id)
	var r *Rotation
	if err == nil {
		r = s.rotationLocked(sec)
		r.manual = true
	}
	s.mu.Unlock()
	s.check(err, "rotation of %q", id)
	return r
}

// rotationLocked returns the rotation of a secret.
func (s *Server) rotationLocked(sec *secret) *Rotation {
	r := s.rotations[sec.content]
	if r == nil {
		r = &Rotation{srv: s, secret: sec}
		s.rotations[sec.content] = r
	}
	return r
}

// Release lets RotateSecret and the schedule deliver the steps themselves
// again. It does not deliver the steps of an outstanding rotation.
func (r *Rotation) Release() {
	r.srv.mu.Lock()
	defer r.srv.mu.Unlock()
	r.manual = false
}

// SetValue sets the value of the next version, in a rotation without a
// function. By default the new value is the current value with another
// "password" member if that is a JSON object, or else a new password.
func (r *Rotation) SetValue(text string) {
	r.srv.mu.Lock()
	defer r.srv.mu.Unlock()
	v := textValue(text)
	r.value = &v
}

// VersionID returns the id of the new version, or "" if no rotation is
// outstanding.
func (r *Rotation) VersionID() string {
	r.srv.mu.Lock()
	defer r.srv.mu.Unlock()
	if v := r.secret.outstanding(); v != nil {
		return v.id
	}
	return ""
}

// Start begins a rotation as RotateSecret does and returns the id of the new
// version. If a rotation is outstanding, it returns the id of that version.
func (r *Rotation) Start() string {
	r.srv.mu.Lock()
	defer r.srv.mu.Unlock()
	return r.announceLocked(newUUID())
}

// announceLocked makes the version of a new rotation, unless one is
// outstanding, and returns its id.
func (r *Rotation) announceLocked(id string) string {
	sec := r.secret
	if v := sec.outstanding(); v != nil {
		id = v.id
	} else {
		at := now()
		r.srv.changeLocked(sec, at)
		sec.attach(stagePending, sec.add(id, value{}, sec.kmsKeyID, at))
	}
	if r.version != id || r.ctx == nil || r.ctx.Err() != nil {
		r.stopLocked()
		r.version, r.token = id, newUUID()
		r.ctx, r.cancel = context.WithCancel(r.srv.ctx)
	}
	return id
}

// Step delivers steps in the given order and returns the first error of the
// rotation function. It begins a rotation if none is outstanding. It blocks
// until the function returns; CancelRotateSecret, the deletion of the secret,
// and Close cancel the context of the function. Without steps it only begins
// the rotation.
//
// Once finishSecret has succeeded, the rotation is over: AWSPENDING is removed
// from the version that is now current, and a further Step begins another
// rotation. Redeliver repeats a step of the old one.
func (r *Rotation) Step(steps ...rotate.Step) error {
	if err := checkSteps(steps); err != nil {
		return err
	}
	r.srv.mu.Lock()
	id := r.announceLocked(newUUID())
	ctx := r.ctx
	r.srv.mu.Unlock()
	return r.run(ctx, id, steps)
}

// Redeliver delivers steps of the outstanding rotation once more. If none is
// outstanding, it delivers steps of the last rotation. It returns an error if
// there was no rotation.
func (r *Rotation) Redeliver(steps ...rotate.Step) error {
	if err := checkSteps(steps); err != nil {
		return err
	}
	r.srv.mu.Lock()
	id := r.version
	if v := r.secret.outstanding(); v != nil {
		id = r.announceLocked("")
	}
	ctx := r.ctx
	r.srv.mu.Unlock()
	if id == "" {
		return errors.New("secretstest: no rotation to redeliver steps of")
	}
	return r.run(ctx, id, steps)
}

func checkSteps(steps []rotate.Step) error {
	for _, step := range steps {
		if !slices.Contains(rotate.Steps(), step) {
			return fmt.Errorf("secretstest: rotation has no step %q", step)
		}
	}
	return nil
}

// Run delivers all four steps. For an outstanding rotation this is what AWS
// does in a retry.
func (r *Rotation) Run() error { return r.Step(rotate.Steps()...) }

// Wait blocks until the steps that RotateSecret or the schedule started are
// delivered. It returns the error that ended the last rotation, or nil.
func (r *Rotation) Wait() error {
	r.srv.mu.Lock()
	done := r.done
	r.srv.mu.Unlock()
	if done != nil {
		<-done
	}
	r.srv.mu.Lock()
	defer r.srv.mu.Unlock()
	return r.err
}

// startLocked delivers all steps in a goroutine of their own, unless the
// rotation is in hand or steps are being delivered.
func (r *Rotation) startLocked(id string) {
	id = r.announceLocked(id)
	ctx := r.ctx
	r.goLocked(func() { r.run(ctx, id, rotate.Steps()) })
}

// goLocked runs f in a goroutine, unless the rotation is in hand or another is
// running.
func (r *Rotation) goLocked(f func()) {
	if r.manual || r.busyLocked() || r.srv.closed {
		return
	}
	done := make(chan struct{})
	r.done = done
	r.srv.running.Go(func() {
		defer close(done)
		f()
	})
}

// busyLocked reports whether steps are being delivered in the background.
func (r *Rotation) busyLocked() bool {
	if r.done == nil {
		return false
	}
	select {
	case <-r.done:
		return false
	default:
		return true
	}
}

// run delivers steps and records the result.
func (r *Rotation) run(ctx context.Context, id string, steps []rotate.Step) error {
	var err error
	for _, step := range steps {
		if err = r.deliver(ctx, id, step); err != nil {
			break
		}
	}
	r.srv.mu.Lock()
	defer r.srv.mu.Unlock()
	r.err = err
	if err != nil {
		r.retryLocked()
	}
	if n := len(steps); err == nil && n > 0 && steps[n-1] == rotate.FinishSecret {
		r.completeLocked(id)
	}
	return err
}

// completeLocked ends a rotation that succeeded: AWSPENDING goes from the
// version that has become the current one. For reads that lag this is one with
// the change that finishSecret made.
func (r *Rotation) completeLocked(id string) {
	sec := r.secret
	v := sec.version(id)
	if v == nil || !v.has(stageCurrent) {
		return
	}
	if v.has(stagePending) {
		sec.detach(stagePending)
	}
	sec.rotates().last = now()
	r.attempts = 0
	r.srv.planRotationLocked(sec)
}

// stopLocked cancels the running functions.
func (r *Rotation) stopLocked() {
	if r.cancel != nil {
		r.cancel()
	}
}

// unplanLocked ends the schedule.
func (r *Rotation) unplanLocked() {
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
}

// stopRotationLocked ends the rotation of a secret that goes, and its schedule.
func (s *Server) stopRotationLocked(c *content) {
	if r := s.rotations[c]; r != nil {
		r.stopLocked()
		r.unplanLocked()
	}
}

// planRotationLocked works out when the secret is rotated next and sets the
// timer. It does nothing for a secret that is not rotated by schedule.
func (s *Server) planRotationLocked(sec *secret) {
	st := sec.rotation()
	if !st.enabled || st.schedule == nil || sec.dying() || s.closed || !s.holdsLocked(sec) {
		return
	}
	s.rotationLocked(sec).attempts = 0
	sec.rotates().next = s.rotationLocked(sec).awaitLocked()
}

// awaitLocked sets the timer for the next window, and returns its end, or zero
// if there is none.
func (r *Rotation) awaitLocked() time.Time {
	r.unplanLocked()
	at := time.Now()
	start, end := r.secret.rotation().schedule.Next(at)
	if !end.IsZero() {
		r.timer = time.AfterFunc(start.Sub(at), func() { r.scheduled(true) })
	}
	return end
}

// holdsLocked reports whether the server still has a secret.
func (s *Server) holdsLocked(sec *secret) bool {
	r := sec.realm
	return s.realms[[2]string{r.account, r.region}] == r && r.arns[sec.arn] == sec
}

// How often, and after how long, a scheduled rotation that failed is tried
// again before the next window. The service documents that it retries, not when.
const (
	maxAttempts   = 5
	retryInterval = 10 * time.Minute
)

// scheduled begins a rotation when its window opens, or else tries one again that
// failed. NextRotationDate stays where it is until a rotation has succeeded.
func (r *Rotation) scheduled(opens bool) {
	s := r.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.rotations[r.secret.content] != r || !r.secret.rotation().enabled {
		return
	}
	if opens {
		r.attempts = 0
	}
	r.attempts++
	r.startLocked(newUUID())
	r.awaitLocked()
}

// retryLocked sets the timer for another attempt at a scheduled rotation that
// failed. After the last of them the next window's is the next.
func (r *Rotation) retryLocked() {
	if r.attempts == 0 || r.attempts >= maxAttempts || r.srv.closed || r.ctx.Err() != nil {
		return
	}
	r.unplanLocked()
	r.timer = time.AfterFunc(retryInterval, func() { r.scheduled(false) })
}

// valueChangedLocked is called for each new version. A value that was put by
// hand counts as a rotation for a schedule in days.
func (s *Server) valueChangedLocked(sec *secret) {
	st := sec.rotation()
	if st.enabled && st.rules.AfterDays > 0 && sec.outstanding() == nil {
		s.planRotationLocked(sec)
	}
}

// rehearseLocked tries the function out as RotateSecret does when it is not to
// rotate at once: testSecret runs on a pending copy of the current version,
// which is then removed.
func (r *Rotation) rehearseLocked(id string) {
	sec := r.secret
	cur := sec.holder(stageCurrent)
	if cur == nil || r.manual || r.busyLocked() {
		return
	}
	at := now()
	sec.attach(stagePending, sec.add(id, cur.value, sec.kmsKeyID, at))
	r.announceLocked(id)
	ctx := r.ctx
	r.goLocked(func() {
		err := r.deliver(ctx, id, rotate.TestSecret)
		r.srv.mu.Lock()
		defer r.srv.mu.Unlock()
		r.err = err
		if v := sec.version(id); v != nil && !v.has(stageCurrent) {
			r.srv.changeLocked(sec, now())
			sec.drop(id)
		}
	})
}
