package gate_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/gate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// The server expects a password in the first line. A rotation has set the new
// password and not yet moved the label AWSCURRENT.
func ExampleTry() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/queue": "old"}})
	defer srv.Close()
	srv.PutPending("prod/queue", "new")
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	ref := secrets.Bind[string](client, "prod/queue")
	g := gate.New(&gate.Options{Rotating: ref.Rotating})
	defer g.Close()

	conn, err := gate.Try(context.Background(), g, ref, func(ctx context.Context, o secrets.Offer[string]) (net.Conn, error) {
		conn := dialQueue() // with a net.Dialer, and ctx
		if err := gate.Hold(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		if err := authenticate(conn, o.Value); err != nil {
			conn.Close()
			if errors.Is(err, errWrong) {
				err = gate.Refused(err)
			}
			return nil, err
		}
		fmt.Println("accepted:", o.Stage)
		return conn, nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	conn.Close()
	// Output: accepted: AWSPENDING
}

func dialQueue() net.Conn {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		line, _ := bufio.NewReader(server).ReadString('\n')
		if strings.TrimSpace(line) == "AUTH new" {
			io.WriteString(server, "OK\n")
		} else {
			io.WriteString(server, "WRONG\n")
		}
	}()
	return client
}

func authenticate(conn net.Conn, password string) error {
	if _, err := fmt.Fprintf(conn, "AUTH %s\n", password); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && answer != "OK\n" {
		err = errWrong
	}
	return err
}
