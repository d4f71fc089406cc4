package secretstest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

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

// An apiError is the error of a refused call.
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

// bare sends GetSecretValue of the secret s as it is, with an Authorization
// header or none.
func (c *conf) bare(path, auth string) (status int, text string) {
	req, err := http.NewRequest("POST", c.endpoint+path, strings.NewReader(`{"SecretId":"s"}`))
	if err != nil {
		panic(err)
	}
	req.Header.Set("X-Amz-Target", "secretsmanager.GetSecretValue")
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.differ("%s: %v", path, err)
		panic(giveUp{})
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.differ("%s: %v", path, err)
	}
	return resp.StatusCode, string(b)
}

// agentGet asks the agent of a server in process.
func agentGet(srv *secretstest.Server, target, token string) (status int, text string) {
	r := httptest.NewRequest("GET", target, nil)
	r.Header.Set("X-Aws-Parameters-Secrets-Token", token)
	w := httptest.NewRecorder()
	srv.Agent(nil).ServeHTTP(w, r)
	return w.Code, w.Body.String()
}
