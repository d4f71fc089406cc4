package rotate

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// A Handler executes the steps of rotations. It keeps no state; its methods are
// safe for concurrent use by multiple goroutines if API and Rotator are.
type Handler struct {
	// API is Secrets Manager, usually a *secretsmanager.Client. Required.
	API API

	// Rotator makes, applies and tests the new value. Required.
	Rotator Rotator

	// MaxLag limits how long a step waits for a version that must exist but cannot
	// be read yet, because reads of Secrets Manager may lag behind writes. Zero
	// means five seconds; negative means no wait.
	MaxLag time.Duration

	// ResumeAfter is how old an unfinished rotation must be before Run considers
	// it abandoned and continues it. Handle does not use it. Zero means 15
	// minutes, the longest time that a Lambda function can run. Negative means any
	// age: use it only when you know that no rotation is running.
	ResumeAfter time.Duration
}

// Handle executes one step of a rotation. It returns nil if the step is done,
// also if it was done before. An event may be delivered again at any time. All
// errors are of type *Error, except those for an incomplete Handler or Event.
// Handle returns when ctx ends and has no timeout of its own.
//
// It first checks that rotation of the secret is not turned off and that the
// event's version has the label AWSPENDING. If the version is already
// AWSCURRENT, the rotation is over and Handle returns nil.
func (h Handler) Handle(ctx context.Context, e Event) error {
	if err := h.check(); err != nil {
		return err
	}
	switch {
	case !slices.Contains(Steps(), e.Step):
		return fmt.Errorf("rotate: event: unknown Step %q", e.Step)
	case e.SecretID == "":
		return errors.New("rotate: event: SecretId is empty")
	case e.ClientRequestToken == "":
		return errors.New("rotate: event: ClientRequestToken is empty")
	}
	return h.deliver(ctx, e, false)
}

func (h Handler) check() error {
	switch {
	case h.API == nil:
		return errors.New("rotate: Handler.API is nil")
	case h.Rotator == nil:
		return errors.New("rotate: Handler.Rotator is nil")
	case isNil(h.API):
		return fmt.Errorf("rotate: Handler.API is a nil %T", h.API)
	case isNil(h.Rotator):
		return fmt.Errorf("rotate: Handler.Rotator is a nil %T", h.Rotator)
	}
	return nil
}

func isNil(x any) bool {
	v := reflect.ValueOf(x)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

func (h Handler) lag() time.Duration {
	if h.MaxLag == 0 {
		return 5 * time.Second
	}
	return h.MaxLag
}

// deliver makes the entry checks and does the step. With byHand set, rotation
// may be switched off.
func (h Handler) deliver(ctx context.Context, e Event, byHand bool) error {
	r, done, err := h.enter(ctx, e, byHand)
	if err == nil && !done {
		err = h.step(ctx, r)
	}
	if err != nil {
		return &Error{Step: e.Step, SecretID: e.SecretID, VersionID: e.ClientRequestToken, Err: err}
	}
	return nil
}

// enter makes the checks that come before every step. It reports done if the
// rotation is over.
func (h Handler) enter(ctx context.Context, e Event, byHand bool) (r *Rotation, done bool, err error) {
	r = &Rotation{api: h.API, event: e, maxLag: h.lag()}
	err = wait(ctx, r.maxLag, func() (bool, error) {
		out, err := h.describe(ctx, e.SecretID)
		if err != nil {
			return false, err
		}
		if out.RotationEnabled != nil && !*out.RotationEnabled && !byHand {
			return false, errors.New("rotation is not enabled")
		}
		r.stages = out.VersionIdsToStages
		if _, ok := r.stages[e.ClientRequestToken]; !ok {
			return true, fmt.Errorf("%w: it has no label, or is not a version of this secret", ErrNotPending)
		}
		return false, nil
	})
	if err != nil {
		return nil, false, err
	}
	labels := r.stages[e.ClientRequestToken]
	switch {
	case slices.Contains(labels, current):
		return r, true, nil
	case !slices.Contains(labels, pending):
		return nil, false, ErrNotPending
	}
	return r, false, nil
}

func (h Handler) describe(ctx context.Context, secretID string) (*secretsmanager.DescribeSecretOutput, error) {
	out, err := h.API.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String(secretID)})
	if err != nil {
		return nil, apiError("DescribeSecret", err)
	}
	if out.DeletedDate != nil {
		return nil, errors.New("the secret is scheduled for deletion")
	}
	return out, nil
}

func (h Handler) step(ctx context.Context, r *Rotation) error {
	switch r.event.Step {
	case CreateSecret:
		return h.create(ctx, r)
	case SetSecret:
		return h.Rotator.Set(ctx, r)
	case TestSecret:
		return h.Rotator.Test(ctx, r)
	default:
		return h.finish(ctx, r)
	}
}

// finish moves AWSCURRENT to the pending version.
func (h Handler) finish(ctx context.Context, r *Rotation) error {
	err := r.finish(ctx)
	if err == nil {
		return nil
	}
	// Another delivery may have moved it first, or this one without hearing so.
	if out, e := h.describe(ctx, r.event.SecretID); e == nil && slices.Contains(out.VersionIdsToStages[r.VersionID()], current) {
		return nil
	}
	return err
}

// create makes the value of the pending version, unless it has one.
func (h Handler) create(ctx context.Context, r *Rotation) error {
	if _, err := r.get(ctx, r.event.SecretID, "", current); err != nil {
		return err
	}
	_, err := r.get(ctx, r.event.SecretID, r.event.ClientRequestToken, pending)
	if !notFound(err) {
		return err
	}
	if err := h.fill(ctx, r); !hasCode(err, "ResourceExistsException") {
		return err
	}
	// Another delivery of this event stored its value first, or an earlier one did
	// and its value could not be read yet. In both cases that value is the one to
	// set.
	_, err = r.Pending(ctx)
	return err
}

// fill makes a value and stores it as the pending version. The error is
// ResourceExistsException if the version has another value.
func (h Handler) fill(ctx context.Context, r *Rotation) error {
	v, err := h.Rotator.Create(ctx, r)
	if err != nil {
		return err
	}
	if v.IsZero() {
		return errors.New("the Rotator made no value")
	}
	return r.put(ctx, v)
}
