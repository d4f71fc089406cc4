package secrets

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// schedule is what DescribeSecret says of a secret's rotation.
type schedule struct {
	enabled bool
	last    time.Time     // LastRotatedDate
	next    time.Time     // NextRotationDate: the latest moment, the window's end
	window  time.Duration // how long before next it may begin
	changed time.Time     // LastChangedDate
	pending string        // the version that a rotation is making
}

// scheduleOf reads the rotation out of a description, nil if there is none.
func scheduleOf(out *secretsmanager.DescribeSecretOutput) *schedule {
	pending := labelsOf(out.VersionIdsToStages).outstanding()
	enabled := out.RotationEnabled != nil && *out.RotationEnabled
	if !enabled && pending == "" {
		return nil
	}
	s := &schedule{enabled: enabled, pending: pending, last: when(out.LastRotatedDate), next: when(out.NextRotationDate), changed: when(out.LastChangedDate)}
	s.window = 24 * time.Hour // where no duration is set it lasts to the end of the day
	if r := out.RotationRules; r != nil {
		if d, err := time.ParseDuration(str(r.Duration)); err == nil && d > 0 {
			s.window = d
		} else if strings.Contains(str(r.ScheduleExpression), "hour") {
			s.window = time.Hour
		}
	}
	return s
}

func when(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// firstLook is how soon a secret is looked at again when a rotation is seen to
// be outstanding; the interval doubles with every look that finds it so still.
const firstLook = 2 * time.Second

// nextLookLocked returns how long after a look the next one is due: ahead of
// the TTL, within seconds while a rotation is outstanding, and within a
// quarter of the TTL while one may begin.
func (e *entry) nextLookLocked(lk *look, life time.Duration) time.Duration {
	ahead := life - life/10
	if lk.described && lk.labels.outstanding() != "" {
		e.looks = min(ahead, max(firstLook, 2*e.looks))
		return min(ahead, jitter(e.looks))
	}
	e.looks = 0
	if e.rotation == nil || e.rotation.next.IsZero() {
		return ahead
	}
	begins := time.Until(e.rotation.next.Add(-e.rotation.window))
	ends := time.Until(e.rotation.next)
	if begins < ahead && ends > -ahead {
		return min(ahead, max(begins, life/4))
	}
	return ahead
}

// A RotationPhase is a phase of a secret's rotation.
type RotationPhase int

const (
	RotationIdle       RotationPhase = iota // no rotation is outstanding or may begin yet
	RotationDue                             // the rotation window is open, or has passed without a rotation
	RotationInProgress                      // AWSPENDING is on a version that is not current
	RotationFailed                          // the same, for more than a day
)

// String returns the phase in words.
func (p RotationPhase) String() string {
	switch p {
	case RotationIdle:
		return "idle"
	case RotationDue:
		return "due"
	case RotationInProgress:
		return "in progress"
	case RotationFailed:
		return "failed"
	}
	return fmt.Sprintf("RotationPhase(%d)", int(p))
}

// A RotationState tells how the rotation of a secret stands.
type RotationState struct {
	Phase   RotationPhase
	Enabled bool // whether the service rotates the secret by itself

	// PendingVersion is the version that a rotation is making and Since is
	// when it was made, or last changed where its own date may not be read.
	// Both are empty unless the phase is in progress or failed.
	PendingVersion string
	Since          time.Time

	LastRotated  time.Time     // zero: never
	NextRotation time.Time     // the latest moment, zero: not scheduled
	Window       time.Duration // how long before NextRotation it may begin
}

// String returns the phase and, where there is one, since when.
func (s RotationState) String() string {
	if s.Since.IsZero() {
		return s.Phase.String()
	}
	return fmt.Sprintf("%s since %s", s.Phase, s.Since.UTC().Format(time.RFC3339))
}

// failedAfter is how long a version may be pending before its rotation is held
// to have failed. A rotation takes seconds; AWS retries for a day at most.
const failedAfter = 24 * time.Hour

// RotationState asks the service how the rotation of a secret stands. It
// blocks for one DescribeSecret, and a GetSecretValue of the pending version if
// there is one. It fails where DescribeSecret is not to be had.
func (c *Client) RotationState(ctx context.Context, id string) (RotationState, error) {
	if !c.enter() {
		return RotationState{}, ErrClosed
	}
	defer c.wg.Done()
	lk := &look{}
	if err := c.describe(ctx, id, lk, c.opts); err != nil {
		return RotationState{}, opError("rotation state", id, err)
	}
	if lk.rotation == nil {
		return RotationState{}, nil
	}
	r := lk.rotation
	st := RotationState{Enabled: r.enabled, LastRotated: r.last, NextRotation: r.next, Window: r.window, PendingVersion: r.pending}
	now := time.Now()
	switch {
	case r.pending != "":
		st.Since = r.changed
		if s, err := c.version(ctx, id, Stage(Pending)); err == nil && s.v.id == r.pending && !s.v.created.IsZero() {
			st.Since = s.v.created
		}
		st.Phase = RotationInProgress
		if !st.Since.IsZero() && now.Sub(st.Since) > failedAfter {
			st.Phase = RotationFailed
		}
	case r.enabled && !r.next.IsZero() && !now.Before(r.next.Add(-r.window)):
		st.Phase = RotationDue
	}
	return st, nil
}
