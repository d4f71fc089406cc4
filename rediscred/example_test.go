package rediscred_test

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/internal/resp"
	"github.com/seed-74dc7b3e/secrets/rediscred"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// DialContext returns a logged-in connection that any client can use.
func Example() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{
		"prod/redis": `{"username":"app","password":"s3cret","host":"127.0.0.1","port":6379}`,
	}})
	defer srv.Close()
	redis := newFakeRedis("app", "s3cret") // in earnest: a server

	client, err := secrets.New(srv.Client(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	dialer := rediscred.New(client, "prod/redis", &rediscred.Options{Dial: redis.dial})
	defer dialer.Close()

	ctx := context.Background()
	addr, err := dialer.Addr(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	reply, err := resp.New(conn).Do("PING")
	fmt.Println(addr, reply, err)
	// Output: 127.0.0.1:6379 PONG <nil>
}

// A custom pool calls Retired before it hands out a connection again.
func ExampleConn_Retired() {
	idle := make(chan net.Conn, 10)
	take := func() net.Conn {
		for c := range idle {
			if r, ok := c.(*rediscred.Conn); !ok || !r.Retired() {
				return c
			}
			c.Close()
		}
		return nil
	}
	a, b := net.Pipe()
	idle <- a // not made by a Dialer
	go func() { io.WriteString(b, "hello"); b.Close() }()
	text, err := io.ReadAll(take())
	fmt.Println(string(text), err)
	// Output: hello <nil>
}
