package sqlcred

import (
	"fmt"

	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

// An AccountError reports that the server refused a login because of the
// state of the account and not because of its password: it is blocked after
// too many wrong passwords, or locked, or its password has expired. Another
// version of the secret would not help, so none is tried.
type AccountError struct {
	Username string
	Reason   string // "is locked", "is blocked after too many failed logins", ...
	Number   int    // the server's number for it
	Err      error  // what the driver returned
}

func (e *AccountError) Error() string {
	return fmt.Sprintf("sqlcred: the account of user %q %s: %v", e.Username, e.Reason, e.Err)
}

// Unwrap returns the driver's error.
func (e *AccountError) Unwrap() error { return e.Err }

// IsRefused reports whether err says that a server refused a login because of
// the user name or the password.
//
// It goes by what servers define: an error with a method SQLState() string, as
// pgx and lib/pq have, is a refusal if it is of class 28. PgBouncer has one
// SQLSTATE for all its errors, 08P01; of those it is a refusal where the text is
// the one with which PgBouncer refuses a user or a password, or passes on that the
// server behind it did. If there is none, an error of the network or of a context
// is no refusal; then the numbers count that the drivers for MySQL and MariaDB
// (1045), SQL Server (18456) and Oracle (1017) report. When a driver tried
// several hosts, a refusal by one of them is a refusal: the hosts share the
// account. An error that makes an [*AccountError] is none.
func IsRefused(err error) bool { return dblogin.Refused(err) }

// accountError returns err as an error of the account, or nil if it is none.
// said is err as it may be shown.
func accountError(err, said error, username string) error {
	state, ok := dblogin.Account(err)
	if !ok {
		return nil
	}
	return &AccountError{Username: username, Reason: state.Reason, Number: state.Number, Err: said}
}
