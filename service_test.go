package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	"github.com/seed-74dc7b3e/secrets"
)

var ctx = context.Background()

// service is the smallest Secrets Manager that the cache can be driven with:
// where tests count calls by the hundred thousand, or need an answer that no
// service would give. The others use secretstest.
type service struct {
	latency time.Duration

	mu      sync.Mutex // guards the fields below
	secrets map[string]*stored
	onGet   func(id, stage string) error
	onDesc  func(id string) error

	gets, describes, running, most atomic.Int64
}

type stored struct {
	arn, name string
	versions  map[string]string // version id → value
	created   map[string]time.Time
	stages    map[string]string // label → version id
	next      *time.Time
}

func newService(names ...string) *service {
	s := &service{secrets: map[string]*stored{}}
	for i, name := range names {
		s.add(name, fmt.Sprintf("%06d", i), "value of "+name)
	}
	return s
}

// add makes a secret; one of the same name is deleted and made again.
func (s *service) add(name, suffix, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &stored{
		arn: "arn:aws:secretsmanager:us-east-1:123456789012:secret:" + name + "-" + suffix, name: name,
		versions: map[string]string{}, created: map[string]time.Time{}, stages: map[string]string{},
	}
	if old := s.secrets[name]; old != nil {
		delete(s.secrets, old.arn)
	}
	s.secrets[name], s.secrets[st.arn] = st, st
	st.put("v1-"+suffix, value)
}

func (st *stored) put(id, value string) {
	st.versions[id] = value
	st.created[id] = time.Now()
	if cur := st.stages["AWSCURRENT"]; cur != "" {
		st.stages["AWSPREVIOUS"] = cur
	}
	st.stages["AWSCURRENT"] = id
}

// put makes a new current version.
func (s *service) put(name, id, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets[name].put(id, value)
}

// move puts a label on a version.
func (s *service) move(name, stage, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets[name].stages[stage] = id
}

func (s *service) remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.secrets, s.secrets[name].arn)
	delete(s.secrets, name)
}

// fail makes both operations answer err from now on; nil ends it.
func (s *service) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onGet = func(string, string) error { return err }
	s.onDesc = func(string) error { return err }
}

func (s *service) begin(ctx context.Context) error {
	n := s.running.Add(1)
	defer s.running.Add(-1)
	for m := s.most.Load(); n > m && !s.most.CompareAndSwap(m, n); m = s.most.Load() {
	}
	if s.latency == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(s.latency)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *service) calls() int64 { return s.gets.Load() + s.describes.Load() }

func (s *service) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	s.gets.Add(1)
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id, stage := aws.ToString(in.SecretId), aws.ToString(in.VersionStage)
	if s.onGet != nil {
		if err := s.onGet(id, stage); err != nil {
			return nil, err
		}
	}
	st := s.secrets[id]
	if st == nil {
		return nil, &types.ResourceNotFoundException{Message: aws.String("Secrets Manager can't find the specified secret.")}
	}
	v := aws.ToString(in.VersionId)
	if v == "" {
		v = st.stages[stage]
	}
	value, ok := st.versions[v]
	if !ok {
		return nil, &types.ResourceNotFoundException{Message: aws.String("Secrets Manager can't find the specified secret value for staging label: " + stage)}
	}
	var stages []string
	for label, id := range st.stages {
		if id == v {
			stages = append(stages, label)
		}
	}
	return &secretsmanager.GetSecretValueOutput{
		ARN: &st.arn, Name: &st.name, VersionId: &v, SecretString: &value,
		VersionStages: stages, CreatedDate: aws.Time(st.created[v]),
	}, nil
}

func (s *service) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	s.describes.Add(1)
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := aws.ToString(in.SecretId)
	if s.onDesc != nil {
		if err := s.onDesc(id); err != nil {
			return nil, err
		}
	}
	st := s.secrets[id]
	if st == nil {
		return nil, &types.ResourceNotFoundException{Message: aws.String("Secrets Manager can't find the specified secret.")}
	}
	out := &secretsmanager.DescribeSecretOutput{ARN: &st.arn, Name: &st.name, VersionIdsToStages: map[string][]string{}, NextRotationDate: st.next}
	for label, id := range st.stages {
		out.VersionIdsToStages[id] = append(out.VersionIdsToStages[id], label)
	}
	return out, nil
}

// getOnly hides every operation but GetSecretValue.
type getOnly struct{ s *service }

func (g getOnly) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, o ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	return g.s.GetSecretValue(ctx, in, o...)
}

func coded(code string) error { return &smithy.GenericAPIError{Code: code, Message: "scripted"} }

// newClient returns a client that is closed with the test and logs nothing.
func newClient(t testing.TB, api secrets.API, o *secrets.Options) *secrets.Client {
	t.Helper()
	if o == nil {
		o = &secrets.Options{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c, err := secrets.New(api, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// text reads a secret that must be readable.
func text(t testing.TB, c *secrets.Client, id string) string {
	t.Helper()
	s, err := c.Get(ctx, id)
	if err != nil {
		t.Fatalf("Get(%q) at %v: %v", id, time.Now(), err)
	}
	v, err := s.Text()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// errorCode returns the service's code of err.
func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// slowFirst answers the second GetSecretValue late, with what was true when it
// was asked, and every other at once. It has no DescribeSecret.
type slowFirst struct {
	service *service
	calls   *atomic.Int64
}

func (s *slowFirst) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	out, err := s.service.GetSecretValue(ctx, in)
	if s.calls.Add(1) == 2 {
		time.Sleep(time.Second)
	}
	return out, err
}
