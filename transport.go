package secrets

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// callOptions returns the options of every call.
func callOptions(o *Options) []func(*secretsmanager.Options) {
	opts := []func(*secretsmanager.Options){withoutBodiesInLogs, markIdentityErrors}
	if o.allowHTTP() {
		return opts
	}
	return append(opts, func(so *secretsmanager.Options) {
		so.APIOptions = append(so.APIOptions, func(s *middleware.Stack) error {
			return s.Deserialize.Add(refusePlainHTTP{}, middleware.After) // next to the transport
		})
	})
}

// withoutBodiesInLogs removes the parts of the SDK's own logging that could
// print a value: the bodies of responses and, as a precaution, of requests.
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

// withoutRetries is the option for calls whose failure no reader notices. The
// cache's own backoff, up to 15 minutes, replaces the SDK's.
func withoutRetries(so *secretsmanager.Options) { so.Retryer = aws.NopRetryer{} }

// markIdentityErrors wraps failures to get credentials in an [identityError].
func markIdentityErrors(so *secretsmanager.Options) {
	so.APIOptions = append(so.APIOptions, func(s *middleware.Stack) error {
		// A client that gets its identity in another way is left as it is.
		if _, ok := s.Finalize.Get(getIdentity); !ok {
			return nil
		}
		w := &identityWatch{}
		if err := s.Finalize.Insert((*identityBegins)(w), getIdentity, middleware.Before); err != nil {
			return err
		}
		return s.Finalize.Insert((*identityEnds)(w), getIdentity, middleware.After)
	})
}

// getIdentity is the SDK's id of the middleware that gets credentials.
const getIdentity = "GetIdentity"

// identityError is a failure to get the credentials for a request. The request
// was not sent. An API error within it is an answer of another service.
type identityError struct{ err error }

func (e *identityError) Error() string { return e.err.Error() }
func (e *identityError) Unwrap() error { return e.err }

// identityWatch runs before and after the middleware that gets credentials.
// Each call has its own, and the attempts of a call run one after the other.
type identityWatch struct{ found bool }

type (
	identityBegins identityWatch
	identityEnds   identityWatch
)

func (w *identityBegins) ID() string { return "secrets:IdentityBegins" }

func (w *identityBegins) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	w.found = false
	out, metadata, err := next.HandleFinalize(ctx, in)
	if err != nil && !w.found {
		err = &identityError{err}
	}
	if tr, ok := ctx.Value(traceKey{}).(*trace); ok {
		tr.attempted(err, w.found)
	}
	return out, metadata, err
}

func (w *identityEnds) ID() string { return "secrets:IdentityEnds" }

func (w *identityEnds) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	w.found = true
	return next.HandleFinalize(ctx, in)
}

// A trace is the result of a call's last attempt. The SDK does not report it if
// the call's time ends before the next attempt.
type trace struct{ last atomic.Pointer[error] }

// traced is a context that carries a trace.
type traced struct {
	context.Context
	trace trace
}

// traceKey is the key of a call's trace in its context.
type traceKey struct{}

// Value returns the trace for its key.
func (t *traced) Value(key any) any {
	if key == any(traceKey{}) {
		return &t.trace
	}
	return t.Context.Value(key)
}

// attempted notes the result of an attempt. If the attempt ended because time
// ran out, that is noted only if the attempt had no credentials yet and no
// earlier failure is known.
func (tr *trace) attempted(err error, identified bool) {
	switch {
	case err == nil || identified && isContextError(err):
	case isContextError(err):
		tr.last.CompareAndSwap(nil, &err)
	default:
		tr.last.Store(&err)
	}
}

// late returns the error of a call that ended by cause. It includes the error
// of the last attempt, if that failed.
func (tr *trace) late(cause error) error {
	if last := tr.last.Load(); last != nil {
		return &lateError{cause, clean(*last)}
	}
	return cause
}

// refusePlainHTTP refuses a request that would carry a secret in the clear. It
// runs when the request is final, because the endpoint may be chosen per
// request.
type refusePlainHTTP struct{}

func (refusePlainHTTP) ID() string { return "secrets:RefusePlainHTTP" }

func (refusePlainHTTP) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	if req, ok := in.Request.(*smithyhttp.Request); ok && req.URL.Scheme != "https" && !isLoopback(req.URL.Hostname()) {
		return middleware.DeserializeOutput{}, middleware.Metadata{}, &plainHTTPError{host: req.URL.Host}
	}
	return next.HandleDeserialize(ctx, in)
}

// plainHTTPError is not retryable: only a change of the configuration helps.
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
