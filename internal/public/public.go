// Package public finds what an error of the program's own declares fit to be
// shown. Errors of decoders are hidden otherwise, because they may quote a value.
package public

import "strings"

// Text returns what the errors in err's tree say that have a method PublicError,
// "" if none has. What such an error wraps is not searched.
func Text(err error) string {
	switch e := err.(type) {
	case nil:
		return ""
	case interface{ PublicError() string }:
		return e.PublicError()
	case interface{ Unwrap() error }:
		return Text(e.Unwrap())
	case interface{ Unwrap() []error }:
		var all []string
		for _, err := range e.Unwrap() {
			if text := Text(err); text != "" {
				all = append(all, text)
			}
		}
		return strings.Join(all, "; ")
	}
	return ""
}

// After returns reason, and after a colon what [Text] returns.
func After(reason string, err error) string {
	if text := Text(err); text != "" {
		return reason + ": " + text
	}
	return reason
}
