package secretstest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// code returns the error code of a refused call, and the text.
func code(err error) (string, string) {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode(), e.ErrorMessage()
	}
	if err == nil {
		return "", ""
	}
	return "not an API error", err.Error()
}

// wantError fails unless err is the service's error with this code and text.
func wantError(t *testing.T, err error, wantCode, wantText string) {
	t.Helper()
	c, text := code(err)
	if c != wantCode || !strings.Contains(text, wantText) {
		t.Errorf("got error %s: %s, want %s: %s", c, text, wantCode, wantText)
	}
}

func get(t *testing.T, c *secretsmanager.Client, id string) *secretsmanager.GetSecretValueOutput {
	t.Helper()
	out, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		t.Fatalf("GetSecretValue(%q): %v", id, err)
	}
	return out
}

func TestGet(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"prod/db": `{"username":"app","note":"ü \u0001 <&>"}`})
	c := srv.Client()
	out := get(t, c, "prod/db")
	if got, want := *out.SecretString, `{"username":"app","note":"ü \u0001 <&>"}`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(out.VersionStages) != 1 || out.VersionStages[0] != "AWSCURRENT" {
		t.Errorf("got stages %q, want AWSCURRENT", out.VersionStages)
	}
	if d := time.Since(*out.CreatedDate); d < 0 || d > time.Minute {
		t.Errorf("created %v ago", d)
	}
	for _, id := range []string{*out.ARN, strings.TrimSuffix(*out.ARN, (*out.ARN)[len(*out.ARN)-7:])} {
		if got := get(t, c, id); *got.VersionId != *out.VersionId {
			t.Errorf("%s: got version %s, want %s", id, *got.VersionId, *out.VersionId)
		}
	}
	if n := srv.Count(secretstest.Call{Op: "GetSecretValue", Secret: "prod/db"}); n != 3 {
		t.Errorf("got %d calls, want 3", n)
	}
}

func TestLabels(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
	first := srv.VersionID("s", "AWSCURRENT")
	second := srv.Put("s", "two")
	if got := srv.VersionID("s", "AWSPREVIOUS"); got != first {
		t.Errorf("AWSPREVIOUS: got %s, want %s", got, first)
	}
	third := srv.PutPending("s", "three")
	if got := srv.VersionID("s", "AWSCURRENT"); got != second {
		t.Errorf("AWSCURRENT: got %s, want %s", got, second)
	}
	srv.MoveStage("s", "AWSCURRENT", third)
	want := map[string]string{"AWSCURRENT": third, "AWSPREVIOUS": second, "AWSPENDING": third}
	for stage, id := range want {
		if got := srv.VersionID("s", stage); got != id {
			t.Errorf("%s: got %q, want %q", stage, got, id)
		}
	}
	srv.Put("s", "four")
	if got := srv.VersionID("s", "AWSPENDING"); got != "" {
		t.Errorf("AWSPENDING: got %q, want none", got)
	}
}

func TestEmptyPending(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
	id := srv.PutEmptyPending("s")
	c := srv.Client()
	_, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{
		SecretId: aws.String("s"), VersionStage: aws.String("AWSPENDING")})
	wantError(t, err, "ResourceNotFoundException", "specified secret value for staging label: AWSPENDING")
	_, err = c.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: aws.String("s"), ClientRequestToken: &id, SecretString: aws.String("two"), VersionStages: []string{"AWSPENDING"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := srv.VersionID("s", "AWSPENDING"); got != id {
		t.Errorf("AWSPENDING: got %s, want %s", got, id)
	}
}

func TestFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"a": "1", "b": "2"})
		once := srv.Client(func(o *secretsmanager.Options) { o.RetryMaxAttempts = 1 })
		id := aws.String("a")
		in := &secretsmanager.GetSecretValueInput{SecretId: id}

		srv.Fail(secretstest.Fault{Secret: "a", Times: 2, Code: "ThrottlingException"})
		get(t, once, "b")
		for range 2 {
			_, err := once.GetSecretValue(t.Context(), in)
			wantError(t, err, "ThrottlingException", "Rate exceeded")
		}
		get(t, once, "a")

		srv.Fail(secretstest.Fault{Op: "GetSecretValue", Code: "InternalServiceError", Times: 2})
		get(t, srv.Client(), "a") // the SDK's retries

		srv.Fail(secretstest.Fault{Drop: true})
		if _, err := once.GetSecretValue(t.Context(), in); err == nil || !strings.Contains(err.Error(), "connection reset") {
			t.Errorf("dropped: got %v, want connection reset", err)
		}
		srv.Fail(secretstest.Fault{Truncate: true})
		if _, err := once.GetSecretValue(t.Context(), in); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("truncated: got %v, want unexpected EOF", err)
		}
		srv.Fail(secretstest.Fault{Garbage: true})
		if _, err := once.GetSecretValue(t.Context(), in); err == nil {
			t.Error("garbage: got no error")
		}
		srv.Fail(secretstest.Fault{Empty: true})
		if out, err := once.GetSecretValue(t.Context(), in); err != nil || out.SecretString != nil {
			t.Errorf("empty: got %v, %v", out, err)
		}

		srv.Fail(secretstest.Fault{Latency: time.Second})
		start := time.Now()
		get(t, once, "a")
		if d := time.Since(start); d != time.Second {
			t.Errorf("latency: got %v, want 1s", d)
		}
		srv.Fail(secretstest.Fault{Latency: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := once.GetSecretValue(ctx, in); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a deadline", err)
		}
		if n := srv.Count(secretstest.Call{Outcome: secretstest.OutcomeCanceled}); n != 1 {
			t.Errorf("got %d canceled calls, want 1", n)
		}
	})
}

func TestFaultProbability(t *testing.T) {
	count := func(seed uint64) (n int) {
		srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"a": "1"}, Seed: seed, TB: t})
		srv.Fail(secretstest.Fault{Probability: 0.25, Times: secretstest.Always, Code: "AccessDeniedException"})
		c := srv.Client()
		for range 400 {
			if _, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("a")}); err != nil {
				n++
			}
		}
		return n
	}
	a := count(7)
	if a < 60 || a > 140 {
		t.Errorf("got %d failures of 400, want about 100", a)
	}
	if b := count(7); a != b {
		t.Errorf("got %d and %d failures from one seed", a, b)
	}
}

func TestStaleAndLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		c := srv.Client()
		srv.Put("s", "two")
		srv.Fail(secretstest.Fault{Stale: true})
		for _, want := range []string{"one", "two"} {
			if got := *get(t, c, "s").SecretString; got != want {
				t.Errorf("stale: got %q, want %q", got, want)
			}
		}
		srv.Fail(secretstest.Fault{Lag: 2 * time.Second, Times: secretstest.Always})
		time.Sleep(time.Minute)
		srv.Put("s", "three")
		time.Sleep(time.Second)
		srv.Put("s", "four")
		for _, want := range []string{"two", "three", "four"} {
			if got := *get(t, c, "s").SecretString; got != want {
				t.Errorf("lag: got %q, want %q", got, want)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestDenials(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
	srv.PutPending("s", "two")
	c := srv.Client()
	srv.Fail(secretstest.DenyPending("s"), secretstest.DenyDescribe("s"))
	get(t, c, "s")
	_, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s"), VersionStage: aws.String("AWSPENDING")})
	wantError(t, err, "AccessDeniedException", "User: arn:aws:iam::123456789012:root is not authorized to perform: secretsmanager:GetSecretValue on resource: "+srv.ARN("s")+" because no identity-based policy allows the secretsmanager:GetSecretValue action")
	_, err = c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("s")})
	wantError(t, err, "AccessDeniedException", "secretsmanager:DescribeSecret")
	srv.ClearFaults()
	srv.Fail(secretstest.Fault{NoStages: true, Times: 1})
	for _, want := range []int{0, 2} {
		out, err := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("s")})
		if err != nil || len(out.VersionIdsToStages) != want {
			t.Errorf("got %v, %v, want %d versions", out.VersionIdsToStages, err, want)
		}
	}
}

