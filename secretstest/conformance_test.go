package secretstest_test

import (
	"crypto/rand"
	"fmt"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// The conformance suite is a table of facts about AWS Secrets Manager. It runs
// against the fake always, and against the endpoint in SECRETSTEST_ENDPOINT
// if that is set: moto, or AWS itself, with the region and the credentials of
// the usual variables. Another endpoint never fails the test for differing;
// the differences are printed.

// A source is the source of a fact.
type source string

const (
	model      source = "model"      // the service's model, which every SDK is made of
	recorded   source = "recorded"   // answers of AWS that somebody recorded or quoted
	documented source = "documented" // the service's or IAM's documentation
	guessed    source = "guessed"    // nothing known; what surprises least
)

// A fact is one statement about the service.
type fact struct {
	from source
	name string
	run  func(c *conf)
}

// fakeFact is a fact that can't be set up from outside: it needs identities, a
// rotation function or a region of the fake.
func fakeFact(from source, name string, run func(c *conf)) fact {
	return fact{from, name, func(c *conf) {
		if c.fake == nil {
			panic(notHere{})
		}
		run(c)
	}}
}

// facts returns the whole table.
func facts() []fact {
	return slices.Concat(wireFacts, validationFacts, createFacts, getFacts, putFacts, updateFacts, stageFacts,
		describeFacts, listFacts, batchFacts, deleteFacts, passwordFacts, policyFacts, tagFacts, rotationFacts, replicaFacts,
		managedFacts, protocolFacts, decisionFacts)
}

func TestConformance(t *testing.T) {
	all := facts()
	t.Log(sources(all))
	if len(all) < 150 {
		t.Errorf("facts: got %d, want at least 150", len(all))
	}
	seen := make(map[string]bool)
	for _, f := range all {
		if seen[f.name] {
			t.Errorf("two facts are called %q", f.name)
		}
		seen[f.name] = true
		t.Run(f.name, func(t *testing.T) {
			srv := secretstest.NewServer(&secretstest.Options{TB: t})
			hs := httptest.NewServer(srv)
			defer hs.Close()
			c := newConf(hs.URL, "us-east-1")
			c.fake = srv
			if !c.try(f) {
				t.Skip("not available here")
			}
			for _, d := range c.differences {
				t.Error(d)
			}
		})
	}
}

// sources counts the facts from each source.
func sources(all []fact) string {
	count := make(map[source]int)
	for _, f := range all {
		count[f.from]++
	}
	text := fmt.Sprintf("%d facts:", len(all))
	for _, from := range []source{model, recorded, documented, guessed} {
		text += fmt.Sprintf(" %d %s,", count[from], from)
		delete(count, from)
	}
	if len(count) > 0 {
		panic(fmt.Sprintf("facts from elsewhere: %v", count))
	}
	return strings.TrimSuffix(text, ",")
}

func TestConformanceElsewhere(t *testing.T) {
	endpoint := os.Getenv("SECRETSTEST_ENDPOINT")
	if endpoint == "" {
		t.Skip("SECRETSTEST_ENDPOINT is not set")
	}
	compare(t, endpoint, 10*time.Minute)
}

// compare prints the differences between an endpoint and the facts.
func compare(t *testing.T, endpoint string, limit time.Duration) {
	t.Helper()
	region := os.Getenv("AWS_REGION")
	if region == "" {
		region = "us-east-1"
	}
	deadline := time.Now().Add(limit)
	same, unable := 0, 0
	var table strings.Builder
	for _, f := range facts() {
		if time.Now().After(deadline) {
			t.Logf("stopped after %v, before %q", limit, f.name)
			break
		}
		c := newConf(endpoint, region)
		switch {
		case !c.try(f):
			unable++
		case len(c.differences) == 0:
			same++
		default:
			fmt.Fprintf(&table, "%s (%s)\n", f.name, f.from)
			for _, d := range c.differences {
				fmt.Fprintf(&table, "\t%.300s\n", d)
			}
		}
		c.cleanUp()
	}
	t.Log(sources(facts()))
	t.Logf("%s: %d facts agree, %d need the fake; these differ:\n%s", endpoint, same, unable, table.String())
}

// m is the body of a request or an answer.
type m = map[string]any

// A conf checks one fact against one endpoint.
type conf struct {
	fake        *secretstest.Server // nil: another endpoint
	endpoint    string
	region      string
	creds       aws.Credentials
	sdk         *secretsmanager.Client
	prefix      string // of the names of the fact's secrets
	differences []string
	made        []string // names of secrets
}

func newConf(endpoint, region string) *conf {
	creds := aws.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: os.Getenv("AWS_SESSION_TOKEN")}
	if creds.AccessKeyID == "" {
		creds.AccessKeyID, creds.SecretAccessKey = "AKIAIOSFODNN7EXAMPLE", "secret"
	}
	c := &conf{endpoint: endpoint, region: region, creds: creds, prefix: "conf" + strings.ToLower(rand.Text()[:8])}
	c.sdk = c.client()
	return c
}

