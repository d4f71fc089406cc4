// Lambda-reader is an AWS Lambda function that reads a secret. It runs behind a
// function URL or an API and checks whether a request has the right API key.
// README.md describes its deployment.
package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets"
)

// envSecret is the environment variable with the name or ARN of the secret.
const envSecret = "API_KEY_SECRET"

// initTimeout is below the ten seconds that AWS Lambda gives the init phase.
const initTimeout = 8 * time.Second

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), initTimeout)
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	// This happens once in the life of the execution environment, outside the
	// handler. An invocation that finds the secret in memory makes no call.
	f, err := newFunction(ctx, secretsmanager.NewFromConfig(cfg), os.Getenv(envSecret), slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	cancel()
	if err != nil {
		log.Fatal(err) // AWS Lambda starts another environment
	}
	lambda.Start(f.handle)
}

// A function holds the state that persists between invocations.
type function struct {
	client *secrets.Client
	key    *secrets.Ref[apiKey]
}

// An apiKey is the content of the secret.
type apiKey struct {
	Key string `json:"key"`
}

// Validate refuses a version without a key.
func (k apiKey) Validate() error {
	if k.Key == "" {
		return errors.New("the key is not set")
	}
	return nil
}

// newFunction reads the secret, or fails. An environment that cannot read the
// secret should not get invocations.
func newFunction(ctx context.Context, api secrets.API, id string, log *slog.Logger) (*function, error) {
	if id == "" {
		return nil, fmt.Errorf("%s is not set", envSecret)
	}
	client, err := secrets.New(api, &secrets.Options{
		// In AWS Lambda, RefreshAuto means the same. Nothing runs between
		// invocations. The age of a value is measured by the wall clock, which
		// continues while the environment is frozen.
		Refresh: secrets.RefreshOnRead,
		Logger:  log,
	})
	if err != nil {
		return nil, err
	}
	f := &function{client: client, key: secrets.Bind[apiKey](client, id)}
	if err := secrets.Load(ctx, f.key); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return f, nil
}

// handle answers 204 to a request with the right key in the header X-Api-Key,
// and 401 to others. During a rotation it also accepts the pending and the
// previous key.
func (f *function) handle(ctx context.Context, r events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	right, err := f.knows(ctx, r.Headers["x-api-key"]) // a function URL sends header names in lower case
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}
	if !right {
		return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusUnauthorized}, nil
	}
	return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusNoContent}, nil
}

// knows reports whether a version with a staging label has the given key. It
// first compares the current key, from memory. For another key it calls
// Versions.
func (f *function) knows(ctx context.Context, key string) (bool, error) {
	current, err := f.key.Get(ctx)
	if err != nil || same(current.Key, key) {
		return err == nil, err
	}
	all, err := f.key.Versions(ctx)
	if err != nil {
		return false, err
	}
	for _, v := range all {
		if same(v.Value.Key, key) {
			return true, nil
		}
	}
	return false, nil
}

// same compares two keys in constant time.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
