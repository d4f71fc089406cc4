package secrets_test

import (
	"context"
	"errors"
	"regexp"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets"
)

// decodeMessage is all that the error of a secret that does not decode may
// say: there is no room in it for a value.
var decodeMessage = regexp.MustCompile(`^secrets: get "fuzzed": secrets: decode "fuzzed" version v1: ` +
	`(field "(Username|port|When|addr|issued|inner(\.(until|count|list(\.(host|port|tags))?))?)": the value does not fit` +
	`|the value is not valid JSON at byte [0-9]+|the value is JSON null|the value is binary, not text|the value does not fit)` +
	` \(want [][*a-z_.]*(secrets_test\.fields|string|int|uint8|bool|time\.Time|netip\.Addr|secrets_test\.place|struct \{.*\}|interface \{\})` +
	`(, found a JSON (string|number|number that does not fit|bool|null|array|object))?\)$`)

// FuzzDecode reads any text at all as several types: nothing panics, and no
// error has anything of the text in it.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{
		accountJSON, sharesJSON, `{"username":1}`, `{"when":"hunter2"}`, `{"addr":"::hunter2"}`, `{"inner":{"until":"2030"}}`,
		`{"inner":{"count":256,"list":[{"port":1e9}]}}`, `{"Port":-0.5}`, `{"PORT":"1","port":"2"}`, `null`, ``, `{`, `"\ud800"`,
		`[1,[2]]`, "\xff\xfe", `{"inner":[]}`, `{"issued":0}`, `{"inner":{"list":{}}}`,
	} {
		f.Add(text, false)
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, binary bool) {
		c := open(t, apiFunc(func(context.Context, *secretsmanager.GetSecretValueInput) (*secretsmanager.GetSecretValueOutput, error) {
			name, version := "fuzzed", "v1"
			out := &secretsmanager.GetSecretValueOutput{Name: &name, VersionId: &version}
			if binary {
				out.SecretBinary = []byte(text)
			} else {
				out.SecretString = &text
			}
			return out, nil
		}), nil)
		fuzzRead[fields](t, c)
		fuzzRead[*fields](t, c)
		fuzzRead[map[string]fields](t, c)
		fuzzRead[[]fields](t, c)
		fuzzRead[map[string]string](t, c)
		fuzzRead[int](t, c)
		fuzzRead[any](t, c)
		fuzzRead[string](t, c)
		if b, err := secrets.Get[[]byte](t.Context(), c, "fuzzed"); err != nil || string(b) != text {
			t.Errorf("Get[[]byte] = %q, %v; want %q", b, err, text)
		}
	})
}

func fuzzRead[T any](t *testing.T, c *secrets.Client) {
	t.Helper()
	_, err := secrets.Get[T](t.Context(), c, "fuzzed")
	if err == nil {
		return
	}
	var de *secrets.DecodeError
	if !errors.As(err, &de) {
		t.Fatalf("Get[%T] = %v, want a *DecodeError", *new(T), err)
	}
	if !decodeMessage.MatchString(err.Error()) {
		t.Errorf("Get[%T]: %q says more than it may", *new(T), err)
	}
	for err := error(de); err != nil; err = errors.Unwrap(err) {
		if err != error(de) {
			t.Errorf("Get[%T]: the error wraps %T", *new(T), err)
		}
	}
}
