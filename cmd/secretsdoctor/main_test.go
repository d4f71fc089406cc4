package main

import (
	"encoding/json"
	"errors"
	"flag"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

const value = `{"username":"app","password":"hunter2"}`

// pointAt makes the environment what it is where a program runs against an
// emulator, as the caller with that access key.
func pointAt(t *testing.T, url, accessKey string) {
	t.Setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", url)
	t.Setenv("AWS_REGION", secretstest.DefaultRegion)
	t.Setenv("AWS_ACCESS_KEY_ID", accessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "made-up")
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	for _, name := range []string{"AWS_SESSION_TOKEN", "AWS_ACCOUNT_ID", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(name, "/nonexistent")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// doctor runs the program. No value may ever be printed.
func doctor(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	err := run(t.Context(), args, &out, io.Discard)
	if strings.Contains(out.String(), "hunter2") || err != nil && strings.Contains(err.Error(), "hunter2") {
		t.Errorf("secretsdoctor %q prints the value:\n%s\n%v", args, out.String(), err)
	}
	return out.String(), err
}

// wantLines checks that the output has lines that begin, after spaces, with the
// first word and go on with the rest.
func wantLines(t *testing.T, out string, want ...string) {
	t.Helper()
	var lines []string
	for line := range strings.Lines(out) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	for _, w := range want {
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, w) }) {
			t.Errorf("no line begins with %q:\n%s", w, out)
		}
	}
}

// policyOf returns the policy that the program printed.
func policyOf(t *testing.T, out string) (string, policy) {
	t.Helper()
	_, after, found := strings.Cut(out, "policy that suffices:\n")
	if !found {
		t.Fatalf("no policy:\n%s", out)
	}
	var raw json.RawMessage
	var p policy
	if err := json.NewDecoder(strings.NewReader(after)).Decode(&raw); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	return string(raw), p
}

func TestAllWell(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"prod/db": "older", "prod/key": "hunter2"})
	id := srv.Put("prod/db", value)
	pointAt(t, srv.URL(), "AKIAIOSFODNN7EXAMPLE")
	out, err := doctor(t, "prod/db", srv.ARN("prod/key"))
	if err != nil {
		t.Error(err)
	}
	wantLines(t, out, "region us-east-1", "credentials from EnvConfigCredentials", "arn "+srv.ARN("prod/db"),
		"key aws/secretsmanager, which every reader", "version "+id+" with AWSCURRENT", "read AWSCURRENT yes", "DescribeSecret yes",
		"read AWSPENDING yes (there is none now)", "read AWSPREVIOUS yes", "BatchGetSecretValue yes", "rotation off",
		"library with a TTL of 5m a process that reads it continuously checks it every 4m17s: about 359 calls a day (337 DescribeSecret, 22 GetSecretValue)")
	if strings.ContainsAny(out, "!✗") {
		t.Errorf("there is nothing to complain of:\n%s", out)
	}
	if n := srv.Count(secretstest.Call{Secret: "prod/db"}); n > 6 {
		t.Errorf("%d requests about one secret, want 6 at most: %v", n, srv.Calls())
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"-ttl", "0s", "s"}, {"-nonsense"}, {"-h"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("secretsdoctor %q = %v, want the usage", args, err)
		}
	}
}

