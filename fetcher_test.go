package secrets_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// An API that panics or ends its goroutine has failed. That kills nothing, tells
// nothing of what it panicked with, and the value stays in service.
func TestBrokenAPIIsATransientFailure(t *testing.T) {
	for what, breakIt := range map[string]func(){
		"panics":   func() { panic("hunter2 must not be shown") },
		"ended":    runtime.Goexit,
		"panicked": func() { panic(errors.New("hunter2")) },
	} {
		synctest.Test(t, func(t *testing.T) {
			var broken atomic.Bool
			s := newService("a", "b")
			c := newClient(t, apiFunc(func(ctx context.Context, in *secretsmanager.GetSecretValueInput) (*secretsmanager.GetSecretValueOutput, error) {
				if broken.Load() {
					breakIt()
				}
				return s.GetSecretValue(ctx, in)
			}), nil)
			text(t, c, "a")
			broken.Store(true)
			err := c.Refresh(ctx, "a")
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: Refresh = %v, want an error that does not say what it panicked with", what, err)
			}
			if _, err := c.Get(ctx, "b"); err == nil {
				t.Errorf("%s: a cold Get succeeded", what)
			}
			for range 60 {
				time.Sleep(time.Minute) // background refreshes break too
				text(t, c, "a")
			}
			broken.Store(false)
			time.Sleep(20 * time.Minute)
			text(t, c, "b")
			if st := c.Stats(); st.Denials != 0 || st.Errors < 4 {
				t.Errorf("%s: %d denials and %d errors, want 0 and several", what, st.Denials, st.Errors)
			}
		})
	}
}

// Nobody waits long for an API that ignores its context.
func TestAPIThatIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a")
		hang := make(chan struct{})
		c := newClient(t, apiFunc(func(ctx context.Context, in *secretsmanager.GetSecretValueInput) (*secretsmanager.GetSecretValueOutput, error) {
			<-hang
			return s.GetSecretValue(context.Background(), in)
		}), &secrets.Options{FetchTimeout: 10 * time.Second})
		begin := time.Now()
		if _, err := c.Get(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 11*time.Second {
			t.Errorf("Get = %v after %v, want FetchTimeout's error within 11s", err, time.Since(begin))
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		begin = time.Now()
		if err := c.Refresh(short, "a"); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("Refresh = %v after %v, want the context's error after 1s", err, time.Since(begin))
		}
		waiting := make(chan error)
		go func() {
			time.Sleep(11 * time.Second) // past the memory of failures
			_, err := c.Get(ctx, "a")
			waiting <- err
		}()
		time.Sleep(12 * time.Second)
		synctest.Wait()
		begin = time.Now()
		closed := make(chan time.Duration)
		go func() { c.Close(); closed <- time.Since(begin) }()
		if err := <-waiting; err != secrets.ErrClosed || time.Since(begin) != 0 {
			t.Errorf("a reader that waited at Close got %v after %v, want ErrClosed at once", err, time.Since(begin))
		}
		if took := <-closed; took > 2*time.Second {
			t.Errorf("Close took %v, want about a second at most", took)
		}
		close(hang)
	})
}

// refusalOf returns err as the SDK's client returns it from an operation.
func refusalOf(service string, err error) error {
	resp := &smithyhttp.Response{Response: &http.Response{StatusCode: 400, Header: http.Header{}}}
	return &smithy.OperationError{ServiceID: service, OperationName: "X", Err: &awshttp.ResponseError{
		ResponseError: &smithyhttp.ResponseError{Response: resp, Err: err},
	}}
}

type wrapped struct{ error }

func (w wrapped) Unwrap() error { return w.error }

// Only what Secrets Manager itself answers is a no. A refusal by whoever gives
// the credentials is found in the same error, and says nothing of the secret.
func TestWhoSaidNo(t *testing.T) {
	denied := &smithy.GenericAPIError{Code: "AccessDenied", Message: "scripted"}
	deniedException := &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "scripted"}
	const own = secretsmanager.ServiceID
	for what, tt := range map[string]struct {
		err error
		no  bool
	}{
		"the service":                     {refusalOf(own, deniedException), true},
		"the service, after retries":      {&smithy.OperationError{ServiceID: own, Err: &retry.MaxAttemptsError{Attempt: 3, Err: refusalOf(own, deniedException)}}, true},
		"the service, wrapped by the API": {wrapped{refusalOf(own, deniedException)}, true},
		"an API that is no client":        {deniedException, true},
		"KMS through the service":         {refusalOf(own, &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "Access to KMS is not allowed"}), true},
		"AssumeRole":                      {&smithy.OperationError{ServiceID: own, Err: wrapped{refusalOf("STS", denied)}}, false},
		"AssumeRoleWithWebIdentity":       {&smithy.OperationError{ServiceID: own, Err: wrapped{refusalOf("STS", deniedException)}}, false},
		"AssumeRole, joined":              {&smithy.OperationError{ServiceID: own, Err: errors.Join(wrapped{refusalOf("STS", denied)}, errors.New("no more tokens"))}, false},
		"SSO":                             {&smithy.OperationError{ServiceID: own, Err: wrapped{refusalOf("SSO", &smithy.GenericAPIError{Code: "UnauthorizedOperation"})}}, false},
		"IMDS":                            {&smithy.OperationError{ServiceID: own, Err: wrapped{denied}}, false},
		"ECS or Pod Identity":             {&smithy.OperationError{ServiceID: own, Err: wrapped{wrapped{deniedException}}}, false},
		"an expired token":                {refusalOf(own, &smithy.GenericAPIError{Code: "ExpiredTokenException"}), false},
		"a signature":                     {refusalOf(own, &smithy.GenericAPIError{Code: "InvalidSignatureException"}), false},
		"an unknown key":                  {refusalOf(own, &smithy.GenericAPIError{Code: "UnrecognizedClientException"}), false},
		"throttling":                      {refusalOf(own, &smithy.GenericAPIError{Code: "ThrottlingException"}), false},
		"not found":                       {refusalOf(own, &types.ResourceNotFoundException{}), true},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newService("a")
			c := newClient(t, getOnly{s}, nil)
			text(t, c, "a")
			s.fail(tt.err)
			if err := c.Refresh(ctx, "a"); err == nil {
				t.Fatal("Refresh succeeded")
			}
			if _, err := c.Get(ctx, "a"); (err != nil) != tt.no {
				t.Errorf("%s: Get = %v; want failed closed: %t", what, err, tt.no)
			}
		})
	}
}

