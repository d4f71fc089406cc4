package pgxcred_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/pgxcred"
)

// What the server says arrives with its SQLSTATE, at once, and is told once.
func TestServerErrors(t *testing.T) {
	for _, code := range []string{"3D000", "53300", "57P03"} {
		bubble(t, func(t *testing.T, r *rig) {
			r.refusal = &pgproto3.ErrorResponse{Severity: "FATAL", Code: code, Message: "go away"}
			start := time.Now()
			_, err := pgx.ConnectConfig(t.Context(), r.configured(nil))
			var connect *pgconn.ConnectError
			var server *pgconn.PgError
			if !errors.As(err, &connect) || !errors.As(err, &server) || server.Code != code {
				t.Fatalf("got %v, want a ConnectError with a PgError %s", err, code)
			}
			if connect.Config.User != "app" || connect.Config.Password != "" {
				t.Errorf("ConnectError: got user %q, password %q, want app and none", connect.Config.User, connect.Config.Password)
			}
			if n := strings.Count(err.Error(), "failed to connect"); n != 1 || !strings.Contains(err.Error(), "user=app") {
				t.Errorf("got %q, want it said once, with the user", err)
			}
			if took := time.Since(start); took != 0 {
				t.Errorf("took %v, want no wait", took)
			}
		})
	}
}

// A network error is no timeout and stays what it is.
func TestNetworkErrors(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		config := r.connConfig("")
		config.DialFunc = func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		}
		if err := pgxcred.ConfigureConn(config, r.client, secretID, nil); err != nil {
			t.Fatal(err)
		}
		_, err := pgx.ConnectConfig(t.Context(), config)
		var op *net.OpError
		var n net.Error
		if !errors.As(err, &op) || !errors.As(err, &n) || !errors.Is(err, syscall.ECONNREFUSED) || pgconn.Timeout(err) {
			t.Errorf("got %v, want the error of the network", err)
		}
	})
}

// The reason is told although the context has ended, by its deadline or
// otherwise, and pgx prefers to tell that.
func TestReasonSurvivesDeadline(t *testing.T) {
	for _, canceled := range []bool{false, true} {
		bubble(t, func(t *testing.T, r *rig) {
			r.setPassword("app", "changed by hand")
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			want := context.DeadlineExceeded
			if canceled {
				time.AfterFunc(4300*time.Millisecond, cancel) // no attempt is due then
				want = context.Canceled
			}
			_, err := pgx.ConnectConfig(ctx, r.configured(nil))
			var rejected *secrets.RejectedError
			if !errors.As(err, &rejected) || !errors.Is(err, want) {
				t.Fatalf("got %v, want a RejectedError and %v", err, want)
			}
			for _, want := range []string{"28P01", secretID, `"app" at db.example:5432`} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %s in it", err, want)
				}
			}
		})
	}
}

// No password shows in an error, whatever it is printed with.
func TestErrorsHoldNoPassword(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		secret := password(0)
		r.refusal = &pgproto3.ErrorResponse{Severity: "FATAL", Code: "XX000", Message: "no " + secret}
		_, said := pgx.ConnectConfig(t.Context(), r.configured(nil))
		r.set(func() { r.refusal = nil })
		config := r.connConfig("")
		config.DialFunc = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") }
		if err := pgxcred.ConfigureConn(config, r.client, secretID, nil); err != nil {
			t.Fatal(err)
		}
		_, dial := pgx.ConnectConfig(t.Context(), config)
		conn := r.connect(r.configured(nil))
		defer conn.Close(t.Context())
		for _, v := range []any{said, dial, conn.PgConn().Conn(), conn.Config(), config, pgxcred.New(r.client, secretID, nil)} {
			if text := fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v); strings.Contains(text, secret) {
				t.Errorf("%T: got %s", v, text)
			}
		}
		var connect *pgconn.ConnectError
		for err := dial; errors.As(err, &connect); err = connect.Unwrap() {
			if connect.Config.Password != "" {
				t.Errorf("got an error with the password in its configuration")
			}
		}
	})
}

// A host that is not preferred is not logged in to again by the outer
// connection.
func TestNotPreferred(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		config := r.connConfig("")
		tried := 0
		config.ValidateConnect = func(context.Context, *pgconn.PgConn) error {
			if tried++; tried == 1 {
				r.set(func() { r.refusal = &pgproto3.ErrorResponse{Severity: "FATAL", Code: "57P03", Message: "starting up"} })
			}
			return &pgconn.NotPreferredError{}
		}
		if err := pgxcred.ConfigureConn(config, r.client, secretID, nil); err != nil {
			t.Fatal(err)
		}
		_, err := pgx.ConnectConfig(t.Context(), config)
		var server *pgconn.PgError
		if !errors.As(err, &server) || server.Code != "57P03" || len(r.hosts) != 2 {
			t.Errorf("got %v after %d connections, want 57P03 after 2: the first, and pgx's return to it", err, len(r.hosts))
		}
	})
}

// Connections that come too late, or are broken, are closed.
func TestLateLogin(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.silent = make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		config := r.configured(nil)
		_, err := pgx.ConnectConfig(ctx, config)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer") {
			t.Errorf("got %v, want that there was no answer", err)
		}
		close(r.silent)
		time.Sleep(time.Second)
		if got := r.loginCount(); got != 1 || r.open.Load() != 0 {
			t.Errorf("got %d logins, %d connections, want the one login, and that closed", got, r.open.Load())
		}
	})
}
