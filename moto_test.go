package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/seed-74dc7b3e/secrets"
)

// startMoto runs moto, an imitation of AWS in Python that differs from AWS in
// details, in a process of its own. It skips the test where there is none.
func startMoto(t *testing.T) *secretsmanager.Client {
	if testing.Short() {
		t.Skip("moto takes seconds to start")
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3, so no moto: the client is not tested on an endpoint other than the fake")
	}
	if err := exec.Command(python, "-c", "import moto.server").Run(); err != nil {
		t.Skip("python3 has no moto (pip install 'moto[server]'): the client is not tested on an endpoint other than the fake")
	}
	addr := freeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(python, "-m", "moto.server", "-p", port)
	var log journal
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-exited
	})
	for start := time.Now(); ; {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
			return sdkClient("http://"+addr, http.DefaultTransport)
		}
		select {
		case err := <-exited:
			exited <- err
			t.Fatalf("moto ended with %v:\n%s", err, log.String())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Since(start) > time.Minute {
			t.Fatalf("moto does not listen after a minute:\n%s", log.String())
		}
	}
}

// freeAddr returns a loopback address that nothing listens on.
func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// must fails the test if a call that prepares it did.
func must[T any](t *testing.T) func(T, error) T {
	return func(out T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func TestMoto(t *testing.T) {
	api := startMoto(t)
	ctx := t.Context()
	create := func(name, value string) *secretsmanager.CreateSecretOutput {
		t.Helper()
		return must[*secretsmanager.CreateSecretOutput](t)(api.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &name, SecretString: &value}))
	}
	put := func(name, value string, stages ...string) *secretsmanager.PutSecretValueOutput {
		t.Helper()
		return must[*secretsmanager.PutSecretValueOutput](t)(api.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &name, SecretString: &value, VersionStages: stages}))
	}
	client := func() *secrets.Client { return open(t, api, nil) }

	t.Run("read", func(t *testing.T) {
		made := create("read", `{"host":"db","port":5432}`)
		must[*secretsmanager.CreateSecretOutput](t)(api.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String("binary"), SecretBinary: []byte{0, 0xff}}))
		c := client()
		checkRead(t, c, "read", place{Host: "db", Port: 5432})
		checkRead(t, c, *made.ARN, `{"host":"db","port":5432}`)
		checkRead(t, c, "binary", []byte{0, 0xff})
		s, err := c.Get(ctx, "read")
		if err != nil || s.VersionID() != *made.VersionId || s.ARN() != *made.ARN || s.CreatedDate().IsZero() {
			t.Errorf("Get = %v (%v), %v; want version %s of %s", s, s.CreatedDate(), err, *made.VersionId, *made.ARN)
		}
	})
	t.Run("not found", func(t *testing.T) {
		_, err := client().Get(ctx, "missing")
		var status *smithyhttp.ResponseError
		if !as[*types.ResourceNotFoundException](err, "ResourceNotFoundException") {
			t.Errorf("Get = %v, want a ResourceNotFoundException", err)
		}
		if errors.As(err, &status) && status.HTTPStatusCode() != http.StatusNotFound {
			t.Logf("moto answers with HTTP %d, no longer 404 as it used to", status.HTTPStatusCode())
		}
	})
	t.Run("refresh", func(t *testing.T) {
		create("refresh", "one")
		c := client()
		checkRead(t, c, "refresh", "one")
		put("refresh", "two")
		checkRead(t, c, "refresh", "one")
		for range 2 {
			if err := c.Refresh(ctx, "refresh"); err != nil {
				t.Error(err)
			}
			checkRead(t, c, "refresh", "two")
		}
		if st := c.Stats(); st.Errors != 0 || st.NewVersions != 1 || st.GetSecretValue != 2 {
			t.Errorf("Stats = %+v, want no errors, 1 new version and 2 GetSecretValue", st)
		}
	})
	t.Run("prefetch", func(t *testing.T) {
		var ids []string
		for i := range 25 {
			ids = append(ids, fmt.Sprintf("many/%d", i))
			create(ids[i], ids[i])
		}
		c := client()
		err := c.Prefetch(ctx, append(ids, "missing")...)
		var pe *secrets.PrefetchError
		if !errors.As(err, &pe) || len(pe.Errors) != 1 || pe.Errors["missing"] == nil {
			t.Errorf("Prefetch = %v, want one error, of missing", err)
		}
		before := c.Stats()
		for _, id := range ids {
			checkRead(t, c, id, id)
		}
		if n := c.Stats().Sub(before).Calls(); n != 0 {
			t.Errorf("reading what was prefetched cost %d calls", n)
		}
	})
	t.Run("versions", func(t *testing.T) { checkMotoVersions(ctx, t, client(), create, put) })
	t.Run("deletion", func(t *testing.T) {
		create("deletion", "v")
		c := client()
		checkRead(t, c, "deletion", "v")
		must[*secretsmanager.DeleteSecretOutput](t)(api.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: aws.String("deletion")}))
		if err := c.Refresh(ctx, "deletion"); !as[*types.InvalidRequestException](err, "InvalidRequestException") {
			t.Errorf("Refresh = %v, want an InvalidRequestException", err)
		}
		if s, err := c.Get(ctx, "deletion"); err == nil {
			t.Errorf("Get of a secret marked for deletion = %v, want an error", s)
		}
	})
}

func checkMotoVersions(ctx context.Context, t *testing.T, c *secrets.Client, create func(string, string) *secretsmanager.CreateSecretOutput, put func(string, string, ...string) *secretsmanager.PutSecretValueOutput) {
	create("key", "previous")
	checkVersions(t, c, "one version", "previous")
	put("key", "current")
	pending := put("key", "pending", "AWSPENDING")
	if err := c.Refresh(ctx, "key"); err != nil {
		t.Fatal(err)
	}
	checkRead(t, c, "key", "current")
	checkVersions(t, c, "rotating", "current", "pending", "previous")
	for want, sel := range map[string]secrets.Selector{
		"pending": secrets.Stage(secrets.Pending), "previous": secrets.Stage(secrets.Previous), "current": secrets.Stage(secrets.Current),
	} {
		s, err := c.GetVersion(ctx, "key", sel)
		if err != nil || string(s.Bytes()) != want {
			t.Errorf("GetVersion of %v = %v, %v; want %q", sel, s, err, want)
		}
	}
	if s, err := c.GetVersion(ctx, "key", secrets.VersionID(*pending.VersionId)); err != nil || string(s.Bytes()) != "pending" {
		t.Errorf("GetVersion of the pending version by its id = %v, %v", s, err)
	}
	_, err := c.GetVersion(ctx, "key", secrets.Stage("custom"))
	if !as[*types.ResourceNotFoundException](err, "ResourceNotFoundException") || !strings.Contains(err.Error(), "custom") {
		t.Errorf("GetVersion of a missing label = %v, want a ResourceNotFoundException that names it", err)
	}
	st, err := c.RotationState(ctx, "key")
	if err != nil || st.Phase != secrets.RotationInProgress || st.PendingVersion != *pending.VersionId {
		t.Errorf("RotationState = %v, %v; want %s in progress", st, err, *pending.VersionId)
	}
}
