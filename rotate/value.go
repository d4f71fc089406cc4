package rotate

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

const redacted = "[redacted]"

// A Value is the value of one version of a secret, text or binary. It is
// immutable, and safe for concurrent use by multiple goroutines. It prints as
// "[redacted]" with fmt, log/slog and encoding/json; Text and Bytes return the
// content. The zero Value is empty.
type Value struct {
	// Two pointers deep: fmt follows one when a Value is an unexported field
	// of something it prints, because it cannot call Format there.
	p **content
}

type content struct {
	text   string
	binary []byte // nil: the value is text
}

func newValue(c *content) Value { return Value{&c} }

// Text returns a Value with the given text, a SecretString.
func Text(text string) Value { return newValue(&content{text: text}) }

// Binary returns a Value with a copy of b, a SecretBinary.
func Binary(b []byte) Value {
	return newValue(&content{binary: append(make([]byte, 0, len(b)), b...)})
}

// IsZero reports whether v is the zero Value, which is empty.
func (v Value) IsZero() bool { return v.p == nil }

// IsBinary reports whether v holds binary and not text.
func (v Value) IsBinary() bool { return v.p != nil && (*v.p).binary != nil }

// Text returns the text of v. It returns an error if v is binary or zero.
func (v Value) Text() (string, error) {
	switch {
	case v.p == nil:
		return "", errors.New("the value is empty")
	case v.IsBinary():
		return "", errors.New("the value is binary, not text")
	}
	return (*v.p).text, nil
}

// Bytes returns a copy of the content of v, whether text or binary.
func (v Value) Bytes() []byte {
	switch {
	case v.p == nil:
		return nil
	case v.IsBinary():
		return slices.Clone((*v.p).binary)
	}
	return []byte((*v.p).text)
}

// Field returns the string member called name of a JSON object. If several
// members have the name, it returns the last. The error says what is wrong,
// without quoting the value.
func (v Value) Field(name string) (string, error) {
	text, err := v.Text()
	if err != nil {
		return "", err
	}
	o, err := dblogin.ParseObject(text)
	if err != nil {
		return "", err
	}
	s, ok, err := o.String(name)
	if err == nil && !ok {
		err = fmt.Errorf("the value has no field %q", name)
	}
	return s, err
}

// WithField returns a copy of v in which the member called name is the string
// s. v must be a JSON object. WithField replaces the member's value in place,
// in every member with this name, or adds a last member if there is none.
// Everything else stays unchanged, byte for byte: other members, the format of
// numbers, escapes, white space. It returns an error if name or s is not valid
// UTF-8, which JSON requires.
func (v Value) WithField(name, s string) (Value, error) {
	text, err := v.Text()
	if err != nil {
		return Value{}, err
	}
	o, err := dblogin.ParseObject(text)
	if err != nil {
		return Value{}, err
	}
	set, err := o.Set(name, s)
	if err != nil {
		return Value{}, err
	}
	return Text(set), nil
}

// Format writes "[redacted]", for every verb.
func (v Value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue returns "[redacted]".
func (v Value) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]", which is what encoding/json writes.
func (v Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }
