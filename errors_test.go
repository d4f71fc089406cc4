package secrets_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// as reports whether err is a T of the SDK with the code.
func as[T smithy.APIError](err error, code string) bool {
	var target T
	return errors.As(err, &target) && target.ErrorCode() == code
}

func TestErrorsOfTheService(t *testing.T) {
	for code, is := range map[string]func(error, string) bool{
		"ResourceNotFoundException": as[*types.ResourceNotFoundException],
		"InvalidRequestException":   as[*types.InvalidRequestException],
		"InvalidParameterException": as[*types.InvalidParameterException],
		"DecryptionFailure":         as[*types.DecryptionFailure],
		"InternalServiceError":      as[*types.InternalServiceError],
		"AccessDeniedException":     as[*smithy.GenericAPIError],
		"ThrottlingException":       as[*smithy.GenericAPIError],
		"ExpiredTokenException":     as[*smithy.GenericAPIError],
		"NovelException":            as[*smithy.GenericAPIError],
	} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := secretstest.New(t, secretstest.Secrets{"s": "v", "s2": "v"})
				srv.Fail(secretstest.Fault{Times: secretstest.Always, Code: code})
				c := open(t, srv.Client(), nil)
				for range 2 { // the second from the memory of failures
					for what, err := range everyRead(t.Context(), c, "s") {
						if !is(err, code) {
							t.Errorf("%s: %v (%T) is no %s of the SDK", what, err, err, code)
						}
						if err != nil && (!strings.HasPrefix(err.Error(), "secrets: ") || !strings.Contains(err.Error(), `"s"`)) {
							t.Errorf("%s: %q does not begin with secrets: and name the secret", what, err)
						}
					}
				}
			})
		})
	}
}

// An error of one secret of a batch is what GetSecretValue would have returned.
func TestErrorsWithinABatch(t *testing.T) {
	for code, is := range map[string]func(error, string) bool{
		"ResourceNotFoundException": as[*types.ResourceNotFoundException],
		"InvalidRequestException":   as[*types.InvalidRequestException],
		"InvalidParameterException": as[*types.InvalidParameterException],
		"DecryptionFailure":         as[*types.DecryptionFailure],
		"InternalServiceError":      as[*types.InternalServiceError],
		"AccessDeniedException":     as[*smithy.GenericAPIError],
	} {
		c := open(t, batchFunc(func(in *secretsmanager.BatchGetSecretValueInput) (*secretsmanager.BatchGetSecretValueOutput, error) {
			message := "scripted"
			out := &secretsmanager.BatchGetSecretValueOutput{}
			for _, id := range in.SecretIdList {
				out.Errors = append(out.Errors, types.APIErrorType{SecretId: &id, ErrorCode: &code, Message: &message})
			}
			return out, nil
		}), nil)
		err := c.Prefetch(t.Context(), "a", "b")
		var pe *secrets.PrefetchError
		if !errors.As(err, &pe) || len(pe.Errors) != 2 {
			t.Fatalf("%s: Prefetch = %v, want a *PrefetchError of two", code, err)
		}
		for id, err := range pe.Errors {
			if !is(err, code) || !strings.Contains(err.Error(), "scripted") {
				t.Errorf("error of %s = %v (%T), want a %s", id, err, err, code)
			}
		}
		if !is(err, code) {
			t.Errorf("errors.As does not reach the %s through %v", code, err)
		}
	}
}

// batchFunc is an API whose BatchGetSecretValue is a function and whose
// GetSecretValue must not be called.
type batchFunc func(*secretsmanager.BatchGetSecretValueInput) (*secretsmanager.BatchGetSecretValueOutput, error)

func (f batchFunc) BatchGetSecretValue(_ context.Context, in *secretsmanager.BatchGetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.BatchGetSecretValueOutput, error) {
	return f(in)
}

func (f batchFunc) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	panic("GetSecretValue called")
}

func TestMissingVersionsAreNamed(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"prod/db": "v"})
	srv.PutEmptyPending("prod/db")
	c := open(t, srv.Client(), nil)
	const id = "00000000-0000-4000-8000-000000000000"
	for want, sel := range map[string]secrets.Selector{
		"AWSPREVIOUS": secrets.Stage(secrets.Previous),
		"AWSPENDING":  secrets.Stage(secrets.Pending), // there, without a value
		"custom":      secrets.Stage("custom"),
		id:            secrets.VersionID(id),
	} {
		s, err := c.GetVersion(t.Context(), "prod/db", sel)
		if s != nil || !as[*types.ResourceNotFoundException](err, "ResourceNotFoundException") {
			t.Errorf("GetVersion of %v = %v, %v; want a ResourceNotFoundException", sel, s, err)
		}
		if err != nil && (!strings.Contains(err.Error(), `get "prod/db": `) || strings.Count(err.Error(), want) < 2) { // ours and the service's
			t.Errorf("GetVersion of %v: %q does not name the secret and the version", sel, err)
		}
	}
	// That a version is missing does not make the secret missing.
	if s, err := c.Get(t.Context(), "prod/db"); err != nil {
		t.Errorf("Get = %v, %v after misses of other versions", s, err)
	}
}

