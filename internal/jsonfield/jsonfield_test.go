package jsonfield_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/internal/jsonfield"
)

type place struct {
	Host string
	Port int `json:"port,omitempty"`
}

type embedded struct {
	Deep int `json:"deep"` // which Go 1.26 calls embedded.deep, and Go 1.27 deep
}

type account struct {
	Username string
	Place    *place           `json:"place"`
	List     []place          `json:"list"`
	Named    map[string]place `json:"named"`
	Grid     [][]*place       `json:"grid"`
	embedded
}

// A path is shown as the type declares it. Keys and indices are not.
func TestDeclared(t *testing.T) {
	for path, want := range map[string]string{
		"username":           "Username",
		"place.port":         "place.port",
		"list.port":          "list.port", // as Go 1.26 has it
		"list.0.port":        "list.port", // as Go 1.27 has it
		"list.12":            "list",
		"named.hunter2.port": "named.port",
		"named.port":         "named.port",
		"named.hunter2":      "named",
		"grid.3.1.HOST":      "grid.Host",
		"deep":               "deep",
		"embedded.deep":      "embedded.deep",
		"hunter2":            "",
		"place.hunter2.port": "place",
		"named.a.b.hunter2":  "named", // a key with dots
		"":                   "",
	} {
		if got := jsonfield.Declared(reflect.TypeFor[account](), path); got != want {
			t.Errorf("Declared(%q) = %q, want %q", path, got, want)
		}
	}
	for path, want := range map[string]string{"hunter2": "", "hunter2.port": "port", "port": "port"} {
		if got := jsonfield.Declared(reflect.TypeFor[map[string]*place](), path); got != want {
			t.Errorf("of a map: Declared(%q) = %q, want %q", path, got, want)
		}
	}
}

// Whatever encoding/json of this Go calls the place: no key is shown.
func TestNoKeyIsShown(t *testing.T) {
	for text, want := range map[string]string{
		`{"named":{"hunter2":{"port":"x"}}}`: "named.port",
		`{"named":{"hunter2":7}}`:            "named",
		`{"list":[{"port":"x"}]}`:            "list.port",
		`{"USERNAME":7}`:                     "Username",
	} {
		var a account
		var fit *json.UnmarshalTypeError
		if err := json.Unmarshal([]byte(text), &a); !errors.As(err, &fit) {
			t.Fatalf("%s: %v", text, err)
		}
		got := jsonfield.Declared(reflect.TypeFor[account](), fit.Field)
		if got != want {
			t.Errorf("%s: %q (of %q), want %q", text, got, fit.Field, want)
		}
		if strings.Contains(got, "hunter2") {
			t.Errorf("%s: %q shows a key", text, got)
		}
	}
}
