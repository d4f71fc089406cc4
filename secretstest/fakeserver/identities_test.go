package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

const callers = `[
	{"accessKey": "AKIAAPP", "secretKey": "app-key", "arn": "arn:aws:iam::123456789012:user/app", "tags": {"team": "blue"},
	 "policies": [{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*",
	   "Condition": {"StringEquals": {"aws:PrincipalTag/team": "blue"}}}}]},
	{"accessKey": "ASIAJOB", "secretKey": "job-key", "arn": "arn:aws:sts::123456789012:assumed-role/job/i-1",
	 "policies": ["{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"secretsmanager:Describe*\",\"Resource\":\"*\"}}"]},
	{"accessKey": "AKIALIST", "secretKey": "list-key", "allow": ["ListSecrets"]}]`

func as(url, key, secret string) *secretsmanager.Client {
	return secretsmanager.New(secretsmanager.Options{
		Region: "us-east-1", BaseEndpoint: &url, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}, nil
		}),
	})
}

func TestIdentities(t *testing.T) {
	url, _ := start(t, "-secrets", writeFile(t, `{"s": "v"}`), "-identities", writeFile(t, callers), "-verify-signatures")
	tests := []struct {
		key, secret         string
		get, describe, list string
	}{
		{"AKIAAPP", "app-key", "<nil>", "AccessDeniedException", "AccessDeniedException"},
		{"ASIAJOB", "job-key", "AccessDeniedException", "<nil>", "AccessDeniedException"},
		{"AKIALIST", "list-key", "AccessDeniedException", "AccessDeniedException", "<nil>"},
		{"AKIAAPP", "job-key", "InvalidSignatureException", "InvalidSignatureException", "InvalidSignatureException"},
		{"AKIANOBODY", "secret", "UnrecognizedClientException", "UnrecognizedClientException", "UnrecognizedClientException"},
	}
	id := aws.String("s")
	for _, test := range tests {
		c := as(url, test.key, test.secret)
		_, get := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: id})
		_, describe := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: id})
		_, list := c.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{})
		if code(get) != test.get || code(describe) != test.describe || code(list) != test.list {
			t.Errorf("%s: got %s, %s, %s, want %s, %s, %s", test.key, code(get), code(describe), code(list), test.get, test.describe, test.list)
		}
	}
}

func TestBadIdentities(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"no JSON", `x`, "not a JSON list of identities"},
		{"an unknown member", `[{"accessKey":"A","secret":"hunter2"}]`, "not a JSON list of identities"},
		{"no access key", `[{"secretKey":"hunter2"}]`, "entry 1 has no accessKey"},
		{"a bad policy", `[{"accessKey":"A","secretKey":"hunter2","policies":[{"Statement":[]}]}]`, "entry 1: policy 1: This resource policy contains a syntax error."},
	}
	for _, test := range tests {
		_, err := readIdentities(writeFile(t, test.text))
		if err == nil || !strings.HasSuffix(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got error %v, want %q", test.name, err, test.want)
		}
	}
}

func TestAgentAndEvents(t *testing.T) {
	arrived := make(chan string, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		arrived <- string(b)
	}))
	defer hook.Close()
	srv, err := (&config{postEvents: hook.URL, secrets: writeFile(t, `{"s": "v"}`)}).server()
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	select {
	case e := <-arrived:
		if !strings.Contains(e, `"labelUpdated":"AWSCURRENT"`) {
			t.Errorf("got event %s", e)
		}
	case <-time.After(20 * time.Second):
		t.Error("no event arrived")
	}

	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"-addr", "127.0.0.1:0", "-agent", "-secrets", writeFile(t, `{"s": "v"}`)}, w)
	}()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		var url, token string
		if n, _ := fmt.Sscanf(strings.ReplaceAll(lines.Text(), ",", ""), "fakeserver: agent at %s token %s", &url, &token); n != 2 {
			continue
		}
		req, _ := http.NewRequestWithContext(t.Context(), "GET", url+"/v1/s", nil)
		req.Header.Set("X-Vault-Token", token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !strings.Contains(string(b), `"SecretString":"v"`) {
			t.Errorf("agent: got %s", b)
		}
		break
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
