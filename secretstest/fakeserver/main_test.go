package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// asServer, if set, makes the test binary the server itself.
const asServer = "FAKESERVER_TEST_ARGS"

func TestMain(m *testing.M) {
	if args, ok := os.LookupEnv(asServer); ok {
		os.Args = append(os.Args[:1], strings.Split(args, "\n")...)
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// writeFile writes a file for the test and returns its name.
func writeFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.json")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// start starts a server as a process, and returns its address and the command.
func start(t *testing.T, args ...string) (url string, cmd *exec.Cmd) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asServer+"="+strings.Join(append([]string{"-addr", "127.0.0.1:0"}, args...), "\n"))
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(stderr).ReadString('\n')
	_, url, ok := strings.Cut(strings.TrimSpace(line), "serving ")
	if err != nil || !ok {
		t.Fatalf("first line: got %q, %v", line, err)
	}
	go io.Copy(io.Discard, stderr)
	return url, cmd
}

func client(url string) *secretsmanager.Client {
	return secretsmanager.New(secretsmanager.Options{
		Region: "us-east-1", BaseEndpoint: &url, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "any", SecretAccessKey: "any"}, nil
		}),
	})
}

func value(t *testing.T, c *secretsmanager.Client, id string) string {
	t.Helper()
	out, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		t.Fatal(err)
	}
	return *out.SecretString
}

func code(err error) string {
	var e smithy.APIError
	if !errors.As(err, &e) {
		return fmt.Sprint(err)
	}
	return e.ErrorCode()
}

func TestServesUntilSIGTERM(t *testing.T) {
	url, cmd := start(t, "-secrets", writeFile(t, `{"prod/key": "sk-1", "prod/db": {"username": "app", "password": "x"}}`))
	c := client(url)
	if got, want := value(t, c, "prod/key"), "sk-1"; got != want {
		t.Errorf("prod/key: got %q, want %q", got, want)
	}
	if got, want := value(t, c, "prod/db"), `{"username": "app", "password": "x"}`; got != want {
		t.Errorf("prod/db: got %q, want %q", got, want)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("SIGTERM: got %v, want exit status 0", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("SIGTERM: still running after 10 s")
	}
}

func TestReset(t *testing.T) {
	url, _ := start(t, "-secrets", writeFile(t, `{"a": "v"}`))
	resp, err := http.Get(url + "/_fake/reset")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: got status %d, want %d", resp.StatusCode, http.StatusMethodNotAllowed)
	}
	value(t, client(url), "a")
	resp, err = http.Post(url+"/_fake/reset", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		t.Errorf("POST: got status %d, want 2xx", resp.StatusCode)
	}
	_, err = client(url).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("a")})
	if got, want := code(err), "ResourceNotFoundException"; got != want {
		t.Errorf("after the reset: got %s, want %s", got, want)
	}
}

// serve makes the server that arguments describe, without listening.
func serve(t *testing.T, args ...string) *secretstest.Server {
	t.Helper()
	c, err := parseFlags(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := c.server()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	return srv
}

func TestRotationFunction(t *testing.T) {
	const arn = "arn:aws:lambda:us-east-1:123456789012:function:rotate"
	srv := serve(t, "-rotation-function", arn, "-secrets", writeFile(t, `{"db": {"username":"app","password":"old","n":1.50}, "key": "old"}`))
	c := srv.Client()
	for _, name := range []string{"db", "key"} {
		before := value(t, c, name)
		out, err := c.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: &name, RotationLambdaARN: aws.String(arn)})
		if err != nil {
			t.Fatal(err)
		}
		if err := srv.Rotation(name).Wait(); err != nil {
			t.Fatal(err)
		}
		got, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &name})
		if err != nil {
			t.Fatal(err)
		}
		if *got.VersionId != *out.VersionId {
			t.Errorf("%s: version: got %s, want %s", name, *got.VersionId, *out.VersionId)
		}
		if *got.SecretString == before {
			t.Errorf("%s: the value is as it was", name)
		}
	}
	var db map[string]json.RawMessage
	if err := json.Unmarshal([]byte(value(t, c, "db")), &db); err != nil {
		t.Fatal(err)
	}
	if string(db["username"]) != `"app"` || string(db["n"]) != "1.50" || len(db["password"]) != 34 {
		t.Errorf("db: got username %s, n %s and a password of %d bytes", db["username"], db["n"], len(db["password"]))
	}
}

