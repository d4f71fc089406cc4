//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets"
)

const name = "prod/api-key"

// read is the process that is searched. It says what it has done, and goes on when
// it has been searched.
func read(url string, within bool) {
	var api secrets.API = secretsmanager.New(secretsmanager.Options{
		Region: "us-east-1", BaseEndpoint: &url,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "example"}, nil
		}),
	})
	if within {
		api = erasing{api}
	}
	client, err := secrets.New(api, &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	searched := bufio.NewScanner(os.Stdin)
	pause := func(when string) {
		debug.FreeOSMemory() // collects, twice, what is no longer used
		debug.FreeOSMemory()
		fmt.Println(when)
		searched.Scan()
	}
	pause("before the first read")
	get(client)
	pause("after it")
	for range 100 {
		get(client)
		if err := client.Refresh(context.Background(), name); err != nil {
			log.Fatal(err)
		}
	}
	pause("after 100 refreshes, nothing changed")
	client.Close()
	client = nil
	pause("after Close")
}

// get reads the secret. Nothing of it is kept here.
func get(client *secrets.Client) {
	if _, err := secrets.Get[string](context.Background(), client, name); err != nil {
		log.Fatal(err)
	}
}

// erasing is an API whose requests happen within runtime/secret.Do: what they leave
// on the stack and in registers is erased as they end, what they allocate when it
// is collected.
type erasing struct{ secrets.API }

func (a erasing) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, opts ...func(*secretsmanager.Options)) (out *secretsmanager.GetSecretValueOutput, err error) {
	secretDo(func() { out, err = a.API.GetSecretValue(ctx, in, opts...) })
	return out, err
}
