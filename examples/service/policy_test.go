package main

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets/examples/service/local/world"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// The service runs, through a rotation, with the rights of policy.json and no
// others, and misses none of them; another secret is out of its reach, and so is
// writing.
func TestPolicyIsEnough(t *testing.T) {
	w, env := newWorld(t)
	w.Fake.Put("prod/other", "other")
	identity := secretstest.Identity{
		AccessKey: "AKIASERVICE", ARN: "arn:aws:sts::123456789012:assumed-role/shop-service/pod",
		Policies: []string{fill(t, "policy.json", map[string]string{
			"db_secret_arn": w.Fake.ARN(world.DBSecret), "api_key_secret_arn": w.Fake.ARN(world.APIKeySecret),
		})},
	}
	w.Fake.AddIdentity(identity)
	w.Fake.ResetCalls()
	r := launch(t, append(env, "AWS_ACCESS_KEY_ID="+identity.AccessKey)...)
	r.logged("ready", nil)
	if err := w.RotatePassword(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		r.want("public", "/items/1", http.StatusOK, "lamp")
		r.want("public", "/rates/EUR", http.StatusOK, "0.91")
	}
	if err := r.end(); err != nil {
		t.Error(err)
	}
	calls := w.Fake.Calls(secretstest.Call{Identity: identity.ARN})
	for _, c := range calls {
		if c.Outcome == "AccessDeniedException" {
			t.Errorf("the service may not do what it tried: %v", c)
		}
	}
	if len(calls) == 0 {
		t.Error("the service made no call with the policy's rights")
	}

	client := w.Fake.ClientFor(identity)
	_, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/other")})
	if err == nil {
		t.Error("the service may read a secret that is not its own")
	}
	_, err = client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String(world.DBSecret), SecretString: aws.String("{}")})
	if err == nil {
		t.Error("the service may write its secret")
	}
}
