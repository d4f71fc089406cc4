package secrets

import (
	"context"
	"sync/atomic"
	"time"

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

type fetcher struct {
	api          API
	describer    describer
	batcher      batcher
	opts, quick  []func(*secretsmanager.Options)
	timeout      time.Duration
	counts       *counts
	noDescribe   atomic.Bool
	noBatchUntil atomic.Int64
}

type description struct {
	deleted  bool
	labels   labels
	rotation *schedule
}

func (f *fetcher) describes() bool { return f.describer != nil && !f.noDescribe.Load() }

func (f *fetcher) options(quick bool) []func(*secretsmanager.Options) {
	if quick {
		return f.quick
	}
	return f.opts
}

func (f *fetcher) value(ctx context.Context, id string, sel Selector, quick bool) (*Secret, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, f.timeout, errFetchTimeout)
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
	f.counts.get.Add(1)
	out, err := f.api.GetSecretValue(ctx, in, f.options(quick)...)
	var s *Secret
	if err == nil {
		s, err = fromOutput(id, out)
	}
	return s, f.finish(ctx, err)
}

func (f *fetcher) describe(ctx context.Context, id string, quick bool) (d description, err error) {
	if f.describer == nil {
		return d, errNoDescribe
	}
	ctx, cancel := context.WithTimeoutCause(ctx, f.timeout, errFetchTimeout)
	defer cancel()
	f.counts.describe.Add(1)
	out, err := f.describer.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &id}, f.options(quick)...)
	if err == nil && out == nil {
		err = errEmptyAnswer
	}
	if err != nil {
		if answerOf(err) == missing {
			f.noDescribe.Store(true)
		}
		return d, f.finish(ctx, err)
	}
	d.deleted = out.DeletedDate != nil
	d.rotation = scheduleOf(out)
	if len(out.VersionIdsToStages) > 0 {
		d.labels = labelsOf(out.VersionIdsToStages)
	}
	return d, nil
}

func (f *fetcher) batch(ctx context.Context, in *secretsmanager.BatchGetSecretValueInput) (*secretsmanager.BatchGetSecretValueOutput, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, f.timeout, errFetchTimeout)
	defer cancel()
	f.counts.batch.Add(1)
	out, err := f.batcher.BatchGetSecretValue(ctx, in, f.opts...)
	if err == nil && out == nil {
		err = errEmptyAnswer
	}
	return out, f.finish(ctx, err)
}

func (f *fetcher) finish(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	f.counts.errors.Add(1)
	if isThrottle(err) {
		f.counts.throttles.Add(1)
	}
	if context.Cause(ctx) == errFetchTimeout {
		return errFetchTimeout
	}
	return clean(err)
}