// allow is a policy that allows actions on everything.
func allow(actions ...string) string {
	for i, a := range actions {
		actions[i] = `"secretsmanager:` + a + `"`
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` + strings.Join(actions, ",") + `],"Resource":"*"}]}`
}

// TestMissingPermissions takes away each permission in turn. What is left
// untouched must still be said to work.
func TestMissingPermissions(t *testing.T) {
	const denyPending = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"secretsmanager:GetSecretValue","Resource":"*",
		"Condition":{"StringEquals":{"secretsmanager:VersionStage":"AWSPENDING"}}}]}`
	for _, tt := range []struct {
		name     string
		policies []string
		fault    secretstest.Fault
		fatal    bool
		want     []string
	}{
		{"GetSecretValue", []string{allow("DescribeSecret", "BatchGetSecretValue")}, secretstest.Fault{}, true,
			[]string{"read AWSCURRENT DENIED: User: arn:", "DescribeSecret yes", "read AWSPENDING DENIED", "BatchGetSecretValue yes", "✗ cannot be read: grant secretsmanager:GetSecretValue"}},
		{"DescribeSecret", []string{allow("GetSecretValue", "BatchGetSecretValue")}, secretstest.Fault{}, false,
			[]string{"read AWSCURRENT yes", "DescribeSecret DENIED", "read AWSPENDING yes", "BatchGetSecretValue yes", "rotation not known", "version ",
				"! without secretsmanager:DescribeSecret", "library with a TTL of 5m a process that reads it continuously checks it every 4m17s: about 337 calls a day (0 DescribeSecret, 337 GetSecretValue)"}},
		{"BatchGetSecretValue", []string{allow("GetSecretValue", "DescribeSecret")}, secretstest.Fault{}, false,
			[]string{"read AWSCURRENT yes", "DescribeSecret yes", "read AWSPENDING yes", "BatchGetSecretValue DENIED", "! without secretsmanager:BatchGetSecretValue"}},
		{"AWSPENDING", []string{allow("*"), denyPending}, secretstest.Fault{}, false,
			[]string{"read AWSCURRENT yes", "read AWSPENDING DENIED", "read AWSPREVIOUS yes", "! AWSPENDING cannot be read, so logins fail while"}},
		{"kms:Decrypt", nil, secretstest.DenyKMS("prod/db"), true,
			[]string{"read AWSCURRENT KEY DENIED: Access to KMS is not allowed", "DescribeSecret yes", "✗ cannot be decrypted: grant kms:Decrypt on its key"}},
		{"all", []string{allow("ListSecrets")}, secretstest.Fault{}, true,
			[]string{"read AWSCURRENT DENIED", "DescribeSecret DENIED", "✗ cannot be read: grant secretsmanager:GetSecretValue (or there is no such secret"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := secretstest.New(t, secretstest.Secrets{"prod/db": value})
			srv.Put("prod/db", value+" ")
			if tt.fault.Op != "" || tt.fault.Code != "" {
				srv.Fail(tt.fault)
			}
			pointAt(t, srv.URL(), srv.AddIdentity(secretstest.Identity{Policies: tt.policies, ARN: "arn:aws:iam::123456789012:user/app"}))
			out, err := doctor(t, "prod/db")
			wantLines(t, out, tt.want...)
			if (err != nil) != tt.fatal {
				t.Errorf("error %v, want one: %v", err, tt.fatal)
			}
		})
	}
}

func TestSecretsThatCannotBeRead(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"gone": value, "other": value})
	srv.ScheduleDeletion("gone")
	if _, err := srv.Client().CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("hollow")}); err != nil {
		t.Fatal(err)
	}
	pointAt(t, srv.URL(), "AKIAIOSFODNN7EXAMPLE")
	elsewhere := strings.Replace(srv.ARN("other"), "us-east-1", "eu-west-1", 1)
	for _, tt := range []struct{ id, want string }{
		{"gone", "✗ is scheduled for deletion since 20"},
		{"hollow", "✗ no version has the label AWSCURRENT: put a value"},
		{"missing", "✗ there is no such secret in us-east-1: check the name"},
		{elsewhere, "✗ there is no such secret in us-east-1: its ARN is of eu-west-1"},
	} {
		out, err := doctor(t, tt.id)
		if err == nil || err.Error() != "1 of 1 secrets cannot be read" {
			t.Errorf("secretsdoctor %s = %v, want 1 of 1 unread", tt.id, err)
		}
		wantLines(t, out, tt.want)
		if strings.Contains(out, "library ") {
			t.Errorf("secretsdoctor %s says what the library does with it:\n%s", tt.id, out)
		}
	}
	// One that is well is examined beside others that are not.
	out, err := doctor(t, "missing", "other")
	if err == nil || err.Error() != "1 of 2 secrets cannot be read" {
		t.Errorf("error %v, want 1 of 2 unread", err)
	}
	wantLines(t, out, "read AWSCURRENT yes", "BatchGetSecretValue yes")
}

