// Package redisclients has the Redis clients that tests and soaks use, made
// alike: each takes its connections from a dialer that logs in, and neither a
// user nor a password.
//
// No client tries a command, or a connection, a second time by itself: what
// fails is seen.
package redisclients

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/gomodule/redigo/redis"

	"github.com/seed-74dc7b3e/secrets/rediscred"
)

// A Dial makes a connection that is logged in.
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

// Options are what the clients are made with.
type Options struct {
	Addr     string
	Dial     Dial
	Size     int           // connections of the pool
	Lifetime time.Duration // of a connection; 0: no bound
}

// A Client sends commands over connections of its own. It is safe for
// concurrent use by multiple goroutines.
type Client interface {
	// Ping sends PING and returns an error if the answer is another than PONG.
	Ping(ctx context.Context) error
	// ID returns the server's number for a connection of the pool.
	ID(ctx context.Context) (int64, error)
	Close() error
}

// A Kind is one of the libraries.
type Kind struct {
	Name string
	New  func(Options) (Client, error)
}

// Kinds are all of them.
var Kinds = []Kind{{"go-redis", GoRedis}, {"rueidis", Rueidis}, {"redigo", Redigo}}

// go-redis reports to its logger what it returns as an error too.
func init() { goredis.SetLogger(silent{}) }

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

type goRedis struct{ *goredis.Client }

// GoRedis makes a client of github.com/redis/go-redis/v9.
func GoRedis(o Options) (Client, error) {
	return goRedis{goredis.NewClient(&goredis.Options{
		Addr: o.Addr, Dialer: o.Dial, DialerRetries: 1, MaxRetries: -1,
		PoolSize: o.Size, ConnMaxLifetime: o.Lifetime, DialTimeout: 30 * time.Second, PoolTimeout: 30 * time.Second,
		ReadTimeout: 30 * time.Second,
	})}, nil
}

func (c goRedis) Ping(ctx context.Context) error        { return c.Client.Ping(ctx).Err() }
func (c goRedis) ID(ctx context.Context) (int64, error) { return c.ClientID(ctx).Result() }

type viaRueidis struct{ rueidis.Client }

// Rueidis makes a client of github.com/redis/rueidis.
func Rueidis(o Options) (Client, error) {
	c, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{o.Addr}, DisableRetry: true, DisableCache: true, ForceSingleClient: true,
		ConnLifetime: o.Lifetime,
		DialCtxFn: func(ctx context.Context, addr string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return o.Dial(ctx, "tcp", addr)
		},
	})
	if err != nil {
		return nil, err
	}
	return viaRueidis{c}, nil
}

func (c viaRueidis) Ping(ctx context.Context) error {
	return c.Do(ctx, c.B().Ping().Build()).Error()
}

func (c viaRueidis) ID(ctx context.Context) (int64, error) {
	return c.Do(ctx, c.B().ClientId().Build()).AsInt64()
}

func (c viaRueidis) Close() error {
	c.Client.Close()
	return nil
}

type redigo struct{ *redis.Pool }

// redigoConn keeps the connection under one of redigo, for TestOnBorrow.
type redigoConn struct {
	redis.Conn
	under net.Conn
}

// Redigo makes a client of github.com/gomodule/redigo.
func Redigo(o Options) (Client, error) {
	return redigo{&redis.Pool{
		MaxActive: o.Size, MaxIdle: o.Size, Wait: true, MaxConnLifetime: o.Lifetime,
		DialContext: func(ctx context.Context) (redis.Conn, error) {
			c, err := o.Dial(ctx, "tcp", o.Addr)
			if err != nil {
				return nil, err
			}
			return redigoConn{redis.NewConn(c, 30*time.Second, 30*time.Second), c}, nil
		},
		TestOnBorrow: func(c redis.Conn, _ time.Time) error {
			if under, ok := c.(redigoConn).under.(*rediscred.Conn); ok && under.Retired() {
				return rediscred.ErrRetired
			}
			return nil
		},
	}}, nil
}

func (c redigo) Ping(ctx context.Context) error {
	_, err := c.do(ctx, "PING")
	return err
}

func (c redigo) ID(ctx context.Context) (int64, error) { return redis.Int64(c.do(ctx, "CLIENT", "ID")) }

func (c redigo) do(ctx context.Context, command string, args ...any) (any, error) {
	conn, err := c.GetContext(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.Do(command, args...)
}
