package secretstest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

func TestCreateAndUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, nil)
		c, ctx := srv.Client(), t.Context()
		token := aws.String("11111111-1111-1111-1111-111111111111")
		create := func(value string, token *string) (*secretsmanager.CreateSecretOutput, error) {
			return c.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String("s"), SecretString: &value, ClientRequestToken: token})
		}
		first, err := create("one", token)
		if err != nil || *first.VersionId != *token {
			t.Fatalf("got %v, %v", first, err)
		}
		again, err := create("one", token)
		if err != nil || *again.ARN != *first.ARN {
			t.Errorf("the same again: got %v, %v", again, err)
		}
		_, err = create("two", token)
		wantError(t, err, "ResourceExistsException", "You can't use ClientRequestToken "+*token+" because that value is already in use for a version of secret "+*first.ARN+".")
		_, err = create("one", nil)
		wantError(t, err, "ResourceExistsException", "The operation failed because the secret s already exists.")
		_, err = c.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String("a b")})
		wantError(t, err, "ValidationException", "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
		_, err = c.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String("both"), SecretString: aws.String("x"), SecretBinary: []byte("x")})
		wantError(t, err, "InvalidParameterException", "You can't specify both")
		_, err = create(strings.Repeat("é", 32769), nil)
		wantError(t, err, "ValidationException", "length less than or equal to 65536")

		time.Sleep(time.Second)
		up, err := c.UpdateSecret(ctx, &secretsmanager.UpdateSecretInput{SecretId: aws.String("s"), Description: aws.String("d")})
		if err != nil || up.VersionId != nil {
			t.Errorf("description alone: got %v, %v, want no version", up, err)
		}
		d, _ := c.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String("s")})
		if *d.Description != "d" || d.LastChangedDate.Sub(*d.CreatedDate) != time.Second || len(d.VersionIdsToStages) != 1 {
			t.Errorf("got %+v", d)
		}
		up, err = c.UpdateSecret(ctx, &secretsmanager.UpdateSecretInput{SecretId: aws.String("s"), SecretBinary: []byte{0, 255}})
		if err != nil || up.VersionId == nil {
			t.Fatalf("got %v, %v", up, err)
		}
		out := get(t, c, "s")
		if !slices.Equal(out.SecretBinary, []byte{0, 255}) || out.SecretString != nil {
			t.Errorf("got %v, %v", out.SecretBinary, out.SecretString)
		}
		if got := srv.VersionID("s", "AWSPREVIOUS"); got != *token {
			t.Errorf("AWSPREVIOUS: got %s, want %s", got, *token)
		}
	})
}

func TestPartialARN(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"app": "1", "app-abcdef": "2"})
	c := srv.Client()
	prefix := strings.TrimSuffix(srv.ARN("app"), srv.ARN("app")[strings.LastIndex(srv.ARN("app"), ":")+1:])
	if got := *get(t, c, prefix+"app").SecretString; got != "1" {
		t.Errorf("got %q, want 1", got)
	}
	// A name that looks like it had a suffix is not found by a partial ARN.
	wantError(t, read(t, c, prefix+"app-abcdef", ""), "ResourceNotFoundException", "")
	if got := *get(t, c, srv.ARN("app-abcdef")).SecretString; got != "2" {
		t.Errorf("got %q, want 2", got)
	}
	wantError(t, read(t, c, strings.Replace(srv.ARN("app"), "us-east-1", "us-west-2", 1), ""), "ResourceNotFoundException", "")
	old := srv.ARN("app")
	srv.Delete("app")
	srv.Put("app", "3")
	if srv.ARN("app") == old {
		t.Error("recreated under the same ARN")
	}
	wantError(t, read(t, c, old, ""), "ResourceNotFoundException", "")
}

func TestForceDelete(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "x"})
	c, force := srv.Client(), aws.Bool(true)
	for _, id := range []string{"s", "s", "never"} {
		out, err := c.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: &id, ForceDeleteWithoutRecovery: force})
		if err != nil || *out.Name != id || out.ARN == nil || out.DeletionDate == nil {
			t.Errorf("%s: got %v, %v", id, out, err)
		}
	}
	if _, err := c.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("s")}); err != nil {
		t.Errorf("the name is not free: %v", err)
	}
	_, err := c.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("s"), ForceDeleteWithoutRecovery: force, RecoveryWindowInDays: aws.Int64(7)})
	wantError(t, err, "InvalidParameterException", "ForceDeleteWithoutRecovery")
	_, err = c.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("s"), RecoveryWindowInDays: aws.Int64(6)})
	wantError(t, err, "InvalidParameterException", "between 7 and 30 days")
}

