package secretstest_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// answerOf turns an SDK's output into JSON without what is nil.
func answerOf(v reflect.Value) m {
	a := m{}
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i)
		if !name.IsExported() || name.Name == "ResultMetadata" {
			continue
		}
		switch f.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			if f.IsNil() {
				continue
			}
		}
		if p, ok := f.Interface().(*string); ok && p != nil {
			a[name.Name] = *p
			continue
		}
		b, err := json.Marshal(f.Interface())
		if err != nil {
			panic(err)
		}
		var x any
		if err := json.Unmarshal(b, &x); err != nil {
			panic(err)
		}
		a[name.Name] = dropNulls(x)
	}
	return a
}

func dropNulls(x any) any {
	switch x := x.(type) {
	case map[string]any:
		for k, v := range x {
			if v == nil || v == "" {
				delete(x, k)
			} else {
				x[k] = dropNulls(v)
			}
		}
	case []any:
		for i := range x {
			x[i] = dropNulls(x[i])
		}
	}
	return x
}

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

// A rawAnswer is an HTTP response.
type rawAnswer struct {
	status int
	header http.Header
	text   string
	body   m
}

// raw sends a body as it is, signed, past the SDK's own checks.
func (c *conf) raw(op, body string) rawAnswer {
	return c.send("POST", "secretsmanager."+op, body)
}

func (c *conf) send(method, target, body string) rawAnswer {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.endpoint+"/", strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", target)
	sum := sha256.Sum256([]byte(body))
	err = v4.NewSigner().SignHTTP(ctx, c.creds, req, hex.EncodeToString(sum[:]), "secretsmanager", c.region, time.Now())
	if err != nil {
		panic(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.differ("%s: %v", target, err)
		panic(giveUp{})
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.differ("%s: %v", target, err)
		panic(giveUp{})
	}
	a := rawAnswer{status: resp.StatusCode, header: resp.Header, text: string(text)}
	json.Unmarshal(text, &a.body)
	return a
}

// rawFails sends a body that must be refused.
func (c *conf) rawFails(op, body, code, message string) {
	a := c.raw(op, body)
	text, _ := a.body["Message"].(string)
	if lower, ok := a.body["message"].(string); ok {
		text = lower
	}
	got, _ := a.body["__type"].(string)
	c.same(op, &apiError{got, text}, code, message)
	c.eq("HTTP status", a.status, 400)
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
