package secrets

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets/internal/schedule"
)

// plan is what DescribeSecret returns about a secret's rotation.
type plan struct {
	enabled bool
	last    time.Time     // LastRotatedDate
	next    time.Time     // NextRotationDate: the latest moment, the window's last second
	window  time.Duration // the window's length: the rotation may begin this long before its end
	changed time.Time     // LastChangedDate
	pending string        // the version that a rotation has created
}

// scheduleOf extracts the rotation from a description.
func scheduleOf(out *secretsmanager.DescribeSecretOutput) *plan {
	s := &plan{
		enabled: out.RotationEnabled != nil && *out.RotationEnabled,
		pending: labelsOf(out.VersionIdsToStages).outstanding(),
		last:    when(out.LastRotatedDate),
		changed: when(out.LastChangedDate),
	}
	if s.enabled {
		s.next = when(out.NextRotationDate)
	}
	if s.next.IsZero() {
		return s
	}
	s.window = schedule.Day
	if r := out.RotationRules; r != nil {
		s.window = schedule.Window(str(r.Duration), str(r.ScheduleExpression))
	}
	return s
}

// known reports whether the plan has any information about a rotation.
func (s *plan) known() bool { return s.enabled || !s.last.IsZero() || s.planned() }

// planned reports whether the time of the next rotation is known.
func (s *plan) planned() bool { return s != nil && !s.next.IsZero() }

// opens returns the earliest time of the next rotation.
func (s *plan) opens() time.Time { return s.next.Add(time.Second - s.window) }

func when(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// A RotationPhase is a phase of a secret's rotation.
type RotationPhase int

const (
	RotationIdle       RotationPhase = iota // no rotation is outstanding, and none may begin yet
	RotationDue                             // the rotation window is open, or passed without a rotation
	RotationInProgress                      // a version that is not current has the label AWSPENDING
	RotationFailed                          // the rotation has been in progress for more than a day
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

// A RotationState describes the state of a secret's rotation.
type RotationState struct {
	Phase   RotationPhase
	Enabled bool // whether automatic rotation is enabled

	// PendingVersion is the version that a rotation has created. Since is when
	// it was created or, if that cannot be read, when the secret last changed.
	// Both are empty unless the phase is in progress or failed.
	PendingVersion string
	Since          time.Time

	LastRotated  time.Time     // zero if never, or if automatic rotation is off
	NextRotation time.Time     // the end of the rotation window; zero if not scheduled
	Window       time.Duration // the length of the rotation window
}

// String returns the phase and, if a rotation is outstanding, its Since.
func (s RotationState) String() string {
	if s.Since.IsZero() {
		return s.Phase.String()
	}
	return fmt.Sprintf("%s since %s", s.Phase, s.Since.UTC().Format(time.RFC3339))
}

// failedAfter is how long a version may be pending before its rotation counts
// as failed. A rotation takes seconds; AWS retries for a day at most.
const failedAfter = 24 * time.Hour

// RotationState asks the service for the state of a secret's rotation. It
// blocks for one DescribeSecret and, if there is a pending version that is not
// in memory, one GetSecretValue of it, or until ctx ends. It fails if
// DescribeSecret is unavailable or denied. After Close it returns [ErrClosed].
func (c *Client) RotationState(ctx context.Context, id string) (RotationState, error) {
	var st RotationState
	err := c.run(ctx, func(ctx context.Context) (err error) { st, err = c.rotationState(ctx, id); return err })
	if err != nil {
		return RotationState{}, opError("rotation state", id, err)
	}
	return st, nil
}

func (c *cache) rotationState(ctx context.Context, id string) (RotationState, error) {
	d, err := c.fetcher.describe(ctx, id, false)
	if err != nil {
		return RotationState{}, err
	}
	r := d.rotation
	st := RotationState{Enabled: r.enabled, LastRotated: r.last, NextRotation: r.next, Window: r.window, PendingVersion: r.pending}
	now := time.Now()
	switch {
	case r.pending != "":
		st.Since = c.pendingSince(ctx, id, r)
		st.Phase = phaseSince(st.Since, now)
	case r.planned() && !now.Before(r.opens()):
		st.Phase = RotationDue
	}
	return st, nil
}

// phaseSince returns the phase of an outstanding rotation that began at since.
func phaseSince(since, now time.Time) RotationPhase {
	if !since.IsZero() && now.Sub(since) > failedAfter {
		return RotationFailed
	}
	return RotationInProgress
}

// pendingSince returns when the pending version was created or, if that cannot
// be read, when the secret last changed.
func (c *cache) pendingSince(ctx context.Context, id string, r *plan) time.Time {
	var s *Secret
	c.mu.Lock()
	if e := c.knownLocked(id); e != nil {
		s = e.coldState().versions.valueLocked(r.pending, c.now())
	}
	c.mu.Unlock()
	if s == nil {
		s, _ = c.fetcher.value(ctx, id, Stage(Pending), false)
	}
	if s == nil || s.v.id != r.pending || s.CreatedDate().IsZero() {
		return r.changed
	}
	return s.CreatedDate()
}
