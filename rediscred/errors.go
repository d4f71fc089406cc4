package rediscred

import (
	"fmt"

	"github.com/seed-74dc7b3e/secrets/internal/resp"
)

// A LoginError is a server's error answer to a login. It contains no password.
type LoginError struct {
	Username string
	Addr     string
	Err      error // the server's answer; its text begins with a code such as WRONGPASS
}

func (e *LoginError) Error() string {
	return fmt.Sprintf("rediscred: login of user %q at %s: %v", e.Username, e.Addr, e.Err)
}

// Unwrap returns the server's answer.
func (e *LoginError) Unwrap() error { return e.Err }

// IsRefused reports whether a server refused a login's user name or password.
// The answer is then WRONGPASS, or "ERR invalid password", without a code, before
// Redis 6. Redis gives the same answer for a disabled user. IsRefused returns
// false for network errors and for a server that refuses everybody: LOADING,
// DENIED, too many clients.
func IsRefused(err error) bool { return resp.Refused(err) }
