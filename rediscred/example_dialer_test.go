package rediscred_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/rediscred"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

const exampleAddr = "redis.internal:6379"

// exampleRedis returns a fake Secrets Manager with a client, and a fake server.
func exampleRedis() (*secretstest.Server, *secrets.Client, *fakeRedis) {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{
		"prod/redis": `{"username":"app","password":"one","host":"redis.internal"}`,
	}})
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	return srv, client, newFakeRedis("app", "one")
}

// dialed returns a logged-in connection.
func dialed(d *rediscred.Dialer) net.Conn {
	conn, err := d.DialContext(context.Background(), "tcp", exampleAddr)
	if err != nil {
		log.Fatal(err)
	}
	return conn
}

// These settings suit a server that requires TLS and is shared with other programs.
func ExampleNew() {
	srv, client, _ := exampleRedis()
	defer srv.Close()
	defer client.Close()
	d := rediscred.New(client, "prod/redis", &rediscred.Options{
		TLS:        &tls.Config{MinVersion: tls.VersionTLS13},
		MaxLogins:  2,
		MaxWait:    10 * time.Second,
		RetireOver: time.Minute, // connections leave one after the other
	})
	defer d.Close()

	fmt.Println(d)
	// Output: rediscred.Dialer("prod/redis")
}

// Addr reads the address for a client's configuration from the secret.
func ExampleDialer_Addr() {
	srv, client, _ := exampleRedis()
	defer srv.Close()
	defer client.Close()
	d := rediscred.New(client, "prod/redis", nil)
	defer d.Close()

	fmt.Println(d.Addr(context.Background())) // 6379 where the secret has no port
	// Output: redis.internal:6379 <nil>
}

// DialContext is the function to pass to client libraries. It finds the pending
// password while a rotation is outstanding.
func ExampleDialer_DialContext() {
	srv, client, redis := exampleRedis()
	defer srv.Close()
	defer client.Close()
	d := rediscred.New(client, "prod/redis", &rediscred.Options{Dial: redis.dial})
	defer d.Close()

	pending := srv.PutPending("prod/redis", `{"username":"app","password":"two","host":"redis.internal"}`)
	redis.password("app", "two") // setSecret
	conn, err := d.DialContext(context.Background(), "tcp", exampleAddr)
	if err != nil {
		var all *secrets.RejectedError
		if errors.As(err, &all) {
			log.Fatal("the server refused ", len(all.Attempts), " versions")
		}
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(conn.(*rediscred.Conn).VersionID() == pending)
	// Output: true
}

// VersionID names the version of the secret in a log line.
func ExampleConn_VersionID() {
	srv, client, redis := exampleRedis()
	defer srv.Close()
	defer client.Close()
	d := rediscred.New(client, "prod/redis", &rediscred.Options{Dial: redis.dial})
	defer d.Close()
	conn := dialed(d)
	defer conn.Close()

	if c, ok := conn.(*rediscred.Conn); ok {
		fmt.Println(c.VersionID() == srv.VersionID("prod/redis", secrets.Current))
	}
	// Output: true
}

// NetConn gives access to the network connection, for instance to set keep-alive.
func ExampleConn_NetConn() {
	keepAlive := func(conn net.Conn) bool {
		if c, ok := conn.(*rediscred.Conn); ok {
			conn = c.NetConn() // with TLS: a *tls.Conn
		}
		tcp, ok := conn.(*net.TCPConn)
		return ok && tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Minute}) == nil
	}

	srv, client, redis := exampleRedis()
	defer srv.Close()
	defer client.Close()
	d := rediscred.New(client, "prod/redis", &rediscred.Options{Dial: redis.dial})
	defer d.Close()
	conn := dialed(d)
	defer conn.Close()
	fmt.Println(keepAlive(conn)) // it is a net.Pipe
	// Output: false
}

// go-redis calls SyscallConn to find out whether a pooled connection is healthy.
func ExampleConn_SyscallConn() {
	srv, client, redis := exampleRedis()
	defer srv.Close()
	defer client.Close()
	d := rediscred.New(client, "prod/redis", &rediscred.Options{Dial: redis.dial, RetireOver: time.Nanosecond})
	defer d.Close()
	conn := dialed(d)
	defer conn.Close()
	c := conn.(*rediscred.Conn)

	_, err := c.SyscallConn()
	fmt.Println(err)
	srv.Rotate("prod/redis")
	if err := client.Refresh(context.Background(), "prod/redis"); err != nil { // or a check in the background
		log.Fatal(err)
	}
	_ = c.Retired() // the first call that finds it begins the time of RetireOver
	_, err = c.SyscallConn()
	fmt.Println(errors.Is(err, rediscred.ErrRetired))
	// Output:
	// <nil>
	// true
}

// IsRefused distinguishes a wrong password from an unreachable server. This
// program does not wait for another version of the secret.
func ExampleIsRefused() {
	srv, other, redis := exampleRedis()
	defer srv.Close()
	defer other.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler), OnEvent: func(e secrets.Event) {
		if e.Kind == secrets.EventRejected {
			cancel()
		}
	}})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	d := rediscred.New(client, "prod/redis", &rediscred.Options{Dial: redis.dial})
	defer d.Close()

	redis.password("app", "somebody else's")
	_, err = d.DialContext(ctx, "tcp", exampleAddr)
	fmt.Println(rediscred.IsRefused(err))
	fmt.Println(rediscred.IsRefused(context.DeadlineExceeded))
	// Output:
	// true
	// false
}
