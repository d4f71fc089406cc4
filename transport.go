package secrets

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// callOptions returns the options of every call.
func callOptions(o *Options) []func(*secretsmanager.Options) {
	opts := []func(*secretsmanager.Options){withoutBodiesInLogs}
	if o.allowHTTP() {
		return opts
	}
	return append(opts, func(so *secretsmanager.Options) {
		so.APIOptions = append(so.APIOptions, func(s *middleware.Stack) error {
			return s.Deserialize.Add(refusePlainHTTP{}, middleware.After) // next to the transport
		})
	})
}

// withoutBodiesInLogs takes from the SDK's own logging what would print the
// value: the bodies of responses and, lest they ever hold one, of requests.
func withoutBodiesInLogs(so *secretsmanager.Options) {
	if m := &so.ClientLogMode; m.IsResponseWithBody() {
		m.ClearResponseWithBody()
		*m |= aws.LogResponse
	}
	if m := &so.ClientLogMode; m.IsRequestWithBody() {
		m.ClearRequestWithBody()
		*m |= aws.LogRequest
	}
}

// withoutRetries is the option of calls whose failure costs nobody anything:
// the cache's own backoff, up to 15 minutes, takes the place of the SDK's.
func withoutRetries(so *secretsmanager.Options) { so.Retryer = aws.NopRetryer{} }

// refusePlainHTTP ends a request that would carry a secret in the clear. It
// sits where the request is final: the endpoint may be chosen per request.
type refusePlainHTTP struct{}

func (refusePlainHTTP) ID() string { return "secrets:RefusePlainHTTP" }

func (refusePlainHTTP) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	if req, ok := in.Request.(*smithyhttp.Request); ok && req.URL.Scheme != "https" && !isLoopback(req.URL.Hostname()) {
		return middleware.DeserializeOutput{}, middleware.Metadata{}, &plainHTTPError{host: req.URL.Host}
	}
	return next.HandleDeserialize(ctx, in)
}

// plainHTTPError is not for retrying: only another configuration helps.
type plainHTTPError struct{ host string }

func (e *plainHTTPError) Error() string {
	if e.host == "" {
		return "the endpoint has no scheme or no host: it must be a URL such as https://secretsmanager.us-east-1.amazonaws.com"
	}
	return fmt.Sprintf("refusing plain http to %s: the answer would carry the secret in the clear (Options.AllowHTTP allows it)", e.host)
}

func isLoopback(host string) bool {
	if ip := net.ParseIP(strings.Trim(host, "[]")); ip != nil {
		return ip.IsLoopback()
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
