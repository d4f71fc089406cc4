package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// An object is a Kubernetes object, as far as the test reads it.
type object struct {
	Kind     string
	Metadata struct {
		Name, Namespace string
		Annotations     map[string]string
	}
	Spec struct {
		Replicas, MinAvailable int
		Ports                  []struct{ TargetPort string }
		Ingress                []struct{ Ports []struct{ Port string } }
		Template               struct {
			Metadata struct{ Annotations map[string]string }
			Spec     pod
		}
	}
}

type pod struct {
	ServiceAccountName            string
	TerminationGracePeriodSeconds int
	Containers                    []container
}

type container struct {
	Ports []struct {
		Name          string
		ContainerPort int
	}
	Env                           []struct{ Name, Value string }
	LivenessProbe, ReadinessProbe probe
}

type probe struct {
	HTTPGet        struct{ Path, Port string }
	TimeoutSeconds int
}

// manifest reads the objects of a file, by kind.
func manifest(t *testing.T, file string) map[string]object {
	t.Helper()
	text, err := os.ReadFile("deploy/" + file)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]object)
	for d := yaml.NewDecoder(bytes.NewReader(lowerKeys(t, text))); ; {
		var o object
		if err := d.Decode(&o); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[o.Kind] = o
	}
}

// lowerKeys returns the documents with the keys that package yaml expects of fields
// without a tag: in lower case.
func lowerKeys(t *testing.T, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var n yaml.Node
		if err := d.Decode(&n); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		lower(&n)
		if err := e.Encode(&n); err != nil {
			t.Fatal(err)
		}
	}
	e.Close()
	return out.Bytes()
}

func lower(n *yaml.Node) {
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			child.Value = strings.ToLower(child.Value)
		}
		lower(child)
	}
}

// The Deployment gives the service what it reads, and asks where it answers.
func TestDeployment(t *testing.T) {
	d := manifest(t, "service.yaml")["Deployment"]
	template := d.Spec.Template
	c := template.Spec.Containers[0]
	ports := make(map[string]string)
	for _, p := range c.Ports {
		ports[p.Name] = fmt.Sprint(":", p.ContainerPort)
	}
	if want := map[string]string{"public": defaultPublicAddr, "admin": defaultAdminAddr}; !maps.Equal(ports, want) {
		t.Errorf("the ports are %v, want %v", ports, want)
	}
	for path, p := range map[string]probe{pathLive: c.LivenessProbe, pathReady: c.ReadinessProbe} {
		if p.HTTPGet.Path != path || p.HTTPGet.Port != "admin" || time.Duration(p.TimeoutSeconds)*time.Second <= probeTimeout {
			t.Errorf("the probe of %s is %+v, want that path of port admin, and more time than %v", path, p, probeTimeout)
		}
	}
	annotations := template.Metadata.Annotations
	if got, want := annotations["prometheus.io/port"]+annotations["prometheus.io/path"], strings.TrimPrefix(defaultAdminAddr, ":")+pathMetrics; got != want {
		t.Errorf("Prometheus scrapes %q, want %q", got, want)
	}

	env := make(map[string]string)
	for _, e := range c.Env {
		env[e.Name] = strings.ReplaceAll(e.Value, "/etc/rds/global-bundle.pem", authority(t)) // the file is the cluster's
	}
	s, err := readSettings(func(name string) string { return env[name] })
	if err != nil {
		t.Fatalf("the service does not start with its env: %v", err)
	}
	known := []string{envDBSecret, envDatabaseURL, envAPIKeySecret, envRatesURL, envDrainDelay, envShutdownTimeout}
	if got := slices.Sorted(maps.Keys(env)); !slices.Equal(got, slices.Sorted(slices.Values(known))) {
		t.Errorf("env has %q, want %q", got, known)
	}
	if grace := time.Duration(template.Spec.TerminationGracePeriodSeconds) * time.Second; grace < s.drainDelay+s.shutdownTimeout+10*time.Second {
		t.Errorf("terminationGracePeriodSeconds is %v; the drain takes %v and the shutdown %v", grace, s.drainDelay, s.shutdownTimeout)
	}
	if strings.Contains(env[envDatabaseURL], "@") || s.database.ConnConfig.TLSConfig == nil {
		t.Errorf("%s has a user, or no TLS", envDatabaseURL)
	}
}

