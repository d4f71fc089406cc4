package secrets

import (
	"errors"
	"strings"
	"sync/atomic"

	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// A FailureClass is the kind of a failure. The classes are few and stable, so
// they can be labels of metrics and the error.type of log records.
type FailureClass string

// The classes of failures.
const (
	ClassNetwork     FailureClass = "network"     // no answer: connection, name resolution or timeout
	ClassThrottled   FailureClass = "throttled"   // the service asked for fewer calls
	ClassDenied      FailureClass = "denied"      // access denied, or refused by the KMS key
	ClassCredentials FailureClass = "credentials" // no credentials, or the service rejected them
	ClassServer      FailureClass = "server"      // the service failed
	ClassMissing     FailureClass = "missing"     // no such secret or version, or it is scheduled for deletion
	ClassDecode      FailureClass = "decode"      // a version did not decode or validate for a type
	ClassRejected    FailureClass = "rejected"    // a use rejected every version, see Try
	ClassCanceled    FailureClass = "canceled"    // the caller's context ended, or the client was closed
	ClassOther       FailureClass = "other"       // none of the above
)

// ClassOf returns the class of an error that this package or an API returned.
// It returns "" for nil. A refusal by STS or another source of credentials has
// the class credentials, whatever its code.
func ClassOf(err error) FailureClass {
	switch {
	case err == nil:
		return ""
	case errors.As(err, new(*DecodeError)):
		return ClassDecode
	case errors.As(err, new(*RejectedError)):
		return ClassRejected
	case errors.Is(err, ErrClosed):
		return ClassCanceled
	case errors.Is(err, errNoCurrent):
		return ClassMissing
	}
	switch c := classOf(err); {
	case c != credentialsError && withoutCredentials(err):
		return ClassCredentials
	case c == contextError && errors.As(err, new(*smithyhttp.RequestSendError)):
		return ClassNetwork // a timeout of the transport
	case c == unknownError && serverFailed(err):
		return ClassServer
	default:
		return c.failure()
	}
}

// failure returns the class under its public name.
func (c class) failure() FailureClass {
	switch c {
	case networkError, timeoutError:
		return ClassNetwork
	case serverError:
		return ClassServer
	case throttledError:
		return ClassThrottled
	case credentialsError:
		return ClassCredentials
	case contextError:
		return ClassCanceled
	case notFoundError:
		return ClassMissing
	case deniedError:
		return ClassDenied
	}
	return ClassOther
}

// serverFailed reports whether the HTTP status of an answer whose code is not
// known says so.
func serverFailed(err error) bool {
	var response interface{ HTTPStatusCode() int }
	return errors.As(err, &response) && response.HTTPStatusCode() >= 500
}

// withoutCredentials reports whether a request was not sent for want of
// credentials. The SDK has no type for that; what encloses the error of
// whoever gives them says so by its words.
func withoutCredentials(err error) bool {
	for err != nil {
		switch e := err.(type) {
		case interface{ Unwrap() []error }:
			for _, err := range e.Unwrap() {
				if withoutCredentials(err) {
					return true
				}
			}
			return false
		default:
			if text := err.Error(); strings.HasPrefix(text, "get identity: ") || strings.HasPrefix(text, "sign request: ") {
				return true
			}
		}
		err = errors.Unwrap(err)
	}
	return false
}

// classCounts counts failed calls by their class.
type classCounts struct {
	network, throttled, denied, credentials, server, missing, canceled, other atomic.Uint64
}

func (n *classCounts) of(class FailureClass) *atomic.Uint64 {
	switch class {
	case ClassNetwork:
		return &n.network
	case ClassThrottled:
		return &n.throttled
	case ClassDenied:
		return &n.denied
	case ClassCredentials:
		return &n.credentials
	case ClassServer:
		return &n.server
	case ClassMissing:
		return &n.missing
	case ClassCanceled:
		return &n.canceled
	}
	return &n.other
}
