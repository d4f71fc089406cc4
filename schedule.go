package secrets

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// schedule is what DescribeSecret says of a secret's rotation.
type schedule struct {
	enabled bool
	last    time.Time     // LastRotatedDate
	next    time.Time     // NextRotationDate: the latest moment, the window's last second
	window  time.Duration // how long before next it may begin
	changed time.Time     // LastChangedDate
	pending string        // the version that a rotation is making
}

// scheduleOf reads the rotation out of a description.
func scheduleOf(out *secretsmanager.DescribeSecretOutput) *schedule {
	s := &schedule{
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

// planned reports whether it is known when the secret is rotated next.
func (s *schedule) planned() bool { return s != nil && !s.next.IsZero() }

// opens returns when the rotation may begin.
func (s *schedule) opens() time.Time { return s.next.Add(time.Second - s.window) }

func when(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// firstLook is how soon a secret is looked at again when a rotation is seen to
// be outstanding; the interval doubles with every look that finds it so still.
const firstLook = 2 * time.Second

// ahead returns how long after a look the next one is due, of a secret that is
// served for life, when nothing is known of a rotation.
func ahead(life time.Duration) time.Duration { return life - life/10 }

// nextLookLocked returns how long after a look the next one is due: ahead of
// the TTL, within seconds while a rotation is outstanding, and within a
// quarter of the TTL while one may begin.
func (e *entry) nextLookLocked(lk *look, life time.Duration) time.Duration {
	late := ahead(life)
	if lk.described && lk.labels.outstanding() != "" {
		r := e.mayBe()
		if id := lk.labels.outstanding(); r.looksFor != id {
			r.looks, r.looksFor = 0, id
		}
		r.looks = min(late, max(firstLook, 2*r.looks))
		return min(late, jitter(r.looks))
	}
	if e.rare == nil {
		return late
	}
	e.rare.looks, e.rare.looksFor = 0, ""
	if !e.rare.rotation.planned() {
		return late
	}
	begins := time.Until(e.rare.rotation.opens())
	ends := time.Until(e.rare.rotation.next)
	if begins < late && ends > -late {
		// Windows begin on the hour, for many secrets and processes at once.
		return min(late, max(begins+rand.N(life/8+1), life/4))
	}
	return late
}

// lookSoonLocked makes the next look of e due as soon as if the rotation had
// just been noticed: a version other than the current one was found to work.
func (c *cache) lookSoonLocked(e *entry) {
	if e.gone || !e.rotating.Load() {
		return
	}
	e.mayBe().looks = firstLook
	c.scheduleLocked(e, c.now().add(jitter(firstLook)))
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
	Window       time.Duration // how long the window is that ends with NextRotation
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
// blocks for one DescribeSecret and, if there is a pending version whose value
// is not in memory, a GetSecretValue of that, or until ctx ends. It fails where
// DescribeSecret is not to be had. After Close it returns [ErrClosed].
func (c *Client) RotationState(ctx context.Context, id string) (RotationState, error) {
	if !c.enter() {
		return RotationState{}, ErrClosed
	}
	defer c.wg.Done()
	asked := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.base, cancel)()
	lk := &look{}
	if err := c.describe(ctx, id, lk, c.opts); err != nil {
		switch {
		case c.base.Err() != nil:
			return RotationState{}, ErrClosed
		case asked.Err() != nil:
			err = asked.Err()
		}
		return RotationState{}, opError("rotation state", id, err)
	}
	r := lk.rotation
	st := RotationState{Enabled: r.enabled, LastRotated: r.last, NextRotation: r.next, Window: r.window, PendingVersion: r.pending}
	now := time.Now()
	switch {
	case r.pending != "":
		st.Since = c.pendingSince(ctx, id, r)
		st.Phase = RotationInProgress
		if !st.Since.IsZero() && now.Sub(st.Since) > failedAfter {
			st.Phase = RotationFailed
		}
	case r.planned() && !now.Before(r.opens()):
		st.Phase = RotationDue
	}
	return st, nil
}

// pendingSince returns when the pending version was made, or when the secret
// last changed if that is not to be known.
func (c *cache) pendingSince(ctx context.Context, id string, r *schedule) time.Time {
	var s *Secret
	c.mu.Lock()
	if e := c.knownLocked(id); e != nil {
		s = e.seldom().others.valueLocked(r.pending)
	}
	c.mu.Unlock()
	if s == nil {
		s, _ = c.fetch(ctx, id, Stage(Pending), c.opts)
	}
	if s == nil || s.v.id != r.pending || s.CreatedDate().IsZero() {
		return r.changed
	}
	return s.CreatedDate()
}
