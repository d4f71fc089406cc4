package secretstest_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// noop answers every request with the same bytes, so that only the cost of the
// SDK remains.
type noop struct{ body string }

func (n noop) Do(r *http.Request) (*http.Response, error) {
	io.Copy(io.Discard, r.Body)
	return &http.Response{
		StatusCode:    200,
		Header:        http.Header{},
		ContentLength: int64(len(n.body)),
		Body:          io.NopCloser(strings.NewReader(n.body)),
		Request:       r,
	}, nil
}

func benchmarkGet(b *testing.B, c *secretsmanager.Client) {
	ctx, in := context.Background(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/db")}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.GetSecretValue(ctx, in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// BenchmarkGetSecretValueSDK reads through the SDK's client.
func BenchmarkGetSecretValueSDK(b *testing.B) {
	srv := secretstest.New(b, secretstest.Secrets{"prod/db": `{"username":"app","password":"hunter2"}`})
	benchmarkGet(b, srv.Client())
}

// BenchmarkSDKAlone measures the SDK without a service behind it.
func BenchmarkSDKAlone(b *testing.B) {
	srv := secretstest.New(b, nil)
	benchmarkGet(b, srv.Client(func(o *secretsmanager.Options) {
		o.HTTPClient = noop{`{"ARN":"arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-abcdef","Name":"prod/db","VersionId":"6d6a0a5e-3b8d-4bb4-9d4b-000000000000","SecretString":"{\"username\":\"app\",\"password\":\"hunter2\"}","VersionStages":["AWSCURRENT"],"CreatedDate":1700000000.123}`}
	}))
}

// BenchmarkHandler measures the server without the SDK.
func BenchmarkHandler(b *testing.B) {
	srv := secretstest.New(b, secretstest.Secrets{"prod/db": `{"username":"app","password":"hunter2"}`})
	h := srv.HTTPClient()
	b.ReportAllocs()
	for b.Loop() {
		r, _ := http.NewRequest("POST", "http://localhost/", strings.NewReader(`{"SecretId":"prod/db"}`))
		r.Header["X-Amz-Target"] = []string{"secretsmanager.GetSecretValue"}
		resp, err := h.Transport.RoundTrip(r)
		if err != nil || resp.StatusCode != 200 {
			b.Fatal(resp, err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// BenchmarkNewToFirstAnswer makes a server and reads from it once.
func BenchmarkNewToFirstAnswer(b *testing.B) {
	for b.Loop() {
		srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
		if _, err := srv.Client().GetSecretValue(context.Background(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/db")}); err != nil {
			b.Fatal(err)
		}
		srv.Close()
	}
}

// BenchmarkList100000 lists 100,000 secrets in pages of 100; pages/s must not
// depend on how many there are.
func BenchmarkList100000(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		for _, by := range []string{"created-date", "name"} {
			b.Run(by+"/"+itoa(n), func(b *testing.B) {
				srv := filled(b, n)
				c := srv.Client()
				pages := 0
				for b.Loop() {
					pages = len(listPages(b, c, by))
				}
				b.ReportMetric(float64(pages*b.N)/b.Elapsed().Seconds(), "pages/s")
			})
		}
	}
}

// BenchmarkGetSecretValueSDKParallel reads on every core.
func BenchmarkGetSecretValueSDKParallel(b *testing.B) {
	srv := secretstest.New(b, secretstest.Secrets{"prod/db": `{"username":"app","password":"hunter2"}`})
	c := srv.Client()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		ctx, in := context.Background(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/db")}
		for pb.Next() {
			if _, err := c.GetSecretValue(ctx, in); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
