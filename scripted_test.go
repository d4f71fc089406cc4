package secrets_test

import (
	"context"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets"
)

// A scripted is a service some of whose calls are answered late, by a replica
// that lags, or with an error.
type scripted struct {
	*service

	mu      sync.Mutex // guards scripts
	scripts []script
}

// A script is what becomes of one call.
type script struct {
	op      string        // Get, Describe or, if empty, either
	stage   string        // the label that is asked for; empty: any
	late    time.Duration // the answer comes so late, and says what was so when it was asked for
	replica *service      // who answers, nil: the service itself
	err     error         // the answer, if it is not nil
	times   int           // how many calls are treated so; 0 is one
}

// next adds scripts for coming calls. Of all that match a call the first is taken.
func (s *scripted) next(scripts ...script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts = append(s.scripts, scripts...)
}

// forget drops the scripts that no call has taken.
func (s *scripted) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts = nil
}

// on makes get and describe the hooks of both operations. Called with the service's
// lock held, they may change it.
func (s *service) on(get func(id, stage string) error, describe func(id string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onGet, s.onDesc = get, describe
}

func (s *scripted) take(op, stage string) (script, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.scripts {
		sc := &s.scripts[i]
		if (sc.op != "" && sc.op != op) || (sc.stage != "" && sc.stage != stage) {
			continue
		}
		taken := *sc
		if sc.times--; sc.times <= 0 {
			s.scripts = append(s.scripts[:i:i], s.scripts[i+1:]...)
		}
		return taken, true
	}
	return script{}, false
}

// scriptedAnswer makes a call as its script says.
func scriptedAnswer[T any](ctx context.Context, s *scripted, op, stage string, call func(*service) (T, error)) (T, error) {
	sc, ok := s.take(op, stage)
	if !ok {
		return call(s.service)
	}
	from := s.service
	if sc.replica != nil {
		from = sc.replica
	}
	out, err := call(from)
	late := time.NewTimer(sc.late)
	defer late.Stop()
	select {
	case <-late.C:
	case <-ctx.Done():
		return *new(T), ctx.Err()
	}
	if sc.err != nil {
		return *new(T), sc.err
	}
	return out, err
}

func (s *scripted) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, o ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	return scriptedAnswer(ctx, s, "Get", aws.ToString(in.VersionStage), func(from *service) (*secretsmanager.GetSecretValueOutput, error) {
		return from.GetSecretValue(ctx, in, o...)
	})
}

func (s *scripted) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, o ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	return scriptedAnswer(ctx, s, "Describe", "", func(from *service) (*secretsmanager.DescribeSecretOutput, error) {
		return from.DescribeSecret(ctx, in, o...)
	})
}

// get is GetSecretValue as an apiFunc.
func (s *scripted) get(ctx context.Context, in *secretsmanager.GetSecretValueInput) (*secretsmanager.GetSecretValueOutput, error) {
	return s.GetSecretValue(ctx, in)
}

// replica returns a service that stays as s is now.
func (s *service) replica() *service {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &service{secrets: map[string]*stored{}}
	for name, st := range s.secrets {
		lagging := *st
		lagging.versions, lagging.created, lagging.stages = maps.Clone(st.versions), maps.Clone(st.created), maps.Clone(st.stages)
		r.secrets[name] = &lagging
	}
	return r
}

// refreshModes are the ways in which secrets are refreshed.
var refreshModes = map[string]secrets.RefreshMode{"ahead": secrets.RefreshAhead, "on read": secrets.RefreshOnRead}

// inEachMode runs fn in a bubble for each refresh mode.
func inEachMode(t *testing.T, fn func(*testing.T, secrets.RefreshMode)) {
	for name, mode := range refreshModes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { fn(t, mode) })
		})
	}
}

// checkText fails if the current version of a secret is not want.
func checkText(t *testing.T, c *secrets.Client, when, id, want string) bool {
	t.Helper()
	s, err := c.Get(t.Context(), id)
	if err != nil || string(s.Bytes()) != want {
		t.Errorf("%s: Get(%q) = %v, %v; want %q", when, id, s, err, want)
		return false
	}
	return true
}
