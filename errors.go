package secrets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
)

// ErrClosed is returned by every read of a [Client] after its Close.
var ErrClosed = errors.New("secrets: client is closed")

var (
	errEmptyAnswer  = errors.New("the service's answer contains no secret value")
	errNoCurrent    = errors.New("no version has the staging label AWSCURRENT")
	errGone         = errors.New("the secret left the cache during the call")
	errReplaced     = errors.New("the answer is for a secret that has since been deleted and recreated")
	errBehind       = errors.New("a replica answered with an older version")
	errNoID         = errors.New("the secret id is empty")
	errNoDescribe   = errors.New("DescribeSecret is unavailable at this endpoint")
	errCallEnded    = errors.New("the API method ended its own goroutine")
	errUnreadable   = errors.New("the service's answer could not be read (not shown: it may contain the value)")
	errFetchTimeout = fmt.Errorf("no answer within Options.FetchTimeout: %w", context.DeadlineExceeded)

	errRegionTimeout = fmt.Errorf("no answer within Options.RegionTimeout: %w", context.DeadlineExceeded)
)

// A DecodeError says that a version of a secret could not be decoded into a
// type. The JSON may not fit the type, or the type's Validate method may have
// refused the version. The error contains no secret value, and it does not wrap
// the decoder's error, which might contain one. errors.Is finds the error that
// Validate or a [BindFunc] function returned. The text of that error is part of
// the message only if it has a method PublicError: see [Bind]. If the JSON does
// not fit, the message names the kind of value that was found: string, number,
// bool, null, array or object.
type DecodeError struct {
	SecretID  string // the secret's name
	VersionID string
	Type      string // the wanted Go type: that of Field if Field is set
	Field     string // the JSON path of the faulty field, if known
	Offset    int64  // the byte at which the JSON is malformed; 0 if it is well-formed

	reason string
	found  string                  // in words, "" if it is not known
	is     func(target error) bool // a function rather than the error, so that nothing prints the error
}

func (e *DecodeError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "secrets: decode %q version %s: ", e.SecretID, e.VersionID)
	if e.Field != "" {
		fmt.Fprintf(&b, "field %q: ", e.Field)
	}
	b.WriteString(e.reason)
	if e.Offset > 0 {
		fmt.Fprintf(&b, " at byte %d", e.Offset)
	}
	if e.found != "" {
		fmt.Fprintf(&b, " (want %s, found %s)", e.Type, e.found)
	} else {
		fmt.Fprintf(&b, " (want %s)", e.Type)
	}
	return b.String()
}

// Is reports whether target is in the chain of the error that Validate or a
// [BindFunc] function returned.
func (e *DecodeError) Is(target error) bool { return e.is != nil && e.is(target) }

// Format writes the error's message for every verb.
func (e *DecodeError) Format(f fmt.State, _ rune) { io.WriteString(f, e.Error()) }

// A PrefetchError lists the secrets that [Client.Prefetch] could not cache. All
// other secrets of the call are cached.
type PrefetchError struct {
	// Errors maps the id of each failed secret to its error.
	Errors map[string]error
}

func (e *PrefetchError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "secrets: prefetch: %d failed", len(e.Errors))
	for i, id := range sortedKeys(e.Errors) {
		if i == 5 {
			fmt.Fprintf(&b, "; and %d more", len(e.Errors)-i)
			break
		}
		fmt.Fprintf(&b, "; %q: %v", id, e.Errors[id])
	}
	return b.String()
}

// Unwrap returns the errors of the secrets that failed.
func (e *PrefetchError) Unwrap() []error {
	errs := make([]error, 0, len(e.Errors))
	for _, id := range sortedKeys(e.Errors) {
		errs = append(errs, e.Errors[id])
	}
	return errs
}

// opError adds the operation and the secret's id to err.
func opError(op, id string, err error) error {
	if errors.Is(err, ErrClosed) {
		return ErrClosed
	}
	return fmt.Errorf("secrets: %s %q: %w", op, id, err)
}

// panicError returns the error for a panic of the API. The panic's value may
// contain a secret value, and is not shown.
func panicError(p any) error { return fmt.Errorf("the API method panicked (with a %T)", p) }

// clean returns err if it cannot contain a secret value, and otherwise a
// replacement. The SDK quotes a response that it cannot decode.
func clean(err error) error {
	var de *smithy.DeserializationError
	if err == nil || !errors.As(err, &de) {
		return err
	}
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	case classOf(err) == credentialsError:
		return &identityError{errUnreadable}
	}
	return errUnreadable
}

// batchError converts one failure in a batch to the error that GetSecretValue
// would have returned.
func batchError(code, message string) error {
	switch code {
	case "ResourceNotFoundException":
		return &types.ResourceNotFoundException{Message: &message}
	case "InvalidRequestException":
		return &types.InvalidRequestException{Message: &message}
	case "InvalidParameterException":
		return &types.InvalidParameterException{Message: &message}
	case "DecryptionFailure":
		return &types.DecryptionFailure{Message: &message}
	case "InternalServiceError":
		return &types.InternalServiceError{Message: &message}
	}
	return &smithy.GenericAPIError{Code: code, Message: message}
}
