package secretstest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// The conformance suite is a table of facts about AWS Secrets Manager. It runs
// against the fake always, and against the endpoint in SECRETSTEST_ENDPOINT
// if that is set: moto, or AWS itself, with the region and the credentials of
// the usual variables. Another endpoint never fails the test for differing;
// the differences are printed.

// A fact is one statement about the service.
type fact struct {
	name string
	run  func(c *conf)
}

// fakeFact is a fact that can't be set up from outside: it needs identities, a
// rotation function or a region of the fake.
func fakeFact(name string, run func(c *conf)) fact {
	return fact{name, func(c *conf) {
		if c.fake == nil {
			panic(notHere{})
		}
		run(c)
	}}
}

// facts returns the whole table.
func facts() []fact {
	return slices.Concat(wireFacts, validationFacts, createFacts, getFacts, putFacts, updateFacts, stageFacts,
		describeFacts, listFacts, batchFacts, deleteFacts, passwordFacts, policyFacts, tagFacts, rotationFacts, replicaFacts)
}

func TestConformance(t *testing.T) {
	all := facts()
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
				t.Skip("not to be had here")
			}
			for _, d := range c.differences {
				t.Error(d)
			}
		})
	}
}

func TestConformanceElsewhere(t *testing.T) {
	endpoint := os.Getenv("SECRETSTEST_ENDPOINT")
	if endpoint == "" {
		t.Skip("SECRETSTEST_ENDPOINT is not set")
	}
	compare(t, endpoint, 10*time.Minute)
}

// compare prints where an endpoint differs from the facts.
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
			fmt.Fprintf(&table, "%s\n", f.name)
			for _, d := range c.differences {
				fmt.Fprintf(&table, "\t%.300s\n", d)
			}
		}
		c.cleanUp()
	}
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

// An httpClient sends requests for the SDK. It hides the WriteTo method of their
// bodies, which in smithy-go v1.28.8 returns io.EOF once the body is closed. If
// the answer comes before net/http has looked for the body's end, that is an
// error to it, it closes the connection, and the rest of a long answer is lost.
type httpClient struct{}

func (httpClient) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return http.DefaultClient.Do(r)
}

// client returns an SDK client of the endpoint.
func (c *conf) client() *secretsmanager.Client {
	return secretsmanager.New(secretsmanager.Options{
		Region: c.region, BaseEndpoint: &c.endpoint, RetryMaxAttempts: 1, HTTPClient: httpClient{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c.creds, nil }),
	})
}

// An apiError is what the service refused a call with.
type apiError struct{ code, message string }

// call makes a call with the SDK. Input and answer are JSON to the caller; in
// the answer, what is nil is absent.
func (c *conf) call(op string, in m) (m, *apiError) {
	method := reflect.ValueOf(c.sdk).MethodByName(op)
	if !method.IsValid() {
		panic("no operation " + op)
	}
	input := reflect.New(method.Type().In(1).Elem())
	b, err := json.Marshal(in)
	if err == nil {
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		err = d.Decode(input.Interface())
	}
	if err != nil {
		panic(fmt.Sprintf("%s of %v: %v", op, in, err))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	out := method.Call([]reflect.Value{reflect.ValueOf(ctx), input})
	if err, ok := out[1].Interface().(error); ok {
		var e smithy.APIError
		if !errors.As(err, &e) {
			c.differ("%s: %v", op, err)
			panic(giveUp{})
		}
		return nil, &apiError{e.ErrorCode(), e.ErrorMessage()}
	}
	if op == "CreateSecret" {
		c.made = append(c.made, in["Name"].(string))
	}
	return answerOf(out[0].Elem()), nil
}