// A caller whose context ends leaves at that moment with the context's error;
// the request that it shared goes on for the others.
func TestCallersLeaveWithTheirContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const id, latency, deadline = "s", 5 * time.Second, 137 * time.Millisecond
		for what, read := range singleReads() {
			srv := secretstest.New(t, secretstest.Secrets{id: `{}`, id + "2": "v"})
			srv.Put(id, `{}`)
			srv.Fail(secretstest.Fault{Times: secretstest.Always, Latency: latency})
			c := open(t, srv.Client(), nil)
			start := time.Now()
			patient := make(chan error)
			go func() { patient <- read(t.Context(), c, id) }()
			synctest.Wait()

			timed, cancel := context.WithTimeout(t.Context(), deadline)
			err := read(timed, c, id)
			if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != deadline {
				t.Errorf("%s with a deadline of %v = %v after %v", what, deadline, err, took)
			}
			cancel()

			canceled, cancel := context.WithCancel(t.Context())
			time.AfterFunc(deadline, cancel)
			err = read(canceled, c, id)
			if took := time.Since(start); !errors.Is(err, context.Canceled) || took != 2*deadline {
				t.Errorf("%s canceled at %v = %v after %v", what, 2*deadline, err, took)
			}
			if err := <-patient; err != nil {
				t.Errorf("%s of a patient caller: %v", what, err)
			}
			if err := read(t.Context(), c, id); err != nil {
				t.Errorf("%s after callers left: %v", what, err)
			}
			c.Close()
		}
	})
}

// The caller whose read began a request may leave; the others stay.
func TestLeavingFailsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, what := range []string{"Get", "GetVersion", "Versions", "Get[T]", "Ref.Get", "Try"} {
			read := singleReads()[what]
			srv := secretstest.New(t, secretstest.Secrets{"s": `{}`})
			srv.Put("s", `{}`)
			srv.Fail(secretstest.Fault{Times: secretstest.Always, Latency: 5 * time.Second})
			c := open(t, srv.Client(), nil)
			ctx, cancel := context.WithCancel(t.Context())
			first, second := make(chan error), make(chan error)
			go func() { first <- read(ctx, c, "s") }()
			synctest.Wait()
			go func() { second <- read(t.Context(), c, "s") }()
			synctest.Wait()
			cancel()
			if err := <-first; !errors.Is(err, context.Canceled) {
				t.Errorf("%s: the one who leaves gets %v, want context.Canceled", what, err)
			}
			if err := <-second; err != nil {
				t.Errorf("%s: the one who stays gets %v", what, err)
			}
			if n := srv.Count(secretstest.Call{Outcome: secretstest.OutcomeCanceled}); n != 0 {
				t.Errorf("%s: %d requests were cancelled", what, n)
			}
		}
	})
}

// singleReads are the ways to read that share requests, and those that make
// their own.
func singleReads() map[string]func(context.Context, *secrets.Client, string) error {
	return map[string]func(context.Context, *secrets.Client, string) error{
		"Get": func(ctx context.Context, c *secrets.Client, id string) error { _, err := c.Get(ctx, id); return err },
		"GetVersion": func(ctx context.Context, c *secrets.Client, id string) error {
			_, err := c.GetVersion(ctx, id, secrets.Stage(secrets.Previous))
			return err
		},
		"Versions": func(ctx context.Context, c *secrets.Client, id string) error {
			_, err := c.Versions(ctx, id)
			return err
		},
		"Get[T]": func(ctx context.Context, c *secrets.Client, id string) error {
			_, err := secrets.Get[account](ctx, c, id)
			return err
		},
		"Ref.Get": func(ctx context.Context, c *secrets.Client, id string) error {
			_, err := secrets.Bind[account](c, id).Get(ctx)
			return err
		},
		"Try": func(ctx context.Context, c *secrets.Client, id string) error {
			_, err := secrets.Try(ctx, secrets.Bind[string](c, id), func(context.Context, string) (int, error) { return 0, nil })
			return err
		},
		"Refresh":       func(ctx context.Context, c *secrets.Client, id string) error { return c.Refresh(ctx, id) },
		"Prefetch":      func(ctx context.Context, c *secrets.Client, id string) error { return c.Prefetch(ctx, id) },
		"Prefetch of 2": func(ctx context.Context, c *secrets.Client, id string) error { return c.Prefetch(ctx, id, id+"2") },
		"RotationState": func(ctx context.Context, c *secrets.Client, id string) error {
			_, err := c.RotationState(ctx, id)
			return err
		},
	}
}