func TestTags(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "x"})
	c, id := srv.Client(), aws.String("s")
	tags := func() []types.Tag {
		d, err := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: id})
		if err != nil {
			t.Fatal(err)
		}
		return d.Tags
	}
	if got := tags(); got != nil {
		t.Errorf("got %v, want none", got)
	}
	add := func(from, to int) error {
		var list []types.Tag
		for i := from; i < to; i++ {
			list = append(list, types.Tag{Key: aws.String(fmt.Sprint("k", i)), Value: aws.String(fmt.Sprint("v", from))})
		}
		_, err := c.TagResource(t.Context(), &secretsmanager.TagResourceInput{SecretId: id, Tags: list})
		return err
	}
	if err := add(0, 40); err != nil {
		t.Fatal(err)
	}
	if err := add(30, 50); err != nil {
		t.Fatal(err)
	}
	if got := tags(); len(got) != 50 || *got[30].Value != "v30" {
		t.Errorf("got %d tags, the 31st %v", len(got), got[30])
	}
	wantError(t, add(50, 51), "InvalidParameterException", "50 tags")
	var all []string
	for i := range 60 {
		all = append(all, fmt.Sprint("k", i))
	}
	if _, err := c.UntagResource(t.Context(), &secretsmanager.UntagResourceInput{SecretId: id, TagKeys: all}); err != nil {
		t.Fatal(err)
	}
	if got := tags(); got == nil || len(got) != 0 {
		t.Errorf("got %v, want an empty list", got)
	}
}

// The model does not require the Key of a tag.
func TestTagWithoutKey(t *testing.T) {
	c := secretstest.New(t, secretstest.Secrets{"s": "x"}).Client()
	tags := []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}, {Value: aws.String("v")}}
	_, err := c.TagResource(t.Context(), &secretsmanager.TagResourceInput{SecretId: aws.String("s"), Tags: tags})
	wantError(t, err, "InvalidParameterException", "A tag must have a key.")
	_, err = c.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("t"), Tags: tags})
	wantError(t, err, "InvalidParameterException", "A tag must have a key.")
	out, err := c.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{})
	if err != nil || len(out.SecretList) != 1 || out.SecretList[0].Tags != nil {
		t.Errorf("got %v, %v, want s without tags", out, err)
	}
}

func TestVersionsArePruned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, nil)
		count := func() int {
			n := 0
			in := &secretsmanager.ListSecretVersionIdsInput{SecretId: aws.String("s"), IncludeDeprecated: aws.Bool(true), MaxResults: aws.Int32(50)}
			for p := secretsmanager.NewListSecretVersionIdsPaginator(srv.Client(), in); p.HasMorePages(); {
				out, err := p.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				n += len(out.Versions)
			}
			return n
		}
		first := srv.PutStages("s", "first", "KEEP")
		for range 149 {
			srv.Put("s", "v")
		}
		if n := count(); n != 150 {
			t.Errorf("on the first day: got %d versions, want 150", n)
		}
		time.Sleep(25 * time.Hour)
		srv.Put("s", "v")
		if n := count(); n != 100 {
			t.Errorf("a day later: got %d versions, want 100", n)
		}
		if got := srv.VersionID("s", "KEEP"); got != first {
			t.Errorf("KEEP: got %q, want %q", got, first)
		}
	})
}

