package pgxcred

import (
	"errors"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
)

// A loginError says why a login failed, in a form that pgx passes on unchanged.
// pgx would replace an error that wraps a timeout by the timeout, and lose the
// cause. It would log in once more after an error that wraps a NotPreferredError.
// So a loginError has no Unwrap, and its As does not find these two.
type loginError struct{ err error }

// Error omits the text that the enclosing ConnectError already contains.
func (e *loginError) Error() string {
	if c, ok := e.err.(*pgconn.ConnectError); ok {
		return c.Unwrap().Error()
	}
	return e.err.Error()
}

// Is implements the method that [errors.Is] calls.
func (e *loginError) Is(target error) bool { return errors.Is(e.err, target) }

// As implements the method that [errors.As] calls.
func (e *loginError) As(target any) bool {
	switch t := target.(type) {
	case **pgconn.NotPreferredError:
		return false
	case *net.Error:
		var found net.Error
		if !errors.As(e.err, &found) || found.Timeout() {
			return false
		}
		*t = found
		return true
	}
	return errors.As(e.err, target)
}