// An API that does not heed contexts keeps nobody.
func TestCallersLeaveADeafAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wake := make(chan struct{})
		api := apiFunc(func(_ context.Context, in *secretsmanager.GetSecretValueInput) (*secretsmanager.GetSecretValueOutput, error) {
			<-wake
			return &secretsmanager.GetSecretValueOutput{Name: in.SecretId, SecretString: in.SecretId}, nil
		})
		c := open(t, api, nil)
		defer close(wake) // before the client's Close, which waits for the call
		for _, what := range []string{"Get", "GetVersion", "Versions", "Ref.Get", "Get[T]", "Try"} {
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := singleReads()[what](ctx, c, "s")
			if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
				t.Errorf("%s with a deadline of 1s = %v after %v", what, err, took)
			}
			cancel()
		}
	})
}

// One request that outlasts FetchTimeout is a deadline exceeded too, and says
// whose.
func TestFetchTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "v"})
		srv.Fail(secretstest.Fault{Times: secretstest.Always, Latency: time.Hour})
		c := open(t, srv.Client(), &secrets.Options{FetchTimeout: 3 * time.Second})
		start := time.Now()
		_, err := c.Get(t.Context(), "s")
		if took := time.Since(start); took != 3*time.Second || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "FetchTimeout") {
			t.Errorf("Get = %v after %v, want FetchTimeout after 3s", err, took)
		}
	})
}

// After Close everything returns ErrClosed itself.
func TestClosed(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "v", "s2": "v"})
	c := open(t, srv.Client(), nil)
	text, fn := secrets.Bind[string](c, "s"), secrets.BindFunc(c, "s", (*secrets.Secret).Text)
	for range 2 {
		if _, err := text.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := fn.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Versions(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
	}
	before := srv.Count()
	for range 2 {
		if err := c.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	for _, id := range []string{"s", "unknown", srv.ARN("s")} {
		for what, err := range everyRead(t.Context(), c, id) {
			if err != secrets.ErrClosed {
				t.Errorf("%s of %s after Close = %v, want ErrClosed", what, id, err)
			}
		}
	}
	for _, ref := range []*secrets.Ref[string]{text, fn} {
		if v, err := ref.Get(t.Context()); v != "" || err != secrets.ErrClosed {
			t.Errorf("%v.Get after Close = %q, %v; want ErrClosed", ref, v, err)
		}
	}
	if n := srv.Count(); n != before {
		t.Errorf("%d calls after Close", n-before)
	}
}

// Close ends all waiting at once, and is itself back when all requests are.
func TestCloseEndsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for what, read := range singleReads() {
			srv := secretstest.New(t, secretstest.Secrets{"s": "{}"})
			srv.Fail(secretstest.Fault{Times: secretstest.Always, Latency: 5 * time.Second})
			c := open(t, srv.Client(), nil)
			errs := make(chan error, 10)
			for range cap(errs) {
				go func() { errs <- read(t.Context(), c, "s") }()
			}
			time.Sleep(time.Second)
			start := time.Now()
			c.Close()
			for range cap(errs) {
				if err := <-errs; err != secrets.ErrClosed {
					t.Errorf("%s that waits at Close = %v, want ErrClosed", what, err)
				}
			}
			if took := time.Since(start); took != 0 {
				t.Errorf("%s: Close and its readers took %v, want no time", what, took)
			}
		}
	})
}

// The zero DecodeError, PrefetchError and RejectedError can be printed, and
// unwrapped: programs may make them in their tests.
func TestZeroErrors(t *testing.T) {
	for _, err := range []error{&secrets.DecodeError{}, &secrets.PrefetchError{}, &secrets.RejectedError{}} {
		if !strings.HasPrefix(err.Error(), "secrets: ") {
			t.Errorf("zero %v says %q", reflect.TypeOf(err), err)
		}
		if errors.Is(err, secrets.ErrClosed) {
			t.Errorf("zero %v is ErrClosed", reflect.TypeOf(err))
		}
	}
}
