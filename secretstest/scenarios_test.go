package secretstest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// inScenario runs a test with a secret that is replicated to eu-west-1.
func inScenario(t *testing.T, f func(t *testing.T, srv *secretstest.Server, here, there *secretsmanager.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		_, err := srv.Client().ReplicateSecretToRegions(t.Context(), &secretsmanager.ReplicateSecretToRegionsInput{
			SecretId: aws.String("s"), AddReplicaRegions: []types.ReplicaRegionType{{Region: aws.String("eu-west-1")}}})
		if err != nil {
			t.Fatal(err)
		}
		srv.ResetCalls()
		f(t, srv, srv.Client(), srv.Client(in("eu-west-1")))
	})
}

func TestRegionOutage(t *testing.T) {
	inScenario(t, func(t *testing.T, srv *secretstest.Server, here, there *secretsmanager.Client) {
		end := srv.RegionOutage("us-east-1")
		err := read(t, here, "s", "")
		var api smithy.APIError
		if err == nil || errors.As(err, &api) || !strings.Contains(err.Error(), "connection reset") {
			t.Errorf("got %v, want a reset connection and no answer", err)
		}
		if n := srv.Count(secretstest.Call{Outcome: secretstest.OutcomeDropped}); n != 3 {
			t.Errorf("got %d attempts, want 3", n)
		}
		get(t, there, "s")
		end()
		end()
		get(t, here, "s")
	})
}

func TestSTSDenied(t *testing.T) {
	inScenario(t, func(t *testing.T, srv *secretstest.Server, here, _ *secretsmanager.Client) {
		get(t, here, "s")
		end := srv.STSDenied()
		err := read(t, here, "s", "")
		var api smithy.APIError
		var op *smithy.OperationError
		if !errors.As(err, &api) || api.ErrorCode() != "AccessDenied" || !strings.Contains(err.Error(), "operation error STS: AssumeRole") {
			t.Errorf("got %v, want AccessDenied of STS", err)
		}
		if !errors.As(err, &op) || op.Service() != "Secrets Manager" {
			t.Errorf("the outer operation: got %v", op)
		}
		if n := srv.Count(); n != 1 {
			t.Errorf("got %d calls, want only the one before", n)
		}
		end()
		get(t, here, "s")
	})
}

func TestLaggingReplica(t *testing.T) {
	inScenario(t, func(t *testing.T, srv *secretstest.Server, here, there *secretsmanager.Client) {
		time.Sleep(time.Minute)
		end := srv.LaggingReplica("eu-west-1", 10*time.Second)
		id := srv.Put("s", "two")
		if got := *get(t, here, "s").SecretString; got != "two" {
			t.Errorf("the primary: got %s, want two", got)
		}
		if got := *get(t, there, "s").SecretString; got != "one" {
			t.Errorf("the replica: got %s, want one", got)
		}
		if d := describe(t, there, "s"); d.VersionIdsToStages[id] != nil {
			t.Errorf("the replica's labels: got %v", d.VersionIdsToStages)
		}
		time.Sleep(10 * time.Second)
		if got := *get(t, there, "s").SecretString; got != "two" {
			t.Errorf("10 s later: got %s, want two", got)
		}
		srv.Put("s", "three")
		end()
		if got := *get(t, there, "s").SecretString; got != "three" {
			t.Errorf("afterwards: got %s, want three", got)
		}
	})
}

func TestRotationStuckAfterSet(t *testing.T) {
	inScenario(t, func(t *testing.T, srv *secretstest.Server, here, _ *secretsmanager.Client) {
		fn, steps := rotator(here)
		database := "one"
		srv.SetRotation("s", func(ctx context.Context, e rotate.Event) error {
			if err := fn(ctx, e); err != nil {
				return err
			}
			if e.Step == rotate.SetSecret {
				out, err := here.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &e.SecretID, VersionStage: aws.String("AWSPENDING")})
				if err != nil {
					return err
				}
				database = *out.SecretString
			}
			return nil
		}, nil)
		id, end := srv.RotationStuckAfterSet("s")
		if got := *get(t, here, "s").SecretString; got != "one" || database != "value 1" {
			t.Errorf("got current %s and %s in the database, want one and value 1", got, database)
		}
		if got := srv.VersionID("s", "AWSPENDING"); got != id || len(*steps) != 2 {
			t.Errorf("got pending %s after %q, want %s after two steps", got, *steps, id)
		}
		_, err := here.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String("s")})
		wantError(t, err, "InvalidRequestException", "A previous rotation isn't complete.")
		end()
		end()
		if got := *get(t, here, "s").VersionId; got != id || len(*steps) != 4 {
			t.Errorf("afterwards: got current %s after %q", got, *steps)
		}
	})
}