func TestRotationInAnotherRegion(t *testing.T) {
	const arn = "arn:aws:lambda:eu-west-1:123456789012:function:rotate"
	srv := serve(t, "-rotation-function", arn)
	c := srv.Client(func(o *secretsmanager.Options) { o.Region = "eu-west-1" })
	made, err := c.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("a"), SecretString: aws.String("old")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String("a"), RotationLambdaARN: aws.String(arn)}); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for value(t, c, "a") == "old" {
		if time.Now().After(deadline) {
			t.Fatalf("%s is not rotated", *made.ARN)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestUnknownRotationFunction(t *testing.T) {
	c := serve(t, "-secrets", writeFile(t, `{"a": "v"}`)).Client()
	_, err := c.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{
		SecretId: aws.String("a"), RotationLambdaARN: aws.String("arn:aws:lambda:us-east-1:123456789012:function:none")})
	if got, want := code(err), "AccessDeniedException"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFaultScript(t *testing.T) {
	srv := serve(t, "-secrets", writeFile(t, `{"a": "v", "b": "w"}`), "-faults", writeFile(t, `[
		{"op": "GetSecretValue", "secret": "a", "skip": 1, "times": 2},
		{"op": "DescribeSecret", "times": "always", "code": "InternalServiceError"}]`))
	c := srv.Client(func(o *secretsmanager.Options) { o.RetryMaxAttempts = 1 })
	var got []string
	for range 4 {
		_, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("a")})
		got = append(got, code(err))
	}
	if want := []string{"<nil>", "ThrottlingException", "ThrottlingException", "<nil>"}; !slices.Equal(got, want) {
		t.Errorf("GetSecretValue: got %q, want %q", got, want)
	}
	for range 3 {
		_, err := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("b")})
		if got, want := code(err), "InternalServiceError"; got != want {
			t.Errorf("DescribeSecret: got %s, want %s", got, want)
		}
	}
}

func TestReadFaults(t *testing.T) {
	got, err := readFaults(writeFile(t, `[{"op":"o","secret":"s","stage":"st","region":"r","identity":"i","skip":1,"times":2,"probability":0.5,
		"code":"c","message":"m","status":503,"latency":"200ms","late":true,"drop":true,"truncate":true,"garbage":true,"empty":true,
		"lag":"1s","stale":true,"noStages":true}]`))
	if err != nil {
		t.Fatal(err)
	}
	want := []secretstest.Fault{{Op: "o", Secret: "s", Stage: "st", Region: "r", Identity: "i", Skip: 1, Times: 2, Probability: 0.5,
		Code: "c", Message: "m", Status: 503, Latency: 200 * time.Millisecond, Late: true, Drop: true, Truncate: true, Garbage: true, Empty: true,
		Lag: time.Second, Stale: true, NoStages: true}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, script := range []string{
		`{}`, `[{"colour":"red"}]`, `[{"times":0}]`, `[{"times":"often"}]`, `[{"latency":200}]`, `[{"latency":"soon"}]`,
		`[{"lag":"-1s"}]`, `[{"probability":2}]`,
	} {
		if _, err := readFaults(writeFile(t, script)); err == nil {
			t.Errorf("%s: got no error", script)
		}
	}
}

func TestReadSecretsErrorsHoldNoValue(t *testing.T) {
	for _, text := range []string{`{"a": "hunter2"`, `["hunter2"]`, `hunter2`, `{"a": null, "b": "hunter2"}`, `{"a": "", "b": "hunter2"}`} {
		_, err := readSecrets(writeFile(t, text))
		if err == nil {
			t.Errorf("%s: got no error", text)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error holds the value: %v", text, err)
		}
	}
}

func TestPreloadRefusesBadNames(t *testing.T) {
	c := &config{secrets: writeFile(t, `{"a b": "hunter2"}`), region: "us-east-1", account: "123456789012"}
	if _, err := c.server(); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), `preload "a b"`) {
		t.Errorf("got %v", err)
	}
}

func TestRegions(t *testing.T) {
	srv := serve(t, "-region", "eu-west-1", "-regions", "eu-west-1,eu-central-1", "-account", "999999999999", "-secrets", writeFile(t, `{"a": "v"}`))
	out, err := srv.Client().DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("a")})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(*out.ARN, "arn:aws:secretsmanager:eu-west-1:999999999999:secret:a-") {
		t.Errorf("ARN: got %s", *out.ARN)
	}
	list := func(region string) error {
		_, err := srv.Client(func(o *secretsmanager.Options) { o.Region = region }).ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{})
		return err
	}
	if err := list("eu-central-1"); err != nil {
		t.Errorf("eu-central-1: %v", err)
	}
	if err := list("us-east-1"); err == nil {
		t.Error("us-east-1: got no error")
	}
}

func TestListen(t *testing.T) {
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0"} {
		l, err := listen(addr, false)
		if err == nil {
			l.Close()
			t.Errorf("%s: got no error", addr)
		} else if !strings.Contains(err.Error(), "-allow-remote") {
			t.Errorf("%s: got %v, want a word on -allow-remote", addr, err)
		}
	}
	for _, addr := range []string{"127.0.0.1:0", "localhost:0", "127.1.2.3:0"} {
		l, err := listen(addr, false)
		if err != nil {
			t.Errorf("%s: %v", addr, err)
			continue
		}
		l.Close()
	}
	l, err := listen("0.0.0.0:0", true)
	if err != nil {
		t.Fatalf("-allow-remote: %v", err)
	}
	l.Close()
}

func TestFlags(t *testing.T) {
	if _, err := parseFlags([]string{"stray"}, io.Discard); err == nil {
		t.Error("stray argument: got no error")
	}
	if _, err := parseFlags([]string{"-h"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: got %v, want %v", err, flag.ErrHelp)
	}
	if err := run(t.Context(), []string{"-secrets", "/nonexistent"}, io.Discard); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: got %v, want %v", err, os.ErrNotExist)
	}
}
