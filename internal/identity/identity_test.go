package identity_test

import (
	"slices"
	"testing"

	"github.com/seed-74dc7b3e/secrets/internal/identity"
)

func TestOf(t *testing.T) {
	for _, test := range []struct {
		arn, name, asked string
		key, space       string
	}{
		{"arn:aws:secretsmanager:eu-west-1:1:secret:db-AbCdEf", "db", "db", "1:secret:db-AbCdEf", "1:secret:db"},
		{"arn:aws:secretsmanager:us-east-1:1:secret:db-AbCdEf", "db", "db", "1:secret:db-AbCdEf", "1:secret:db"}, // a replica
		{"arn:aws:secretsmanager:eu-west-1:2:secret:db-AbCdEf", "db", "db", "2:secret:db-AbCdEf", "2:secret:db"},
		{"arn:aws:secretsmanager:eu-west-1:1:secret:db-AbCdEf", "", "db", "1:secret:db-AbCdEf", "1:secret:db-AbCdEf"},
		{"arn:aws:secretsmanager:eu-west-1:1:secret:db-AbCdEf", "other", "db", "1:secret:db-AbCdEf", "1:secret:db-AbCdEf"},
		{"arn:aws:secretsmanager:eu-west-1:1:secret:db", "db", "db", "1:secret:db", "1:secret:db"},
		{"arn:aws:secretsmanager:eu-west-1:1:secret:db-AbCdEf-GhIjKl", "db-AbCdEf", "x", "1:secret:db-AbCdEf-GhIjKl", "1:secret:db-AbCdEf"},
		{"", "db", "asked", "asked", "asked"},
		{"arn:aws:x", "db", "asked", "asked", "asked"},
		{"db", "db", "asked", "asked", "asked"},
	} {
		got := identity.Of(test.arn, test.name, test.asked)
		if got.Key != test.key || got.Space() != test.space {
			t.Errorf("%q named %q: got key %q, space %q; want %q, %q", test.arn, test.name, got.Key, got.Space(), test.key, test.space)
		}
	}
}

func TestSucceed(t *testing.T) {
	old := &identity.Known{Secret: identity.Secret{Key: "b"}, Former: []string{"w", "x", "a", "y", "z"}}
	want := []string{"x", "y", "z", "b"}
	if got := identity.Succeed("a", old); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := identity.Succeed("b", old); slices.Contains(got, "b") {
		t.Errorf("got %v, in which a secret takes its own place", got)
	}
}

// TestPlaceAcrossNames has an id come to mean a secret of another name: the ARN
// of a secret that is gone may be that of another one without its suffix.
func TestPlaceAcrossNames(t *testing.T) {
	named := &identity.Known{Secret: identity.Secret{Key: "1:secret:x-aaaaaa", Named: true}, Settled: 1, Created: 9}
	who := identity.Secret{Key: "1:secret:x-aaaaaa-bbbbbb", Named: true}
	there := &identity.Known{Secret: who, Settled: 2}
	for _, test := range []struct {
		name  string
		q     identity.Question
		there *identity.Known
		want  identity.Verdict
	}{
		{"not cached", identity.Question{N: 3}, nil, identity.New},
		{"cached", identity.Question{N: 3}, there, identity.Found},
		{"older than a secret of another name", identity.Question{N: 3, Created: 5}, nil, identity.New},
		{"an earlier check", identity.Question{N: 0}, nil, identity.Overtaken},
	} {
		if got := identity.Place(test.q, who, named, test.there); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}
