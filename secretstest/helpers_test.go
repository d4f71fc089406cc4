package secretstest_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// failures are uses of helpers that fail, each on the first line of its
// function.
var failures = map[string]func(*testing.T, *secretstest.Server){
	"New": func(t *testing.T, _ *secretstest.Server) {
		secretstest.New(t, secretstest.Secrets{"a b": "x"})
	},
	"Put": func(t *testing.T, srv *secretstest.Server) {
		srv.Put("a b", "x")
	},
	"PutEmptyPending": func(t *testing.T, srv *secretstest.Server) {
		srv.PutEmptyPending("none")
	},
	"MoveStage": func(t *testing.T, srv *secretstest.Server) {
		srv.MoveStage("s", "AWSCURRENT", "none")
	},
	"Delete": func(t *testing.T, srv *secretstest.Server) {
		srv.Delete("none")
	},
	"Rotate": func(t *testing.T, srv *secretstest.Server) {
		srv.Rotate("none")
	},
	"Rotation": func(t *testing.T, srv *secretstest.Server) {
		srv.Rotation("none")
	},
	"VersionID": func(t *testing.T, srv *secretstest.Server) {
		srv.VersionID("none", "AWSCURRENT")
	},
}

// TestHelpersFailAtCaller runs itself and checks the reported positions of the
// failures.
func TestHelpersFailAtCaller(t *testing.T) {
	if name := os.Getenv("SECRETSTEST_FAIL"); name != "" {
		failures[name](t, secretstest.New(t, secretstest.Secrets{"s": "x"}))
		return
	}
	for name := range failures {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestHelpersFailAtCaller$")
			cmd.Env = append(os.Environ(), "SECRETSTEST_FAIL="+name)
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatalf("the helper did not fail: %s", out)
			}
			if want := fmt.Sprintf("helpers_test.go:%d: secretstest: ", lineOf(t, name)); !strings.Contains(string(out), want) {
				t.Errorf("got %s\nwant it to hold %q", out, want)
			}
		})
	}
}

// lineOf returns the line on which a failing helper is called.
func lineOf(t *testing.T, name string) int {
	t.Helper()
	src, err := os.ReadFile("helpers_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range strings.Split(string(src), "\n") {
		if strings.HasPrefix(text, "\t\""+name+"\": func(") {
			return i + 2
		}
	}
	t.Fatalf("no failure called %s", name)
	return 0
}

func TestHelperPanicsWithoutTest(t *testing.T) {
	srv := secretstest.NewServer(nil)
	defer srv.Close()
	defer func() {
		if r := fmt.Sprint(recover()); !strings.HasPrefix(r, `secretstest: delete "none": ResourceNotFoundException`) {
			t.Errorf("got %q", r)
		}
	}()
	srv.Delete("none")
}

func TestHelpersAreNotInLedger(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "x"})
	srv.Fail(secretstest.Outage())
	srv.Put("s", "y")
	srv.PutBinary("b", []byte{1})
	srv.PutEmptyPending("s")
	srv.Rotate("s")
	srv.ScheduleDeletion("b")
	srv.Restore("b")
	srv.Delete("b")
	if got := srv.Calls(); len(got) != 0 {
		t.Errorf("got %v, want none", got)
	}
}

func TestLedger(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "x"})
	c := srv.Client(in("us-east-1"))
	get(t, c, "s")
	get(t, c, srv.ARN("s"))
	read(t, c, "none", "AWSPENDING")
	srv.Fail(secretstest.Fault{Drop: true}, secretstest.Fault{Truncate: true})
	read(t, c, "s", "")
	read(t, c, "s", "")
	var got []string
	for _, call := range srv.Calls() {
		got = append(got, call.Secret+" "+call.Stage+" "+call.Outcome)
	}
	want := "s  OK, s  OK, none AWSPENDING ResourceNotFoundException, s  Dropped, s  Truncated"
	if g := strings.Join(got, ", "); g != want {
		t.Errorf("got %q, want %q", g, want)
	}
	if n := srv.Count(secretstest.Call{Secret: "s", Outcome: "OK"}, secretstest.Call{Secret: "none"}); n != 3 {
		t.Errorf("got %d, want 3", n)
	}
	if s := srv.Calls()[2].String(); s != `GetSecretValue "none" stage AWSPENDING in us-east-1 by arn:aws:iam::123456789012:root: ResourceNotFoundException` {
		t.Errorf("got %s", s)
	}
	srv.ResetCalls()
	if n := srv.Count(); n != 0 {
		t.Errorf("got %d, want 0", n)
	}
}

func TestLedgerLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("8,000 requests, one after another")
	}
	for limit, atMost := range map[int]int{-1: 0, 2000: 3100} { // a chunk more than the limit
		srv := secretstest.NewServer(&secretstest.Options{Ledger: limit, Secrets: secretstest.Secrets{"s": "x"}, TB: t})
		c := srv.Client()
		for range 4000 {
			get(t, c, "s")
		}
		if n := srv.Count(); n > atMost || n < limit {
			t.Errorf("limit %d: got %d calls", limit, n)
		}
	}
}

func TestClosedServer(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "x"})
	c := srv.Client(in("us-east-1"))
	srv.Close()
	srv.Close()
	if err := read(t, c, "s", ""); err == nil || !strings.Contains(err.Error(), "connection reset") {
		t.Errorf("got %v, want a reset connection", err)
	}
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": `{"password":"x"}`})
	c := srv.Client(in("us-east-1"))
	srv.SetRotation("s", nil, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	use := func(f func()) {
		wg.Go(func() {
			for ctx.Err() == nil {
				f()
			}
		})
	}
	id := aws.String("s")
	use(func() { c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: id}) })
	use(func() { c.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: id}) })
	use(func() { c.ListSecrets(ctx, &secretsmanager.ListSecretsInput{SortBy: "name"}) })
	use(func() {
		c.ListSecretVersionIds(ctx, &secretsmanager.ListSecretVersionIdsInput{SecretId: id, IncludeDeprecated: aws.Bool(true)})
	})
	use(func() { c.RotateSecret(ctx, &secretsmanager.RotateSecretInput{SecretId: id}) })
	use(func() { srv.Put("s", "y") })
	use(func() { srv.Fail(secretstest.Fault{Code: "InternalServiceError"}) })
	use(func() { srv.FailStep(secretstest.StepFault{Step: rotate.TestSecret, Twice: true}) })
	use(func() { srv.Calls() })
	use(func() { srv.Stages("s") })
	use(func() { srv.ClearFaults(); time.Sleep(time.Millisecond) })
	wg.Wait()
}
