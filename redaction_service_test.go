package secrets_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// roundTripper is an http.RoundTripper that is a function.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answering returns an SDK client that gets the same answer to every call. An
// answer that ends in "…" is cut off there.
func answering(status int, body string) *secretsmanager.Client {
	return sdkClient("https://secretsmanager.us-east-1.amazonaws.com", roundTripper(func(r *http.Request) (*http.Response, error) {
		sent, cut := strings.CutSuffix(body, "…")
		var rd io.Reader = strings.NewReader(sent)
		if cut {
			rd = io.MultiReader(rd, errReader{io.ErrUnexpectedEOF})
		}
		return &http.Response{
			StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: -1,
			Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Body: io.NopCloser(rd),
		}, nil
	}))
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// sdkClient returns an SDK client of an endpoint that is reached through rt.
func sdkClient(endpoint string, rt http.RoundTripper) *secretsmanager.Client {
	return secretsmanager.New(secretsmanager.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(endpoint),
		HTTPClient:   &http.Client{Transport: rt},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "x"}, nil
		}),
	})
}

// everyRead reads the secret id in every way there is and returns the errors.
func everyRead(ctx context.Context, c *secrets.Client, id string) map[string]error {
	errs := map[string]error{}
	_, errs["Get"] = c.Get(ctx, id)
	_, errs["GetVersion"] = c.GetVersion(ctx, id, secrets.Stage(secrets.Previous))
	_, errs["GetVersion by id"] = c.GetVersion(ctx, id, secrets.VersionID("00000000-0000-4000-8000-000000000000"))
	_, errs["Versions"] = c.Versions(ctx, id)
	_, errs["Get[string]"] = secrets.Get[string](ctx, c, id)
	_, errs["Ref.Get"] = secrets.Bind[account](c, id).Get(ctx)
	fn := secrets.BindFunc(c, id, func(s *secrets.Secret) ([]byte, error) { return s.Bytes(), nil })
	_, errs["BindFunc"] = fn.Get(ctx)
	_, errs["Try"] = secrets.Try(ctx, fn, func(_ context.Context, b []byte) (int, error) { return len(b), nil })
	for _, err := range fn.Watch(ctx) {
		errs["Watch"] = err
		break
	}
	errs["Refresh"] = c.Refresh(ctx, id)
	errs["Prefetch"] = c.Prefetch(ctx, id)
	errs["Prefetch of two"] = c.Prefetch(ctx, id, id+"2")
	_, errs["RotationState"] = c.RotationState(ctx, id)
	return errs
}

// exposeChain exposes an error and all that it wraps.
func exposeChain(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	expose(t, fmt.Sprintf("%s (%T)", what, err), err)
	switch x := err.(type) {
	case interface{ Unwrap() error }:
		exposeChain(t, what, x.Unwrap())
	case interface{ Unwrap() []error }:
		for _, err := range x.Unwrap() {
			exposeChain(t, what, err)
		}
	}
}

