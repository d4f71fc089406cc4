package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

func TestClassOf(t *testing.T) {
	operation := func(err error) error {
		return &smithy.OperationError{ServiceID: secretsmanager.ServiceID, OperationName: "GetSecretValue", Err: err}
	}
	answered := func(status int, code string) error {
		return operation(&smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}},
			Err:      &smithy.GenericAPIError{Code: code},
		})
	}
	sts := &smithy.OperationError{ServiceID: "STS", OperationName: "AssumeRole", Err: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: 403}},
		Err:      &smithy.GenericAPIError{Code: "AccessDenied"},
	}}
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	for _, tt := range []struct {
		name string
		err  error
		want secrets.FailureClass
	}{
		{"nil", nil, ""},
		{"not found", answered(400, "ResourceNotFoundException"), secrets.ClassMissing},
		{"not found, typed", &types.ResourceNotFoundException{}, secrets.ClassMissing},
		{"scheduled for deletion", answered(400, "InvalidRequestException"), secrets.ClassMissing},
		{"access denied", answered(400, "AccessDeniedException"), secrets.ClassDenied},
		{"KMS refused", answered(400, "KMSAccessDeniedException"), secrets.ClassDenied},
		{"cannot be decrypted", &types.DecryptionFailure{}, secrets.ClassDenied},
		{"throttled", answered(400, "ThrottlingException"), secrets.ClassThrottled},
		{"too many requests", answered(429, "TooManyRequestsException"), secrets.ClassThrottled},
		{"the token has expired", answered(400, "ExpiredTokenException"), secrets.ClassCredentials},
		{"an unknown access key", answered(400, "UnrecognizedClientException"), secrets.ClassCredentials},
		{"STS denies", operation(fmt.Errorf("get identity: get credentials: %w", sts)), secrets.ClassCredentials},
		{"STS cannot be reached", operation(fmt.Errorf("get identity: get credentials: %w", refused)), secrets.ClassCredentials},
		{"no access key", operation(fmt.Errorf("sign request: %w", errors.New("no key"))), secrets.ClassCredentials},
		{"internal error", &types.InternalServiceError{}, secrets.ClassServer},
		{"unavailable", answered(503, "ServiceUnavailable"), secrets.ClassServer},
		{"unavailable, and no further attempt", operation(errors.Join(errors.Unwrap(answered(503, "ServiceUnavailable")), errors.New("retry quota exceeded"))), secrets.ClassServer},
		{"denied, and no further attempt", operation(errors.Join(errors.Unwrap(answered(400, "AccessDeniedException")), errors.New("retry quota exceeded"))), secrets.ClassDenied},
		{"STS denies, and no further attempt", operation(errors.Join(fmt.Errorf("who: %w", sts), errors.New("retry quota exceeded"))), secrets.ClassCredentials},
		{"a code that nobody knows, 500", answered(500, "Strange"), secrets.ClassServer},
		{"a code that nobody knows, 400", answered(400, "Strange"), secrets.ClassOther},
		{"bad parameter", &types.InvalidParameterException{}, secrets.ClassOther},
		{"no such operation", answered(400, "UnknownOperationException"), secrets.ClassOther},
		{"connection refused", operation(&smithyhttp.RequestSendError{Err: &url.Error{Op: "Post", Err: refused}}), secrets.ClassNetwork},
		{"no such host", &net.DNSError{Name: "secretsmanager.example"}, secrets.ClassNetwork},
		{"the HTTP client's own timeout", operation(&smithyhttp.RequestSendError{Err: context.DeadlineExceeded}), secrets.ClassNetwork},
		{"connection cut", operation(io.ErrUnexpectedEOF), secrets.ClassNetwork},
		{"canceled", operation(&smithy.CanceledError{Err: context.Canceled}), secrets.ClassCanceled},
		{"deadline of the caller", fmt.Errorf("get: %w", context.DeadlineExceeded), secrets.ClassCanceled},
		{"closed", secrets.ErrClosed, secrets.ClassCanceled},
		{"does not decode", fmt.Errorf("start: %w", &secrets.DecodeError{}), secrets.ClassDecode},
		{"rejected", fmt.Errorf("start: %w", &secrets.RejectedError{}), secrets.ClassRejected},
		{"anything else", errors.New("boom"), secrets.ClassOther},
		{"several", errors.Join(errors.New("boom"), answered(400, "AccessDeniedException")), secrets.ClassDenied},
	} {
		if got := secrets.ClassOf(tt.err); got != tt.want {
			t.Errorf("ClassOf of %s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// The classes of what the SDK itself makes of each failure, and what Stats counts.
func TestErrorsByClass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		always := secretstest.Always
		for _, tt := range []struct {
			name  string
			fault secretstest.Fault
			want  secrets.FailureClass
			count func(secrets.Stats) uint64
		}{
			{"outage", secretstest.Outage(), secrets.ClassNetwork, func(s secrets.Stats) uint64 { return s.NetworkErrors }},
			{"slow", secretstest.Fault{Times: always, Latency: time.Hour}, secrets.ClassNetwork, func(s secrets.Stats) uint64 { return s.NetworkErrors }},
			{"throttled", secretstest.Fault{Times: always}, secrets.ClassThrottled, func(s secrets.Stats) uint64 { return s.Throttles }},
			{"500", secretstest.Fault{Times: always, Status: 500}, secrets.ClassServer, func(s secrets.Stats) uint64 { return s.ServerErrors }},
			{"empty", secretstest.Fault{Times: always, Empty: true}, secrets.ClassServer, func(s secrets.Stats) uint64 { return s.ServerErrors }},
			{"garbage", secretstest.Fault{Times: always, Garbage: true}, secrets.ClassServer, func(s secrets.Stats) uint64 { return s.ServerErrors }},
			{"denied", secretstest.Fault{Times: always, Code: "AccessDeniedException"}, secrets.ClassDenied, func(s secrets.Stats) uint64 { return s.DeniedErrors }},
			{"no such secret", secretstest.Fault{Times: always, Code: "ResourceNotFoundException"}, secrets.ClassMissing, func(s secrets.Stats) uint64 { return s.MissingErrors }},
			{"expired token", secretstest.Fault{Times: always, Code: "ExpiredTokenException"}, secrets.ClassCredentials, func(s secrets.Stats) uint64 { return s.CredentialErrors }},
			{"strange", secretstest.Fault{Times: always, Code: "Strange"}, secrets.ClassOther, func(s secrets.Stats) uint64 { return s.OtherErrors }},
		} {
			srv := secretstest.New(t, secretstest.Secrets{"a": "one"})
			c := open(t, srv.Client(), nil)
			srv.Fail(tt.fault)
			_, err := c.Get(ctx, "a")
			if got := secrets.ClassOf(err); got != tt.want {
				t.Errorf("%s: class %q of %v, want %q", tt.name, got, err, tt.want)
			}
			if st := c.Stats(); tt.count(st) != 1 || st.Errors != 1 {
				t.Errorf("%s: counted %d times, and %d errors; want 1 of both", tt.name, tt.count(st), st.Errors)
			}
			c.Close()
		}
	})
}

func TestClassOfMissingCredentials(t *testing.T) {
	none := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("no provider in the chain has any")
	})
	api := secretsmanager.New(secretsmanager.Options{Region: "us-east-1", Credentials: none})
	c := open(t, api, nil)
	_, err := c.Get(ctx, "a")
	if got := secrets.ClassOf(err); got != secrets.ClassCredentials {
		t.Errorf("class %q of %v, want %q", got, err, secrets.ClassCredentials)
	}
	if n := c.Stats().CredentialErrors; n != 1 {
		t.Errorf("CredentialErrors %d, want 1", n)
	}
}
