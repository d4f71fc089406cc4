package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/internal/integration/redisclients"
	"github.com/seed-74dc7b3e/secrets/internal/resp"
	"github.com/seed-74dc7b3e/secrets/rediscred"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// redisLoad is goroutines that send commands through one client, and counters
// of what they meet.
type redisLoad struct {
	client redisclients.Client
	dial   redisclients.Dial
	end    func() error // of what dials

	counters
}

// newRedisLoad makes the client under test.
func newRedisLoad(r *redisRun) (*redisLoad, error) {
	l := new(redisLoad)
	var err error
	if r.naive {
		l.dial, l.end = newNaiveRedis(r).dial, func() error { return nil }
	} else if err = l.ours(r); err != nil {
		return nil, err
	}
	l.client, err = r.kind.New(redisclients.Options{
		Addr: r.server.Addr(), Dial: l.counted, Size: 50, Lifetime: 50 * time.Millisecond,
	})
	return l, err
}

// ours makes the dialer of package rediscred. Two passwords are meant for
// clients that read the secret again between two rotations, which in earnest
// are hours apart. Here they are a moment apart, and so is the time to live.
func (l *redisLoad) ours(r *redisRun) error {
	options := secrets.Options{Logger: slog.New(slog.DiscardHandler)}
	if r.strategy.wrong == 0 {
		options.TTL = r.ttl
	}
	client, err := secrets.New(r.fake.ClientFor(secretstest.Identity{ARN: appARN}), &options)
	if err != nil {
		return err
	}
	dialer := rediscred.New(client, secretID, &rediscred.Options{MaxLogins: r.maxLogins})
	l.dial = dialer.DialContext
	l.end = func() error { return errors.Join(dialer.Close(), client.Close()) }
	return nil
}

// counted counts what the dialer under test does.
func (l *redisLoad) counted(ctx context.Context, network, addr string) (conn net.Conn, err error) {
	ended := l.connect()
	conn, err = l.dial(ctx, network, addr)
	ended(err)
	return conn, err
}

// command sends one command. It is not cut short when the load ends.
func (l *redisLoad) command() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	l.queries.Add(1)
	if err := l.client.Ping(ctx); err != nil {
		l.failedQueries.Add(1)
		l.errs.add("command", err)
	}
}

// close lets the commands under way finish, and closes the client.
func (l *redisLoad) close() error {
	l.stop()
	l.wait.Wait()
	return errors.Join(l.client.Close(), l.end())
}

// naiveRedis is a dialer with the policy that most programs have: the secret is
// kept; when the login is refused it is read again, once, and the login tried
// again, once.
type naiveRedis struct {
	api  *secretsmanager.Client
	mu   sync.Mutex // guards kept
	kept *login     // nil before the first dial
}

func newNaiveRedis(r *redisRun) *naiveRedis {
	return &naiveRedis{api: r.fake.ClientFor(secretstest.Identity{ARN: appARN})}
}

func (n *naiveRedis) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	err = n.auth(ctx, resp.New(c), false)
	if rediscred.IsRefused(err) {
		err = n.auth(ctx, resp.New(c), true)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// auth logs in with what is kept, or with what is read afresh.
func (n *naiveRedis) auth(ctx context.Context, c *resp.Conn, fresh bool) error {
	n.mu.Lock()
	kept := n.kept
	n.mu.Unlock()
	if kept == nil || fresh {
		out, err := n.api.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(secretID)})
		if err != nil {
			return err
		}
		kept = new(login)
		if err := json.Unmarshal([]byte(*out.SecretString), kept); err != nil {
			return err
		}
		n.mu.Lock()
		n.kept = kept
		n.mu.Unlock()
	}
	_, err := c.Do("AUTH", kept.Username, kept.Password)
	return err
}