// The same with the SDK's own client, whose credentials are refused.
func TestRefusedCredentialsDropNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"a": "one"})
		var refused atomic.Bool
		client := srv.Client(func(o *secretsmanager.Options) {
			given := o.Credentials
			o.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
				if refused.Load() {
					return aws.Credentials{}, refusalOf("STS", &smithy.GenericAPIError{Code: "AccessDenied", Message: "not authorized to perform: sts:AssumeRole"})
				}
				return given.Retrieve(ctx)
			})
		})
		c := newClient(t, client, nil)
		text(t, c, "a")
		refused.Store(true)
		if err := c.Refresh(ctx, "a"); errorCode(err) != "AccessDenied" {
			t.Errorf("Refresh = %v, want the refusal of AssumeRole", err)
		}
		for range 30 {
			time.Sleep(time.Minute)
			text(t, c, "a")
		}
		if d := c.Stats().Denials; d != 0 {
			t.Errorf("%d secrets were dropped, want none", d)
		}
	})
}

// The SDK's own logging does not print the bodies of the client's calls.
func TestSDKLogsNoBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines journal
		logger := logging.LoggerFunc(func(_ logging.Classification, format string, v ...any) {
			lines.logger().Info(format, "args", v)
		})
		srv := secretstest.New(t, secretstest.Secrets{"a": "hunter2hunter2", "b": "hunter2hunter2"})
		client := srv.Client(func(o *secretsmanager.Options) {
			o.Logger = logger
			o.ClientLogMode = aws.LogRequestWithBody | aws.LogResponseWithBody
		})
		c := newClient(t, client, nil)
		text(t, c, "a")
		if err := c.Refresh(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		if err := c.Prefetch(ctx, "a", "b"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Versions(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		if got := lines.String(); strings.Contains(got, "hunter2") || !strings.Contains(got, "HTTP/1.1 200") || !strings.Contains(got, "POST / ") {
			t.Errorf("the SDK logged the value, or no requests and responses at all:\n%.2000s", got)
		}
	})
}

// Durations beyond all sense are those of a hundred years, not of none.
func TestLongestDurations(t *testing.T) {
	const forever = time.Duration(1<<63 - 1)
	for _, mode := range []secrets.RefreshMode{secrets.RefreshAhead, secrets.RefreshOnRead} {
		synctest.Test(t, func(t *testing.T) {
			s := newService("a")
			c := newClient(t, s, &secrets.Options{
				TTL: forever, MaxStale: forever, FetchTimeout: forever, MaxBackoff: forever, Refresh: mode,
			})
			for range 1000 {
				text(t, c, "a")
				time.Sleep(time.Hour)
			}
			if n := s.calls(); n != 1 {
				t.Errorf("%d calls in 1,000 hours at the longest TTL, want 1", n)
			}

			s = newService("a")
			c = newClient(t, s, &secrets.Options{TTL: time.Minute, MaxStale: forever, Refresh: mode})
			text(t, c, "a")
			s.fail(coded("InternalServiceError"))
			for range 1000 {
				time.Sleep(time.Hour)
				text(t, c, "a")
			}
		})
	}
}

// Where the SDK goes on trying until the time is over, the error tells what it
// was that failed.
func TestLateErrorTellsTheLastAttempt(t *testing.T) {
	for code, negative := range map[string]uint64{"ThrottlingException": 1, "InternalServiceError": 1} {
		synctest.Test(t, func(t *testing.T) {
			srv := secretstest.New(t, secretstest.Secrets{"a": "one"})
			srv.Fail(secretstest.Fault{Times: secretstest.Always, Code: code, Latency: time.Second})
			c := newClient(t, srv.Client(), &secrets.Options{FetchTimeout: 1500 * time.Millisecond})
			for range 2 {
				if _, err := c.Get(ctx, "a"); errorCode(err) != code || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Get = %v, want a timeout and %s", err, code)
				}
			}
			if got := c.Stats().Negative; got != negative {
				t.Errorf("%d reads were answered by the remembered %s, want %d", got, code, negative)
			}
		})
	}
}
