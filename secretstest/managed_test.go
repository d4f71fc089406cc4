package secretstest_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

func describe(t *testing.T, c *secretsmanager.Client, id string) *secretsmanager.DescribeSecretOutput {
	t.Helper()
	out, err := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &id})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRDSSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, nil)
		c := srv.Client()
		name := srv.RDSSecret("admin")
		login := func() map[string]string {
			var m map[string]string
			if err := json.Unmarshal([]byte(*get(t, c, name).SecretString), &m); err != nil {
				t.Fatal(err)
			}
			return m
		}
		first := login()
		if len(first) != 2 || first["username"] != "admin" || len(first["password"]) < 16 {
			t.Errorf("got members %d and username %q, want username and password", len(first), first["username"])
		}
		d := describe(t, c, name)
		if aws.ToString(d.OwningService) != "rds" || !aws.ToBool(d.RotationEnabled) || d.RotationLambdaARN != nil || *d.RotationRules.AutomaticallyAfterDays != 7 {
			t.Errorf("got %+v", d)
		}
		if !strings.HasPrefix(name, "rds!db-") || len(d.Tags) != 2 {
			t.Errorf("got name %s and tags %v", name, d.Tags)
		}
		out, err := c.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: &name})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := *get(t, c, name).VersionId; got != *out.VersionId {
			t.Errorf("a minute after RotateSecret: got version %s, want %s", got, *out.VersionId)
		}
		if second := login(); second["username"] != "admin" || second["password"] == first["password"] || len(second) != 2 {
			t.Error("the rotated value does not have the same username and another password")
		}
		time.Sleep(8 * 24 * time.Hour)
		if got := *get(t, c, name).VersionId; got == *out.VersionId {
			t.Error("not rotated after a week")
		}
	})
}

func TestOwnedSecretRefuses(t *testing.T) {
	srv := secretstest.New(t, nil)
	name := srv.RDSSecret("admin")
	c := &conf{sdk: srv.Client()}
	id := srv.VersionID(name, "AWSCURRENT")
	for op, in := range map[string]m{
		"PutSecretValue": {"SecretString": "x"}, "UpdateSecret": {"Description": "x"}, "DeleteSecret": {},
		"TagResource": {"Tags": []m{{"Key": "a", "Value": "b"}}}, "UntagResource": {"TagKeys": []string{"a"}},
		"UpdateSecretVersionStage": {"VersionStage": "x", "MoveToVersionId": id}, "CancelRotateSecret": {},
		"RotateSecret": {"RotationLambdaARN": lambda},
	} {
		in["SecretId"] = name
		c.fails(op, in, "InvalidRequestException", "The secret is managed by another service, and you must use that service to update it.")
	}
	c.ok("PutResourcePolicy", m{"SecretId": name, "ResourcePolicy": somePolicy})
	c.ok("RotateSecret", m{"SecretId": name, "RotationRules": m{"AutomaticallyAfterDays": 14}})
	for _, d := range c.differences {
		t.Error(d)
	}
	srv.Rotation(name).Wait()
}

func TestManagedExternalSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, nil)
		c := &conf{sdk: srv.Client()}
		old := c.ok("CreateSecret", m{"Name": "s", "Type": "Salesforce", "SecretString": `{"password":"x"}`})["VersionId"]
		c.fails("RotateSecret", m{"SecretId": "s"}, "InvalidRequestException", "No Lambda rotation function ARN is associated with this secret.")
		meta := []m{{"Key": "adminSecret", "Value": "arn"}}
		in := m{"SecretId": "s", "ExternalSecretRotationMetadata": meta, "ExternalSecretRotationRoleArn": "arn:aws:iam::123456789012:role/rotator"}
		c.ok("RotateSecret", in)
		synctest.Wait()
		d := describe(t, c.sdk, "s")
		if len(d.ExternalSecretRotationMetadata) != 1 || d.ExternalSecretRotationRoleArn == nil || d.RotationLambdaARN != nil || !aws.ToBool(d.RotationEnabled) {
			t.Errorf("got %+v", d)
		}
		if id := srv.VersionID("s", "AWSPREVIOUS"); id != old {
			t.Errorf("AWSPREVIOUS: got %s, want %s", id, old)
		}
		for _, d := range c.differences {
			t.Error(d)
		}
	})
}

