package rediscred

import (
	"fmt"

	"github.com/seed-74dc7b3e/secrets/internal/resp"
)

// A LoginError is what a server answered to a login other than that it
// succeeded. It holds no password.
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

// IsRefused reports whether err says that a server refused a login because of
// the user or the password: WRONGPASS, and the "ERR invalid password" of Redis
// before version 6, which has no code. A user that is switched off is refused
// in the same words. It is false for errors of the network, and for a server
// that refuses everybody: LOADING, DENIED, too many clients.
func IsRefused(err error) bool { return resp.Refused(err) }
