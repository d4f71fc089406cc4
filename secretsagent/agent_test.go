package secretsagent_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretsagent"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A handled is a transport that a handler answers, without a socket.
type handled struct{ h http.Handler }

func (t handled) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	t.h.ServeHTTP(w, r)
	return w.Result(), r.Context().Err()
}

// agent returns an agent that a handler answers for.
func agent(t *testing.T, h http.Handler, token string) *secretsagent.Agent {
	t.Helper()
	a, err := secretsagent.New(&secretsagent.Options{Token: token, Transport: handled{h}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func get(ctx context.Context, a secrets.API, id string) (*secretsmanager.GetSecretValueOutput, error) {
	return a.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
}

func TestGetSecretValue(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"a/b": "v"})
	blue := srv.PutStages("a/b", "w", "blue")
	srv.PutBinary("bin", []byte{0, 255})
	a := agent(t, srv.Agent(nil), srv.AgentToken())
	want, err := get(t.Context(), srv.Client(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	got, err := get(t.Context(), a, "a/b")
	if err != nil || *got.SecretString != "v" || *got.ARN != *want.ARN || *got.Name != "a/b" || *got.VersionId != *want.VersionId ||
		fmt.Sprint(got.VersionStages) != "[AWSCURRENT]" || got.CreatedDate.Sub(*want.CreatedDate).Abs() > time.Millisecond {
		t.Errorf("got %v, %v", got, err)
	}
	if out, err := get(t.Context(), a, "bin"); err != nil || string(out.SecretBinary) != "\x00\xff" || out.SecretString != nil {
		t.Errorf("binary: got %v, %v", out, err)
	}
	for _, in := range []*secretsmanager.GetSecretValueInput{
		{SecretId: aws.String("a/b"), VersionId: &blue}, {SecretId: aws.String(srv.ARN("a/b")), VersionStage: aws.String("blue")},
	} {
		if out, err := a.GetSecretValue(t.Context(), in); err != nil || *out.SecretString != "w" {
			t.Errorf("%v: got %v, %v", in, out, err)
		}
	}
	if err := a.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
	if _, err := a.GetSecretValue(t.Context(), nil); err == nil {
		t.Error("a request for nothing succeeded")
	}
}

func TestServiceErrors(t *testing.T) { synctest.Test(t, checkServiceErrors) }

func checkServiceErrors(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "v"})
	a := agent(t, srv.Agent(nil), srv.AgentToken())
	is := func(err error, target any) bool { return errors.As(err, target) }
	var rnf *types.ResourceNotFoundException
	var ir *types.InvalidRequestException
	var ip *types.InvalidParameterException
	var df *types.DecryptionFailure
	var ise *types.InternalServiceError
	for code, target := range map[string]any{
		"ResourceNotFoundException": &rnf, "InvalidRequestException": &ir, "InvalidParameterException": &ip, "DecryptionFailure": &df, "InternalServiceError": &ise,
		"AccessDeniedException": nil, "ThrottlingException": nil,
	} {
		srv.Fail(secretstest.Fault{Code: code, Message: "because", Times: secretstest.Always})
		_, err := get(t.Context(), a, "s")
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != code || api.ErrorMessage() != "because" || target != nil && !is(err, target) {
			t.Errorf("%s: got %T %v", code, err, err)
		}
		srv.ClearFaults()
	}
}

// TestRefusals has the agent itself answer with all that it may.
func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"a bad token":          {403, "Bad Token", "token"},
		"too many connections": {429, "Connection limit exceeded", "TooManyRequests"},
		"forwarded":            {400, "Forwarded", "invalid"},
		"another path":         {404, "Not found", "not an agent"},
		"another method":       {405, "Not allowed", "not an agent"},
		"a timeout":            {504, `{"__type":"TimeoutError","message":"Timeout."}`, "TimeoutError"},
		"no network":           {502, `{"__type":"ConnectionError","message":"no"}`, "ConnectionError"},
		"a failure":            {500, `{"__type":"InternalFailure","message":"no"}`, "InternalFailure"},
		"a redirect":           {302, "hunter2", "302"},
		"text":                 {200, "hunter2", "could not be read"},
		"half an answer":       {200, `{"SecretString":"hunter2`, "could not be read"},
		"no value":             {200, `{"Name":"hunter2"}`, "could not be read"},
		"a type that is wrong": {200, `{"SecretString":["hunter2"]}`, "could not be read"},
		"too much":             {200, `{"SecretString":"` + strings.Repeat("hunter2", 200_000) + `"}`, "too long"},
	} {
		a := agent(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			w.Write([]byte(test.body))
		}), "tok")
		out, err := get(t.Context(), a, "s")
		if err == nil || out != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, %v; want an error with %q", name, out, err, test.want)
		}
		if s := fmt.Sprintf("%+v", err); strings.Contains(s, "hunter2") || strings.Contains(s, `"tok"`) {
			t.Errorf("%s: the error shows too much: %.100s", name, s)
		}
	}
}

func TestNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		a := agent(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if calls++; calls < 4 {
				http.Error(w, "not ready to serve traffic, please wait", http.StatusBadRequest)
				return
			}
			w.Write([]byte(`{"Name":"s","SecretString":"v","CreatedDate":"1700000000.25"}`))
		}), "tok")
		if out, err := get(t.Context(), a, "s"); err != nil || *out.SecretString != "v" || out.CreatedDate.UnixMilli() != 1700000000250 {
			t.Errorf("got %v, %v", out, err)
		}
		calls = -1000
		began := time.Now()
		var e *secretsagent.Error
		if _, err := get(t.Context(), a, "s"); !errors.As(err, &e) || e.Status != 400 || time.Since(began) > 2*time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
		defer cancel()
		if _, err := get(ctx, a, "s"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the end of the context", err)
		}
	})
}

// TestTokenIsReadAgain has the token change.
func TestTokenIsReadAgain(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "v"})
	h := srv.Agent(&secretstest.AgentOptions{Token: "new"})
	path := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	asked := 0
	a, err := secretsagent.New(&secretsagent.Options{TokenFile: path, Transport: handled{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		h.ServeHTTP(w, r)
	})}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := get(t.Context(), a, "s"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without the file: %v", err)
	}
	write("old")
	var e *secretsagent.Error
	if _, err := get(t.Context(), a, "s"); !errors.As(err, &e) || e.Status != 403 || asked != 2 {
		t.Errorf("with a wrong token: %v after %d requests, want 403 after 2", err, asked)
	}
	write("new")
	for range 2 {
		if _, err := get(t.Context(), a, "s"); err != nil {
			t.Errorf("with the new token: %v", err)
		}
	}
	if asked != 5 {
		t.Errorf("%d requests, want 5", asked)
	}
	write("a\x00b")
	if _, err := secretsagent.New(nil); err != nil {
		t.Error(err)
	}
}

func TestTokenOfTheEnvironment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("of a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, env := range map[string]map[string]string{
		"of AWS_TOKEN": {"AWS_TOKEN": "of AWS_TOKEN", "AWS_SESSION_TOKEN": "x"},
		"of a file":    {"AWS_TOKEN": "file://" + path},
		"of a session": {"AWS_SESSION_TOKEN": "of a session", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "x"},
		"of a task":    {"AWS_CONTAINER_AUTHORIZATION_TOKEN": "of a task"},
		"":             {},
		" ":            {"AWS_TOKEN": "two\nlines"},
	} {
		t.Run(want, func(t *testing.T) {
			for _, name := range []string{"AWS_TOKEN", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"} {
				t.Setenv(name, env[name])
			}
			got := ""
			a, err := secretsagent.New(&secretsagent.Options{Transport: handled{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r.Header.Get("X-Aws-Parameters-Secrets-Token")
				w.Write([]byte(`{"SecretString":"v"}`))
			})}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = get(t.Context(), a, "s")
			if missing := strings.TrimSpace(want) == ""; got != strings.TrimSpace(want) || (err != nil) != missing {
				t.Errorf("sent %q, %v; want %q", got, err, want)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for _, at := range []string{"http://192.0.2.1:2773", "http://example.com", "ftp://localhost", "localhost:2773", "http://u:p@localhost", "http://localhost/?a=b", "://"} {
		if a, err := secretsagent.New(&secretsagent.Options{URL: at}); err == nil || a != nil {
			t.Errorf("New with %q = %v, %v", at, a, err)
		}
	}
	for _, at := range []string{"http://127.0.0.1:1", "http://[::1]:1", "http://LOCALHOST:1", "https://agent.internal"} {
		if _, err := secretsagent.New(&secretsagent.Options{URL: at}); err != nil {
			t.Errorf("New with %q: %v", at, err)
		}
	}
}

// TestOverASocket uses the transport that New makes.
func TestOverASocket(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "v"})
	t.Setenv("HTTP_PROXY", "http://192.0.2.1:1")
	o := &secretsagent.Options{URL: srv.AgentURL(), Token: srv.AgentToken()}
	a, err := secretsagent.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := get(t.Context(), a, "s"); err != nil || *out.SecretString != "v" {
		t.Errorf("got %v, %v", out, err)
	}
	for _, v := range []any{a, *o, o, slog.AnyValue(a)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if s := fmt.Sprintf(verb, v); strings.Contains(s, srv.AgentToken()) {
				t.Errorf("%s of %T shows the token: %s", verb, v, s)
			}
		}
	}
	gone, _ := secretsagent.New(&secretsagent.Options{URL: "http://127.0.0.1:1", Token: "tok"})
	if _, err := get(t.Context(), gone, "s"); err == nil || strings.Contains(err.Error(), "tok") {
		t.Errorf("nobody listens: got %v", err)
	}
}
