// Package strict_test has the type that docs/getting-started.md shows.
package strict_test

import (
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

type Login struct {
	_        struct{} `secret:"strict"`
	Username string   `json:"username" secret:"required"`
	Password string   `json:"password" secret:"required"`
}

type badLogin struct{ reason string }

func (e badLogin) Error() string       { return e.reason }
func (e badLogin) PublicError() string { return e.reason } // shown: it must quote no value

func (l Login) Validate() error {
	if l.Username == "root" {
		return badLogin{"the user must not be root"}
	}
	return nil
}

func TestLogin(t *testing.T) {
	for value, want := range map[string]string{
		`{"username":"app","password":"hunter2"}`:             "",
		`{"username":"root","password":"hunter2"}`:            "the user must not be root",
		`{"username":"app","pasword":"hunter2"}`:              `"password"`,
		`{"username":"app","password":"hunter2","extra":"x"}`: "strict",
	} {
		client, err := secrets.New(secretstest.New(t, secretstest.Secrets{"s": value}).Client(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		_, err = secrets.Get[Login](t.Context(), client, "s")
		switch {
		case want == "" && err == nil:
		case err == nil || want == "" || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%d bytes: %v, want %q", len(value), err, want)
		}
	}
}
