package secretconf_test

import (
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

type login struct {
	_    struct{} `secret:"strict"`
	User string   `json:"user" secret:"required"`
}

type strictConf struct {
	Login login `secret:"login"`
	Part  login `secret:"part,json=login"`
	Count int   `secret:"count"`
}

type whyNot struct{}

func (whyNot) Error() string       { return "hunter2" }
func (whyNot) PublicError() string { return "the count is too high" }

func (c *strictConf) Validate() error {
	if c.Count > 1 {
		return whyNot{}
	}
	return nil
}

// Structs ask for their fields by tags, what is found is named by its kind, and
// what Validate declares public is shown.
func TestStrict(t *testing.T) {
	for _, tt := range []struct {
		login, part, count string
		want               []string
	}{
		{`{"user":"u"}`, `{"login":{"user":"u"}}`, `1`, nil},
		{`{"usr":"hunter2"}`, `{"login":{"user":"u","hunter2":1}}`, `"hunter2"`, []string{
			`field Login: secret "login" version `, `JSON field "user": it is required and missing (a JSON key is nearly the same`,
			`field Part: secret "part" version `, `there is a JSON key that the type does not have`,
			`the value does not fit int: found a JSON string`}},
		{`{"user":"u"}`, `{"login":{"user":"u"}}`, `2`, []string{"the struct's Validate method refused it: the count is too high"}},
	} {
		_, c := world(t, secretstest.Secrets{"login": tt.login, "part": tt.part, "count": tt.count})
		_, err := bind[strictConf](t, c, nil).Get(t.Context())
		if (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v", tt.login, err)
		}
		for _, want := range tt.want {
			if err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2")) {
				t.Errorf("%v, want %q", err, want)
			}
		}
	}
}
