package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	mrand "math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
)

// strategy is a way to rotate.
type strategy struct {
	name  string
	users []string // take turns
	// overlaps says that some login works at every moment for a client that
	// reads the secret now and then: none has to have a wrong password.
	overlaps bool
}

var strategies = []strategy{
	{name: "single-user", users: []string{"app"}},
	{name: "alternating-users", users: []string{"app", "app_clone"}, overlaps: true},
}

// login is the value of the secret.
type login struct {
	Engine   string `json:"engine"`
	Host     string `json:"host"`
	Port     int    `json:"port"`
	Username string `json:"username"`
	Password string `json:"password"`
	DBName   string `json:"dbname"`
	SSL      bool   `json:"ssl"`
}

func newLogin(s *dbserver.Server, user string) login {
	return login{
		Engine: s.Engine, Host: s.Host, Port: s.Port, DBName: s.Database,
		Username: user, Password: rand.Text(),
	}
}

func (l login) text() *string {
	text, err := json.Marshal(l)
	if err != nil {
		panic(err) // it has no field that could fail
	}
	return aws.String(string(text))
}

const secretID = "prod/db"

// rotator rotates the secret step by step, with the window of each rotation
// held open.
type rotator struct {
	api      *secretsmanager.Client
	server   *dbserver.Server
	admin    *sql.DB
	backend  *backend
	strategy *strategy
	window   time.Duration // of the longest rotation

	turn    int    // which user's password was made last
	current string // version id
}

// create makes the users, and the secret with the login of the first.
func (r *rotator) create(ctx context.Context) error {
	for _, user := range r.strategy.users[1:] {
		if err := r.createUser(ctx, newLogin(r.server, user)); err != nil {
			return err
		}
	}
	l := newLogin(r.server, r.strategy.users[0])
	if err := r.createUser(ctx, l); err != nil {
		return err
	}
	out, err := r.api.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String(secretID), SecretString: l.text(),
	})
	if err != nil {
		return err
	}
	r.current = *out.VersionId
	return nil
}

func (r *rotator) createUser(ctx context.Context, l login) error {
	if _, err := r.admin.ExecContext(ctx, fmt.Sprintf(r.backend.createUser, l.Username, l.Password)); err != nil {
		return err
	}
	if r.backend.grant == "" {
		return nil
	}
	_, err := r.admin.ExecContext(ctx, fmt.Sprintf(r.backend.grant, l.Username))
	return err
}

// rotate does one rotation.
func (r *rotator) rotate(ctx context.Context) error {
	// createSecret
	r.turn = (r.turn + 1) % len(r.strategy.users)
	next := newLogin(r.server, r.strategy.users[r.turn])
	out, err := r.api.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: aws.String(secretID), SecretString: next.text(), VersionStages: []string{"AWSPENDING"},
	})
	if err != nil {
		return fmt.Errorf("createSecret: %w", err)
	}
	// setSecret
	if _, err := r.admin.ExecContext(ctx, fmt.Sprintf(r.backend.setPassword, next.Username, next.Password)); err != nil {
		return fmt.Errorf("setSecret: %w", err)
	}
	// testSecret takes no time here. The window is open.
	if err := sleep(ctx, mrand.N(r.window+1)); err != nil {
		return err
	}
	// finishSecret
	_, err = r.api.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: aws.String(secretID), VersionStage: aws.String("AWSCURRENT"),
		MoveToVersionId: out.VersionId, RemoveFromVersionId: aws.String(r.current),
	})
	if err != nil {
		return fmt.Errorf("finishSecret: %w", err)
	}
	r.current = *out.VersionId
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
