package secrets

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// A class sorts the error of a call by its cause. Every error has one.
type class int

const (
	unknownError     class = iota // an unknown code, a panic of the API, a refused endpoint
	networkError                  // no response: connections, name resolution, TLS, a timeout of the transport
	timeoutError                  // no response within Options.FetchTimeout
	serverError                   // the service failed, or its response makes no sense
	throttledError                // too many calls, by the SDK's list of codes
	credentialsError              // there were no credentials, or they were not accepted
	contextError                  // the caller's context ended
	notFoundError                 // not found, or in a state that forbids the call
	deniedError                   // not permitted, or the KMS key refused
	missingError                  // the endpoint has no such operation
)

// String returns the class's name as it appears in logs and metrics.
func (c class) String() string {
	switch c {
	case networkError, timeoutError:
		return "network"
	case serverError:
		return "server"
	case throttledError:
		return "throttled"
	case credentialsError:
		return "credentials"
	case contextError:
		return "canceled"
	case notFoundError:
		return "missing"
	case deniedError:
		return "denied"
	case missingError:
		return "unsupported"
	}
	return "unknown"
}

// An answer is what an error of the service means for a cached secret.
type answer int

const (
	transient answer = iota // says nothing about the secret
	gone                    // not found, or in a state that forbids it: definite unless DescribeSecret contradicts
	denied                  // definite: not permitted, or refused by the key
	missing                 // the operation does not exist there
	canceled                // a context ended
)

// answer returns what errors of a class mean for a cached secret.
func (c class) answer() answer {
	switch c {
	case notFoundError:
		return gone
	case deniedError:
		return denied
	case missingError:
		return missing
	case contextError, timeoutError:
		return canceled
	}
	return transient
}

// answerOf returns what err means for a cached secret. Only an error of Secrets
// Manager itself can be definite: see [classOf].
func answerOf(err error) answer { return classOf(err).answer() }

// classOf sorts err by its code, never by its HTTP status, in which compatible
// endpoints differ, and by who answered: what STS, the instance metadata service
// or another source of credentials says, says nothing about a secret.
func classOf(err error) class {
	var several *regionsError
	if errors.As(err, &several) {
		return classOf(several.failed[0].err) // an error of a replica is not definite
	}
	var late *lateError
	if errors.As(err, &late) {
		return late.class()
	}
	api, from := originOf(err, fromService)
	var lost *lostError
	switch {
	case from == fromElsewhere:
		return credentialsError
	case errors.Is(err, errFetchTimeout):
		return timeoutError
	case errors.As(err, &lost) || errors.Is(err, errRegionTimeout):
		return networkError
	case isContextError(err):
		return contextError
	case api != nil:
		return classOfCode(api)
	case errors.Is(err, errEmptyAnswer) || errors.Is(err, errUnreadable):
		return serverError
	case errors.Is(err, errNoDescribe):
		return missingError
	case isNetworkError(err):
		return networkError
	}
	return unknownError
}

func classOfCode(api smithy.APIError) class {
	code := api.ErrorCode()
	if c, ok := codeClasses[code]; ok {
		return c
	}
	if _, ok := retry.DefaultThrottleErrorCodes[code]; ok {
		return throttledError
	}
	if api.ErrorFault() == smithy.FaultServer {
		return serverError
	}
	return unknownError
}

var codeClasses = map[string]class{
	"ResourceNotFoundException": notFoundError,
	"InvalidRequestException":   notFoundError,

	"AccessDeniedException":    deniedError,
	"AccessDenied":             deniedError,
	"UnauthorizedOperation":    deniedError,
	"DecryptionFailure":        deniedError,
	"KMSAccessDeniedException": deniedError,
	"KMSDisabledException":     deniedError,
	"KMSNotFoundException":     deniedError,
	"KMSInvalidStateException": deniedError,

	"UnknownOperationException": missingError,
	"UnsupportedOperation":      missingError,
	"InvalidAction":             missingError,
	"NotImplemented":            missingError,
	"NotImplementedException":   missingError,

	// The service rejected the credentials before it processed the request.
	"ExpiredToken":                        credentialsError,
	"ExpiredTokenException":               credentialsError,
	"IncompleteSignature":                 credentialsError,
	"IncompleteSignatureException":        credentialsError,
	"InvalidAccessKeyId":                  credentialsError,
	"InvalidClientTokenId":                credentialsError,
	"InvalidIdentityToken":                credentialsError,
	"InvalidSignatureException":           credentialsError,
	"InvalidToken":                        credentialsError,
	"MissingAuthenticationToken":          credentialsError,
	"MissingAuthenticationTokenException": credentialsError,
	"NotSignedException":                  credentialsError,
	"RequestExpired":                      credentialsError,
	"RequestInTheFuture":                  credentialsError,
	"RequestTimeTooSkewed":                credentialsError,
	"SignatureDoesNotMatch":               credentialsError,
	"TokenRefreshRequired":                credentialsError,
	"UnrecognizedClientException":         credentialsError,

	"InternalError":               serverError,
	"InternalFailure":             serverError,
	"InternalServerError":         serverError,
	"InternalServerException":     serverError,
	"InternalServiceError":        serverError,
	"InternalServiceException":    serverError,
	"ServiceUnavailable":          serverError,
	"ServiceUnavailableException": serverError,
}

