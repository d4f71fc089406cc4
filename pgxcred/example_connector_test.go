package pgxcred_test

import (
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/pgxcred"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

const exampleConn = "host=127.0.0.1 dbname=shop sslmode=disable default_query_exec_mode=simple_protocol"

// exampleDatabase returns a fake Secrets Manager with a client, and a fake server.
func exampleDatabase() (*secretstest.Server, *secrets.Client, *server) {
	aws := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": `{"username":"app","password":"old"}`}})
	client, err := secrets.New(aws.Client(), nil)
	if err != nil {
		log.Fatal(err)
	}
	return aws, client, newServer(log.Printf, "app", "old")
}

// connected returns a connection that the connector logged in.
func connected(c *pgxcred.Connector, database *server) *pgx.Conn {
	config, err1 := pgx.ParseConfig(exampleConn)
	config.DialFunc = database.dial
	err2 := c.ConfigureConn(config)
	conn, err3 := pgx.ConnectConfig(ctx, config)
	if err := errors.Join(err1, err2, err3); err != nil {
		log.Fatal(err)
	}
	return conn
}

// The program sets its own hooks first and calls Configure last.
func ExampleConnector_Configure() {
	aws, client, database := exampleDatabase()
	defer aws.Close()
	defer client.Close()
	c := pgxcred.New(client, "prod/db", nil)
	defer c.Close()

	config, err := pgxpool.ParseConfig(exampleConn)
	if err != nil {
		log.Fatal(err)
	}
	config.ConnConfig.DialFunc = database.dial
	config.MaxConns = 10
	if err := c.Configure(config); err != nil {
		log.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	fmt.Println(pool.Ping(ctx))
	// Output: <nil>
}

// A connection that listens stays outside the pool, and shares the pool's
// knowledge of a rotation.
func ExampleConnector_ConfigureConn() {
	aws, client, database := exampleDatabase()
	defer aws.Close()
	defer client.Close()
	c := pgxcred.New(client, "prod/db", nil)
	defer c.Close()

	config, err := pgx.ParseConfig(exampleConn)
	if err != nil {
		log.Fatal(err)
	}
	config.DialFunc = database.dial
	if err := c.ConfigureConn(config); err != nil {
		log.Fatal(err)
	}
	for range 2 { // one configuration for any number of connections
		conn, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(conn.Ping(ctx), conn.Close(ctx))
	}
	// Output:
	// <nil> <nil>
	// <nil> <nil>
}

// A program closes a connection outside a pool, at a convenient moment, after
// another version of the secret has become current.
func ExampleConnector_Retired() {
	aws, client, database := exampleDatabase()
	defer aws.Close()
	defer client.Close()
	c := pgxcred.New(client, "prod/db", nil)
	defer c.Close()
	conn := connected(c, database)
	defer conn.Close(ctx)

	fmt.Println(c.Retired(conn))
	aws.Rotate("prod/db")
	if err := client.Refresh(ctx, "prod/db"); err != nil { // or a check in the background
		log.Fatal(err)
	}
	fmt.Println(c.Retired(conn))
	// Output:
	// false
	// true
}

// These settings suit a secret with custom field names and a database that blocks
// accounts.
func ExampleOptions() {
	aws, client, database := exampleDatabase()
	defer aws.Close()
	defer client.Close()
	aws.Put("legacy/db", `{"user":"app","pass":"old"}`)

	config, err := pgx.ParseConfig(exampleConn)
	if err != nil {
		log.Fatal(err)
	}
	config.DialFunc = database.dial
	err = pgxcred.ConfigureConn(config, client, "legacy/db", &pgxcred.Options{
		Keys:           sqlcred.Keys{Username: "user", Password: "pass"},
		MaxLogins:      1,
		RetriesPerHour: 5,
		MaxWait:        10 * time.Second, // as long as a request can wait for its connection
	})
	if err != nil {
		log.Fatal(err)
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		var account *sqlcred.AccountError
		if errors.As(err, &account) {
			log.Fatal("another password would not help: the account ", account.Reason)
		}
		log.Fatal(err)
	}
	fmt.Println(conn.Close(ctx))
	// Output: <nil>
}
