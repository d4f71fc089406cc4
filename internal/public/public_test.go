package public_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/seed-74dc7b3e/secrets/internal/public"
)

// A declared error says something else in public than it does elsewhere.
type declared struct{ text string }

func (d declared) Error() string       { return "hunter2: " + d.text }
func (d declared) PublicError() string { return d.text }

func TestText(t *testing.T) {
	hidden := errors.New("hunter2")
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"nil", nil, ""},
		{"not declared", hidden, ""},
		{"declared", declared{"no port"}, "no port"},
		{"wrapped in what is not", fmt.Errorf("hunter2: %w", declared{"no port"}), "no port"},
		{"joined", errors.Join(hidden, declared{"no port"}, fmt.Errorf("hunter2: %w", declared{"no host"})), "no port; no host"},
		{"nothing to say", declared{}, ""},
	} {
		if got := public.Text(tt.err); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if got, want := public.After("refused", hidden), "refused"; got != want {
		t.Errorf("After a hidden error: %q, want %q", got, want)
	}
	if got, want := public.After("refused", declared{"no port"}), "refused: no port"; got != want {
		t.Errorf("After a declared error: %q, want %q", got, want)
	}
}