// An origin is who an error comes from.
type origin int

const (
	fromService   origin = iota // Secrets Manager, or an API that does not say who
	fromElsewhere               // another service, or the source of the credentials
)

// originOf returns the outermost API error within err and its origin. It
// returns nil if there is no API error. Inside an operation of Secrets Manager,
// and before its response, the SDK wraps errors in its own types only. Any
// other error there wraps an error of the source of the credentials, even if
// the API ignored the option that marks such errors, see [identityError]. An
// error outside of any operation has the origin from.
func originOf(err error, from origin) (smithy.APIError, origin) { return originIn(err, from, false) }

// originIn is originOf with inside, which says that err was found inside an
// operation of Secrets Manager, before its response.
func originIn(err error, from origin, inside bool) (smithy.APIError, origin) {
	for err != nil {
		switch e := err.(type) {
		case *smithy.OperationError:
			if !isSecretsManager(e.Service()) {
				return nil, fromElsewhere
			}
			inside = true
		case *identityError, *v4.SigningError:
			return nil, fromElsewhere // whatever encloses it
		case smithy.APIError:
			return e, from
		case *retry.MaxAttemptsError:
		case *smithyhttp.ResponseError, *awshttp.ResponseError:
			inside = false
		case interface{ Unwrap() []error }:
			return originOfJoined(e.Unwrap(), from, inside)
		default:
			if inside {
				from = fromElsewhereIfAPI(err)
				return nil, from
			}
		}
		err = errors.Unwrap(err)
	}
	return nil, from
}

// answeredBy returns the error that Secrets Manager answered with, nil if it did
// not answer.
func answeredBy(err error) smithy.APIError {
	if api, from := originOf(err, fromService); from == fromService {
		return api
	}
	return nil
}

// originOfJoined applies originIn to each of errs and returns the first result
// that has an API error or another origin. The SDK joins the last answer with
// the reason for not trying again.
func originOfJoined(errs []error, from origin, inside bool) (smithy.APIError, origin) {
	for _, err := range errs {
		if api, of := originIn(err, from, inside); api != nil || of == fromElsewhere {
			return api, of
		}
	}
	return nil, from
}

// fromElsewhereIfAPI returns the origin of err, found inside a call of Secrets
// Manager that got no response of the service. If err is an API error, it comes
// from the source of the credentials.
func fromElsewhereIfAPI(err error) origin {
	var api smithy.APIError
	var id *identityError
	var op *smithy.OperationError
	if errors.As(err, &api) || errors.As(err, &id) || errors.As(err, &op) {
		return fromElsewhere
	}
	return fromService
}

// isSecretsManager reports whether a service's id is that of Secrets Manager.
// An empty id, as in errors that no client made, counts too.
func isSecretsManager(id string) bool {
	squeeze := func(s string) string { return strings.ReplaceAll(s, " ", "") }
	return id == "" || strings.EqualFold(squeeze(id), squeeze(secretsmanager.ServiceID))
}

// A lostError is a call that ended with a context's error although its own
// context had not ended: a timeout of the transport.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// A lateError is a call that a timeout of Options ended after an attempt of the
// SDK had failed.
type lateError struct{ cause, last error }

func (e *lateError) Error() string   { return e.cause.Error() + "; the last attempt: " + e.last.Error() }
func (e *lateError) Unwrap() []error { return []error{e.cause, e.last} }

// class returns the class of the last attempt's failure if that caused the
// delay, and the class of the timeout otherwise.
func (e *lateError) class() class {
	switch c := classOf(e.last); c {
	case credentialsError, throttledError, serverError, networkError:
		return c
	}
	return classOf(e.cause)
}

func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func isNetworkError(err error) bool {
	var sent *smithyhttp.RequestSendError
	var nerr net.Error
	return errors.As(err, &sent) || errors.As(err, &nerr) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
