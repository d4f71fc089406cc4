package secrets_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A strictLogin says by its tags what its JSON has to have.
type strictLogin struct {
	_        struct{} `secret:"strict"`
	Username string   `json:"username" secret:"required"`
	Password string   `json:"password" secret:"required"`
	Port     int      `json:"port"`
	Replica  *struct {
		Host string `json:"host" secret:"required"`
	} `json:"replica"`
}

// The kind of JSON value that was found is named, and never the value.
func TestDecodeErrorNamesKind(t *testing.T) {
	type small struct {
		N uint8 `json:"n"`
	}
	check := func(t *testing.T, value, want string, get func(*secrets.Client) error) {
		t.Helper()
		srv := secretstest.New(t, secretstest.Secrets{"s": value})
		err := get(open(t, srv.Client(), nil))
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want it to end in %q", value, err, want)
		}
		for _, part := range []string{"hunter2", "90817263"} {
			if err != nil && strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v holds a part of the value", value, err)
			}
		}
	}
	as := func(c *secrets.Client) error { _, err := secrets.Get[small](t.Context(), c, "s"); return err }
	for value, found := range map[string]string{
		`{"n":"hunter2"}`: "string", `{"n":true}`: "bool", `{"n":[1]}`: "array", `{"n":{}}`: "object",
		`{"n":90817263}`: "number that does not fit", `{"n":-1}`: "number that does not fit",
	} {
		check(t, value, fmt.Sprintf(`field "n": the value does not fit (want uint8, found a JSON %s)`, found), as)
	}
	for value, found := range map[string]string{`[1]`: "array", `"hunter2"`: "string", `1`: "number", ` true`: "bool"} {
		check(t, value, fmt.Sprintf(`the value does not fit (want secrets_test.small, found a JSON %s)`, found), as)
	}
	check(t, `{"when":[90817263]}`, `the value does not fit (want time.Time, found a JSON array)`, func(c *secrets.Client) error {
		_, err := secrets.Get[fields](t.Context(), c, "s")
		return err
	})
}

// What a type's tags ask for is asked of each version, by all ways of reading.
func TestRequiredAndStrict(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"as asked", `{"username":"u","password":"hunter2","port":1}`, ""},
		{"empty is there", `{"username":"","password":""}`, ""},
		{"case does not count", `{"Username":"u","PASSWORD":"hunter2"}`, ""},
		{"a nested struct is not strict", `{"username":"u","password":"hunter2","replica":{"host":"h","hunter2":1}}`, ""},
		{"an optional struct", `{"username":"u","password":"hunter2","replica":null}`, ""},
		{"missing", `{"username":"u"}`, `field "password": it is required and missing (want string)`},
		{"null", `{"username":"u","password":null}`, `field "password": it is required and missing (want string)`},
		{"misspelled", `{"username":"u","pasword":"hunter2"}`,
			`field "password": it is required and missing (a JSON key is nearly the same: is it misspelled?) (want string)`},
		{"unknown", `{"username":"u","password":"p","hunter2":1}`, `there is a JSON key that the type does not have (want secrets_test.strictLogin)`},
		{"unknown, near", `{"username":"u","password":"p","prot":1}`,
			`there is a JSON key that the type does not have (is "port" misspelled?) (want secrets_test.strictLogin)`},
		{"nested", `{"username":"u","password":"p","replica":{"hots":"hunter2"}}`,
			`field "replica.host": it is required and missing (a JSON key is nearly the same: is it misspelled?) (want string)`},
	} {
		srv := secretstest.New(t, secretstest.Secrets{"s": tt.value})
		c := open(t, srv.Client(), nil)
		_, err := secrets.Get[strictLogin](t.Context(), c, "s")
		_, other := secrets.Bind[*strictLogin](c, "s").Get(t.Context())
		var de *secrets.DecodeError
		switch {
		case tt.want == "" && (err != nil || other != nil):
			t.Errorf("%s: %v, and as a pointer %v", tt.name, err, other)
		case tt.want != "" && (!errors.As(err, &de) || !strings.HasSuffix(de.Error(), tt.want) || strings.Contains(err.Error(), "hunter2")):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		case tt.want != "" && !errors.As(other, new(*secrets.DecodeError)):
			t.Errorf("%s, as a pointer: %v, want a *DecodeError", tt.name, other)
		}
	}
}

// A version without a required field does not take a good one's place.
func TestRequiredKeepsGoodVersion(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": `{"username":"u","password":"one"}`})
	c := open(t, srv.Client(), nil)
	ref := secrets.Bind[strictLogin](c, "s")
	ref.Get(t.Context())
	srv.Put("s", `{"username":"u","passwort":"two"}`)
	if err := c.Refresh(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	if got, err := ref.Get(t.Context()); err != nil || got.Password != "one" {
		t.Errorf("got %q, %v; want the version before", got.Password, err)
	}
	if st, _ := ref.Status(); len(st.Refused) != 1 || !strings.Contains(st.Refused[0].Err.Error(), `field "password"`) {
		t.Errorf("Status.Refused = %v, want the missing field", st.Refused)
	}
}

// An outOfRange may be shown.
type outOfRange struct{ what string }

func (e outOfRange) Error() string       { return "hunter2: " + e.what }
func (e outOfRange) PublicError() string { return e.what + " is out of range" }

type ranged struct{ Port int }

func (r ranged) Validate() error {
	if r.Port < 1 {
		return fmt.Errorf("hunter2: %w", outOfRange{"the port"})
	}
	return nil
}

type ownText string

func (*ownText) UnmarshalText([]byte) error { return outOfRange{"the text"} }

// An error that declares itself fit to be shown is, wherever the decode error is;
// what wraps it is not.
func TestPublicErrors(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": `{"Port":0,"Text":"x"}`})
	c := open(t, srv.Client(), nil)
	valid := secrets.Bind[ranged](c, "s")
	_, byValidate := valid.Get(t.Context())
	_, byFunc := secrets.BindFunc(c, "s", func(*secrets.Secret) (int, error) { return 0, outOfRange{"all"} }).Get(t.Context())
	_, byField := secrets.Get[struct{ Text ownText }](t.Context(), c, "s")
	st, _ := valid.Status()
	if len(st.Refused) == 0 {
		t.Fatal("Status does not say that the version is refused")
	}
	for what, tt := range map[string]struct {
		err  error
		want string
	}{
		"Validate":  {byValidate, "its Validate method refused it: the port is out of range"},
		"BindFunc":  {byFunc, "the BindFunc function refused it: all is out of range"},
		"a field":   {byField, `field "Text": the value does not fit: the text is out of range`},
		"Status":    {st.Refused[0].Err, "the port is out of range"},
		"LoadError": {secrets.Load(t.Context(), valid), "the port is out of range"},
		"Ready":     {secrets.Ready(valid), "the port is out of range"},
	} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.want) || strings.Contains(fmt.Sprintf("%+v", tt.err), "hunter2") {
			t.Errorf("%s: %+v, want %q and nothing hidden", what, tt.err, tt.want)
		}
	}
	if !errors.Is(byValidate, outOfRange{"the port"}) {
		t.Error("errors.Is does not find what Validate returned")
	}
}
