package main

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// serve makes the SDK's default configuration lead to a fake.
func serve(t *testing.T, values secretstest.Secrets) *secretstest.Server {
	t.Helper()
	srv := secretstest.New(t, values)
	for key, value := range map[string]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": srv.URL(), "AWS_REGION": secretstest.DefaultRegion,
		"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "example",
	} {
		t.Setenv(key, value)
	}
	return srv
}

func TestRun(t *testing.T) {
	serve(t, secretstest.Secrets{"prod/db": `{"username":"app","password":"hunter2","host":"db.internal","port":5432}`})
	ctx, cancel := context.WithCancel(t.Context())
	var got DBLogin
	err := run(ctx, "prod/db", func(l DBLogin) { got = l; cancel() })
	if err != nil || got.Username != "app" || got.Port != 5432 {
		t.Errorf("run(prod/db) = %v with user %q, port %d; want app, 5432", err, got.Username, got.Port)
	}
}

func TestRunFailsAtStart(t *testing.T) {
	serve(t, secretstest.Secrets{"prod/empty": `{"username":"app"}`})
	for id, want := range map[string]string{"prod/missing": "prod/missing", "prod/empty": "prod/empty"} {
		err := run(t.Context(), id, func(DBLogin) { t.Errorf("%s: started", id) })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("run(%s) = %v, want an error that names it", id, err)
		}
	}
}

// Throttling tests: the SDK waits between its attempts, which outside of a
// synctest bubble takes real time. One attempt does not wait.
func TestWithoutRetries(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"prod/db": "value"})
	api := srv.Client(func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} })
	srv.Fail(secretstest.Fault{Code: "ThrottlingException", Times: secretstest.Always})
	client, err := secrets.New(api, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Get(t.Context(), "prod/db"); err == nil {
		t.Error("Get succeeded, want it throttled")
	}
	if got := len(srv.Calls()); got != 1 {
		t.Errorf("%d calls arrived, want 1", got)
	}
}
