package sqlcred

import (
	"fmt"

	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

// An AccountError reports that the state of the account prevents a login. The
// account is blocked after too many wrong passwords, or locked, or its password
// has expired. Another version of the secret would not help, so the connector
// does not try one.
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

// IsRefused reports whether a server refused a login's user name or password.
//
// It relies on the codes that servers define, in this order:
//
//   - An error with a method SQLState() string, as pgx and lib/pq have, is a
//     refusal if the SQLSTATE is of class 28.
//   - PgBouncer uses one SQLSTATE for all its errors, 08P01. Such an error is a
//     refusal if it has the text with which PgBouncer refuses a user or a
//     password, or reports that the server behind it did.
//   - Without an SQLSTATE, an error of the network or of a context is not a
//     refusal.
//   - Otherwise, the numbers reported by the drivers for MySQL and MariaDB
//     (1045), SQL Server (18456) and Oracle (1017) are refusals.
//
// If a driver tried several hosts, a refusal by one of them is a refusal,
// because the hosts share the account. An error that leads to an
// [*AccountError] is not a refusal.
func IsRefused(err error) bool { return dblogin.Refused(err) }

// accountError returns an [*AccountError] if err is about the state of the
// account, and nil otherwise. said is err without passwords.
func accountError(err, said error, username string) error {
	state, ok := dblogin.Account(err)
	if !ok {
		return nil
	}
	return &AccountError{Username: username, Reason: state.Reason, Number: state.Number, Err: said}
}
