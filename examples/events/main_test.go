package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// startMoto runs moto, an imitation of AWS in Python, and returns where it
// listens. It skips the test where there is none.
func startMoto(t *testing.T) aws.Config {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil || exec.Command(python, "-c", "import importlib.util, sys; sys.exit(not importlib.util.find_spec('flask_cors') or not importlib.util.find_spec('moto'))").Run() != nil {
		t.Skip("no moto (pip install 'moto[server]'): the queue is not tested")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(addr)
	var log bytes.Buffer
	cmd := exec.Command(python, "-m", "moto.server", "-p", port)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for start := time.Now(); time.Since(start) < time.Minute; time.Sleep(50 * time.Millisecond) {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return aws.Config{Region: "us-east-1", BaseEndpoint: aws.String("http://" + addr), Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}
		}
	}
	t.Fatalf("moto does not listen:\n%s", log.String())
	return aws.Config{}
}

// TestEvents tries the queue on one moto, which takes seconds to start.
func TestEvents(t *testing.T) {
	cfg := startMoto(t)
	t.Run("no topic", func(t *testing.T) { checkOpenQueueFails(t, cfg) })
	t.Run("queue", func(t *testing.T) { checkQueue(t, cfg) })
}

// checkQueue has the fake's events go through moto's SNS and SQS to two clients
// with a queue each.
func checkQueue(t *testing.T, cfg aws.Config) {
	ctx, cancel := context.WithCancel(t.Context())
	sq, sn := sqs.NewFromConfig(cfg), sns.NewFromConfig(cfg)
	topic, err := sn.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("secret-changes")})
	if err != nil {
		t.Fatal(err)
	}
	srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
	srv.OnEvent(func(event []byte) {
		if _, err := sn.Publish(ctx, &sns.PublishInput{TopicArn: topic.TopicArn, Message: aws.String(string(event))}); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	var clients []*secrets.Client
	var queues []*queue
	var readers sync.WaitGroup
	for range 2 {
		c, err := secrets.New(srv.Client(), &secrets.Options{TTL: time.Hour, EventJitter: -1, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		q, err := openQueue(ctx, sq, sn, *topic.TopicArn)
		if err != nil {
			t.Fatal(err)
		}
		readers.Go(func() { q.receive(ctx, c.HandleEvent) })
		if v, err := secrets.Get[string](ctx, c, "s"); err != nil || v != "one" {
			t.Fatalf("got %q, %v", v, err)
		}
		clients, queues = append(clients, c), append(queues, q)
	}
	for i := range 3 {
		want := fmt.Sprint("version ", i)
		srv.Put("s", want)
		for n, c := range clients {
			until(t, fmt.Sprintf("client %d has %q", n, want), func() bool {
				v, err := secrets.Get[string](ctx, c, "s")
				return err == nil && v == want
			})
		}
	}
	until(t, "the messages are deleted", func() bool {
		out, err := sq.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &queues[0].url, AttributeNames: []types.QueueAttributeName{"All"}})
		return err == nil && out.Attributes["ApproximateNumberOfMessages"] == "0" && out.Attributes["ApproximateNumberOfMessagesNotVisible"] == "0"
	})
	cancel()
	readers.Wait()
	for _, q := range queues {
		q.remove()
	}
	left, err := sq.ListQueues(t.Context(), &sqs.ListQueuesInput{})
	subs, err2 := sn.ListSubscriptions(t.Context(), &sns.ListSubscriptionsInput{})
	if err != nil || err2 != nil || len(left.QueueUrls) > 0 || len(subs.Subscriptions) > 0 {
		t.Errorf("left behind: %v, %v, %v, %v", left, err, subs, err2)
	}
}

// checkOpenQueueFails has the topic not be there: no queue is left behind.
func checkOpenQueueFails(t *testing.T, cfg aws.Config) {
	sq := sqs.NewFromConfig(cfg)
	if q, err := openQueue(t.Context(), sq, sns.NewFromConfig(cfg), "arn:aws:sns:us-east-1:123456789012:none"); err == nil {
		t.Errorf("got %v", q)
	}
	left, err := sq.ListQueues(t.Context(), &sqs.ListQueuesInput{})
	if err != nil || len(left.QueueUrls) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for start := time.Now(); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Since(start) > 30*time.Second {
			t.Fatalf("after half a minute: not so that %s", what)
		}
	}
}
