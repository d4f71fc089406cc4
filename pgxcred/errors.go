package pgxcred

import (
	"errors"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
)

// A loginError is why a login failed, in a form that pgx passes on: an error
// that wraps a timeout it would replace by that, and with it the reason, and
// one that wraps a NotPreferredError would make it log in once more. So the
// error has no Unwrap, and its As leaves these two out.
type loginError struct{ err error }

// Error leaves out what the error of the connect, which wraps this one, says
// already.
func (e *loginError) Error() string {
	if c, ok := e.err.(*pgconn.ConnectError); ok {
		return c.Unwrap().Error()
	}
	return e.err.Error()
}

// Is serves [errors.Is].
func (e *loginError) Is(target error) bool { return errors.Is(e.err, target) }

// As serves [errors.As].
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
