// Command events prints each new version of a secret within seconds of its
// rotation. EventBridge notifies it. It creates an SQS queue, subscribes the
// queue to the SNS topic of the rule in README.md, and removes both when it
// ends.
//
//	go run . -topic arn:aws:sns:eu-west-1:123456789012:secret-changes -secret prod/db
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/seed-74dc7b3e/secrets"
)

func main() {
	topic := flag.String("topic", "", "the ARN of the SNS topic that the EventBridge rule feeds")
	secret := flag.String("secret", "", "the name or the ARN of the secret to watch")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *topic, *secret); err != nil {
		fmt.Fprintln(os.Stderr, "events:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, topic, secret string) error {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	// Events report changes; the TTL covers lost events.
	client, err := secrets.New(secretsmanager.NewFromConfig(cfg), &secrets.Options{TTL: time.Hour})
	if err != nil {
		return err
	}
	defer client.Close()

	q, err := openQueue(ctx, sqs.NewFromConfig(cfg), sns.NewFromConfig(cfg), topic)
	if err != nil {
		return err
	}
	defer q.remove()
	go q.receive(ctx, client.HandleEvent)

	for s, err := range secrets.Bind[*secrets.Secret](client, secret).Watch(ctx) {
		if err != nil {
			slog.Warn("no new version for now", "error", err)
			continue
		}
		slog.Info("the current version", "secret", s) // logs name and version id; a Secret does not show its value
	}
	return nil
}
