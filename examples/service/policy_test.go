package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

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
	if err := w.RotatePassword(t.Context()); err != nil {
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

// iam.tf gives each JSON file the values that it asks for, and no others, and has
// the names of the manifests.
func TestTerraform(t *testing.T) {
	text, err := os.ReadFile("deploy/iam.tf")
	if err != nil {
		t.Fatal(err)
	}
	file, diags := hclsyntax.ParseConfig(text, "iam.tf", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	given := make(map[string][]string)
	hclsyntax.VisitAll(file.Body.(*hclsyntax.Body), func(n hclsyntax.Node) hcl.Diagnostics {
		if call, ok := n.(*hclsyntax.FunctionCallExpr); ok && call.Name == "templatefile" {
			name, names := template(t, text, call)
			given[name] = names
		}
		return nil
	})
	files := []string{"policy-kms.json", "policy.json", "trust-irsa.json", "trust-pod-identity.json"}
	if got := slices.Sorted(maps.Keys(given)); !slices.Equal(got, files) {
		t.Fatalf("iam.tf uses %q, want %q", got, files)
	}
	for name, names := range given {
		values := make(map[string]string)
		for _, n := range names {
			values[n] = "value-of-" + n
		}
		filled := fill(t, name, values)
		if !json.Valid([]byte(filled)) {
			t.Errorf("%s is not JSON", name)
		}
		for _, n := range names {
			if !strings.Contains(filled, values[n]) {
				t.Errorf("%s does not use %s, which iam.tf gives it", name, n)
			}
		}
	}
	d := manifest(t, "service.yaml")["Deployment"]
	env := make(map[string]string)
	for _, e := range d.Spec.Template.Spec.Containers[0].Env {
		env[e.Name] = e.Value
	}
	for _, want := range []string{d.Metadata.Namespace, d.Spec.Template.Spec.ServiceAccountName, env[envDBSecret], env[envAPIKeySecret]} {
		if !strings.Contains(string(text), `= "`+want+`"`) {
			t.Errorf("iam.tf does not have %q, which the manifests name", want)
		}
	}
}

// template returns the file and the names of the values of a call of templatefile.
func template(t *testing.T, text []byte, call *hclsyntax.FunctionCallExpr) (file string, names []string) {
	t.Helper()
	path := string(call.Args[0].Range().SliceBytes(text))
	values, ok := call.Args[1].(*hclsyntax.ObjectConsExpr)
	if !ok {
		t.Fatalf("%s: the values are not an object", path)
	}
	for _, item := range values.Items {
		names = append(names, string(item.KeyExpr.Range().SliceBytes(text)))
	}
	return strings.Trim(strings.TrimPrefix(path, `"${path.module}/`), `"`), names
}
