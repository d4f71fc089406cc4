package secretstest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

func in(region string) func(*secretsmanager.Options) {
	return func(o *secretsmanager.Options) {
		o.Region = region
		o.RetryMaxAttempts = 1
	}
}

// withReplica returns a server with a secret in us-east-1 and a replica of it in
// us-west-2, and a client for each.
func withReplica(t *testing.T) (srv *secretstest.Server, east, west *secretsmanager.Client) {
	t.Helper()
	srv = secretstest.New(t, secretstest.Secrets{"s": "one"})
	east, west = srv.Client(in("us-east-1")), srv.Client(in("us-west-2"))
	out, err := east.ReplicateSecretToRegions(t.Context(), &secretsmanager.ReplicateSecretToRegionsInput{
		SecretId: aws.String("s"), AddReplicaRegions: []types.ReplicaRegionType{{Region: aws.String("us-west-2")}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.ReplicationStatus) != 1 || out.ReplicationStatus[0].Status != types.StatusTypeInSync ||
		aws.ToString(out.ReplicationStatus[0].StatusMessage) != "Replication succeeded" {
		t.Fatalf("got %v, want one in sync", out.ReplicationStatus)
	}
	return srv, east, west
}

func TestReplicaFollows(t *testing.T) {
	srv, east, west := withReplica(t)
	out := get(t, west, "s")
	if got, want := *out.ARN, strings.Replace(srv.ARN("s"), "us-east-1", "us-west-2", 1); got != want {
		t.Errorf("got ARN %s, want %s", got, want)
	}
	id := srv.Put("s", "two")
	if got := get(t, west, "s"); *got.SecretString != "two" || *got.VersionId != id {
		t.Errorf("got %s %q, want %s two", *got.VersionId, *got.SecretString, id)
	}
	d, err := east.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("s")})
	if err != nil || len(d.ReplicationStatus) != 1 || d.ReplicationStatus[0].LastAccessedDate == nil || *d.PrimaryRegion != "us-east-1" {
		t.Errorf("got %+v, %v", d, err)
	}
	d, err = west.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("s")})
	if err != nil || *d.PrimaryRegion != "us-east-1" {
		t.Errorf("got %+v, %v", d, err)
	}
}

func TestReplicaRefusesWrites(t *testing.T) {
	_, _, west := withReplica(t)
	s, ctx := aws.String("s"), t.Context()
	writes := map[string]func(context.Context) error{
		"PutSecretValue": func(ctx context.Context) error {
			_, err := west.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: s, SecretString: s})
			return err
		},
		"UpdateSecret": func(ctx context.Context) error {
			_, err := west.UpdateSecret(ctx, &secretsmanager.UpdateSecretInput{SecretId: s, Description: s})
			return err
		},
		"DeleteSecret": func(ctx context.Context) error {
			_, err := west.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: s})
			return err
		},
		"TagResource": func(ctx context.Context) error {
			_, err := west.TagResource(ctx, &secretsmanager.TagResourceInput{SecretId: s, Tags: []types.Tag{{Key: s, Value: s}}})
			return err
		},
		"RotateSecret": func(ctx context.Context) error {
			_, err := west.RotateSecret(ctx, &secretsmanager.RotateSecretInput{SecretId: s})
			return err
		},
		// The other faults of these requests are checked later.
		"ReplicateSecretToRegions": func(ctx context.Context) error {
			_, err := west.ReplicateSecretToRegions(ctx, &secretsmanager.ReplicateSecretToRegionsInput{SecretId: s, AddReplicaRegions: []types.ReplicaRegionType{{}}})
			return err
		},
		"RemoveRegionsFromReplication": func(ctx context.Context) error {
			_, err := west.RemoveRegionsFromReplication(ctx, &secretsmanager.RemoveRegionsFromReplicationInput{SecretId: s, RemoveReplicaRegions: []string{"a"}})
			return err
		},
		"PutResourcePolicy": func(ctx context.Context) error {
			_, err := west.PutResourcePolicy(ctx, &secretsmanager.PutResourcePolicyInput{SecretId: s, ResourcePolicy: s})
			return err
		},
	}
	for op, f := range writes {
		t.Run(op, func(t *testing.T) {
			wantError(t, f(ctx), "InvalidParameterException", "Operation not permitted on a replica secret. Call must be made in primary secret's region.")
		})
	}
}

