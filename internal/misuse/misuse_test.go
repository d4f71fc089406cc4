package misuse_test

import (
	"context"
	"database/sql/driver"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/gate"
	"github.com/seed-74dc7b3e/secrets/httpcred"
	"github.com/seed-74dc7b3e/secrets/rediscred"
	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretconf"
	"github.com/seed-74dc7b3e/secrets/secretsagent"
	"github.com/seed-74dc7b3e/secrets/secretsdebug"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/signing"
	"github.com/seed-74dc7b3e/secrets/snapshotfile"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
	"github.com/seed-74dc7b3e/secrets/tlscred"
)

// said returns what fn panics with, or the error that it returns.
func said(fn func() error) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprint("panic: ", p)
		}
	}()
	return fmt.Sprint("error: ", fn())
}

func noConnector(sqlcred.Login) (driver.Connector, error) { return nil, nil }

type config struct {
	A string `secret:"a"`
}

func TestMisuse(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"a": "v"})
	c, err := secrets.New(srv.Client(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx := t.Context()
	text := secrets.Bind[string](c, "a")
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:1", nil)
	none := gate.Login[driver.Conn]{}
	id := "a"
	for _, tt := range []struct {
		want string
		fn   func() error
	}{
		{"panic: sqlcred: New: open is nil", func() error { sqlcred.New(c, "a", nil, nil); return nil }},
		{"panic: secrets: the *Client is nil", func() error { sqlcred.New(nil, "a", noConnector, nil); return nil }},
		{"panic: sqlcred: nil or zero Connector", func() error { _, err := new(sqlcred.Connector).Connect(ctx); return err }},
		{"panic: sqlcred: nil or zero Connector", func() error { return new(sqlcred.Connector).Close() }},
		{"panic: sqlcred: nil or zero Connector", func() error { new(sqlcred.Connector).Status(); return nil }},
		{"panic: secrets: nil or zero Secret", func() error { _, err := sqlcred.DecodeLogin(nil); return err }},
		{"panic: secrets: the *Client is nil", func() error { rediscred.New(nil, "a", nil); return nil }},
		{"panic: rediscred: nil or zero Dialer", func() error { _, err := new(rediscred.Dialer).DialContext(ctx, "tcp", "x"); return err }},
		{"panic: rediscred: nil or zero Dialer", func() error { _, err := new(rediscred.Dialer).Addr(ctx); return err }},
		{"panic: rediscred: nil or zero Dialer", func() error { return new(rediscred.Dialer).Close() }},
		{"panic: httpcred: New: set is nil", func() error { httpcred.New(text, nil, nil); return nil }},
		{"panic: secrets: nil or zero Ref", func() error { httpcred.New(nil, httpcred.Bearer, nil); return nil }},
		{"panic: httpcred: nil or zero Transport", func() error { _, err := new(httpcred.Transport).RoundTrip(request); return err }},
		{"panic: secrets: the *Client is nil", func() error { tlscred.New(nil, "a", nil); return nil }},
		{"panic: tlscred: nil or zero Certificate", func() error { _, err := new(tlscred.Certificate).Get(ctx); return err }},
		{"panic: tlscred: nil or zero Pool", func() error { _, err := new(tlscred.Pool).Get(ctx); return err }},
		{"panic: tlscred: ServerConfig: cert is nil", func() error { tlscred.ServerConfig(nil, nil, nil); return nil }},
		{"panic: secrets: zero Client", func() error { signing.New(&secrets.Client{}, "a", nil); return nil }},
		{"panic: signing: nil or zero Keys", func() error { _, err := new(signing.Keys).Signer(ctx); return err }},
		{"panic: signing: nil or zero Keys", func() error { return new(signing.Keys).Verify(ctx, "k", nil, nil) }},
		{"panic: signing: nil or zero Keys", func() error { _, err := new(signing.Keys).JWKS(ctx); return err }},
		{"panic: secrets: zero Client", func() error { _, err := secretconf.Bind[config](&secrets.Client{}, nil); return err }},
		{"panic: secretconf: nil or zero Config", func() error { _, err := new(secretconf.Config[config]).Get(ctx); return err }},
		{"panic: secretconf: nil or zero Config", func() error { new(secretconf.Config[config]).Watch(ctx); return nil }},
		{"panic: gate: nil or zero Gate", func() error { _, err := gate.Run(ctx, nil, none); return err }},
		{"panic: gate: nil or zero Gate", func() error { new(gate.Gate).Close(); return nil }},
		{"panic: gate: Run: Login.Connect is nil", func() error { _, err := gate.Run(ctx, gate.New(nil), none); return err }},
		{"panic: gate: Try: connect is nil", func() error {
			_, err := gate.Try[string, driver.Conn](ctx, gate.New(nil), text, nil)
			return err
		}},
		{"panic: secrets: nil or zero Ref", func() error {
			_, err := gate.Try(ctx, gate.New(nil), nil, func(context.Context, secrets.Offer[string]) (driver.Conn, error) { return nil, nil })
			return err
		}},
		{"panic: secretsagent: nil or zero Agent", func() error {
			_, err := new(secretsagent.Agent).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
			return err
		}},
		{"panic: secretsagent: nil or zero Agent", func() error { return new(secretsagent.Agent).Ping(ctx) }},
		{"error: snapshotfile: the path is empty", func() error { _, err := snapshotfile.New("").ReadSnapshot(ctx); return err }},
		{"error: snapshotfile: the path is empty", func() error { return new(snapshotfile.Store).WriteSnapshot(ctx, nil) }},
		{"panic: secrets: the *Client is nil", func() error { secretsdebug.Handler(nil, nil); return nil }},
		{"panic: secrets: zero Client", func() error { secretsdebug.Handler(&secrets.Client{}, nil); return nil }},
		{"error: rotate: Handler.API is nil", func() error { return rotate.Run(ctx, nil, "a", nil) }},
		{"error: rotate: Handler.API is a nil *secretsmanager.Client", func() error {
			return rotate.Run(ctx, (*secretsmanager.Client)(nil), "a", &rotate.SQL{})
		}},
		{"error: rotate: Handler.Rotator is a nil *rotate.SQL", func() error { return rotate.Run(ctx, srv.Client(), "a", (*rotate.SQL)(nil)) }},
	} {
		if got := said(tt.fn); !strings.HasPrefix(got, tt.want) {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
