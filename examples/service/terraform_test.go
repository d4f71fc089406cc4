package main

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

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
