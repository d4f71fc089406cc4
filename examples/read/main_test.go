package main

import (
	"errors"
	"flag"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// pointAt makes the environment what it is where a program runs against an
// emulator.
func pointAt(t *testing.T, url string) {
	t.Setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", url)
	t.Setenv("AWS_REGION", secretstest.DefaultRegion)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "made-up")
	t.Setenv("AWS_SESSION_TOKEN", "")
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func TestRead(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"prod/db": "older", "text": "hunter2"})
	id := srv.Put("prod/db", `{"username":"app","password":"hunter2"}`)
	srv.PutBinary("binary", []byte("hunter2"))
	pointAt(t, srv.URL())
	for _, tt := range []struct {
		args string
		want []string
	}{
		{"-secret prod/db", []string{"prod/db", id, "AWSCURRENT", srv.ARN("prod/db"), "JSON with the keys password, username"}},
		{"-secret " + srv.ARN("prod/db"), []string{id}},
		{"-secret prod/db -stage AWSPREVIOUS", []string{"AWSPREVIOUS", "5 bytes, text"}},
		{"-secret text", []string{"7 bytes, text"}},
		{"-secret binary", []string{"7 bytes, binary"}},
	} {
		var out strings.Builder
		if err := run(t.Context(), strings.Fields(tt.args), &out, io.Discard); err != nil {
			t.Errorf("read %s: %v", tt.args, err)
		}
		for _, want := range tt.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("read %s does not print %q:\n%s", tt.args, want, out.String())
			}
		}
		if strings.Contains(out.String(), "hunter2") {
			t.Errorf("read %s prints the value:\n%s", tt.args, out.String())
		}
		out.Reset()
		if err := run(t.Context(), append(strings.Fields(tt.args), "-show"), &out, io.Discard); err != nil {
			t.Errorf("read %s -show: %v", tt.args, err)
		}
		if !strings.Contains(out.String(), "hunter2") && !strings.Contains(out.String(), "older") {
			t.Errorf("read %s -show does not print the value:\n%s", tt.args, out.String())
		}
	}
}

func TestReadFails(t *testing.T) {
	srv := secretstest.New(t, nil)
	pointAt(t, srv.URL())
	var missing *types.ResourceNotFoundException
	if err := run(t.Context(), []string{"-secret", "missing"}, io.Discard, io.Discard); !errors.As(err, &missing) {
		t.Errorf("read of a missing secret = %v, want a ResourceNotFoundException", err)
	}
	for _, args := range [][]string{nil, {"-secret"}, {"-secret", "s", "more"}, {"-nonsense"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("read %q = %v, want the usage", args, err)
		}
	}
	// An endpoint on another host, over plain http, is refused unread.
	pointAt(t, "http://secretsmanager.example.com")
	if err := run(t.Context(), []string{"-secret", "s"}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "plain http") {
		t.Errorf("read over plain http = %v, want a refusal", err)
	}
}