// A scheduled rotation that fails is tried again, and NextRotationDate stays
// where it was until one succeeds.
func TestFailedScheduledRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		c := srv.Client()
		srv.SetRotation("s", nil, &types.RotationRulesType{ScheduleExpression: aws.String("rate(12 hours)")})
		id := srv.VersionID("s", "AWSCURRENT")
		var failing atomic.Bool
		var attempts atomic.Int64
		failing.Store(true)
		srv.HandleRotation(*describe(t, c, "s").RotationLambdaARN, func(ctx context.Context, e rotate.Event) error {
			if e.Step == rotate.CreateSecret {
				attempts.Add(1)
			}
			if failing.Load() {
				return errors.New("no database")
			}
			return nil
		})
		next := *describe(t, c, "s").NextRotationDate
		time.Sleep(time.Until(next) - 30*time.Minute)
		if n := attempts.Load(); n < 2 {
			t.Errorf("in the window: got %d attempts, want it tried again", n)
		}
		time.Sleep(6 * time.Hour)
		if got := *describe(t, c, "s").NextRotationDate; !got.Equal(next) || got.After(time.Now()) {
			t.Errorf("NextRotationDate after a failed window: got %v, want %v, in the past", got, next)
		}
		if n := attempts.Load(); n != 5 {
			t.Errorf("got %d attempts in a window, want 5", n)
		}
		if srv.VersionID("s", "AWSCURRENT") != id {
			t.Error("a failed rotation moved AWSCURRENT")
		}
		time.Sleep(12 * time.Hour)
		if n := attempts.Load(); n != 10 {
			t.Errorf("got %d attempts in two windows, want 10", n)
		}
		failing.Store(false)
		srv.HandleRotation(*describe(t, c, "s").RotationLambdaARN, nil)
		srv.SetRotation("s", nil, nil)
		time.Sleep(12 * time.Hour)
		d := describe(t, c, "s")
		if srv.VersionID("s", "AWSCURRENT") == id || !d.NextRotationDate.After(time.Now()) || d.LastRotatedDate == nil {
			t.Errorf("after the next window: got next %v, last %v", d.NextRotationDate, d.LastRotatedDate)
		}
	})
}

func TestLastRotatedDate(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
	c := srv.Client()
	srv.SetRotation("s", nil, nil)
	srv.Rotate("s")
	if describe(t, c, "s").LastRotatedDate == nil {
		t.Error("DescribeSecret of a rotated secret has no LastRotatedDate")
	}
	if _, err := c.CancelRotateSecret(t.Context(), &secretsmanager.CancelRotateSecretInput{SecretId: aws.String("s")}); err != nil {
		t.Fatal(err)
	}
	if got := describe(t, c, "s").LastRotatedDate; got != nil {
		t.Errorf("DescribeSecret with rotation turned off: got LastRotatedDate %v, want none", got)
	}
	out, err := c.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{})
	if err != nil || out.SecretList[0].LastRotatedDate == nil {
		t.Errorf("ListSecrets: got %v, %v, want a LastRotatedDate", out, err)
	}
}

func TestReplicationInProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		srv.Region("eu-west-1").ReplicationTakes(10 * time.Second)
		srv.Region("eu-north-1").ReplicationTakes(5 * time.Second)
		srv.Region("eu-north-1").ReplicationFails("Replication failed: no key.")
		c, eu := srv.Client(), srv.Client(in("eu-west-1"))
		out, err := c.ReplicateSecretToRegions(t.Context(), &secretsmanager.ReplicateSecretToRegionsInput{SecretId: aws.String("s"),
			AddReplicaRegions: []types.ReplicaRegionType{{Region: aws.String("eu-west-1")}, {Region: aws.String("eu-north-1")}}})
		if err != nil {
			t.Fatal(err)
		}
		states := func(list []types.ReplicationStatusType) (s []string) {
			for _, r := range list {
				s = append(s, string(r.Status)+" "+aws.ToString(r.StatusMessage))
			}
			return s
		}
		if got, want := states(out.ReplicationStatus), []string{"InProgress ", "InProgress "}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		wantError(t, read(t, eu, "s", ""), "ResourceNotFoundException", "")
		if l, err := eu.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{}); err != nil || len(l.SecretList) != 0 {
			t.Errorf("list in progress: got %v, %v, want nothing", l, err)
		}
		time.Sleep(10 * time.Second)
		if got, want := states(describe(t, c, "s").ReplicationStatus), []string{"InSync Replication succeeded", "Failed Replication failed: no key."}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		get(t, eu, "s")
		wantError(t, read(t, srv.Client(in("eu-north-1")), "s", ""), "ResourceNotFoundException", "")
	})
}
