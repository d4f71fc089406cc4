package gate

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/seed-74dc7b3e/secrets"
)

// message is a message of PostgreSQL's protocol.
func message(kind byte, body string) string {
	return string(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))) + body
}

func request(code uint32, body string) string {
	return message('R', string(binary.BigEndian.AppendUint32(nil, code))+body)
}

const startup = "\x00\x00\x00\x08\x00\x03\x00\x00"

// The password is held, and nothing before it; the next login goes on when the
// server has accepted it. What the server sends comes in pieces of any size.
func TestPostgresHoldsThePassword(t *testing.T) {
	scram := message('p', "SCRAM-SHA-256\x00\x00\x00\x00\x05first")
	for _, test := range []struct {
		name  string
		steps []string // what the client and the server send by turns; the client begins
		held  int      // which of the client's is held
	}{
		{"cleartext", []string{startup, request(3, ""), message('p', "pw\x00"), request(0, "")}, 2},
		{"md5", []string{startup, request(5, "salt"), message('p', "md5\x00"), request(0, "")}, 2},
		{"scram", []string{startup, request(10, "SCRAM-SHA-256\x00\x00"), scram, request(11, "r=,s="), message('p', "final"), request(12, "v=") + request(0, "")}, 4},
		{"notices", []string{startup, message('N', "a notice") + request(5, "salt"), message('p', "md5\x00"), message('N', "R") + request(0, "")}, 2},
		{"token", []string{startup, request(10, "OAUTHBEARER\x00\x00"), message('p', "OAUTHBEARER\x00token"), request(0, "")}, 2},
	} {
		for _, piece := range []int{1, 3, 7, 1000} {
			t.Run(test.name, func(t *testing.T) { testPostgres(t, test.steps, test.held, piece) })
		}
	}
}

func testPostgres(t *testing.T, steps []string, held, piece int) {
	g := New(nil)
	_, err := Run(t.Context(), g, Login[net.Conn]{Version: "v1", Stage: secrets.Current, Connect: func(ctx context.Context) (net.Conn, error) {
		client, server := net.Pipe()
		conn, err := Postgres(ctx, client)
		if err != nil {
			return nil, err
		}
		for i, step := range steps {
			if i%2 == 0 {
				go io.ReadFull(server, make([]byte, len(step)))
				if _, err := conn.Write([]byte(step)); err != nil {
					return nil, err
				}
			} else {
				go server.Write([]byte(step))
				if err := readIn(conn, len(step), piece); err != nil {
					return nil, err
				}
			}
			if want := i >= held && i < len(steps)-1; (g.sender != nil) != want {
				t.Errorf("pieces of %d, step %d: is the sender: %v, want %v", piece, i, g.sender != nil, want)
			}
		}
		return conn, nil
	}})
	if err != nil {
		t.Error(err)
	}
}

func readIn(conn net.Conn, n, piece int) error {
	for n > 0 {
		got, err := conn.Read(make([]byte, min(n, piece)))
		if err != nil {
			return err
		}
		n -= got
	}
	return nil
}

// A login that is refused meanwhile does not send its password.
func TestPostgresSendsNothingWhenStopped(t *testing.T) {
	g := New(nil)
	g.sender = &pass{}
	ctx, cancel := context.WithCancel(t.Context())
	client, server := net.Pipe()
	defer server.Close()
	_, err := Run(ctx, g, Login[net.Conn]{Version: "v1", Stage: secrets.Current, Connect: func(ctx context.Context) (net.Conn, error) {
		conn, err := Postgres(ctx, client)
		if err != nil {
			return nil, err
		}
		if conn.(interface{ NetConn() net.Conn }).NetConn() != client {
			t.Error("NetConn: got another connection")
		}
		cancel()
		_, err = conn.Write([]byte(message('p', "pw\x00")))
		return nil, err
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if conn, err := Postgres(t.Context(), client); conn != client || err != nil {
		t.Error("outside a login: got another connection")
	}
}

// Where the client asks for TLS the password will be out of sight, and is held
// before that, until the login is over.
func TestPostgresHoldsBeforeTLS(t *testing.T) {
	g := New(nil)
	_, err := Run(t.Context(), g, Login[net.Conn]{Version: "v1", Stage: secrets.Current, Connect: func(ctx context.Context) (net.Conn, error) {
		client, server := net.Pipe()
		conn, err := Postgres(ctx, client)
		if err != nil {
			return nil, err
		}
		go io.Copy(io.Discard, server)
		for _, sent := range []string{"\x00\x00\x00\x08\x04\xd2\x16\x2f", "\x16\x03\x01client hello", "\x17\x03\x03secret"} {
			if _, err := conn.Write([]byte(sent)); err != nil {
				return nil, err
			}
			go server.Write([]byte(request(authenticated, "")))
			if err := readIn(conn, 9, 9); err != nil {
				return nil, err
			}
			if g.sender == nil {
				t.Errorf("after %q: not the sender", sent)
			}
		}
		return conn, nil
	}})
	if err != nil || g.sender != nil {
		t.Errorf("got %v, sender %v", err, g.sender)
	}
}

// A connection with TLS is not wrapped, and its login is held from the start.
func TestPostgresWithTLS(t *testing.T) {
	g := New(nil)
	_, err := Run(t.Context(), g, Login[net.Conn]{Version: "v1", Stage: secrets.Current, Connect: func(ctx context.Context) (net.Conn, error) {
		client, _ := net.Pipe()
		secured := tls.Client(client, &tls.Config{ServerName: "db"})
		conn, err := Postgres(ctx, secured)
		if conn != net.Conn(secured) || g.sender == nil {
			t.Errorf("got a %T, sender %v, want the connection itself and to be the sender", conn, g.sender)
		}
		return client, err
	}})
	if err != nil {
		t.Error(err)
	}
}
