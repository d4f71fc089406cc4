package httpcred

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

var errUnfit = errors.New("httpcred: the secret's value is empty or has characters that are not allowed in a header (not shown)")

// Bearer sets the Authorization header to "Bearer" and the token. It trims
// white space around the token. Pass it to [New].
func Bearer(r *http.Request, token string) error {
	token = strings.TrimSpace(token)
	if !fit(token) {
		return errUnfit
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return nil
}

// Header returns a function for [New] that sets the header of the given name to
// the value. It trims white space around the value.
func Header(name string) func(*http.Request, string) error {
	return func(r *http.Request, value string) error {
		value = strings.TrimSpace(value)
		if !fit(value) {
			return errUnfit
		}
		r.Header.Set(name, value)
		return nil
	}
}

// Basic sets the Authorization header for basic authentication. Pass it to
// [New].
func Basic(r *http.Request, l Login) error {
	if l.password == nil || strings.Contains(l.Username, ":") {
		return fmt.Errorf("httpcred: the secret has no user name and password that basic authentication can send")
	}
	r.SetBasicAuth(l.Username, l.password())
	return nil
}

func fit(value string) bool {
	return value != "" && !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
}

// A Login is a user name and a password. In a secret it is a JSON object with
// the fields username and password. It prints as the user name.
type Login struct {
	Username string
	password func() string // a function, so that nothing prints it
}

// UnmarshalJSON reads a login. The case of the field names does not matter.
func (l *Login) UnmarshalJSON(data []byte) error {
	var fields struct{ Username, Password *string }
	if err := json.Unmarshal(data, &fields); err != nil {
		return errors.New("a login is a JSON object with the strings username and password")
	}
	if fields.Username == nil || fields.Password == nil {
		return errors.New("username or password is missing")
	}
	l.Username = *fields.Username
	l.password = func() string { return *fields.Password }
	return nil
}

// String returns the user name.
func (l Login) String() string { return l.Username }

// Format writes the user name, for every verb.
func (l Login) Format(f fmt.State, _ rune) { io.WriteString(f, l.Username) }

// MarshalText returns the user name.
func (l Login) MarshalText() ([]byte, error) { return []byte(l.Username), nil }