// Panics that end a fact early.
type (
	notHere struct{} // it can't be checked at this endpoint
	giveUp  struct{} // a difference makes the rest pointless
)

// try checks a fact. It reports false if that can't be done here.
func (c *conf) try(f fact) (ok bool) {
	defer func() {
		switch r := recover(); r.(type) {
		case nil, giveUp:
			ok = true
		case notHere:
		default:
			panic(r)
		}
	}()
	f.run(c)
	return true
}

func (c *conf) differ(format string, args ...any) {
	if d := fmt.Sprintf(format, args...); !slices.Contains(c.differences, d) {
		c.differences = append(c.differences, d)
	}
}

// name returns a name that is the fact's own.
func (c *conf) name(suffix string) string { return c.prefix + "/" + suffix }

// in returns c for another region.
func (c *conf) in(region string) *conf {
	d := *c
	d.region = region
	d.differences, d.made = nil, nil
	d.sdk = d.client()
	return &d
}

// join takes over the differences that were found in another region.
func (c *conf) join(d *conf) { c.differences = append(c.differences, d.differences...) }

// ok makes a call that must succeed.
func (c *conf) ok(op string, in m) m {
	out, e := c.call(op, in)
	if e != nil {
		c.differ("%s: got %s %q, want an answer", op, e.code, e.message)
		panic(giveUp{})
	}
	return out
}

// fails makes a call that must be refused. A message that ends in … may go on;
// an empty one may be any.
func (c *conf) fails(op string, in m, code, message string) {
	out, e := c.call(op, in)
	if e == nil {
		c.differ("%s: got answer %v, want %s %q", op, out, code, message)
		return
	}
	c.same(op, e, code, message)
}

func (c *conf) same(op string, e *apiError, code, message string) {
	prefix, open := strings.CutSuffix(message, "…")
	if e.code != code || e.message != message && message != "" && !(open && strings.HasPrefix(e.message, prefix)) {
		c.differ("%s: got %s %q, want %s %q", op, e.code, e.message, code, message)
	}
}

// eq compares what belongs to an answer.
func (c *conf) eq(what string, got, want any) {
	if !reflect.DeepEqual(got, want) {
		c.differ("%s: got %v, want %v", what, got, want)
	}
}

// has and lacks look for a member of an answer.
func (c *conf) has(out m, names ...string) {
	for _, name := range names {
		if _, ok := out[name]; !ok {
			c.differ("%s: got none, want one", name)
		}
	}
}

func (c *conf) lacks(out m, names ...string) {
	for _, name := range names {
		if v, ok := out[name]; ok {
			c.differ("%s: got %v, want none", name, v)
		}
	}
}

// create makes a secret and returns the answer; suffix is of its name.
func (c *conf) create(suffix, value string) m {
	in := m{"Name": c.name(suffix)}
	if value != "" {
		in["SecretString"] = value
	}
	return c.ok("CreateSecret", in)
}

// stages returns what labels a secret's versions have, sorted.
func (c *conf) stages(id string) map[string][]string {
	all := map[string][]string{}
	byVersion, _ := c.ok("DescribeSecret", m{"SecretId": id})["VersionIdsToStages"].(m)
	for v, list := range byVersion {
		all[v] = texts(list)
	}
	return all
}

// texts returns a list of strings, sorted.
func texts(list any) []string {
	var all []string
	items, _ := list.([]any)
	for _, e := range items {
		all = append(all, fmt.Sprint(e))
	}
	slices.Sort(all)
	return all
}

// names returns the names in an answer of ListSecrets.
func names(out m) []string {
	all := []string{}
	list, _ := out["SecretList"].([]any)
	for _, e := range list {
		all = append(all, e.(m)["Name"].(string))
	}
	return all
}

// token returns a new ClientRequestToken.
func token() string {
	t := strings.ToLower(rand.Text() + rand.Text())
	return t[:8] + "-" + t[8:12] + "-" + t[12:16] + "-" + t[16:20] + "-" + t[20:32]
}

// cleanUp removes the fact's secrets from an endpoint that outlives it.
func (c *conf) cleanUp() {
	for _, name := range c.made {
		if arns := c.replicas(name); len(arns) > 0 {
			c.call("RemoveRegionsFromReplication", m{"SecretId": name, "RemoveReplicaRegions": arns})
		}
		c.call("DeleteSecret", m{"SecretId": name, "ForceDeleteWithoutRecovery": true})
	}
}

func (c *conf) replicas(name string) (regions []any) {
	defer func() { recover() }()
	out, _ := c.call("DescribeSecret", m{"SecretId": name})
	list, _ := out["ReplicationStatus"].([]any)
	for _, e := range list {
		regions = append(regions, e.(m)["Region"])
	}
	return regions
}
