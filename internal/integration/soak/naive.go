package main

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// naive is a connector with the policy that most programs have: the secret is
// kept; when the login is refused it is read again, once, and the login tried
// again, once.
type naive struct {
	api     *secretsmanager.Client
	server  *dbserver.Server
	backend *backend

	mu   sync.Mutex // guards kept
	kept *login     // nil before the first Connect
}

func newNaive(r *run) (driver.Connector, func() error, error) {
	n := &naive{
		api:    r.fake.ClientFor(secretstest.Identity{ARN: appARN}),
		server: r.seen, backend: r.backend,
	}
	return n, func() error { return nil }, nil
}

// Connect implements driver.Connector.
func (n *naive) Connect(ctx context.Context) (driver.Conn, error) {
	l, err := n.login(ctx, false)
	if err != nil {
		return nil, err
	}
	conn, err := n.dial(ctx, l)
	if err == nil || !n.backend.refused(err) {
		return conn, err
	}
	if l, err = n.login(ctx, true); err != nil {
		return nil, err
	}
	return n.dial(ctx, l)
}

func (n *naive) dial(ctx context.Context, l *login) (driver.Conn, error) {
	connector, err := n.backend.open(n.server, l.Username, l.Password)
	if err != nil {
		return nil, err
	}
	return connector.Connect(ctx)
}

// login returns the login that is kept, or reads it if there is none or it
// has to be fresh.
func (n *naive) login(ctx context.Context, fresh bool) (*login, error) {
	n.mu.Lock()
	kept := n.kept
	n.mu.Unlock()
	if kept != nil && !fresh {
		return kept, nil
	}
	out, err := n.api.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(secretID)})
	if err != nil {
		return nil, err
	}
	l := new(login)
	if err := json.Unmarshal([]byte(*out.SecretString), l); err != nil {
		return nil, err
	}
	n.mu.Lock()
	n.kept = l
	n.mu.Unlock()
	return l, nil
}

// Driver implements driver.Connector. Nobody asks for it.
func (n *naive) Driver() driver.Driver { return nil }