func TestThrottleStorm(t *testing.T) {
	inScenario(t, func(t *testing.T, srv *secretstest.Server, _, _ *secretsmanager.Client) {
		c := srv.Client(once)
		end := srv.ThrottleStorm()
		throttled := 0
		for range 200 {
			if err := read(t, c, "s", ""); err != nil {
				wantError(t, err, "ThrottlingException", "Rate exceeded")
				throttled++
			}
		}
		if throttled < 160 || throttled > 198 {
			t.Errorf("got %d of 200 calls throttled, want about 180", throttled)
		}
		end()
		for range 20 {
			get(t, c, "s")
		}
	})
}

func TestKMSRevoked(t *testing.T) {
	inScenario(t, func(t *testing.T, srv *secretstest.Server, here, _ *secretsmanager.Client) {
		srv.Put("t", "v")
		end := srv.KMSRevoked("s")
		wantError(t, read(t, here, "s", ""), "AccessDeniedException", "Access to KMS is not allowed")
		_, err := here.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("s"), SecretString: aws.String("x")})
		wantError(t, err, "AccessDeniedException", "Access to KMS is not allowed")
		out, err := here.BatchGetSecretValue(t.Context(), &secretsmanager.BatchGetSecretValueInput{SecretIdList: []string{"s", "t"}})
		if err != nil || len(out.SecretValues) != 1 || len(out.Errors) != 1 || *out.Errors[0].ErrorCode != "AccessDeniedException" {
			t.Errorf("batch: got %v, %v", out, err)
		}
		describe(t, here, "s")
		get(t, here, "t")
		end()
		get(t, here, "s")
	})
}

func TestSlowTrickle(t *testing.T) {
	inScenario(t, func(t *testing.T, srv *secretstest.Server, _, _ *secretsmanager.Client) {
		c := srv.Client(once)
		end := srv.SlowTrickle(time.Second)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		_, err := c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 30*time.Second {
			t.Errorf("got %v after %v, want the caller's deadline", err, time.Since(start))
		}
		get(t, c, "s")
		if d := time.Since(start); d < 2*time.Minute {
			t.Errorf("a call without a deadline took %v, want minutes", d)
		}
		end()
		start = time.Now()
		get(t, c, "s")
		if d := time.Since(start); d != 0 {
			t.Errorf("afterwards: took %v", d)
		}
	})
}

func TestClockSkew(t *testing.T) {
	inScenario(t, func(t *testing.T, srv *secretstest.Server, here, _ *secretsmanager.Client) {
		for skew, want := range map[time.Duration]string{time.Hour: "Signature expired: ", -time.Hour: "Signature not yet current: "} {
			end := srv.ClockSkew(skew)
			wantError(t, read(t, srv.Client(once), "s", ""), "InvalidSignatureException", want)
			get(t, here, "s") // the SDK corrects its clock
			end()
		}
		end := srv.ClockSkew(4 * time.Minute)
		get(t, srv.Client(once), "s")
		end()
		get(t, srv.Client(once), "s")
	})
}

func TestBrokenJSON(t *testing.T) {
	inScenario(t, func(t *testing.T, srv *secretstest.Server, here, _ *secretsmanager.Client) {
		end := srv.BrokenJSON()
		err := read(t, here, "s", "")
		var broken *smithy.DeserializationError
		if !errors.As(err, &broken) || strings.Contains(err.Error(), "one") {
			t.Errorf("got %v, want a deserialization error", err)
		}
		if n := srv.Count(); n != 1 {
			t.Errorf("got %d calls, want 1: it is not retried", n)
		}
		end()
		get(t, here, "s")
	})
}

func TestResetEndsScenarios(t *testing.T) {
	srv := secretstest.New(t, nil)
	ends := []func(){srv.STSDenied(), srv.ClockSkew(time.Hour), srv.BrokenJSON()}
	srv.Reset()
	srv.Put("s", "one")
	get(t, srv.Client(once), "s")
	srv.STSDenied()
	for _, end := range ends {
		end()
	}
	if err := read(t, srv.Client(once), "s", ""); err == nil || !strings.Contains(err.Error(), "STS: AssumeRole") {
		t.Errorf("the end of a scenario before Reset ended one after it: got %v", err)
	}
	for range 2 {
		srv.Reset()
		srv.Put("s", "one")
		get(t, srv.Client(once), "s")
	}
}
