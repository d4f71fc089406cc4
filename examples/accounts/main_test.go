package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

const (
	one = "111111111111"
	two = "222222222222"
)

// A tokenService is as much of STS as AssumeRole needs: the sessions of some roles
// are callers that the fake knows.
type tokenService struct {
	keys map[string]string // access keys by role

	mu      sync.Mutex // guards assumed
	assumed []string
}

func (s *tokenService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	role := r.FormValue("RoleArn")
	key, ok := s.keys[role]
	if !ok || r.FormValue("Action") != "AssumeRole" {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>`)
		return
	}
	s.assumed = append(s.assumed, role)
	fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>%s</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>made-up</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>`, key)
}

func role(account string) string { return "arn:aws:iam::" + account + ":role/reader" }

// world is a fake with a secret in each of three accounts, one of them in another
// region, and an environment that points to it.
func world(t *testing.T) (srv *secretstest.Server, svc *tokenService, ids []string) {
	srv = secretstest.New(t, secretstest.Secrets{"mine": "hunter2"})
	ids = []string{"mine"}
	svc = &tokenService{keys: map[string]string{}}
	for account, region := range map[string]string{one: secretstest.DefaultRegion, two: "eu-west-1"} {
		session := secretstest.Identity{AccessKey: "AKIA" + account, ARN: "arn:aws:sts::" + account + ":assumed-role/reader/session"}
		client := srv.ClientFor(session, func(o *secretsmanager.Options) { o.Region = region })
		out, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("theirs"), SecretString: aws.String("hunter2")})
		if err != nil {
			t.Fatal(err)
		}
		svc.keys[role(account)] = session.AccessKey
		ids = append(ids, aws.ToString(out.ARN))
	}
	srv.ResetCalls()
	tokens := httptest.NewServer(svc)
	t.Cleanup(tokens.Close)
	t.Setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", srv.URL())
	t.Setenv("AWS_ENDPOINT_URL_STS", tokens.URL)
	t.Setenv("AWS_REGION", secretstest.DefaultRegion)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "made-up")
	t.Setenv("AWS_SESSION_TOKEN", "")
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	return srv, svc, ids
}

func TestAccounts(t *testing.T) {
	srv, svc, ids := world(t)
	var out strings.Builder
	args := append([]string{"-role", role(one), "-role", role(two)}, ids...)
	if err := run(t.Context(), args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range append(ids[1:], srv.ARN("mine"), "AWSCURRENT") {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not printed:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "hunter2") {
		t.Errorf("a value is printed:\n%s", out.String())
	}
	for _, account := range []string{one, two} {
		session := "arn:aws:sts::" + account + ":assumed-role/reader/session"
		if calls := srv.Calls(secretstest.Call{Identity: session}); len(calls) != 1 || !strings.Contains(calls[0].SecretID, account) {
			t.Errorf("the session in %s made the calls %v, want one for its secret", account, calls)
		}
	}
	if n := srv.Count(); n != 3 || len(svc.assumed) != 2 {
		t.Errorf("%d calls, roles %v; want a call for each secret and each role once", n, svc.assumed)
	}
}

// A role that may not be assumed fails its account's secrets alone.
func TestRoleThatIsDenied(t *testing.T) {
	_, svc, ids := world(t)
	delete(svc.keys, role(two))
	err := run(t.Context(), append([]string{"-role", role(one), "-role", role(two)}, ids...), io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "1 failed") || !strings.Contains(err.Error(), "STS: AssumeRole") {
		t.Errorf("run = %v, want one failure, of AssumeRole", err)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		{}, {"-role", role(one)}, {"-role", "reader", "s"}, {"-role", role(one), "-role", role(one), "s"}, {"-unknown", "s"},
	} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err != flag.ErrHelp {
			t.Errorf("run with %q = %v, want the usage", args, err)
		}
	}
}
