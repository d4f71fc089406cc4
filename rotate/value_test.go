package rotate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed-74dc7b3e/secrets/rotate"
)

const canary = "canary-7f3a9"

// TestRedaction prints everything that can hold a value in every way.
func TestRedaction(t *testing.T) {
	text := rotate.Text(canary)
	bin := rotate.Binary([]byte(canary))
	login := rotate.Login{Host: "h", Port: 1, Username: "u"}.WithPassword(canary)
	type holder struct {
		Public  any
		private rotate.Value
		login   rotate.Login
		pointer *rotate.Value
		slice   []rotate.Value
	}
	h := holder{text, text, login, &text, []rotate.Value{text, bin}}
	things := []any{text, &text, bin, &bin, login, &login, h, &h,
		[]any{text, login}, map[string]rotate.Value{"k": text}, map[string]rotate.Login{"k": login},
		[]*rotate.Value{&text}, fmt.Errorf("wrapped: %v", login), errors.Join(fmt.Errorf("%s", text))}
	for i, x := range things {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T", "%p", "%w", "%5.2f", "%c", "%U", "%e", "%b", "%o", "%!"} {
			if out := fmt.Sprintf(verb, x); holds(out) {
				t.Errorf("thing %d with %s: got %s", i, verb, out)
			}
		}
		var b bytes.Buffer
		slog.New(slog.NewTextHandler(&b, nil)).Info("m", "x", x)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "x", x)
		if j, err := json.Marshal(x); err == nil {
			b.Write(j)
		}
		if out := b.String(); holds(out) {
			t.Errorf("thing %d logged: got %s", i, out)
		}
	}
	if got, _ := text.Text(); got != canary || string(bin.Bytes()) != canary || login.Password() != canary {
		t.Error("the values are not what was put in")
	}
}

func holds(out string) bool {
	return strings.Contains(out, canary) || strings.Contains(strings.ToLower(out), fmt.Sprintf("%x", canary)) ||
		strings.Contains(out, "Y2FuYXJ5") || strings.Contains(out, "99 97 110")
}

func TestValueBinary(t *testing.T) {
	b := []byte{1, 2, 3}
	v := rotate.Binary(b)
	b[0] = 9
	v.Bytes()[1] = 9
	if got := v.Bytes(); !bytes.Equal(got, []byte{1, 2, 3}) {
		t.Errorf("got %v, want 1 2 3: a slice is shared", got)
	}
	if _, err := v.Text(); err == nil || !v.IsBinary() {
		t.Error("a binary value gave its text")
	}
	if v := rotate.Binary(nil); !v.IsBinary() || v.IsZero() {
		t.Error("an empty binary value is not binary")
	}
	var zero rotate.Value
	if _, err := zero.Text(); err == nil || !zero.IsZero() || zero.Bytes() != nil || zero.IsBinary() {
		t.Error("the zero Value holds something")
	}
}

func TestWithField(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`{"password":"x"}`, `{"password":"NEW"}`},
		{`{}`, `{"password":"NEW"}`},
		{"{ \n}", "{ \n\"password\":\"NEW\"}"},
		{`{"a":1.00}`, `{"a":1.00,"password":"NEW"}`},
		{"{\n  \"port\" : 5432.0e0 ,\r\n\t\"password\" :\t\"old\" , \"n\":-0, \"big\":123456789012345678901234567890}\n",
			"{\n  \"port\" : 5432.0e0 ,\r\n\t\"password\" :\t\"NEW\" , \"n\":-0, \"big\":123456789012345678901234567890}\n"},
		{`{"pass\u0077ord":"x","t":"\u00e9\/<>&\ud83d\ude00"}`, `{"pass\u0077ord":"NEW","t":"\u00e9\/<>&\ud83d\ude00"}`},
		{`{"password":1,"x":{"password":"inner"},"password":[{"password":2}]}`,
			`{"password":"NEW","x":{"password":"inner"},"password":"NEW"}`},
		{`{"Password":"x","password":null}`, `{"Password":"x","password":"NEW"}`},
	} {
		v, err := rotate.Text(tt.in).WithField("password", "NEW")
		got, _ := v.Text()
		if err != nil || got != tt.want {
			t.Errorf("%s:\n got %s, %v\nwant %s", tt.in, got, err, tt.want)
		}
		if s, err := v.Field("password"); s != "NEW" || err != nil {
			t.Errorf("%s: Field: got %q, %v", tt.in, s, err)
		}
	}
	v, err := rotate.Text(`{}`).WithField("a&<>\"", "\\\"'<>&\x00\u2028é")
	if got, _ := v.Text(); err != nil || got != `{"a&<>\"":"\\\"'<>&\u0000\u2028é"}` {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestFieldErrors(t *testing.T) {
	for _, in := range []string{"", "null", "[]", `"` + canary + `"`, `{"password":"` + canary + `"`, `{"password":"` + canary + `"}}`,
		`{"password":"` + canary + `"} x`, `{"password":` + canary + `}`, `{"password":"` + canary + `",}`} {
		if _, err := rotate.Text(in).WithField("password", "x"); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("WithField of %s: got error %v", in, err)
		}
		if _, err := rotate.Text(in).Field("password"); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("Field of %s: got error %v", in, err)
		}
	}
	if _, err := rotate.Text(`{"a":["` + canary + `"]}`).Field("a"); err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("Field of an array: got error %v", err)
	}
}

// FuzzWithField checks that the edited text says what encoding/json says it
// should, and that only the member's own bytes changed.
func FuzzWithField(f *testing.F) {
	f.Add(`{"password":"x", "a": 1.0}`, "password", "new")
	f.Add(`{"a":{"b":[1,2,{"c":null}]},"a":"\ud800"}`, "a", "é\u2028<")
	f.Add("{\t}", "", "")
	f.Fuzz(func(t *testing.T, in, name, s string) {
		if !utf8.ValidString(name) {
			t.Skip("no member of valid JSON has such a name")
		}
		v, err := rotate.Text(in).WithField(name, s)
		if !utf8.ValidString(s) {
			if err == nil {
				t.Fatalf("%q is stored as another string", s)
			}
			return
		}
		var before map[string]json.RawMessage
		if jsonErr := json.Unmarshal([]byte(in), &before); (jsonErr == nil && before != nil) != (err == nil) {
			t.Fatalf("got error %v, encoding/json says %v", err, jsonErr)
		}
		if err != nil {
			return
		}
		out, _ := v.Text()
		var after map[string]json.RawMessage
		if err := json.Unmarshal([]byte(out), &after); err != nil {
			t.Fatalf("%q became %q: %v", in, out, err)
		}
		var got string
		if err := json.Unmarshal(after[name], &got); err != nil || got != s {
			t.Fatalf("%q: got %q, %v, want %q", out, got, err, s)
		}
		delete(before, name)
		delete(after, name)
		if len(before) != len(after) {
			t.Fatalf("%q became %q: other members came or went", in, out)
		}
		for k, raw := range before {
			if !bytes.Equal(raw, after[k]) {
				t.Fatalf("member %q: got %s, want %s", k, after[k], raw)
			}
		}
		again, err := v.WithField(name, s)
		if text, _ := again.Text(); err != nil || text != out {
			t.Fatalf("set twice: got %q, %v, want %q", text, err, out)
		}
	})
}
