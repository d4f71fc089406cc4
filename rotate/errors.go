package rotate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/aws/smithy-go"
)

var (
	// ErrNotPending says that a version does not, or no longer, have the
	// label AWSPENDING: its rotation was given up, or replaced by another.
	ErrNotPending = errors.New("the version is not AWSPENDING")

	// ErrRefused says that the database refused each password that a step
	// could try. Trying again does not help until the secret or the database
	// is put right.
	ErrRefused = errors.New("the login was refused")
)

// An Error says which step of which rotation failed. It holds no value.
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

// An InProgressError says that Run did not start a rotation because another
// one, begun at Since, is under way or was cut short.
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

// IsRejected reports whether err says that a database refused a password: an
// SQLSTATE of class 28 (an error with a method SQLState() string, as pgx and
// lib/pq have), or error number 1045 of MySQL and MariaDB (the field Number of
// go-sql-driver's MySQLError). Messages are not looked at. False for network
// and context errors, and for accounts that are locked, blocked or expired:
// another password does not help those.
func IsRejected(err error) bool {
	// The SQLSTATE comes first: where a driver tried several hosts, its error
	// may hold a refusal and a network error.
	if s, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err); ok {
		return strings.HasPrefix(s.SQLState(), "28")
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return false
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	n, ok := mysqlNumber(err)
	return ok && n == 1045
}

// mysqlNumber finds the number of a *mysql.MySQLError in err's tree without
// importing the driver.
func mysqlNumber(err error) (uint16, bool) {
	if err == nil {
		return 0, false
	}
	if v := reflect.ValueOf(err); v.Kind() == reflect.Pointer && !v.IsNil() {
		if v = v.Elem(); v.Kind() == reflect.Struct && v.Type().Name() == "MySQLError" {
			if f := v.FieldByName("Number"); f.IsValid() && f.Kind() == reflect.Uint16 {
				return uint16(f.Uint()), true
			}
		}
	}
	switch u := err.(type) {
	case interface{ Unwrap() error }:
		return mysqlNumber(u.Unwrap())
	case interface{ Unwrap() []error }:
		for _, e := range u.Unwrap() {
			if n, ok := mysqlNumber(e); ok {
				return n, true
			}
		}
	}
	return 0, false
}

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

// scrub returns err, or if err's message has one of the secrets in it, as it is
// or escaped for a URL, an error that does not say so but is what err is.
func scrub(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	msg := err.Error()
	for _, s := range secrets {
		if s == "" {
			continue
		}
		for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s), url.UserPassword("", s).String()[1:]} {
			if strings.Contains(msg, form) {
				return scrubbed{func(target error) bool { return errors.Is(err, target) }}
			}
		}
	}
	return err
}

// A scrubbed error has neither the message nor the tree of another one.
type scrubbed struct{ is func(error) bool }

func (scrubbed) Error() string {
	return "an error whose message is left out, for it has the password in it"
}
func (e scrubbed) Is(target error) bool { return e.is(target) }