func TestIdentity(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
	c := srv.ClientFor(secretstest.Identity{
		ARN:   "arn:aws:iam::123456789012:user/app",
		Allow: []string{"secretsmanager:GetSecretValue"},
	})
	get(t, c, "s")
	_, err := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("s")})
	wantError(t, err, "AccessDeniedException", "User: arn:aws:iam::123456789012:user/app is not authorized to perform: secretsmanager:DescribeSecret on resource: "+srv.ARN("s")+" because no identity-based policy allows the secretsmanager:DescribeSecret action")
}

func TestDeleteAndRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		c, ctx, id := srv.Client(), t.Context(), aws.String("s")
		out, err := c.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: id, RecoveryWindowInDays: aws.Int64(7)})
		if err != nil || time.Until(*out.DeletionDate) != 7*24*time.Hour {
			t.Fatalf("got %v, %v, want a week", out, err)
		}
		_, err = c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: id})
		wantError(t, err, "InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.")
		_, err = c.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: id})
		wantError(t, err, "InvalidRequestException", "already scheduled for deletion")
		d, err := c.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: id})
		if err != nil || d.DeletedDate == nil || len(d.VersionIdsToStages) != 1 {
			t.Errorf("got %v, %v, want DeletedDate and a version", d, err)
		}
		if _, err := c.RestoreSecret(ctx, &secretsmanager.RestoreSecretInput{SecretId: id}); err != nil {
			t.Fatal(err)
		}
		get(t, c, "s")
		srv.ScheduleDeletion("s")
		time.Sleep(30 * 24 * time.Hour)
		_, err = c.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: id})
		var missing *types.ResourceNotFoundException
		if !errors.As(err, &missing) {
			t.Errorf("after the window: got %v, want not found", err)
		}
	})
}

func TestURL(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
	c := srv.Client(func(o *secretsmanager.Options) {
		o.BaseEndpoint = aws.String(srv.URL())
		o.HTTPClient = http.DefaultClient
		o.RetryMaxAttempts = 1
	})
	if got := *get(t, c, "s").SecretString; got != "one" {
		t.Errorf("got %q, want one", got)
	}
	for _, f := range []secretstest.Fault{{Drop: true}, {Truncate: true}} {
		srv.Fail(f)
		if _, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")}); err == nil {
			t.Errorf("%+v: got no error", f)
		}
	}
	resp, err := http.Post(srv.URL()+"/_fake/reset", "", nil)
	if err != nil || resp.StatusCode != http.StatusNoContent {
		t.Fatalf("reset: got %v, %v", resp, err)
	}
	resp.Body.Close()
	_, err = c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")})
	wantError(t, err, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

func TestBatch(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"a": "1", "b": "2", "c": "3"})
	srv.ScheduleDeletion("c")
	out, err := srv.Client().BatchGetSecretValue(t.Context(), &secretsmanager.BatchGetSecretValueInput{SecretIdList: []string{"b", "a", "nope", "c"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.SecretValues) != 2 || *out.SecretValues[0].SecretString != "2" || *out.SecretValues[1].Name != "a" {
		t.Errorf("got values %v", out.SecretValues)
	}
	srv.Fail(secretstest.DenyKMS("a"))
	denied, err := srv.Client().BatchGetSecretValue(t.Context(), &secretsmanager.BatchGetSecretValueInput{SecretIdList: []string{"b", "a"}})
	if err != nil || len(denied.SecretValues) != 1 || len(denied.Errors) != 1 || *denied.Errors[0].Message != "Access to KMS is not allowed" {
		t.Errorf("with a without its key: got %v, %v", denied, err)
	}
	if len(out.Errors) != 2 || *out.Errors[0].ErrorCode != "ResourceNotFoundException" || *out.Errors[1].ErrorCode != "InvalidRequestException" {
		t.Errorf("got errors %v", out.Errors)
	}
}
