package secrets

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"

	"github.com/aws/smithy-go"
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
	case errors.Is(err, errFetchTimeout):
		return ClassNetwork
	case errors.Is(err, ErrClosed) || isContextError(err) && !errors.As(err, new(*smithyhttp.RequestSendError)):
		return ClassCanceled
	}
	if api := answeredBy(err); api != nil {
		return classOfAnswer(api, err)
	}
	return classWithoutAnswer(err)
}

// classOfAnswer returns the class of what Secrets Manager itself answered.
func classOfAnswer(api smithy.APIError, err error) FailureClass {
	switch a := answerOf(err); {
	case a == gone:
		return ClassMissing
	case a == denied:
		return ClassDenied
	case isThrottle(api):
		return ClassThrottled
	case refusesCredentials[api.ErrorCode()]:
		return ClassCredentials
	case a == missing:
		return ClassOther
	}
	var response interface{ HTTPStatusCode() int }
	if api.ErrorFault() == smithy.FaultServer || errors.As(err, &response) && response.HTTPStatusCode() >= 500 {
		return ClassServer
	}
	return ClassOther
}

// refusesCredentials are the codes by which a service refuses the credentials
// of a request, rather than what it asks for.
var refusesCredentials = map[string]bool{
	"AuthFailure":                         true,
	"ExpiredToken":                        true,
	"ExpiredTokenException":               true,
	"IncompleteSignature":                 true,
	"IncompleteSignatureException":        true,
	"InvalidClientTokenId":                true,
	"InvalidSignatureException":           true,
	"MissingAuthenticationToken":          true,
	"MissingAuthenticationTokenException": true,
	"OptInRequired":                       true,
	"RequestExpired":                      true,
	"RequestTimeTooSkewed":                true,
	"SignatureDoesNotMatch":               true,
	"UnrecognizedClientException":         true,
}

// classWithoutAnswer returns the class of an error that the service did not
// answer with.
func classWithoutAnswer(err error) FailureClass {
	var network net.Error
	switch {
	case errors.Is(err, errEmptyAnswer) || errors.Is(err, errUnreadable):
		return ClassServer
	case errors.Is(err, errNoCurrent):
		return ClassMissing
	case errors.As(err, new(*plainHTTPError)):
		return ClassOther
	case withoutCredentials(err):
		return ClassCredentials
	case errors.As(err, &network), errors.As(err, new(*smithyhttp.RequestSendError)), errors.As(err, new(*smithyhttp.ResponseError)),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ClassNetwork
	}
	return ClassOther
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
