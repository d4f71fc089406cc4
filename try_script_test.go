package secrets_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// rotText is a handle of plain text, for tests that script each use.
func rotText(t *testing.T, srv *secretstest.Server, o *secrets.TryOptions) (*secrets.Client, *secrets.Ref[string]) {
	t.Helper()
	c := rotClient(t, srv, secrets.Options{})
	return c, secrets.Bind[string](c, "s").WithTry(o)
}

// rotScript is a use that accepts some values and counts what it is offered.
type rotScript struct {
	mu      sync.Mutex // guards the fields below
	accepts map[string]bool
	offered []string
}

func rotAccept(values ...string) *rotScript {
	s := &rotScript{}
	s.set(values...)
	return s
}

func (s *rotScript) set(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepts = map[string]bool{}
	for _, v := range values {
		s.accepts[v] = true
	}
}

func (s *rotScript) use(_ context.Context, v string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offered = append(s.offered, v)
	if !s.accepts[v] {
		return "", secrets.Rejected(errRotAuth)
	}
	return v, nil
}

// take returns what was offered since the last call.
func (s *rotScript) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := strings.Join(s.offered, " ")
	s.offered = nil
	return got
}

func rotWithin(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// rotWindow returns a secret whose current version "old" is no longer accepted,
// and whose pending one, "new", is; the handle has the current one.
func rotWindow(t *testing.T) (*secretstest.Server, *secrets.Client, *secrets.Ref[string], *rotScript) {
	t.Helper()
	srv := secretstest.New(t, secretstest.Secrets{"s": "old"})
	c, ref := rotText(t, srv, nil)
	if _, err := ref.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	srv.PutPending("s", "new")
	return srv, c, ref, rotAccept("new")
}

// rotHandler calls a function when a message is logged.
type rotHandler struct {
	slog.Handler
	match  string
	call   func()
	called bool
}

func (h *rotHandler) logger() *slog.Logger { h.Handler = slog.DiscardHandler; return slog.New(h) }

func (h *rotHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *rotHandler) Handle(_ context.Context, r slog.Record) error {
	if h.match != "" && strings.Contains(r.Message, h.match) && !h.called {
		h.called = true
		h.call()
	}
	return nil
}

// rotNoIDs is an endpoint that gives versions no ids and knows no DescribeSecret.
type rotNoIDs struct{ c *secretsmanager.Client }

func (a rotNoIDs) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, o ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	out, err := a.c.GetSecretValue(ctx, in, o...)
	if err == nil {
		out.VersionId = nil
	}
	return out, err
}
