package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const (
	walk         = "../testdata/aws-cli-walk.sh"
	walkFunction = "arn:aws:lambda:us-east-1:123456789012:function:rotation-function"
)

// runWalk runs the script against a server and returns what it printed.
func runWalk(t *testing.T, url string) (string, error) {
	t.Helper()
	if os.Getenv("SECRETSTEST_AWSCLI") == "" {
		t.Skip("SECRETSTEST_AWSCLI is not set: the AWS CLI takes half a second a command, a minute in all")
	}
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("the AWS CLI is not installed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "sh", walk, url).CombinedOutput()
	return string(out), err
}

func TestAWSCLI(t *testing.T) {
	url, _ := start(t, "-rotation-function", walkFunction)
	out, err := runWalk(t, url)
	if err != nil {
		t.Fatalf("%s: %v\n%s", walk, err, out)
	}
	t.Logf("%s: %s", walk, out)
}

// The script must fail at the first answer that is not as it should be.
func TestAWSCLINoticesDifferences(t *testing.T) {
	tests := []struct{ name, secrets, faults, want string }{
		{"a command fails", `{"prod/api-key": "taken"}`, `[]`, "create-secret --name prod/api-key"},
		{"an answer lacks something", `{}`, `[{"op": "CreateSecret", "empty": true}]`, "create-secret --name prod/db-credentials"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			url, _ := start(t, "-rotation-function", walkFunction, "-secrets", writeFile(t, test.secrets), "-faults", writeFile(t, test.faults))
			out, err := runWalk(t, url)
			if err == nil || !strings.Contains(out, "aws secretsmanager "+test.want) {
				t.Errorf("got error %v and %q, want a failure at %q", err, out, test.want)
			}
		})
	}
}
