package gate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/gate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// At most two logins are under way at a time, and one while a rotation is known to
// be outstanding. The pool closes its gate when it closes.
func Example() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/queue": "new"}})
	defer srv.Close()
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	password := secrets.Bind[string](client, "prod/queue")
	g := gate.New(&gate.Options{MaxLogins: 2, Rotating: password.Rotating})
	defer g.Close()

	connect := func(ctx context.Context, o secrets.Offer[string]) (net.Conn, error) {
		conn := dialQueue()
		err := gate.Hold(ctx) // from here on the server counts
		if err == nil {
			err = authenticate(conn, o.Value)
		}
		if err != nil {
			conn.Close()
			return nil, err
		}
		return conn, nil
	}
	conn, err := gate.Try(context.Background(), g, password, connect)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(conn.Close())
	// Output: <nil>
}

// A gate for a server that blocks accounts after ten wrong logins in an hour.
func ExampleNew() {
	g := gate.New(&gate.Options{MaxLogins: 1, RetriesPerHour: 5})
	defer g.Close()

	underWay, waiting := g.Counts()
	fmt.Println(underWay, waiting)
	// Output: 0 0
}

// Run is for programs that choose the versions themselves. The gate bars the
// second login here: the server has just refused the version and does not see it
// again.
func ExampleRun() {
	g := gate.New(nil)
	defer g.Close()
	sent := 0
	login := gate.Login[net.Conn]{
		Version: "v-1",
		Stage:   secrets.Current,
		Target:  "app@queue.internal",
		Connect: func(ctx context.Context) (net.Conn, error) {
			if err := gate.Hold(ctx); err != nil {
				return nil, err
			}
			sent++
			return nil, gate.Refused(errWrong)
		},
	}

	for range 2 {
		_, err := gate.Run(context.Background(), g, login)
		var refused *gate.RefusedError
		fmt.Println(errors.As(err, &refused), refused.Barred, errors.Is(err, errWrong))
	}
	fmt.Println("passwords sent:", sent)
	// Output:
	// true false true
	// true true true
	// passwords sent: 1
}

// A RefusedError says whether the server saw the login, and when the version may
// be offered again.
func ExampleRefusedError() {
	g := gate.New(nil)
	defer g.Close()
	login := gate.Login[net.Conn]{
		Version: "v-1", Stage: secrets.Pending, Fallback: true, // a prober's: see secrets.Offer
		Connect: func(context.Context) (net.Conn, error) { return nil, gate.Refused(errWrong) },
	}
	for range 2 {
		_, err := gate.Run(context.Background(), g, login)
		var refused *gate.RefusedError
		if errors.As(err, &refused) {
			known := !refused.NextOffer().IsZero()
			fmt.Println("not offered:", refused.NotOffered(), "too soon:", refused.TooSoon(), "next offer known:", known)
		}
	}
	// Output:
	// not offered: false too soon: false next offer known: true
	// not offered: true too soon: true next offer known: true
}

// Counts provides numbers for a metric.
func ExampleGate_Counts() {
	g := gate.New(nil)
	defer g.Close()
	_, err := gate.Run(context.Background(), g, gate.Login[net.Conn]{
		Version: "v-1",
		Connect: func(context.Context) (net.Conn, error) {
			fmt.Println(g.Counts())
			return dialQueue(), nil
		},
	})
	fmt.Println(err)
	fmt.Println(g.Counts())
	// Output:
	// 1 0
	// <nil>
	// 0 0
}

// A caller whose version was refused keeps its place for the next version.
func ExampleGate_Ticket() {
	g := gate.New(nil)
	defer g.Close()
	place := g.Ticket()
	for _, version := range []string{"v-1", "v-2"} {
		conn, err := gate.Run(context.Background(), g, gate.Login[net.Conn]{
			Ticket:  place,
			Version: version,
			Connect: func(context.Context) (net.Conn, error) {
				if version == "v-1" {
					return nil, gate.Refused(errWrong)
				}
				return dialQueue(), nil
			},
		})
		fmt.Println(version, conn != nil, err != nil)
	}
	// Output:
	// v-1 false true
	// v-2 true false
}

// Call Hold as late as possible: after connecting, TLS and the greeting.
func ExampleHold() {
	login := func(ctx context.Context, password string) (net.Conn, error) {
		conn := dialQueue()
		if err := gate.Hold(ctx); err != nil { // another login was refused with it, or the caller left
			conn.Close()
			return nil, err
		}
		return conn, authenticate(conn, password)
	}
	conn, err := login(context.Background(), "new") // with the context of no login it does not wait
	fmt.Println(conn != nil, err)
	// Output: true <nil>
}

// After the verdict, a login still sets up its session. The next login need not
// wait for that.
func ExampleAccepted() {
	setUp := func(ctx context.Context, conn net.Conn, password string) error {
		if err := gate.Hold(ctx); err != nil {
			return err
		}
		if err := authenticate(conn, password); err != nil {
			return err
		}
		gate.Accepted(ctx)
		_, err := io.WriteString(io.Discard, "SET time_zone = UTC") // to conn
		return err
	}
	fmt.Println(setUp(context.Background(), dialQueue(), "new"))
	// Output: <nil>
}

// Refused marks a refusal of a version. Other errors say nothing about the version.
func ExampleRefused() {
	verdict := func(err error) error {
		if errors.Is(err, errWrong) {
			return gate.Refused(err)
		}
		return err // another version would not help
	}
	fmt.Println(verdict(nil), verdict(io.ErrUnexpectedEOF) == io.ErrUnexpectedEOF)
	fmt.Println(errors.Is(verdict(errWrong), errWrong))
	// Output:
	// <nil> true
	// true
}

// HoldDials is for client libraries that dial by themselves with a net.Dialer.
func ExampleHoldDials() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	library := func(ctx context.Context) (net.Conn, error) { // knows nothing of gates
		return new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
	}

	g := gate.New(nil)
	defer g.Close()
	conn, err := gate.Run(context.Background(), g, gate.Login[net.Conn]{
		Version: "v-1",
		Connect: func(ctx context.Context) (net.Conn, error) { return library(gate.HoldDials(ctx, false)) },
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(conn.Close())
	// Output: <nil>
}

// Postgres is for PostgreSQL clients with a hook for the network connection. In
// pgx the hook is AfterNetConnect.
func ExamplePostgres() {
	afterNetConnect := func(ctx context.Context, conn net.Conn) (net.Conn, error) {
		return gate.Postgres(ctx, conn) // ctx is that of the login
	}

	client, server := net.Pipe()
	defer server.Close()
	conn, err := afterNetConnect(context.Background(), client)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(conn == client) // in the context of no login nothing is held
	// Output: true
}
