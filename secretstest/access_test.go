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

// putPolicy attaches a resource policy as the account's root user.
func putPolicy(t *testing.T, srv *secretstest.Server, name, policy string) {
	t.Helper()
	_, err := srv.Client().PutResourcePolicy(t.Context(), &secretsmanager.PutResourcePolicyInput{SecretId: &name, ResourcePolicy: &policy})
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, c *secretsmanager.Client, id, stage string) error {
	t.Helper()
	in := &secretsmanager.GetSecretValueInput{SecretId: &id}
	if stage != "" {
		in.VersionStage = &stage
	}
	_, err := c.GetSecretValue(t.Context(), in)
	return err
}

func user(name string, allow ...string) secretstest.Identity {
	return secretstest.Identity{ARN: "arn:aws:iam::123456789012:user/" + name, Allow: allow}
}

func TestRootAllowedOneUserDenied(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"prod/db-credentials": "x"})
	putPolicy(t, srv, "prod/db-credentials", `{
		"Version": "2012-10-17",
		"Statement": [
			{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "secretsmanager:GetSecretValue", "Resource": "*"},
			{"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::123456789012:user/bob"}, "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
		]}`)
	get(t, srv.Client(), "prod/db-credentials")
	if err := read(t, srv.ClientFor(user("alice", "*")), "prod/db-credentials", ""); err != nil {
		t.Errorf("alice: %v", err)
	}
	bob := srv.ClientFor(user("bob", "*"))
	wantError(t, read(t, bob, "prod/db-credentials", ""), "AccessDeniedException",
		"User: arn:aws:iam::123456789012:user/bob is not authorized to perform: secretsmanager:GetSecretValue on resource: "+
			srv.ARN("prod/db-credentials")+" with an explicit deny in a resource-based policy")
	if _, err := bob.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("prod/db-credentials")}); err != nil {
		t.Errorf("bob describes: %v", err)
	}
}

func TestPolicyAllowsWhatIdentityDoesNot(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "x", "other": "y"})
	c := srv.ClientFor(secretstest.Identity{ARN: "arn:aws:iam::123456789012:user/app", Allow: []string{}})
	wantError(t, read(t, c, "s", ""), "AccessDeniedException", "because no identity-based policy allows the secretsmanager:GetSecretValue action")
	putPolicy(t, srv, "s", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/app"},"Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`)
	if err := read(t, c, "s", ""); err != nil {
		t.Error(err)
	}
	wantError(t, read(t, c, "other", ""), "AccessDeniedException", "on resource: "+srv.ARN("other"))
	wantError(t, read(t, c, "missing", ""), "AccessDeniedException", "on resource: missing")
}

func TestPolicyOnVersionStage(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "x"})
	srv.PutPending("s", "y")
	putPolicy(t, srv, "s", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"secretsmanager:GetSecretValue","Resource":"*","Condition":{"StringNotEquals":{"secretsmanager:VersionStage":"AWSCURRENT"}}}]}`)
	c := srv.ClientFor(user("app", "*"))
	if err := read(t, c, "s", ""); err != nil {
		t.Errorf("default stage: %v", err)
	}
	wantError(t, read(t, c, "s", "AWSPENDING"), "AccessDeniedException", "explicit deny")
}

