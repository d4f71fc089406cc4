package secretstest_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// outcomes reads a secret n times and returns how each read went.
func outcomes(t *testing.T, c *secretsmanager.Client, id string, n int) (out []string) {
	t.Helper()
	for range n {
		got, _ := code(read(t, c, id, ""))
		if got == "" {
			got = "ok"
		}
		out = append(out, got)
	}
	return out
}

func TestFaultSelectors(t *testing.T) {
	app := "arn:aws:iam::123456789012:user/app"
	tests := []struct {
		name  string
		fault secretstest.Fault
		want  string // the outcome of the second read of "a" by app in us-east-1
	}{
		{"default", secretstest.Fault{Skip: 1}, "ThrottlingException"},
		{"op", secretstest.Fault{Times: secretstest.Always, Op: "DescribeSecret"}, "ok"},
		{"secret", secretstest.Fault{Times: secretstest.Always, Secret: "b"}, "ok"},
		{"region", secretstest.Fault{Times: secretstest.Always, Region: "us-west-2"}, "ok"},
		{"identity", secretstest.Fault{Times: 2, Identity: app}, "ThrottlingException"},
		{"other identity", secretstest.Fault{Times: secretstest.Always, Identity: app + "2"}, "ok"},
		{"stage", secretstest.Fault{Times: 2, Stage: "AWSCURRENT", Code: "DecryptionFailure"}, "DecryptionFailure"},
		{"other stage", secretstest.Fault{Times: 2, Stage: "AWSPENDING"}, "ok"},
		{"once", secretstest.Fault{}, "ok"},
		{"status", secretstest.Fault{Times: 2, Status: http.StatusBadGateway}, "InternalFailure"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			srv := secretstest.New(t, secretstest.Secrets{"a": "1", "b": "2"})
			c := srv.ClientFor(secretstest.Identity{ARN: app}, in("us-east-1"))
			srv.Fail(test.fault)
			if got := outcomes(t, c, "a", 2)[1]; got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestFaultStatus(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"a": "1"})
	c := srv.Client(in("us-east-1"))
	for _, test := range []struct {
		fault secretstest.Fault
		want  int
	}{
		{secretstest.Fault{}, 400},
		{secretstest.Fault{Code: "InternalServiceError"}, 500},
		{secretstest.Fault{Code: "ThrottlingException", Status: 429}, 429},
		{secretstest.Fault{Status: 503}, 503},
	} {
		srv.Fail(test.fault)
		var e *awshttp.ResponseError
		if err := read(t, c, "a", ""); !errors.As(err, &e) || e.HTTPStatusCode() != test.want {
			t.Errorf("%+v: got %v, want HTTP %d", test.fault, err, test.want)
		}
	}
}

// TestLateFault loses the answer of a write that happened: with the same token
// it may be repeated.
func TestLateFault(t *testing.T) {
	for _, f := range []secretstest.Fault{{Drop: true, Late: true}, {Code: "InternalServiceError", Late: true}} {
		srv := secretstest.New(t, secretstest.Secrets{"a": "1"})
		c := srv.Client(in("us-east-1"))
		srv.Fail(f)
		put := &secretsmanager.PutSecretValueInput{SecretId: aws.String("a"), SecretString: aws.String("2")}
		if _, err := c.PutSecretValue(t.Context(), put); err == nil {
			t.Errorf("%+v: got no error", f)
		}
		if got := *get(t, c, "a").SecretString; got != "2" {
			t.Errorf("%+v: got %q, want 2", f, got)
		}
		if _, err := c.PutSecretValue(t.Context(), put); err != nil {
			t.Errorf("%+v: repeated: %v", f, err)
		}
		if got := srv.Stages("a"); len(got) != 2 {
			t.Errorf("%+v: got versions %v, want two", f, got)
		}
	}
}

func TestRegionsOption(t *testing.T) {
	srv := secretstest.NewServer(&secretstest.Options{Region: "eu-west-1", Regions: []string{"eu-central-1"}, Secrets: secretstest.Secrets{"a": "1"}, TB: t})
	get(t, srv.Client(), "a")
	wantError(t, read(t, srv.Client(in("eu-central-1")), "a", ""), "ResourceNotFoundException", "")
	wantError(t, read(t, srv.Client(in("us-east-1")), "a", ""), "UnrecognizedClientException", "")
}

func TestRedeliverNeedsRotation(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"a": "1"})
	r := srv.Rotation("a")
	if err := r.Redeliver(rotate.SetSecret); err == nil {
		t.Error("got no error without a rotation")
	}
	r.Start()
	if err := r.Redeliver(rotate.CreateSecret); err != nil {
		t.Error(err)
	}
}
