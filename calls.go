package secrets

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// API is what a [Client] needs of the service; *secretsmanager.Client has it.
// DescribeSecret and BatchGetSecretValue are used where the value has them,
// with the signatures of *secretsmanager.Client.
type API interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

type describer interface {
	DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
}

type batcher interface {
	BatchGetSecretValue(context.Context, *secretsmanager.BatchGetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.BatchGetSecretValueOutput, error)
}

type callOpts = []func(*secretsmanager.Options)

// fetch asks for the value of a version.
func (c *cache) fetch(ctx context.Context, id string, sel Selector, opts callOpts) (*Secret, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.fetchTimeout, errFetchTimeout)
	defer cancel()
	in := &secretsmanager.GetSecretValueInput{SecretId: &id}
	switch {
	case sel.id != "":
		in.VersionId = &sel.id
	case sel.stage != "":
		in.VersionStage = &sel.stage
	default:
		stage := Current
		in.VersionStage = &stage
	}
	c.counts.get.Add(1)
	out, err := c.api.GetSecretValue(ctx, in, opts...)
	var s *Secret
	if err == nil {
		s, err = fromOutput(id, out)
	}
	return s, c.finish(ctx, err)
}

// describe asks which labels the versions have, and puts it into lk.
func (c *cache) describe(ctx context.Context, id string, lk *look, opts callOpts) error {
	if c.describer == nil {
		return errNoDescribe
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.fetchTimeout, errFetchTimeout)
	defer cancel()
	c.counts.describe.Add(1)
	out, err := c.describer.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &id}, opts...)
	if err == nil && out == nil {
		err = errEmptyAnswer
	}
	if err != nil {
		return c.finish(ctx, err)
	}
	lk.deleted = out.DeletedDate != nil
	lk.rotation = scheduleOf(out)
	// Endpoints that say nothing of labels leave it to GetSecretValue.
	if lk.described = len(out.VersionIdsToStages) > 0; lk.described {
		lk.labels = labelsOf(out.VersionIdsToStages)
	}
	return nil
}

// batch asks for the current versions of up to 20 secrets.
func (c *cache) batch(ctx context.Context, in *secretsmanager.BatchGetSecretValueInput) (*secretsmanager.BatchGetSecretValueOutput, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.fetchTimeout, errFetchTimeout)
	defer cancel()
	c.counts.batch.Add(1)
	out, err := c.batcher.BatchGetSecretValue(ctx, in, c.opts...)
	if err == nil && out == nil {
		err = errEmptyAnswer
	}
	return out, c.finish(ctx, err)
}

// finish counts a failed call and makes its error fit to be shown.
func (c *cache) finish(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	c.counts.errors.Add(1)
	if isThrottle(err) {
		c.counts.throttles.Add(1)
	}
	if context.Cause(ctx) == errFetchTimeout {
		return errFetchTimeout
	}
	return clean(err)
}