func TestUpdateSecretVersionStage(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
	c := srv.Client(in("us-east-1")) // LimitExceededException is one that the SDK retries
	one := srv.VersionID("s", "AWSCURRENT")
	two := srv.Put("s", "two")
	move := func(stage, from, to string) error {
		in := &secretsmanager.UpdateSecretVersionStageInput{SecretId: aws.String("s"), VersionStage: &stage}
		if from != "" {
			in.RemoveFromVersionId = &from
		}
		if to != "" {
			in.MoveToVersionId = &to
		}
		_, err := c.UpdateSecretVersionStage(t.Context(), in)
		return err
	}
	wantError(t, move("AWSCURRENT", "", one), "InvalidParameterException",
		"The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version "+two+", so you must explicitly reference that version in RemoveFromVersionId.")
	wantError(t, move("AWSCURRENT", one, two), "InvalidParameterException", "RemoveFromVersionId")
	wantError(t, move("AWSCURRENT", two, ""), "InvalidParameterException", "AWSCURRENT")
	wantError(t, move("X", "", strings.Repeat("0", 36)), "InvalidParameterException", "Not a valid version")
	if err := move("AWSCURRENT", two, one); err != nil {
		t.Fatal(err)
	}
	if got := srv.Stages("s"); !slices.Equal(got[one], []string{"AWSCURRENT"}) || !slices.Equal(got[two], []string{"AWSPREVIOUS"}) {
		t.Errorf("after a rollback: got %v", got)
	}
	for i := range 18 {
		if err := move(fmt.Sprint("L", i), "", two); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, move("L18", "", one), "LimitExceededException", "20")
	if err := move("L0", two, ""); err != nil {
		t.Fatal(err)
	}
	if err := move("L18", "", one); err != nil {
		t.Errorf("after one label went: %v", err)
	}
	wantError(t, read(t, c, "s", "L0"), "ResourceNotFoundException", "staging label: L0")
	_, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s"), VersionId: &one, VersionStage: aws.String("AWSPREVIOUS")})
	wantError(t, err, "InvalidRequestException", "You provided a VersionStage that is not associated to the provided VersionId.")
}

func TestLastAccessedDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "x"})
		c := srv.Client()
		accessed := func() *time.Time {
			d, err := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("s")})
			if err != nil {
				t.Fatal(err)
			}
			return d.LastAccessedDate
		}
		time.Sleep(30 * time.Hour)
		if err := read(t, c, "s", "NONE"); err == nil {
			t.Error("got no error")
		}
		if got := accessed(); got != nil {
			t.Errorf("after a refused read: got %v, want none", got)
		}
		get(t, c, "s")
		if got, want := accessed(), time.Now().UTC().Truncate(24*time.Hour); got == nil || !got.Equal(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestTokensOfPages(t *testing.T) {
	srv := filled(t, 5)
	c, ctx := srv.Client(), t.Context()
	first, err := c.ListSecrets(ctx, &secretsmanager.ListSecretsInput{MaxResults: aws.Int32(2)})
	if err != nil || first.NextToken == nil {
		t.Fatalf("got %v, %v", first, err)
	}
	srv.Delete("s000003") // not yet listed
	srv.Put("new", "v")
	srv.Delete(*first.SecretList[1].Name) // the one that the token names
	rest, err := c.ListSecrets(ctx, &secretsmanager.ListSecretsInput{NextToken: first.NextToken})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range rest.SecretList {
		names = append(names, *s.Name)
	}
	if want := []string{"s000002", "s000001", "new"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	for _, tok := range []string{"x", *first.NextToken + "AAAA", strings.ToLower(*first.NextToken)} {
		_, err = c.ListSecrets(ctx, &secretsmanager.ListSecretsInput{NextToken: &tok})
		wantError(t, err, "InvalidNextTokenException", "")
	}
	_, err = c.ListSecrets(ctx, &secretsmanager.ListSecretsInput{NextToken: first.NextToken, SortBy: types.SortByTypeName})
	wantError(t, err, "InvalidNextTokenException", "")
	_, err = c.ListSecretVersionIds(ctx, &secretsmanager.ListSecretVersionIdsInput{SecretId: aws.String("new"), NextToken: first.NextToken})
	wantError(t, err, "InvalidNextTokenException", "")
}

func TestKMSKeyOfVersions(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
	c := srv.Client()
	srv.PutStages("s", "two", "CUSTOM")
	_, err := c.UpdateSecret(t.Context(), &secretsmanager.UpdateSecretInput{SecretId: aws.String("s"), KmsKeyId: aws.String("alias/mine")})
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.ListSecretVersionIds(t.Context(), &secretsmanager.ListSecretVersionIdsInput{SecretId: aws.String("s")})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range out.Versions {
		want := "alias/mine"
		if v.VersionStages[0] == "CUSTOM" {
			want = "DefaultEncryptionKey" // only the service's own labels make it encrypt again
		}
		if !slices.Equal(v.KmsKeyIds, []string{want}) {
			t.Errorf("%v: got %q, want %s", v.VersionStages, v.KmsKeyIds, want)
		}
	}
}
