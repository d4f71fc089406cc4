package rotate

import (
	"errors"
	"fmt"
	"time"

	"github.com/aws/smithy-go"

	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
	"github.com/seed-74dc7b3e/secrets/internal/resp"
)

var (
	// ErrNotPending says that a version does not have the label AWSPENDING,
	// perhaps because its rotation was abandoned or replaced by another.
	ErrNotPending = errors.New("the version is not AWSPENDING")

	// ErrRefused says that the database refused every password that a step could
	// try. Retrying does not help until the secret or the database is repaired.
	ErrRefused = errors.New("the login was refused")
)

// An Error says which step of which rotation failed. It contains no secret
// value.
type Error struct {
	Step      Step
	SecretID  string
	VersionID string
	Err       error
}

func (e *Error) Error() string {
	return fmt.Sprintf("rotate: %s of %s, version %s: %v", e.Step, e.SecretID, e.VersionID, e.Err)
}

// Unwrap returns the cause, which may be an error of the SDK or of a driver.
func (e *Error) Unwrap() error { return e.Err }

// An InProgressError says that Run found another unfinished rotation. That
// rotation began at Since and is running or was interrupted.
type InProgressError struct {
	SecretID  string
	VersionID string
	Since     time.Time // zero if unknown
}

func (e *InProgressError) Error() string {
	since := ""
	if !e.Since.IsZero() {
		since = " since " + e.Since.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("rotate: a rotation of %s to version %s is in progress%s", e.SecretID, e.VersionID, since)
}

// IsRejected reports whether err says that a database refused a password. It
// recognizes an SQLSTATE of class 28 (an error with a method SQLState() string,
// as in pgx and lib/pq); the error numbers 1045 of MySQL and MariaDB (the field
// Number of go-sql-driver's MySQLError), 18456 of SQL Server and 1017 of
// Oracle; and WRONGPASS of Redis, on this package's own connections. It does
// not read messages. It is false for network and context errors, and for
// accounts that are locked, blocked or expired, because another password does
// not help those. If a driver tried several hosts, a refusal by one of them
// counts, because the hosts share the account.
func IsRejected(err error) bool { return dblogin.Refused(err) || resp.Refused(err) }

// hasCode reports whether err is the error of Secrets Manager called code.
func hasCode(err error, code string) bool {
	e, ok := errors.AsType[smithy.APIError](err)
	return ok && e.ErrorCode() == code
}

func notFound(err error) bool { return hasCode(err, "ResourceNotFoundException") }

// apiError names the operation that failed. The SDK's decoding errors are not
// wrapped: they may quote the answer.
func apiError(op string, err error) error {
	if _, ok := errors.AsType[*smithy.DeserializationError](err); ok {
		return fmt.Errorf("%s: the answer could not be decoded", op)
	}
	return fmt.Errorf("%s: %w", op, err)
}
