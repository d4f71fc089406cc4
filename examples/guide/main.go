// Command guide is the program of docs/getting-started.md. It reads one secret at
// start, or says why it cannot, and keeps serving it.
//
//	go run . -secret prod/db
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os/signal"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets"
)

// DBLogin is the secret's JSON object, as Amazon RDS and the rotation functions
// write it.
type DBLogin struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Host     string `json:"host"`
	Port     int    `json:"port"`
}

// Validate is asked before a version is used. One that fails it never replaces
// one that passed.
func (l DBLogin) Validate() error {
	if l.Username == "" || l.Password == "" {
		return errors.New("username and password must be set")
	}
	return nil
}

func main() {
	id := flag.String("secret", "prod/db", "name or ARN of the secret")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *id, nil); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends. It tells ready, if that is not nil, that it does.
func run(ctx context.Context, id string, ready func(DBLogin)) error {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	client, err := secrets.New(secretsmanager.NewFromConfig(cfg), nil)
	if err != nil {
		return err
	}
	defer client.Close()

	// Fail at start, not at the first request.
	login := secrets.Bind[DBLogin](client, id)
	boot, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	l, err := login.Get(boot)
	if err != nil {
		return fmt.Errorf("cannot start: %w", err)
	}
	log.Printf("connecting to %s:%d as %s", l.Host, l.Port, l.Username)
	if ready != nil {
		ready(l)
	}
	<-ctx.Done()
	return nil
}
