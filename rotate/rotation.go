package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

// The staging labels of Secrets Manager.
const (
	current  = "AWSCURRENT"
	pending  = "AWSPENDING"
	previous = "AWSPREVIOUS"
)

// API is the part of Secrets Manager that a rotation uses. A
// *secretsmanager.Client implements it.
type API interface {
	DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	PutSecretValue(context.Context, *secretsmanager.PutSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
	UpdateSecretVersionStage(context.Context, *secretsmanager.UpdateSecretVersionStageInput, ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error)
}

// A Rotator does the part of a rotation that depends on the kind of secret.
// Each method may be called again for the same rotation, after a failure or a
// success, by this process or another one. It must then detect what is already
// done. The Handler adds step, secret and version id to the errors.
type Rotator interface {
	// Create returns the value of the new version. It is called until one returned
	// value is stored.
	Create(ctx context.Context, r *Rotation) (Value, error)

	// Set makes the system that uses the secret accept the AWSPENDING value.
	Set(ctx context.Context, r *Rotation) error

	// Test uses the AWSPENDING value once.
	Test(ctx context.Context, r *Rotation) error
}

// A Rotation gives a Rotator access to the secret that is rotated. The Handler
// makes it. It is valid only during the call that it is passed to.
type Rotation struct {
	api    API
	event  Event
	stages map[string][]string // labels by version id
	maxLag time.Duration
	claim  string // the label by which a Run knows a version for its own; empty: it is no Run's

	passwords []string // of the logins that were read; no error may show one
}

// SecretID returns the secret's ARN, or the id that Run was called with.
func (r *Rotation) SecretID() string { return r.event.SecretID }

// VersionID returns the id of the version that the rotation makes.
func (r *Rotation) VersionID() string { return r.event.ClientRequestToken }

// Current returns the value of the AWSCURRENT version.
func (r *Rotation) Current(ctx context.Context) (Value, error) {
	return r.Other(ctx, r.event.SecretID)
}

// Pending returns the value of the version that the rotation makes. If the
// version cannot be read yet, Pending waits for it, for at most Handler.MaxLag.
func (r *Rotation) Pending(ctx context.Context) (Value, error) {
	var v Value
	err := wait(ctx, r.maxLag, func() (bool, error) {
		out, err := r.get(ctx, r.event.SecretID, r.event.ClientRequestToken, pending)
		if err != nil {
			return notFound(err), err
		}
		v, err = valueOf(out)
		return false, err
	})
	return v, err
}

// Previous returns the value of the AWSPREVIOUS version, or the zero Value if
// there is none.
func (r *Rotation) Previous(ctx context.Context) (Value, error) {
	out, err := r.get(ctx, r.event.SecretID, "", previous)
	if notFound(err) {
		return Value{}, nil
	}
	if err != nil {
		return Value{}, err
	}
	return valueOf(out)
}

// Other returns the AWSCURRENT value of another secret, such as that of a
// master user. The caller must first make sure that whoever may write the
// rotated secret may also use the other one.
func (r *Rotation) Other(ctx context.Context, secretID string) (Value, error) {
	out, err := r.get(ctx, secretID, "", current)
	if err != nil {
		return Value{}, err
	}
	return valueOf(out)
}

// scrub returns err without the parts that show a password that the step has
// read. errors.Is still finds the other parts.
func (r *Rotation) scrub(err error) error { return dblogin.Scrub(err, r.passwords...) }

// NewPassword returns a new password, from crypto/rand or from the service.
func (r *Rotation) NewPassword(ctx context.Context, p Password) (string, error) {
	if p.FromService {
		return p.fromService(ctx, r.api)
	}
	return p.Generate()
}

func (r *Rotation) get(ctx context.Context, secretID, versionID, stage string) (*secretsmanager.GetSecretValueOutput, error) {
	in := &secretsmanager.GetSecretValueInput{SecretId: aws.String(secretID)}
	of := "GetSecretValue"
	if versionID != "" {
		in.VersionId = aws.String(versionID)
	}
	if stage != "" {
		in.VersionStage = aws.String(stage)
		of += " of " + stage
	}
	out, err := r.api.GetSecretValue(ctx, in)
	if err != nil {
		return nil, apiError(of, err)
	}
	return out, nil
}

func valueOf(out *secretsmanager.GetSecretValueOutput) (Value, error) {
	switch {
	case out.SecretString != nil:
		return Text(*out.SecretString), nil
	case out.SecretBinary != nil:
		return Binary(out.SecretBinary), nil
	}
	return Value{}, errors.New("GetSecretValue: the response has no value")
}

// put stores v as the rotation's version, labelled AWSPENDING. If another Run
// has stored the same the version keeps that one's label, and there is no error.
func (r *Rotation) put(ctx context.Context, v Value) error {
	in := &secretsmanager.PutSecretValueInput{
		SecretId:           aws.String(r.event.SecretID),
		ClientRequestToken: aws.String(r.event.ClientRequestToken),
		VersionStages:      []string{pending},
	}
	if v.IsBinary() {
		in.SecretBinary = v.Bytes()
	} else {
		text, err := v.Text()
		if err != nil {
			return err
		}
		in.SecretString = aws.String(text)
	}
	if r.event.RotationToken != "" {
		in.RotationToken = aws.String(r.event.RotationToken)
	}
	if r.claim != "" {
		in.VersionStages = append(in.VersionStages, r.claim)
	}
	if _, err := r.api.PutSecretValue(ctx, in); err != nil {
		return apiError("PutSecretValue", err)
	}
	return nil
}

// finish moves AWSCURRENT to the rotation's version.
func (r *Rotation) finish(ctx context.Context) error {
	in := &secretsmanager.UpdateSecretVersionStageInput{
		SecretId:        aws.String(r.event.SecretID),
		VersionStage:    aws.String(current),
		MoveToVersionId: aws.String(r.event.ClientRequestToken),
	}
	if from := labelled(r.stages, current); from != "" {
		in.RemoveFromVersionId = aws.String(from)
	}
	if _, err := r.api.UpdateSecretVersionStage(ctx, in); err != nil {
		return apiError("UpdateSecretVersionStage", err)
	}
	return nil
}

// labelled returns the id of the version that has a label, or "".
func labelled(stages map[string][]string, label string) string {
	for id, labels := range stages {
		if slices.Contains(labels, label) {
			return id
		}
	}
	return ""
}

// wait calls f until it succeeds or fails permanently, with growing pauses, for
// at most limit. f returns whether to call it again, and the error to return if
// there is no further call.
func wait(ctx context.Context, limit time.Duration, f func() (again bool, err error)) error {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		again, err := f()
		if !again || limit <= 0 {
			return err
		}
		pause = min(pause, limit)
		limit -= pause
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("%w, while waiting after: %w", ctx.Err(), err)
		}
	}
}