func TestPolicyOnResourceTag(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "x"})
	putPolicy(t, srv, "s", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/app"},"Action":["secretsmanager:TagResource","secretsmanager:UntagResource"],"Resource":"*"},
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/app"},"Action":"secretsmanager:GetSecretValue","Resource":"*","Condition":{"StringEquals":{"secretsmanager:ResourceTag/team":"blue"}}},
		{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::123456789012:user/app"},"Action":"secretsmanager:*","Resource":"*","Condition":{"StringEquals":{"secretsmanager:ResourceTag/team":"red"}}}]}`)
	c := srv.ClientFor(secretstest.Identity{ARN: "arn:aws:iam::123456789012:user/app", Allow: []string{}})
	if err := read(t, c, "s", ""); err == nil {
		t.Error("untagged: got no error")
	}
	tag := func(team string) error {
		_, err := c.TagResource(t.Context(), &secretsmanager.TagResourceInput{SecretId: aws.String("s"), Tags: []types.Tag{{Key: aws.String("team"), Value: &team}}})
		return err
	}
	if err := tag("blue"); err != nil {
		t.Fatal(err)
	}
	if err := read(t, c, "s", ""); err != nil {
		t.Errorf("tagged: %v", err)
	}
	wantError(t, tag("red"), "AccessDeniedException", "") // it would lock the caller out
	if err := read(t, c, "s", ""); err != nil {
		t.Errorf("after the refused tag: %v", err)
	}
}

func TestBlockPublicPolicy(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "x"})
	in := &secretsmanager.PutResourcePolicyInput{SecretId: aws.String("s"), BlockPublicPolicy: aws.Bool(true), ResourcePolicy: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`)}
	_, err := srv.Client().PutResourcePolicy(t.Context(), in)
	wantError(t, err, "PublicPolicyException", "did not prevent broad access")
	in.BlockPublicPolicy = nil
	if _, err := srv.Client().PutResourcePolicy(t.Context(), in); err != nil {
		t.Error(err)
	}
	in.ResourcePolicy = aws.String("no policy")
	_, err = srv.Client().PutResourcePolicy(t.Context(), in)
	wantError(t, err, "MalformedPolicyDocumentException", "")
}

func TestOtherAccount(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "x"})
	_, err := srv.Client().CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("own-key"), KmsKeyId: aws.String("alias/mine"), SecretString: aws.String("y")})
	if err != nil {
		t.Fatal(err)
	}
	c := srv.ClientFor(secretstest.Identity{ARN: "arn:aws:iam::222222222222:user/eve"})
	wantError(t, read(t, c, "s", ""), "ResourceNotFoundException", "")
	wantError(t, read(t, c, srv.ARN("s"), ""), "AccessDeniedException", "because no resource-based policy allows the secretsmanager:GetSecretValue action")
	for _, name := range []string{"s", "own-key"} {
		putPolicy(t, srv, name, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::222222222222:root"},"Action":"secretsmanager:*","Resource":"*"}]}`)
	}
	wantError(t, read(t, c, srv.ARN("s"), ""), "InvalidRequestException", "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.")
	if err := read(t, c, srv.ARN("own-key"), ""); err != nil {
		t.Errorf("with a key of its own: %v", err)
	}
	_, err = c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String(srv.ARN("s"))})
	if err != nil {
		t.Errorf("DescribeSecret: %v", err)
	}
	list, err := c.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{})
	if err != nil || len(list.SecretList) != 0 {
		t.Errorf("got %v, %v, want no secrets", list, err)
	}
}

// An access key of twelve digits is an account.
func TestAccountByAccessKey(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "x"})
	putPolicy(t, srv, "s", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::222222222222:root"},"Action":"secretsmanager:*","Resource":"*"}]}`)
	c := func(key string) *secretsmanager.Client {
		return srv.Client(func(o *secretsmanager.Options) {
			o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: key, SecretAccessKey: "secret"}, nil
			})
		})
	}
	for key, code := range map[string]string{
		"123456789012": "", "222222222222": "InvalidRequestException", "333333333333": "AccessDeniedException", "22222222222x": "",
	} {
		if err := read(t, c(key), srv.ARN("s"), ""); code != "" {
			wantError(t, err, code, "")
		} else if err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	out, err := c("222222222222").CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("s")})
	if err != nil || !strings.Contains(*out.ARN, ":222222222222:secret:s-") {
		t.Errorf("got %v, %v, want a secret of its own", out, err)
	}
}

func TestBatchNeedsBothPermissions(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "x"})
	in := &secretsmanager.BatchGetSecretValueInput{SecretIdList: []string{"s"}}
	_, err := srv.ClientFor(user("a", "secretsmanager:GetSecretValue")).BatchGetSecretValue(t.Context(), in)
	wantError(t, err, "AccessDeniedException", "secretsmanager:BatchGetSecretValue")
	out, err := srv.ClientFor(user("b", "secretsmanager:BatchGet*")).BatchGetSecretValue(t.Context(), in)
	if err != nil || len(out.Errors) != 1 || *out.Errors[0].ErrorCode != "AccessDeniedException" {
		t.Errorf("got %v, %v, want one denial", out, err)
	}
	out, err = srv.ClientFor(user("c", "secretsmanager:*GetSecretValue")).BatchGetSecretValue(t.Context(), in)
	if err != nil || len(out.SecretValues) != 1 {
		t.Errorf("got %v, %v, want one value", out, err)
	}
	_, err = srv.ClientFor(user("d", "*GetSecretValue")).BatchGetSecretValue(t.Context(), &secretsmanager.BatchGetSecretValueInput{
		Filters: []types.Filter{{Key: "name", Values: []string{"s"}}}})
	wantError(t, err, "AccessDeniedException", "secretsmanager:ListSecrets")
}

func TestIdentityDeny(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "x"})
	c := srv.ClientFor(secretstest.Identity{ARN: "arn:aws:iam::123456789012:user/app", Deny: []string{"Describe*"}})
	get(t, c, "s")
	_, err := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("s")})
	wantError(t, err, "AccessDeniedException", "with an explicit deny in an identity-based policy")
	if got := srv.Calls(secretstest.Call{Op: "DescribeSecret"}); len(got) != 1 || !strings.HasSuffix(got[0].Identity, "user/app") || got[0].Outcome != "AccessDeniedException" {
		t.Errorf("got %v", got)
	}
}
