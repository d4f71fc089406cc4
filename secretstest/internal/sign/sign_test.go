package sign_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/sign"
)

var (
	at    = time.Date(2026, 5, 15, 10, 30, 0, 0, time.UTC)
	creds = aws.Credentials{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "hunter2", SessionToken: "session"}
)

// signed returns a request that the SDK has signed, in its header or in its
// query.
func signed(t *testing.T, presign bool) *sign.Request {
	t.Helper()
	const body = `{"SecretId":"a"}`
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	r, err := http.NewRequest("POST", "https://secretsmanager.us-east-1.amazonaws.com/?b=2%20x&a=1", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "secretsmanager.GetSecretValue")
	r.Header.Set("X-Spaced", "a   b")
	signer := v4.NewSigner()
	if presign {
		var uri string
		if uri, _, err = signer.PresignHTTP(context.Background(), creds, r, hash, "secretsmanager", "us-east-1", at); err == nil {
			r.URL, err = r.URL.Parse(uri)
		}
	} else {
		err = signer.SignHTTP(context.Background(), creds, r, hash, "secretsmanager", "us-east-1", at)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &sign.Request{Method: r.Method, Host: r.URL.Host, Path: r.URL.EscapedPath(), Query: r.URL.Query(), Header: r.Header, Body: []byte(body)}
}

func TestVerify(t *testing.T) {
	tests := []struct {
		name   string
		change func(*sign.Request)
		secret string
		after  time.Duration
		want   string
	}{
		{"as it was signed", func(*sign.Request) {}, "hunter2", 0, ""},
		{"another key", func(*sign.Request) {}, "hunter3", 0, "signature does not match"},
		{"another body", func(r *sign.Request) { r.Body = []byte("{}") }, "hunter2", 0, "signature does not match"},
		{"another host", func(r *sign.Request) { r.Host = "elsewhere" }, "hunter2", 0, "signature does not match"},
		{"another method", func(r *sign.Request) { r.Method = "GET" }, "hunter2", 0, "signature does not match"},
		{"another path", func(r *sign.Request) { r.Path = "/x" }, "hunter2", 0, "signature does not match"},
		{"another query", func(r *sign.Request) { r.Query.Set("a", "2") }, "hunter2", 0, "signature does not match"},
		{"another target", func(r *sign.Request) { r.Header.Set("X-Amz-Target", "secretsmanager.DeleteSecret") }, "hunter2", 0, "signature does not match"},
		{"four minutes late", func(*sign.Request) {}, "hunter2", 4 * time.Minute, ""},
		{"six minutes late", func(*sign.Request) {}, "hunter2", 6 * time.Minute,
			"Signature expired: 20260515T103000Z is now earlier than 20260515T103100Z (20260515T103600Z - 5 min.)"},
		{"six minutes early", func(*sign.Request) {}, "hunter2", -6 * time.Minute,
			"Signature not yet current: 20260515T103000Z is still later than 20260515T102900Z (20260515T102400Z + 5 min.)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := signed(t, false)
			s, err := sign.Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			test.change(r)
			got := ""
			if err := s.Verify(r, test.secret, at.Add(test.after)); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestVerifyPresigned(t *testing.T) {
	r := signed(t, true)
	s, err := sign.Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	if s.AccessKey != creds.AccessKeyID || s.Region != "us-east-1" || s.Service != "secretsmanager" || s.Token != "session" {
		t.Errorf("got %+v", s)
	}
	// The SDK presigns with the hash that the caller gives it.
	if err := s.Verify(r, "hunter2", at); err != nil {
		t.Error(err)
	}
	r.Query.Set("X-Amz-Expires", "60")
	if err := s.Verify(r, "hunter2", at); !errors.Is(err, sign.ErrMismatch) {
		t.Errorf("changed query: got %v, want %v", err, sign.ErrMismatch)
	}
}

func TestParse(t *testing.T) {
	tests := []struct{ auth, key, region, service, err string }{
		{"", "", "", "", "none"},
		{"AWS4-HMAC-SHA256 Credential=AK/20260515/eu-west-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=0", "AK", "eu-west-1", "secretsmanager", ""},
		{"AWS4-HMAC-SHA256 Credential=AK/20260515/eu-west-1/sts/aws4_request,SignedHeaders=host,Signature=0", "AK", "eu-west-1", "sts", ""},
		{"Basic YTpi", "", "", "", "incomplete signature"},
		{"AWS4-HMAC-SHA256 SignedHeaders=host", "", "", "", "incomplete signature"},
		{"AWS4-HMAC-SHA256 Credential=AK/20260515/eu-west-1/sts/aws3_request", "", "", "", "incomplete signature"},
		{"AWS4-HMAC-SHA256 Credential=/20260515/eu-west-1/sts/aws4_request", "", "", "", "incomplete signature"},
	}
	for _, test := range tests {
		h := http.Header{}
		if test.auth != "" {
			h.Set("Authorization", test.auth)
		}
		s, err := sign.Parse(&sign.Request{Header: h})
		got := ""
		switch {
		case err != nil:
			got = err.Error()
		case s == nil:
			got = "none"
		case s.AccessKey != test.key || s.Region != test.region || s.Service != test.service:
			got = s.AccessKey + s.Region + s.Service
		}
		if got != test.err {
			t.Errorf("%q: got %q, want %q", test.auth, got, test.err)
		}
	}
}