// authority returns a file with a certificate.
func authority(t *testing.T) string {
	t.Helper()
	srv := httptest.NewTLSServer(nil)
	defer srv.Close()
	file := filepath.Join(t.TempDir(), "authority.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// What belongs to the Deployment names what it has.
func TestManifestsAgree(t *testing.T) {
	all := manifest(t, "service.yaml")
	d := all["Deployment"]
	if p := all["Service"].Spec.Ports; len(p) != 1 || p[0].TargetPort != "public" {
		t.Errorf("the Service leads to %+v, want the public port alone", p)
	}
	if b := all["PodDisruptionBudget"]; b.Spec.MinAvailable >= d.Spec.Replicas || b.Spec.MinAvailable < 1 {
		t.Errorf("%d of %d replicas must be available: nothing could be drained, or all", b.Spec.MinAvailable, d.Spec.Replicas)
	}
	for i, port := range []string{"public", "admin"} {
		if in := all["NetworkPolicy"].Spec.Ingress; len(in) != 2 || in[i].Ports[0].Port != port {
			t.Errorf("the NetworkPolicy lets in %+v, want the public and the admin port", in)
		}
	}
	irsa := manifest(t, "serviceaccount-irsa.yaml")["ServiceAccount"]
	if role := irsa.Metadata.Annotations["eks.amazonaws.com/role-arn"]; !strings.HasPrefix(role, "arn:aws:iam::") {
		t.Errorf("the annotation for IRSA is %q, want the ARN of a role", role)
	}
	podIdentity := manifest(t, "serviceaccount-pod-identity.yaml")["ServiceAccount"]
	if len(podIdentity.Metadata.Annotations) != 0 {
		t.Error("the service account for Pod Identity is annotated")
	}
	for _, o := range append(slices.Collect(maps.Values(all)), irsa, podIdentity) {
		if o.Metadata.Name != d.Spec.Template.Spec.ServiceAccountName || o.Metadata.Namespace != d.Metadata.Namespace {
			t.Errorf("the %s is %s in %s, want the Deployment's names", o.Kind, o.Metadata.Name, o.Metadata.Namespace)
		}
	}
}

// A policy is a document of IAM; a list of one may be written without the list.
type policy struct {
	Statement []struct {
		Action    list
		Resource  list
		Condition map[string]map[string]list
	}
}

type list []string

func (l *list) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*l = list{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(l))
}

var placeholder = regexp.MustCompile(`\$\{(\w+)\}`)

// fill returns a policy of deploy with its placeholders replaced. One for which
// there is no value is an error, as it is to Terraform.
func fill(t *testing.T, file string, values map[string]string) string {
	t.Helper()
	text, err := os.ReadFile("deploy/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return placeholder.ReplaceAllStringFunc(string(text), func(s string) string {
		value, ok := values[s[2:len(s)-1]]
		if !ok {
			t.Errorf("%s: iam.tf has no value for %s", file, s)
		}
		return value
	})
}

// The roles trust the service account of the manifests, and nobody else.
func TestTrust(t *testing.T) {
	d := manifest(t, "service.yaml")["Deployment"]
	values := map[string]string{
		"namespace": d.Metadata.Namespace, "service_account": d.Spec.Template.Spec.ServiceAccountName,
		"oidc_provider": "oidc.example.com/id/1", "oidc_provider_arn": "arn", "cluster": "main",
	}
	for file, want := range map[string]struct {
		actions []string
		equals  map[string]list
	}{
		"trust-irsa.json": {[]string{"sts:AssumeRoleWithWebIdentity"}, map[string]list{
			"oidc.example.com/id/1:aud": {"sts.amazonaws.com"}, "oidc.example.com/id/1:sub": {"system:serviceaccount:shop:service"},
		}},
		"trust-pod-identity.json": {[]string{"sts:AssumeRole", "sts:TagSession"}, map[string]list{
			"aws:RequestTag/eks-cluster-name":     {"main"},
			"aws:RequestTag/kubernetes-namespace": {"shop"}, "aws:RequestTag/kubernetes-service-account": {"service"},
		}},
	} {
		var p policy
		if err := json.Unmarshal([]byte(fill(t, file, values)), &p); err != nil || len(p.Statement) != 1 {
			t.Fatalf("%s: %d statements, error %v", file, len(p.Statement), err)
		}
		s := p.Statement[0]
		equals := maps.EqualFunc(s.Condition["StringEquals"], want.equals, slices.Equal)
		if !slices.Equal(s.Action, want.actions) || !equals {
			t.Errorf("%s: actions %q, conditions %q; want %+v", file, s.Action, s.Condition, want)
		}
	}
}