func TestNobodyAnswers(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"prod/db": value})
	url := srv.URL()
	pointAt(t, url, "AKIAIOSFODNN7EXAMPLE")
	srv.Fail(secretstest.Outage())
	out, err := doctor(t, "prod/db")
	wantLines(t, out, "read AWSCURRENT NO ANSWER", "✗ the service did not answer")
	if err == nil || strings.Contains(out, "! ") {
		t.Errorf("error %v; nothing else can be said:\n%s", err, out)
	}
	srv.ClearFaults()
	srv.Fail(secretstest.Fault{Code: "ExpiredTokenException", Message: "The security token included in the request is expired", Times: secretstest.Always})
	out, err = doctor(t, "prod/db")
	wantLines(t, out, "read AWSCURRENT NO CREDENTIALS", "✗ the credentials are invalid")
	if err == nil || strings.Contains(out, "grant") {
		t.Errorf("error %v; no permission of the secret's is missing:\n%s", err, out)
	}
	srv.ClearFaults()
	end := srv.ThrottleStorm()
	out, _ = doctor(t, "prod/db")
	wantLines(t, out, "read AWSCURRENT THROTTLED", "✗ too many requests")
	end()
	end = srv.BrokenJSON()
	out, _ = doctor(t, "prod/db")
	wantLines(t, out, "read AWSCURRENT NO ANSWER")
	end()

	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	if _, err := doctor(t, "prod/db"); err == nil || !strings.Contains(err.Error(), "no credentials, so no request can be made") {
		t.Errorf("without credentials = %v", err)
	}
	t.Setenv("AWS_REGION", "")
	if _, err := doctor(t, "prod/db"); err == nil || !strings.Contains(err.Error(), "set AWS_REGION") {
		t.Errorf("without a region = %v", err)
	}
	pointAt(t, "http://secretsmanager.example.com", "AKIAIOSFODNN7EXAMPLE")
	if out, err := doctor(t, "prod/db"); err == nil || !strings.Contains(out+err.Error(), "plain http") {
		t.Errorf("over plain http = %v, want a refusal:\n%s", err, out)
	}
}

func TestRotation(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"prod/db": value})
	fn := srv.SetRotation("prod/db", nil, &types.RotationRulesType{ScheduleExpression: aws.String("rate(10 days)"), Duration: aws.String("3h")})
	pending, _ := srv.RotationStuckAfterSet("prod/db")
	pointAt(t, srv.URL(), "AKIAIOSFODNN7EXAMPLE")
	out, err := doctor(t, "-ttl", "1m", "prod/db")
	if err != nil {
		t.Error(err)
	}
	wantLines(t, out, "rotation in progress since 20", "next between 20", "version "+pending+" with AWSPENDING", "read AWSPENDING yes",
		"in the rotation window it asks every 13.5s to 54s, while AWSPENDING")
	if !strings.Contains(out, fn+", rate(10 days)") {
		t.Errorf("neither the function nor the schedule:\n%s", out)
	}
}

// TestOldRotations judges rotations by their age, which a test on the real clock
// cannot make.
func TestOldRotations(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	d := &diagnosis{now: now}
	d.rotation.PendingVersion, d.rotation.Since = "v2", now.Add(-59*time.Minute)
	if got := d.aboutRotation(); got != "" {
		t.Errorf("a rotation of an hour: %s", got)
	}
	d.rotation.Since = now.Add(-3 * time.Hour)
	if got := d.aboutRotation(); !strings.Contains(got, "began 3 h ago has not ended") || !strings.Contains(got, "v2") {
		t.Errorf("a stuck rotation: %q", got)
	}
	d.rotation.PendingVersion, d.rotation.Since = "", time.Time{}
	d.rotation.Enabled, d.rotation.NextRotation = true, now.Add(-time.Minute)
	if got := d.aboutRotation(); !strings.Contains(got, "due by 2026-03-01 11:59 UTC has not begun") {
		t.Errorf("a rotation that is overdue: %q", got)
	}
}

func TestReplicas(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"prod/db": value})
	srv.Region("eu-central-1").ReplicationFails("The key is not there")
	for _, region := range []string{"eu-west-1", "eu-central-1"} {
		_, err := srv.Client().ReplicateSecretToRegions(t.Context(), &secretsmanager.ReplicateSecretToRegionsInput{
			SecretId: aws.String("prod/db"), AddReplicaRegions: []types.ReplicaRegionType{{Region: &region}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	pointAt(t, srv.URL(), "AKIAIOSFODNN7EXAMPLE")
	out, err := doctor(t, "prod/db")
	if err != nil {
		t.Error(err)
	}
	wantLines(t, out, "replica in eu-west-1: InSync", "replica in eu-central-1: Failed: The key is not there", "! replication to eu-central-1 has failed")
	t.Setenv("AWS_REGION", "eu-west-1")
	out, err = doctor(t, "prod/db")
	if err != nil {
		t.Error(err)
	}
	wantLines(t, out, "replica of the secret in us-east-1", "arn arn:aws:secretsmanager:eu-west-1:")
}
