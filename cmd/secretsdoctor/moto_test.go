package main

import (
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// startMoto runs moto, an imitation of AWS in Python that differs from AWS in
// details, and returns its URL. It skips the test where there is none.
func startMoto(t *testing.T) string {
	if testing.Short() {
		t.Skip("moto takes seconds to start")
	}
	python, err := exec.LookPath("python3")
	if err != nil || exec.Command(python, "-c", "import moto.server").Run() != nil {
		t.Skip("no python3 with moto (pip install 'moto[server]'): the doctor is not tested on an endpoint other than the fake")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	l.Close()
	cmd := exec.Command(python, "-m", "moto.server", "-p", port)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return "http://" + addr
		}
	}
	t.Fatal("moto does not listen after a minute")
	return ""
}

// TestMoto runs the program against a service that is not the fake.
func TestMoto(t *testing.T) {
	pointAt(t, startMoto(t), "AKIAIOSFODNN7EXAMPLE")
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	api := secretsmanager.NewFromConfig(cfg)
	for _, name := range []string{"prod/db", "rotating", "gone"} {
		if _, err := api.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String(value)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := api.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("hollow"), KmsKeyId: aws.String("alias/mine")}); err != nil {
		t.Fatal(err)
	}
	pending, err := api.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("rotating"), SecretString: aws.String(value), VersionStages: []string{"AWSPENDING"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("gone")}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		id   string
		want []string
	}{
		{"prod/db", []string{"arn arn:aws:secretsmanager:us-east-1:", "read AWSCURRENT yes", "read AWSPENDING yes (there is none now)", "DescribeSecret yes", "BatchGetSecretValue yes", "rotation off", "library with a TTL"}},
		{"rotating", []string{"version " + *pending.VersionId + " with AWSPENDING", "read AWSPENDING yes", "rotation in progress since"}},
		{"gone", []string{"read AWSCURRENT DELETED", "✗ is scheduled for deletion since 20"}},
		{"missing", []string{"read AWSCURRENT NO SUCH SECRET", "✗ there is no such secret in us-east-1"}},
		{"hollow", []string{"key alias/mine: kms:Decrypt is needed", "✗ no version has the label AWSCURRENT"}},
	} {
		out, _ := doctor(t, tt.id)
		wantLines(t, out, tt.want...)
	}
	out, err := doctor(t, "prod/db", "rotating")
	if err != nil {
		t.Errorf("two that can be read: %v\n%s", err, out)
	}
}
