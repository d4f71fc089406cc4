package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// A queue is the SQS queue of this process. Each process needs its own, because
// a message goes to only one reader of a queue.
type queue struct {
	sqs          *sqs.Client
	sns          *sns.Client
	url          string
	subscription string
}

// retention is how long a message waits. After that time the TTL has noticed
// the change anyway.
const retention = time.Hour

// openQueue creates a queue and subscribes it to a topic. If a step fails, it
// removes what it created.
func openQueue(ctx context.Context, sq *sqs.Client, sn *sns.Client, topic string) (_ *queue, err error) {
	q := &queue{sqs: sq, sns: sn}
	defer func() {
		if err != nil {
			q.remove()
		}
	}()
	made, err := sq.CreateQueue(ctx, &sqs.CreateQueueInput{
		QueueName: aws.String("secret-changes-" + strings.ToLower(rand.Text())),
		Attributes: map[string]string{
			"MessageRetentionPeriod":        fmt.Sprint(int(retention.Seconds())),
			"ReceiveMessageWaitTimeSeconds": "20",
		},
		Tags: map[string]string{"made-by": "examples/events"},
	})
	if err != nil {
		return nil, err
	}
	q.url = *made.QueueUrl
	attrs, err := sq.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &q.url, AttributeNames: []types.QueueAttributeName{"QueueArn"}})
	if err != nil {
		return nil, err
	}
	arn := attrs.Attributes["QueueArn"]
	if _, err := sq.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: &q.url, Attributes: map[string]string{"Policy": policy(arn, topic)}}); err != nil {
		return nil, err
	}
	sub, err := sn.Subscribe(ctx, &sns.SubscribeInput{TopicArn: &topic, Protocol: aws.String("sqs"), Endpoint: &arn, ReturnSubscriptionArn: true})
	if err != nil {
		return nil, err
	}
	q.subscription = aws.ToString(sub.SubscriptionArn)
	return q, nil
}

// policy lets only the topic send to the queue. Whoever can send to it can
// cause checks of the cached secrets, and nothing else.
func policy(queue, topic string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},"Action":"sqs:SendMessage","Resource":%q,"Condition":{"ArnEquals":{"aws:SourceArn":%q}}}]}`, queue, topic)
}

// receive passes every message to handle until ctx ends, and deletes it. It
// deletes messages that fail too: an event is only a hint, and a malformed
// message stays malformed.
func (q *queue) receive(ctx context.Context, handle func(context.Context, []byte) (bool, error)) {
	for pause := time.Second; ctx.Err() == nil; {
		out, err := q.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &q.url, MaxNumberOfMessages: 10, WaitTimeSeconds: 20})
		if err != nil {
			if ctx.Err() == nil {
				slog.Warn("events cannot be received; changes are noticed within the TTL", "error", err)
			}
			pause = min(2*pause, time.Minute)
			wait(ctx, pause)
			continue
		}
		pause = time.Second
		for _, m := range out.Messages {
			if _, err := handle(ctx, []byte(aws.ToString(m.Body))); err != nil && ctx.Err() == nil {
				slog.Warn("a message that is no event", "error", err)
			}
		}
		if len(out.Messages) > 0 {
			q.delete(ctx, out.Messages)
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (q *queue) delete(ctx context.Context, messages []types.Message) {
	in := &sqs.DeleteMessageBatchInput{QueueUrl: &q.url}
	for i, m := range messages {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), ReceiptHandle: m.ReceiptHandle})
	}
	if _, err := q.sqs.DeleteMessageBatch(ctx, in); err != nil && ctx.Err() == nil {
		slog.Warn("messages were not deleted; they come again", "error", err)
	}
}

// remove deletes what openQueue created. By then the program's own context has
// ended.
func (q *queue) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var unsubscribed, deleted error
	if q.subscription != "" {
		_, unsubscribed = q.sns.Unsubscribe(ctx, &sns.UnsubscribeInput{SubscriptionArn: &q.subscription})
	}
	if q.url != "" {
		_, deleted = q.sqs.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &q.url})
	}
	if err := errors.Join(unsubscribed, deleted); err != nil {
		slog.Warn("the queue is left behind", "queue", q.url, "error", err)
	}
}
