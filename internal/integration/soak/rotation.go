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
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// strategy is a way to rotate.
type strategy struct {
	name string
	// overlaps says that some login works at every moment for a client that
	// reads the secret now and then: none has to have a wrong password.
	overlaps bool
}

var strategies = []strategy{
	{name: "single-user"},
	{name: "alternating-users", overlaps: true},
}

// users are those that take turns: a user and, with alternating users, the clone.
func (s *strategy) users(user string) []string {
	if s.overlaps {
		return []string{user, user + "_clone"}
	}
	return []string{user}
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
	Master   string `json:"masterarn,omitempty"`
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

// rotator rotates the secret.
type rotator interface {
	// create makes the users and the secret.
	create(context.Context) error
	// rotate does one rotation.
	rotate(context.Context) error
	// wrongLogins is how many logins of the rotations themselves were refused.
	wrongLogins() int
}

// site is what a rotation works on.
type site struct {
	fake     *secretstest.Server
	api      *secretsmanager.Client
	server   *dbserver.Server
	bouncer  *dbserver.Bouncer // in front of it; nil: there is none
	admin    *sql.DB
	backend  *backend
	strategy *strategy
	users    []string
	window   time.Duration // between setSecret and finishSecret, at most
}

func (s *site) createUser(ctx context.Context, l login) error {
	if _, err := s.admin.ExecContext(ctx, fmt.Sprintf(s.backend.createUser, l.Username, l.Password)); err != nil {
		return err
	}
	if err := s.tellBouncer(l); err != nil || s.backend.grant == "" {
		return err
	}
	_, err := s.admin.ExecContext(ctx, fmt.Sprintf(s.backend.grant, l.Username))
	return err
}

// tellBouncer lets the bouncer know a password that the server has.
func (s *site) tellBouncer(l login) error {
	if s.bouncer == nil {
		return nil
	}
	return s.bouncer.SetPassword(l.Username, l.Password)
}

func (s *site) createSecret(ctx context.Context, name string, l login) (*secretsmanager.CreateSecretOutput, error) {
	return s.api.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String(name), SecretString: l.text()})
}

// holdOpen lets the window be open for a while.
func (s *site) holdOpen(ctx context.Context) error { return sleep(ctx, mrand.N(s.window+1)) }

// byHand rotates step by step, with statements and calls of its own.
type byHand struct {
	*site
	turn    int    // which user's password was made last
	current string // version id
}

func newByHand(s *site) rotator { return &byHand{site: s} }

func (r *byHand) create(ctx context.Context) error {
	for _, user := range r.users[1:] {
		if err := r.createUser(ctx, newLogin(r.server, user)); err != nil {
			return err
		}
	}
	l := newLogin(r.server, r.users[0])
	if err := r.createUser(ctx, l); err != nil {
		return err
	}
	out, err := r.createSecret(ctx, secretID, l)
	if err == nil {
		r.current = *out.VersionId
	}
	return err
}

func (r *byHand) rotate(ctx context.Context) error {
	pending, err := r.setSecret(ctx)
	if err != nil {
		return err
	}
	if err := r.holdOpen(ctx); err != nil {
		return err
	}
	return r.finishSecret(ctx, pending)
}

// setSecret goes as far as to the step of that name and returns the version
// that is pending.
func (r *byHand) setSecret(ctx context.Context) (string, error) {
	// The service makes the version first; its value comes with createSecret.
	pending := r.fake.PutEmptyPending(secretID)
	if err := sleep(ctx, mrand.N(10*time.Millisecond)); err != nil {
		return "", err
	}
	r.turn = (r.turn + 1) % len(r.users)
	next := newLogin(r.server, r.users[r.turn])
	_, err := r.api.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: aws.String(secretID), ClientRequestToken: aws.String(pending),
		SecretString: next.text(), VersionStages: []string{"AWSPENDING"},
	})
	if err != nil {
		return "", fmt.Errorf("createSecret: %w", err)
	}
	if _, err := r.admin.ExecContext(ctx, fmt.Sprintf(r.backend.setPassword, next.Username, next.Password)); err != nil {
		return "", fmt.Errorf("setSecret: %w", err)
	}
	if err := r.tellBouncer(next); err != nil {
		return "", err
	}
	return pending, nil
}

func (r *byHand) finishSecret(ctx context.Context, pending string) error {
	if err := finish(ctx, r.api, pending, r.current); err != nil {
		return err
	}
	r.current = pending
	return nil
}

// finish moves AWSCURRENT to the pending version.
func finish(ctx context.Context, api *secretsmanager.Client, pending, current string) error {
	_, err := api.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: aws.String(secretID), VersionStage: aws.String("AWSCURRENT"),
		MoveToVersionId: aws.String(pending), RemoveFromVersionId: aws.String(current),
	})
	if err != nil {
		return fmt.Errorf("finishSecret: %w", err)
	}
	return nil
}

func (r *byHand) wrongLogins() int { return 0 }

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
