package secrets

import (
	"errors"
	"strings"
	"sync/atomic"

	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// A FailureClass says what kind of failure an error is. The classes are few and
// stable: they serve as a label of metrics and as error.type of log records.
type FailureClass string

// The classes of failures.
const (
	ClassNetwork     FailureClass = "network"     // no answer: a connection, a name, or time ran out
	ClassThrottled   FailureClass = "throttled"   // the service asked for fewer calls
	ClassDenied      FailureClass = "denied"      // not permitted, or the KMS key refused
	ClassCredentials FailureClass = "credentials" // no credentials could be had, or the service did not take them
	ClassServer      FailureClass = "server"      // the service failed
	ClassMissing     FailureClass = "missing"     // no such secret or version, or it is scheduled for deletion
	ClassDecode      FailureClass = "decode"      // a version did not decode or validate for a type
	ClassRejected    FailureClass = "rejected"    // every version was rejected by a use, see Try
	ClassCanceled    FailureClass = "canceled"    // the caller's context ended, or the client was closed
	ClassOther       FailureClass = "other"       // what is none of these
)

// ClassOf returns the class of an error that this package returned, or that an
// API did: "" for nil. A refusal by STS or another source of credentials is of
// class credentials, whatever its code.
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
