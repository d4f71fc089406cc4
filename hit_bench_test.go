package secrets_test

import (
	"context"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/seed-74dc7b3e/secrets"
)

// benchLogin is the struct of five strings and an int that typed reads are measured with.
type benchLogin struct {
	Username, Password, Host, DBName, Engine string
	Port                                     int
}

type oneSecret struct{}

func (oneSecret) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	arn, v, txt := "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbCdEf", "11111111-2222-3333-4444-555555555555", `{"username":"app","password":"one","host":"h","dbname":"d","engine":"postgres","port":5432}`
	return &secretsmanager.GetSecretValueOutput{ARN: &arn, VersionId: &v, Name: in.SecretId, SecretString: &txt}, nil
}

func benchClient(b *testing.B) *secrets.Client {
	c, err := secrets.New(oneSecret{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return c
}

func BenchmarkHitGet(b *testing.B) {
	c := benchClient(b)
	ctx := context.Background()
	id := "prod/db-credentials"
	c.Get(ctx, id)
	b.ReportAllocs()
	for b.Loop() {
		c.Get(ctx, id)
	}
}
func BenchmarkHitTyped(b *testing.B) {
	c := benchClient(b)
	ctx := context.Background()
	id := "prod/db-credentials"
	secrets.Get[benchLogin](ctx, c, id)
	b.ReportAllocs()
	for b.Loop() {
		secrets.Get[benchLogin](ctx, c, id)
	}
}
func BenchmarkHitRef(b *testing.B) {
	c := benchClient(b)
	ctx := context.Background()
	r := secrets.Bind[benchLogin](c, "prod/db-credentials")
	r.Get(ctx)
	b.ReportAllocs()
	for b.Loop() {
		r.Get(ctx)
	}
}
func BenchmarkHitRefPtr(b *testing.B) {
	c := benchClient(b)
	ctx := context.Background()
	r := secrets.Bind[*benchLogin](c, "prod/db-credentials")
	r.Get(ctx)
	b.ReportAllocs()
	for b.Loop() {
		r.Get(ctx)
	}
}
func BenchmarkHitSyncMap(b *testing.B) {
	var m sync.Map
	x := 1
	id := "prod/db-credentials"
	m.Store(id, &x)
	for b.Loop() {
		m.Load(id)
	}
}
func BenchmarkHitLRU(b *testing.B) {
	l, _ := lru.New[string, *int](1024)
	x := 1
	id := "prod/db-credentials"
	l.Add(id, &x)
	for b.Loop() {
		l.Get(id)
	}
}