func TestRegionDown(t *testing.T) {
	srv, east, west := withReplica(t)
	srv.Region("us-east-1").Down()
	if err := read(t, east, "s", ""); err == nil {
		t.Error("us-east-1 is down: got no error")
	}
	get(t, west, "s")
	srv.Region("us-east-1").Up()
	get(t, east, "s")
	if n := srv.Count(secretstest.Call{Region: "us-east-1", Outcome: "ServiceUnavailable"}); n != 1 {
		t.Errorf("got %d calls refused in us-east-1, want 1", n)
	}
}

func TestStopReplication(t *testing.T) {
	srv, east, west := withReplica(t)
	_, err := east.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("s")})
	wantError(t, err, "InvalidParameterException", "You can't delete secret s that still has replica regions [us-west-2].")
	_, err = east.StopReplicationToReplica(t.Context(), &secretsmanager.StopReplicationToReplicaInput{SecretId: aws.String("s")})
	wantError(t, err, "InvalidParameterException", "secret s isn't a replica")
	if _, err := west.StopReplicationToReplica(t.Context(), &secretsmanager.StopReplicationToReplicaInput{SecretId: aws.String("s")}); err != nil {
		t.Fatal(err)
	}
	srv.Put("s", "two")
	if got := *get(t, west, "s").SecretString; got != "one" {
		t.Errorf("promoted: got %q, want one", got)
	}
	if _, err := west.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("s"), SecretString: aws.String("three")}); err != nil {
		t.Errorf("promoted: %v", err)
	}
	if got := *get(t, east, "s").SecretString; got != "two" {
		t.Errorf("primary: got %q, want two", got)
	}
	if _, err := east.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("s")}); err != nil {
		t.Error(err)
	}
}

func TestRemoveRegions(t *testing.T) {
	_, east, west := withReplica(t)
	out, err := east.RemoveRegionsFromReplication(t.Context(), &secretsmanager.RemoveRegionsFromReplicationInput{
		SecretId: aws.String("s"), RemoveReplicaRegions: []string{"us-west-2"}})
	if err != nil || len(out.ReplicationStatus) != 0 {
		t.Errorf("got %v, %v", out, err)
	}
	wantError(t, read(t, west, "s", ""), "ResourceNotFoundException", "")
}

func TestReplicateOverExisting(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
	east, west := srv.Client(in("us-east-1")), srv.Client(in("us-west-2"))
	if _, err := west.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("theirs")}); err != nil {
		t.Fatal(err)
	}
	replicate := func(force bool) types.ReplicationStatusType {
		t.Helper()
		out, err := east.ReplicateSecretToRegions(t.Context(), &secretsmanager.ReplicateSecretToRegionsInput{
			SecretId: aws.String("s"), ForceOverwriteReplicaSecret: force,
			AddReplicaRegions: []types.ReplicaRegionType{{Region: aws.String("us-west-2")}}})
		if err != nil {
			t.Fatal(err)
		}
		return out.ReplicationStatus[0]
	}
	if st := replicate(false); st.Status != types.StatusTypeFailed || aws.ToString(st.StatusMessage) == "" {
		t.Errorf("got %v, want a failure", st)
	}
	if got := *get(t, west, "s").SecretString; got != "theirs" {
		t.Errorf("got %q, want theirs", got)
	}
	if st := replicate(true); st.Status != types.StatusTypeInSync {
		t.Errorf("got %v, want in sync", st)
	}
	if got := *get(t, west, "s").SecretString; got != "one" {
		t.Errorf("got %q, want one", got)
	}
	_, err := east.ReplicateSecretToRegions(t.Context(), &secretsmanager.ReplicateSecretToRegionsInput{
		SecretId: aws.String("s"), AddReplicaRegions: []types.ReplicaRegionType{{Region: aws.String("us-east-1")}}})
	wantError(t, err, "InvalidParameterException", "Invalid replica region.")
}

// The model does not require the Region of AddReplicaRegions.
func TestReplicaWithoutRegion(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "v"})
	c := srv.Client()
	nowhere := []types.ReplicaRegionType{{}}
	_, err := c.ReplicateSecretToRegions(t.Context(), &secretsmanager.ReplicateSecretToRegionsInput{SecretId: aws.String("s"), AddReplicaRegions: nowhere})
	wantError(t, err, "InvalidParameterException", "Invalid replica region.")
	_, err = c.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("t"), SecretString: aws.String("v"), AddReplicaRegions: nowhere})
	wantError(t, err, "InvalidParameterException", "Invalid replica region.")
	d, err := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("s")})
	if err != nil || len(d.ReplicationStatus) != 0 || d.PrimaryRegion != nil {
		t.Errorf("got replicas %v of region %q, %v, want none", d.ReplicationStatus, aws.ToString(d.PrimaryRegion), err)
	}
}
