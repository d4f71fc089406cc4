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

// Scrub returns err without what shows one of the passwords, in any of the
// spellings that drivers, parsers and loggers use.
//
// If no error of its tree shows one, that is err itself. Otherwise every error
// that does is replaced by one that says so, with its SQLSTATE or number, and
// neither Unwrap nor errors.As reaches the original; so is every error above
// it, since Unwrap would lead there. The clean errors below and beside it stay
// reachable. An empty password is not sought.
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

// fragments reports whether what err wraps may quote a part of what err
// quotes, too short to be recognized as part of a password.
func fragments(err error) bool {
	_, ok := err.(*url.Error) // wraps what is wrong with the URL
	return ok
}

// shownBy reports whether err, which says said, shows a password when it is
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

// Without returns err with its text, but so that errors.Is does not find
// target in it any more. All else that err wraps stays reachable.
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

// rebuild returns err without the errors of its tree that bad reports, each
// replaced by one with the text that bad returns, and without those whose
// Unwrap would lead to one. Of a bad error for which blind holds nothing that
// it wraps is kept. It reports whether the result is another error than err.
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

// standIn returns an error in place of err that is judged like it, as
// [Refused] and [Account] do.
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

// minLength is how long a password must be, in bytes, to be recognized within
// a word. A shorter one is part of half of all messages: it is sought between
// other characters than letters and digits, and replaced where it stands.
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
