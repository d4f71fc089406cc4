package secretstest

import (
	"encoding/json"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/shape"
)

// An input is the body of a request whose types have been checked.
type input map[string]any

// has reports whether a member exists and is not null.
func (in input) has(name string) bool { return in[name] != nil }

// str returns a string member, or "".
func (in input) str(name string) string {
	s, _ := in[name].(string)
	return s
}

// ptr returns a string member, or nil when it is absent.
func (in input) ptr(name string) *string {
	if s, ok := in[name].(string); ok {
		return &s
	}
	return nil
}

// flag returns a boolean member, or def when it is absent.
func (in input) flag(name string, def bool) bool {
	if b, ok := in[name].(bool); ok {
		return b
	}
	return def
}

// num returns an integer member, or def when it is absent.
func (in input) num(name string, def int) int {
	if n, ok := in[name].(json.Number); ok {
		return int(shape.Integer(n))
	}
	return def
}

// strs returns a list of strings.
func (in input) strs(name string) []string {
	list, _ := in[name].([]any)
	var out []string
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// object returns a structure, or nil when it is absent.
func (in input) object(name string) input {
	m, _ := in[name].(map[string]any)
	return m
}

// objects returns a list of structures.
func (in input) objects(name string) []input {
	list, _ := in[name].([]any)
	var out []input
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// value returns SecretString or SecretBinary.
func (in input) value() (value, error) {
	if in.has("SecretString") && in.has("SecretBinary") {
		return value{}, invalidParameter("You can't specify both a binary secret value and a string secret value in the same secret.")
	}
	if s := in.ptr("SecretString"); s != nil {
		return value{text: s}, nil
	}
	if !in.has("SecretBinary") {
		return value{}, nil
	}
	b, err := shape.DecodeBlob(in.str("SecretBinary"))
	if err != nil {
		return value{}, serialization("SecretBinary is not base64")
	}
	return value{binary: b}, nil
}
