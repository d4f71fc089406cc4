package secrets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

func code(c string) error { return &smithy.GenericAPIError{Code: c, Message: "scripted"} }

// in returns err as the client of a service returns it.
func in(service, op string, err error) error {
	return &smithy.OperationError{ServiceID: service, OperationName: op, Err: err}
}

// responded returns err as the answer to a request.
func responded(status int, err error) error {
	r := &smithyhttp.Response{Response: &http.Response{StatusCode: status}}
	return &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{Response: r, Err: err}, RequestID: "1"}
}

func get(err error) error { return in(secretsmanager.ServiceID, "GetSecretValue", err) }

func TestClassOf(t *testing.T) {
	sts := in("STS", "AssumeRole", responded(403, code("AccessDenied")))
	identity := func(err error) error { return fmt.Errorf("get identity: get credentials: %w", err) }
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	for name, tt := range map[string]struct {
		err  error
		want class
	}{
		// The service's own answers, typed and by code.
		"not found":                {get(responded(400, &types.ResourceNotFoundException{})), notFoundError},
		"being deleted":            {get(responded(400, &types.InvalidRequestException{})), notFoundError},
		"denied":                   {get(responded(400, code("AccessDeniedException"))), deniedError},
		"denied after retries":     {get(&retry.MaxAttemptsError{Attempt: 3, Err: responded(400, code("AccessDeniedException"))}), deniedError},
		"key refused":              {get(responded(400, &types.DecryptionFailure{})), deniedError},
		"KMS through it":           {get(responded(400, code("KMSAccessDeniedException"))), deniedError},
		"no such operation":        {get(responded(400, code("UnknownOperationException"))), missingError},
		"throttled":                {get(responded(400, code("ThrottlingException"))), throttledError},
		"server":                   {get(responded(500, &types.InternalServiceError{})), serverError},
		"server by fault":          {get(&smithy.GenericAPIError{Code: "Novel", Fault: smithy.FaultServer}), serverError},
		"novel":                    {get(responded(400, code("NovelException"))), unknownError},
		"invalid parameter":        {get(responded(400, &types.InvalidParameterException{})), unknownError},
		"denied by status alone":   {get(responded(403, code("NovelException"))), unknownError},
		"written as an id":         {in("secretsmanager", "GetSecretValue", code("AccessDeniedException")), deniedError},
		"wrapped by the program":   {fmt.Errorf("proxy: %w", get(code("AccessDeniedException"))), deniedError},
		"joined by the program":    {errors.Join(errors.New("note"), get(code("AccessDeniedException"))), deniedError},
		"two causes in one format": {fmt.Errorf("%w: %w", errors.New("note"), code("AccessDeniedException")), deniedError},

		// An API that is not the SDK's client says them without an operation.
		"bare not found":      {&types.ResourceNotFoundException{}, notFoundError},
		"bare denied":         {code("AccessDeniedException"), deniedError},
		"bare throttled":      {code("TooManyRequestsException"), throttledError},
		"bare missing":        {code("InvalidAction"), missingError},
		"no service's denied": {in("", "GetSecretValue", code("AccessDeniedException")), deniedError},

		// Others said it, within a call of the service.
		"STS":                   {get(identity(sts)), credentialsError},
		"STS not in a chain":    {sts, credentialsError},
		"STS throttled":         {get(identity(in("STS", "AssumeRole", code("Throttling")))), credentialsError},
		"STS out of reach":      {get(identity(in("STS", "AssumeRole", &smithyhttp.RequestSendError{Err: refused}))), credentialsError},
		"SSO":                   {get(identity(in("SSO", "GetRoleCredentials", code("ResourceNotFoundException")))), credentialsError},
		"SSO OIDC":              {get(identity(in("SSO OIDC", "CreateToken", code("AccessDeniedException")))), credentialsError},
		"instance metadata":     {get(identity(in("ec2imds", "GetMetadata", responded(404, errors.New("no role"))))), credentialsError},
		"container":             {get(identity(in("endpoint-credentials", "GetCredentials", code("AccessDeniedException")))), credentialsError},
		"STS joined":            {get(errors.Join(errors.New("no profile"), sts)), credentialsError},
		"STS first of two":      {errors.Join(sts, get(code("AccessDeniedException"))), credentialsError},
		"STS second of two":     {errors.Join(get(code("AccessDeniedException")), sts), deniedError},
		"KMS by itself":         {in("KMS", "Decrypt", code("AccessDeniedException")), credentialsError},
		"marked":                {get(&identityError{code("AccessDeniedException")}), credentialsError},
		"marked, no answer":     {get(&identityError{refused}), credentialsError},
		"marked, too late":      {get(&identityError{context.DeadlineExceeded}), credentialsError},
		"marked, joined":        {get(errors.Join(errors.New("note"), &identityError{refused})), credentialsError},
		"not marked":            {get(identity(code("AccessDeniedException"))), credentialsError},
		"signing":               {get(&v4.SigningError{Err: code("AccessDeniedException")}), credentialsError},
		"a vault within STS":    {in("STS", "AssumeRole", get(code("AccessDeniedException"))), credentialsError},
		"credentials are bytes": {clean(get(&identityError{&smithy.DeserializationError{Err: errors.New("token")}})), credentialsError},

		// The service did not accept who asked.
		"expired token":     {get(responded(400, code("ExpiredTokenException"))), credentialsError},
		"signature":         {get(responded(400, code("InvalidSignatureException"))), credentialsError},
		"unknown client":    {get(responded(400, code("UnrecognizedClientException"))), credentialsError},
		"expired request":   {get(responded(400, code("RequestExpired"))), credentialsError},
		"no token":          {get(responded(400, code("MissingAuthenticationToken"))), credentialsError},
		"bare expired":      {code("ExpiredTokenException"), credentialsError},
		"incomplete":        {get(responded(400, code("IncompleteSignature"))), credentialsError},
		"invalid client id": {get(responded(403, code("InvalidClientTokenId"))), credentialsError},

		// No answer.
		"refused connection": {get(&smithyhttp.RequestSendError{Err: refused}), networkError},
		"name resolution":    {get(&net.DNSError{Err: "no such host"}), networkError},
		"url":                {&url.Error{Op: "Post", Err: io.ErrUnexpectedEOF}, networkError},
		"cut short":          {get(io.ErrUnexpectedEOF), networkError},
		"canceled":           {get(&smithy.CanceledError{Err: context.Canceled}), contextError},
		"deadline":           {fmt.Errorf("late: %w", context.DeadlineExceeded), contextError},
		"FetchTimeout":       {errFetchTimeout, timeoutError},
		"the transport's":    {get(&lostError{context.DeadlineExceeded}), networkError},

		"late by credentials": {&lateError{errFetchTimeout, &identityError{context.DeadlineExceeded}}, credentialsError},
		"late by throttling":  {&lateError{errFetchTimeout, get(responded(400, code("ThrottlingException")))}, throttledError},
		"late, no cause":      {&lateError{errFetchTimeout, get(responded(400, code("NovelException")))}, timeoutError},
		"a region is late":    {errRegionTimeout, networkError},
		"a no of a replica": {&regionsError{[]regionFailure{{&endpoint{}, get(&smithyhttp.RequestSendError{Err: refused})},
			{&endpoint{at: 1}, get(responded(400, code("AccessDeniedException")))}}}, networkError},

		// This package's own.
		"empty answer": {errEmptyAnswer, serverError},
		"unreadable":   {clean(get(responded(200, &smithy.DeserializationError{Err: errors.New("value")}))), serverError},
		"no method":    {errNoDescribe, missingError},
		"panic":        {panicError("value"), unknownError},
		"plain http":   {get(&plainHTTPError{host: "example.com"}), unknownError},
		"unknown":      {errors.New("what"), unknownError},
		"nil":          {nil, unknownError},
	} {
		if got := classOf(tt.err); got != tt.want {
			t.Errorf("%s: classOf(%v) = %v, want %v", name, tt.err, got, tt.want)
		}
	}
}

// Only three classes are more than a failure to ask.
func TestAnswers(t *testing.T) {
	for c := unknownError; c <= missingError; c++ {
		want := transient
		switch c {
		case notFoundError:
			want = gone
		case deniedError:
			want = denied
		case missingError:
			want = missing
		case contextError, timeoutError:
			want = canceled
		}
		if got := c.answer(); got != want {
			t.Errorf("class %v means %d, want %d", c, got, want)
		}
		if unnamed := c.String() == "unknown"; unnamed != (c == unknownError) {
			t.Errorf("class %d is called %v", c, c)
		}
	}
}

// Every code that the SDK takes for throttling is one, and none says no.
func TestThrottleCodes(t *testing.T) {
	for c := range retry.DefaultThrottleErrorCodes {
		if got := classOf(code(c)); got != throttledError {
			t.Errorf("classOf(%s) = %v, want throttled", c, got)
		}
	}
}
