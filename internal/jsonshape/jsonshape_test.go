package jsonshape_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/jsonshape"
)

type base struct {
	ID   string `json:"id" secret:"required"`
	Name string `json:"name" secret:"required"`
}

type node struct {
	Value string `secret:"required"`
	Next  *node
}

type strict struct {
	_ struct{} `secret:"strict"`
	A int      `json:"a"`
	B int      `json:"-"`
	c int
}

type embedding struct {
	base
	Name string            `json:"name"` // the outer one counts
	List []strict          `json:"list"`
	Map  map[string]strict `json:"map"`
	When time.Time         `json:"when"`
}

func check[T any](t *testing.T, data, field, reason string) {
	t.Helper()
	s := jsonshape.Of(reflect.TypeFor[T]())
	if s == nil {
		t.Fatalf("%T asks for nothing", *new(T))
	}
	f := s.Check([]byte(data))
	if reason == "" {
		if f != nil {
			t.Errorf("%s: field %q: %s, want no fault", data, f.Field, f.Reason())
		}
		return
	}
	if f == nil || f.Field != field || f.Reason() != reason || f.Type == nil {
		t.Errorf("%s: %+v, want field %q: %s", data, f, field, reason)
	}
}

func TestCheck(t *testing.T) {
	const missing, unknown = "it is required and missing", "there is a JSON key that the type does not have"
	check[embedding](t, `{"id":"1"}`, "", "")
	check[embedding](t, `{"name":"n"}`, "id", missing)
	check[*embedding](t, `{"name":"n","id":null}`, "id", missing)
	check[embedding](t, `{"id":"1","other":1,"list":[{"a":1},null],"when":"2030-01-01T00:00:00Z"}`, "", "")
	check[embedding](t, `{"id":"1","list":[{"a":1},{"B":1}]}`, "list", unknown)
	check[embedding](t, `{"id":"1","map":{"x":{"a":1},"y":{"hunter2":1}}}`, "map", unknown)
	check[[]node](t, `[{"Value":"1","Next":{"Value":"2","Next":{}}}]`, "Next.Next.Value", missing)
	check[node](t, `null`, "", "")
	check[node](t, `{"valeu":""}`, "Value", missing+" (a JSON key is nearly the same: is it misspelled?)")
	check[strict](t, `{"a":1,"c":2}`, "", unknown)
	check[strict](t, `{}`, "", "")
	check[struct {
		_ struct{} `secret:"strict"`
	}](t, `{"hunter2":1}`, "", unknown)
	check[struct {
		_        struct{} `secret:"strict"`
		UserName string   `json:"user_name"`
	}](t, `{"username":1}`, "", unknown+` (is "user_name" misspelled?)`)
}

// Types without such tags cost nothing, and those that decode themselves are left
// alone.
func TestNoShape(t *testing.T) {
	_ = strict{c: 1}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[string](), reflect.TypeFor[map[string]any](), reflect.TypeFor[struct{ A *int }](),
		reflect.TypeFor[any](), reflect.TypeFor[time.Time](), reflect.TypeFor[self](),
		reflect.TypeFor[struct {
			A int `secret:"true"`
		}](),
	} {
		if s := jsonshape.Of(typ); s != nil {
			t.Errorf("%v asks for something", typ)
		}
	}
	if f := (*jsonshape.Shape)(nil).Check([]byte(`{}`)); f != nil {
		t.Errorf("a nil shape finds %+v", f)
	}
}

type self struct {
	A int `secret:"required"`
}

func (*self) UnmarshalJSON([]byte) error { return nil }

func TestKind(t *testing.T) {
	for data, want := range map[string]string{
		` "x"`: "string", "\n{}": "object", "[]": "array", "true": "bool", "false": "bool", "null": "null", "-1": "number", "7": "number", "": "", "x": "",
	} {
		if got := jsonshape.Kind([]byte(data)); got != want {
			t.Errorf("Kind(%q) = %q, want %q", data, got, want)
		}
	}
	if got, want := jsonshape.Found("number 300"), "a JSON number that does not fit"; got != want {
		t.Errorf("Found of a number = %q, want %q: not the number", got, want)
	}
}
