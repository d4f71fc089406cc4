package secrets_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// Events of EventBridge, here the fake's, make a long TTL harmless.
func ExampleClient_HandleEvent() {
	srv := secretstest.NewServer(nil)
	defer srv.Close()
	srv.Put("prod/api-key", "old")
	client, err := secrets.New(srv.Client(), &secrets.Options{
		TTL: time.Hour, EventJitter: time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	srv.OnEvent(func(event []byte) { // in a service, the body of each message of an SQS queue
		if _, err := client.HandleEvent(context.Background(), event); err != nil {
			fmt.Println(err)
		}
	})

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for key, err := range secrets.Bind[string](client, "prod/api-key").Watch(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("a key of", len(key))
		if key == "the new one" {
			return
		}
		srv.Put("prod/api-key", "the new one")
	}
	// Output:
	// a key of 3
	// a key of 11
}
