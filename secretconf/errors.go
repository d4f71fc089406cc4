package secretconf

import (
	"fmt"
	"io"
	"strings"
)

// An Error names every field that cannot be filled, or says that Validate
// failed. It contains no secret value. errors.As finds the errors of the
// service; errors.Is also finds the error that Validate returned.
type Error struct {
	Fields []FieldError

	invalid func(target error) bool // what Validate returned is not shown
	reason  string                  // but for what its PublicError method says
}

// A FieldError says why one field cannot be filled.
type FieldError struct {
	Field     string // such as "DB.Password"; empty means the whole struct
	SecretID  string // from the tag, with environment variables expanded
	VersionID string // of the version that does not fit; empty if none could be read
	Err       error
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.invalid != nil {
		text := "secretconf: the struct's Validate method refused it"
		if e.reason != "" {
			text += ": " + e.reason
		}
		return text
	}
	for i, f := range e.Fields {
		if i > 0 {
			b.WriteString("; ")
		} else {
			fmt.Fprintf(&b, "secretconf: %d to mend: ", len(e.Fields))
		}
		b.WriteString(f.text())
	}
	return b.String()
}

func (f *FieldError) text() string {
	var b strings.Builder
	if f.Field != "" {
		fmt.Fprintf(&b, "field %s: ", f.Field)
	}
	if f.SecretID != "" {
		fmt.Fprintf(&b, "secret %q", f.SecretID)
		if f.VersionID != "" {
			fmt.Fprintf(&b, " version %s", f.VersionID)
		}
		b.WriteString(": ")
	}
	fmt.Fprint(&b, f.Err)
	return b.String()
}

// Is reports whether target is in the chain of the error from Validate.
func (e *Error) Is(target error) bool { return e.invalid != nil && e.invalid(target) }

// Unwrap returns the errors of the fields.
func (e *Error) Unwrap() []error {
	var all []error
	for _, f := range e.Fields {
		all = append(all, f.Err)
	}
	return all
}

// Format writes the error's message, for every verb.
func (e *Error) Format(f fmt.State, _ rune) { io.WriteString(f, e.Error()) }
