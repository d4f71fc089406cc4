package secretconf_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretconf"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

func ExampleBind() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{
		"prod/db":      `{"username":"app","port":5432}`,
		"prod/api-key": "k-1",
	}})
	defer srv.Close()
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	type Config struct {
		User string `secret:"prod/db,json=username"`
		Port int    `secret:"prod/db,json=port"`
		Key  string `secret:"$API_KEY_SECRET"`
		Beta string `secret:"prod/beta,optional"`
	}
	env := map[string]string{"API_KEY_SECRET": "prod/api-key"}
	conf, err := secretconf.Bind[Config](client, &secretconf.Options{
		Getenv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }, // os.LookupEnv
	})
	if err != nil {
		log.Fatal(err)
	}
	c, err := conf.Get(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.User, c.Port, len(c.Key), c.Beta == "")
	// Output: app 5432 3 true
}

// One error names everything that is missing.
func ExampleConfig_Get() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": `{"username":"app"}`}})
	defer srv.Close()
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	type Config struct {
		User     string `secret:"prod/db,json=username"`
		Password string `secret:"prod/db,json=password"`
		Port     int    `secret:"prod/db,json=port"`
	}
	conf, err := secretconf.Bind[Config](client, nil)
	if err != nil {
		log.Fatal(err)
	}
	_, err = conf.Get(context.Background())
	if e, ok := err.(*secretconf.Error); ok {
		for _, f := range e.Fields {
			fmt.Println(f.Field, f.Err)
		}
	}
	// Output:
	// Password the secret's JSON has no such field
	// Port the secret's JSON has no such field
}
