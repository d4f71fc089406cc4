package gate

import (
	"testing"

	"github.com/seed-74dc7b3e/secrets"
)

// A refused version is new again when it becomes current, but not when it also
// becomes pending.
func TestLabelThatSaysNothingNew(t *testing.T) {
	for _, test := range []struct {
		refused, offered string
		retry            bool
	}{
		{secrets.Current, secrets.Current, true},
		{secrets.Current, secrets.Pending, true},
		{secrets.Pending, secrets.Pending, true},
		{secrets.Pending, secrets.Current, false},
		{secrets.Current, secrets.Previous, true},
		{secrets.Previous, secrets.Current, false},
	} {
		r := &refusal{stages: []string{test.refused}}
		if got := r.retry(test.offered); got != test.retry {
			t.Errorf("refused as %s, offered as %s: retry %v, want %v", test.refused, test.offered, got, test.retry)
		}
	}
}
