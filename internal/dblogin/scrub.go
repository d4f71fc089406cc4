package dblogin

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// withheld stands in for the text of an error that shows a password.
const withheld = "error withheld: it contains the password"

// Scrub returns err without the passwords, in any of the spellings that drivers,
// parsers and loggers use.
//
// If no error in err's tree shows a password, Scrub returns err itself. Otherwise
// it replaces every error that shows one by an error that says so and has the same
// SQLSTATE or number. Neither Unwrap nor errors.As reaches the original. Scrub also
// replaces every error above it, because Unwrap would lead to it. Clean errors below
// and beside it stay reachable. Scrub ignores empty passwords.
func Scrub(err error, passwords ...string) error {
	if err == nil {
		return nil
	}
	all := newSpellings(passwords)
	scrubbed, _ := rebuild(err, func(e error) (string, bool) {
		said := text(e)
		if !all.shownBy(e, said) {
			return said, false
		}
		return all.hide(e, said), true
	}, fragments)
	return scrubbed
}

// ScrubText returns s, or a replacement if it shows one of the passwords.
func ScrubText(s string, passwords ...string) string {
	all := newSpellings(passwords)
	return all.hide(nil, s)
}

// fragments reports whether the errors that err wraps may quote a part of err's text
// that is too short to be recognized as part of a password.
func fragments(err error) bool {
	_, ok := err.(*url.Error) // wraps what is wrong with the URL
	return ok
}

// shownBy reports whether err, whose message is said, shows a password when it is
// printed.
func (s spellings) shownBy(err error, said string) bool {
	return s.in(said) || s.in(fmt.Sprintf("%v", err)) || s.in(fmt.Sprintf("%+v", err)) || s.longIn(fmt.Sprintf("%#v", err))
}

// hide returns what err says, or what to say in its place.
func (s spellings) hide(err error, said string) string {
	if !s.longIn(said) {
		return s.replaceShort(said)
	}
	code := ""
	if state := stateOf(err); state != "" && !s.in(state) {
		code = " (SQLSTATE " + state + ")"
	} else if key, ok := number(err); ok {
		code = fmt.Sprintf(" (%s error %d)", key.server, key.number)
	}
	return withheld + code
}

// stateOf returns err's own SQLSTATE, or "".
func stateOf(err error) string {
	s, ok := err.(interface{ SQLState() string })
	if !ok || len(s.SQLState()) != 5 {
		return ""
	}
	return s.SQLState()
}

// Without returns an error with err's text in which errors.Is does not find target.
// All other errors that err wraps stay reachable.
func Without(err, target error) error {
	if !errors.Is(err, target) {
		return err
	}
	without, _ := rebuild(err, func(e error) (string, bool) { return text(e), isItself(e, target) }, nil)
	return without
}

// isItself reports whether err is target, what it wraps left aside.
func isItself(err, target error) bool {
	if err == target {
		return true
	}
	is, ok := err.(interface{ Is(error) bool })
	return ok && is.Is(target)
}

// text returns err's message, also that of a nil pointer whose Error panics.
func text(err error) (said string) {
	defer func() {
		if recover() != nil {
			said = fmt.Sprintf("%T", err)
		}
	}()
	return err.Error()
}

// rebuild replaces each error in err's tree that bad reports by an error with the
// text that bad returns. It also replaces errors whose Unwrap would lead to one. If
// blind reports a bad error, rebuild keeps nothing that this error wraps. rebuild
// reports whether the result differs from err.
func rebuild(err error, bad func(error) (text string, is bool), blind func(error) bool) (error, bool) {
	said, changed := bad(err)
	leaveOut := changed && blind != nil && blind(err)
	var kids []error
	for _, wrapped := range unwrap(err) {
		if wrapped == nil || leaveOut {
			continue
		}
		kid, other := rebuild(wrapped, bad, blind)
		kids = append(kids, kid)
		changed = changed || other
	}
	if !changed {
		return err, false
	}
	return standIn(err, said, kids), true
}

// A rebuilt error stands in for one that must not be reachable.
type rebuilt struct {
	text string
	kids []error
	key  numberKey // the server's number for it; zero: none is known
}

func (e *rebuilt) Error() string   { return e.text }
func (e *rebuilt) Unwrap() []error { return e.kids }

// A rebuiltState error stands in for one that had an SQLSTATE.
type rebuiltState struct {
	rebuilt
	state string
}

// SQLState returns the SQLSTATE of the error that was replaced.
func (e *rebuiltState) SQLState() string { return e.state }

// standIn returns a replacement for err with which [Refused] and [Account] give the
// same results.
func standIn(err error, said string, kids []error) error {
	r := rebuilt{text: said, kids: kids}
	r.key, _ = number(err)
	if state := stateOf(err); state != "" {
		return &rebuiltState{r, state}
	}
	return &r
}

// spellings are what passwords may look like in a text.
type spellings struct {
	long  []string // sought anywhere
	short []string // sought as words of their own
}

// minLength is the minimum length of a password, in bytes, to be recognized within a
// word. Shorter passwords occur by chance in many messages. They are recognized only
// if no letter or digit is next to them, and are replaced within the text.
const minLength = 4

func newSpellings(passwords []string) spellings {
	var s spellings
	for _, password := range passwords {
		switch forms := Forms(password); {
		case password == "":
		case len(password) < minLength:
			s.short = append(s.short, forms...)
		default:
			s.long = append(append(append(s.long, forms...), hexadecimal(password)...), pieces(password)...)
		}
	}
	slices.SortFunc(s.short, func(a, b string) int { return len(b) - len(a) })
	return s
}

// in reports whether text shows a password.
func (s spellings) in(text string) bool {
	return s.longIn(text) || s.replaceShort(text) != text
}

func (s spellings) longIn(text string) bool {
	return slices.ContainsFunc(s.long, func(form string) bool { return strings.Contains(text, form) })
}

// replaceShort replaces the short passwords in text.
func (s spellings) replaceShort(text string) string {
	for _, form := range s.short {
		text = replaceWord(text, form, "[password]")
	}
	return text
}
