package main

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A call of templatefile: the file, and the lines with its values.
var (
	templateFile  = regexp.MustCompile(`(?s)templatefile\("\$\{path\.module\}/([\w.-]+)", \{\n(.*?\n) *\}`)
	templateValue = regexp.MustCompile(`(?m)^ +(\w+) += `)
)

// iam.tf gives each JSON file the values that it asks for, and no others, and has
// the names of the manifests.
func TestTerraform(t *testing.T) {
	text, err := os.ReadFile("deploy/iam.tf")
	if err != nil {
		t.Fatal(err)
	}
	given := make(map[string][]string)
	for _, call := range templateFile.FindAllStringSubmatch(string(text), -1) {
		for _, value := range templateValue.FindAllStringSubmatch(call[2], -1) {
			given[call[1]] = append(given[call[1]], value[1])
		}
	}
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
