package secretconf_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretconf"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// Limits is the configuration of these examples.
type Limits struct {
	Token string `secret:"prod/token"`
	Rate  int    `secret:"prod/limits,json=rate"`
	Burst int    `secret:"prod/limits,json=burst"`
}

// Validate checks the struct as a whole. A struct that it refuses is not used.
func (l *Limits) Validate() error {
	if l.Burst < l.Rate {
		return errors.New("burst must not be less than rate")
	}
	return nil
}

// exampleClient returns a client of a fake Secrets Manager, both to be closed.
func exampleClient() (*secretstest.Server, *secrets.Client) {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{
		"prod/token":  "t-1",
		"prod/limits": `{"rate":10,"burst":20}`,
	}})
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	return srv, client
}

// A program calls Get at each use. The struct is consistent and never changes.
func Example() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	conf, err := secretconf.Bind[Limits](client, nil)
	if err != nil {
		log.Fatal(err) // a tag that makes no sense
	}

	ctx := context.Background()
	for range 2 {
		limits, err := conf.Get(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(limits.Rate, limits.Burst)

		srv.Put("prod/limits", `{"rate":15,"burst":30}`)
		if err := client.Refresh(ctx, "prod/limits"); err != nil { // or a check in the background
			log.Fatal(err)
		}
	}
	// Output:
	// 10 20
	// 15 30
}

// A change that Validate refuses is not used. Err reports it, for instance to a
// health check.
func ExampleConfig_Err() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	ctx := context.Background()
	conf, err := secretconf.Bind[Limits](client, nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := conf.Get(ctx); err != nil {
		log.Fatal(err)
	}

	srv.Put("prod/limits", `{"rate":50,"burst":20}`)
	if err := client.Refresh(ctx, "prod/limits"); err != nil {
		log.Fatal(err)
	}
	limits, err := conf.Get(ctx)
	fmt.Println(limits.Rate, err)
	var refused *secretconf.Error
	fmt.Println(errors.As(conf.Err(), &refused))
	// Output:
	// 10 <nil>
	// true
}

// A server is reconfigured whenever its configuration changes.
func ExampleConfig_Watch() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	conf, err := secretconf.Bind[Limits](client, nil)
	if err != nil {
		log.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for limits, err := range conf.Watch(ctx) {
		if err != nil {
			log.Print("the last configuration stays in use: ", err)
			continue
		}
		fmt.Println("at most", limits.Rate)
		if limits.Rate == 15 {
			break
		}
		srv.Put("prod/limits", `{"rate":15,"burst":30}`)
		if err := client.Refresh(ctx, "prod/limits"); err != nil { // so that the example need not wait for the TTL
			log.Fatal(err)
		}
	}
	// Output:
	// at most 10
	// at most 15
}