// The SDK's errors quote the answer that they could not read.
func TestUnreadableAnswersAreNotShown(t *testing.T) {
	long := canary + strings.Repeat(" "+canary, 20)
	for name, tt := range map[string]struct {
		status int
		body   string
	}{
		"text":           {200, canary},
		"quoted":         {200, `"` + canary + `"`},
		"list":           {200, `["` + canary + `"]`},
		"cut":            {200, `{"Name":"s","SecretString":"` + long},
		"broken":         {200, `{"Name":"s","SecretString":"` + long + `…`},
		"date":           {200, `{"Name":"s","SecretString":"` + canary + `","CreatedDate":"` + canary + `"}`},
		"bad base64":     {200, `{"SecretBinary":"` + canary + `!"}`},
		"binary number":  {200, `{"SecretBinary":7,"SecretString":"` + canary + `"}`},
		"string object":  {200, `{"SecretString":{"password":"` + canary + `"}}`},
		"name object":    {200, `{"SecretString":"` + canary + `","Name":{}}`},
		"stages string":  {200, `{"SecretString":"` + canary + `","VersionStages":"` + canary + `"}`},
		"batch string":   {200, `{"SecretValues":[{"SecretString":["` + canary + `"]}],"SecretString":1,"Tags":1}`},
		"batch date":     {200, `{"SecretValues":[{"SecretString":"` + canary + `","CreatedDate":"` + canary + `"}]}`},
		"base64 of text": {200, `{"SecretBinary":"` + base64.StdEncoding.EncodeToString([]byte(canary)) + `"…`},
		"error page":     {500, "<html>" + canary},
		"bad request":    {400, `{"secret":"` + canary},
		"error body":     {400, `["` + canary + `"]`},
		"empty":          {200, `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log journal
				c := open(t, answering(tt.status, tt.body), &secrets.Options{Logger: log.logger()})
				failed := 0
				for what, err := range everyRead(t.Context(), c, "s") {
					exposeChain(t, what, err)
					if err != nil {
						failed++
					}
				}
				if failed < 10 {
					t.Errorf("%d reads failed, want nearly all", failed)
				}
				if form := leaks(log.String()); form != "" {
					t.Errorf("the log shows the value (as %s):\n%s", form, log.String())
				}
			})
		})
	}
}

// A client lives through all that may go wrong with a secret that is in use;
// neither what it returns nor what it logs shows a value.
func TestLogShowsNoValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": `{"password":"` + canary + `"}`, "s2": canary})
		var log journal
		c := open(t, srv.Client(), &secrets.Options{Logger: log.logger()})
		ref := secrets.Bind[byValue](c, "s")
		step := func(what string) {
			t.Helper()
			for range 4 {
				time.Sleep(5 * time.Minute)
				ref.Get(t.Context())
				short, cancel := context.WithTimeout(t.Context(), time.Second)
				for what, err := range everyRead(short, c, "s") {
					exposeChain(t, what, err)
				}
				cancel()
			}
			exposeChain(t, what, rejectWatched(t, c))
		}
		step("well")
		for _, p := range []string{"weak", "panic", "runtime"} { // see judge
			srv.Put("s", `{"password":"`+canary+p+`"}`)
			step(p)
		}
		srv.Put("s", canary)
		step("not JSON")
		srv.PutPending("s", canary+"pending")
		step("pending")
		srv.PutBinary("s", []byte(canary))
		step("binary")
		for _, f := range []secretstest.Fault{
			{Garbage: true}, {Truncate: true}, {Empty: true}, {Drop: true}, {Code: "ThrottlingException"}, {Code: "InternalServiceError"},
			{Stale: true}, {NoStages: true}, {Latency: time.Hour}, secretstest.DenyKMS(""), secretstest.DenyDescribe(""),
		} {
			f.Times = secretstest.Always
			srv.Fail(f)
			step(fmt.Sprintf("%+v", f))
			srv.ClearFaults()
			step("well again")
		}
		srv.Delete("s")
		step("deleted")
		if n := strings.Count(log.String(), "\n"); n < 15 {
			t.Errorf("only %d lines were logged:\n%s", n, log.String())
		}
		if form := leaks(log.String()); form != "" {
			t.Errorf("the log shows the value (as %s):\n%s", form, log.String())
		}
		if form := leaks(fmt.Sprintf("%+v", c.Stats())); form != "" {
			t.Errorf("Stats show the value: %+v", c.Stats())
		}
	})
}

// rejectWatched returns the error of a Try that rejects all versions, for
// causes that name none of them.
func rejectWatched(t *testing.T, c *secrets.Client) error {
	ref := secrets.Bind[string](c, "s2").WithTry(&secrets.TryOptions{Wait: time.Nanosecond})
	_, err := secrets.Try(t.Context(), ref, func(context.Context, string) (string, error) {
		return "", secrets.Rejected(errors.New("refused"))
	})
	return err
}

// What Watch yields as an error shows no value either.
func TestWatchErrorsShowNoValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": `{"password":"weak ` + canary + `"}`})
		c := open(t, srv.Client(), nil)
		n := 0
		for _, err := range secrets.Bind[byValue](c, "s").Watch(t.Context()) {
			if err == nil {
				t.Fatal("Watch yields a value that Validate refuses")
			}
			exposeChain(t, "Watch", err)
			if n++; n == 3 {
				break
			}
			srv.Put("s", fmt.Sprintf(`{"password":"panic %d %s"}`, n, canary))
		}
	})
}
