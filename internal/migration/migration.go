// Package migration runs what programs do with AWS's caching client for Go, as its
// published source behaves, and with package secrets, on the same fake service,
// and prints where they differ. Command examples/migration shows the table;
// docs/migration.md holds it, and a test keeps it current.
package migration

import (
	"context"
	"log/slog"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A cache is what both clients can do.
type cache interface {
	text(ctx context.Context, id, stage string) (string, error)
	bytes(ctx context.Context, id string) ([]byte, error)
	close()
}

// ours is package secrets, with default options.
type ours struct{ *secrets.Client }

func newOurs(api *secretsmanager.Client) (ours, error) {
	c, err := secrets.New(api, &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	return ours{c}, err
}

func (c ours) text(ctx context.Context, id, stage string) (string, error) {
	if stage == secrets.Current {
		return secrets.Get[string](ctx, c.Client, id)
	}
	s, err := c.GetVersion(ctx, id, secrets.Stage(stage))
	if err != nil {
		return "", err
	}
	return s.Text()
}

func (c ours) bytes(ctx context.Context, id string) ([]byte, error) {
	return secrets.Get[[]byte](ctx, c.Client, id)
}

func (c ours) close() { c.Close() }

// Table returns the differences as a table. Each cell is filled within a call of
// bubble, which has to run its argument with a clock that can be waited for, that
// of testing/synctest.
func Table(bubble func(func())) string {
	var b strings.Builder
	b.WriteString("| what a program does | AWS's caching client | package secrets |\n| --- | --- | --- |\n")
	for _, s := range scenarios {
		b.WriteString("| " + s.what)
		for _, ofOurs := range []bool{false, true} {
			var cell string
			bubble(func() { cell = s.play(ofOurs) })
			b.WriteString(" | " + cell)
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

// play runs a scenario with one of the clients, on a service of its own.
func (s scenario) play(ofOurs bool) string {
	srv := secretstest.NewServer(nil)
	defer srv.Close()
	srv.Put(login, oldLogin)
	var c cache = newPeer(srv.Client())
	if ofOurs {
		client, err := newOurs(srv.Client())
		if err != nil {
			return err.Error()
		}
		c = client
	}
	defer c.close()
	return s.run(&stage{srv: srv, cache: c})
}
