package secretstest

import (
	"fmt"
	"net/http"
)

// An apiError is an error as the service answers it.
type apiError struct {
	code    string
	message string
	status  int // 0 means 400
}

// Error returns the code and the message.
func (e *apiError) Error() string { return e.code + ": " + e.message }

// httpStatus returns the HTTP status that the error is sent with.
func (e *apiError) httpStatus() int {
	if e.status != 0 {
		return e.status
	}
	return http.StatusBadRequest
}

func notFound(format string, args ...any) *apiError {
	return &apiError{code: "ResourceNotFoundException", message: fmt.Sprintf(format, args...)}
}

func invalidParameter(format string, args ...any) *apiError {
	return &apiError{code: "InvalidParameterException", message: fmt.Sprintf(format, args...)}
}

func invalidRequest(format string, args ...any) *apiError {
	return &apiError{code: "InvalidRequestException", message: fmt.Sprintf(format, args...)}
}

func resourceExists(format string, args ...any) *apiError {
	return &apiError{code: "ResourceExistsException", message: fmt.Sprintf(format, args...)}
}

func limitExceeded(format string, args ...any) *apiError {
	return &apiError{code: "LimitExceededException", message: fmt.Sprintf(format, args...)}
}

func validation(message string) *apiError {
	return &apiError{code: "ValidationException", message: message}
}

func serialization(message string) *apiError {
	return &apiError{code: "SerializationException", message: message}
}

func accessDenied(format string, args ...any) *apiError {
	return &apiError{code: "AccessDeniedException", message: fmt.Sprintf(format, args...)}
}

// Errors whose text never changes.
var (
	errNotFound = notFound("Secrets Manager can't find the specified secret.")
	errDeleted  = invalidRequest("You can't perform this operation on the secret because it was marked for deletion.")
	errInBatch  = invalidRequest("You tried to perform the operation on a secret that's currently marked deleted.")
	errOwned    = invalidRequest("The secret is managed by another service, and you must use that service to update it.")
	errReplica  = invalidParameter("Operation not permitted on a replica secret. Call must be made in primary secret's region.")
	errName     = validation("Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
	errToken    = &apiError{code: "InvalidNextTokenException", message: "The NextToken value is invalid."}
	errStage    = invalidRequest("You provided a VersionStage that is not associated to the provided VersionId.")
	errInvoke   = accessDenied("Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.")
)

// The text of the refusal of a request without a ClientRequestToken.
const missingToken = "You must provide a ClientRequestToken value. We recommend a UUID-type value."
