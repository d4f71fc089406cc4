package pgxcred_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/pgxcred"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

var (
	ctx    = context.Background()
	client *secrets.Client
)

// A pool keeps working while the password rotates. A fake replaces AWS here, and a
// few lines of code replace the database.
func Example() {
	aws := secretstest.NewServer(nil)
	defer aws.Close()
	aws.Put("prod/db", `{"username":"app","password":"old"}`)
	database := newServer(log.Printf, "app", "old")

	client, err := secrets.New(aws.Client(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	config, err := pgxpool.ParseConfig("host=127.0.0.1 dbname=shop sslmode=disable default_query_exec_mode=simple_protocol")
	if err != nil {
		log.Fatal(err)
	}
	config.ConnConfig.DialFunc = database.dial
	if err := pgxcred.Configure(config, client, "prod/db", nil); err != nil {
		log.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	var answer string
	err = pool.QueryRow(ctx, "before").Scan(&answer)
	fmt.Println(answer, err)

	// The rotation has changed the password, and has not moved AWSCURRENT yet.
	aws.PutPending("prod/db", `{"username":"app","password":"new"}`)
	database.setPassword("app", "new")
	pool.Reset() // so that the next query takes a login

	err = pool.QueryRow(ctx, "during").Scan(&answer)
	fmt.Println(answer, err)
	fmt.Println("wrong logins:", database.refusedLogins())
	// Output:
	// before <nil>
	// during <nil>
	// wrong logins: 1
}

// Call Configure after you parse the configuration and before you make the pool.
func ExampleConfigure() {
	config, err := pgxpool.ParseConfig("host=db.internal dbname=shop sslmode=verify-full pool_max_conns=20")
	if err != nil {
		log.Fatal(err)
	}
	err = pgxcred.Configure(config, client, "prod/db", &pgxcred.Options{
		MaxLogins:           1, // the server blocks accounts after three strikes
		RetireAfterRotation: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
}

// The secret says where the server is, and logins follow it to another host. The
// configuration says how to connect.
func ExampleConfigureConn() {
	config, err := pgx.ParseConfig("host=secret sslmode=verify-full sslrootcert=/etc/rds/global-bundle.pem")
	if err != nil {
		log.Fatal(err)
	}
	err = pgxcred.ConfigureConn(config, client, "prod/db", &pgxcred.Options{ServerFromSecret: true})
	if err != nil {
		log.Fatal(err)
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close(ctx)
}

// A pool and a separate connection that listens share one Connector, and with it
// the knowledge of a rotation.
func ExampleNew() {
	c := pgxcred.New(client, "prod/db", nil)
	pool, err1 := pgxpool.ParseConfig("host=db.internal dbname=shop sslmode=verify-full")
	listener, err2 := pgx.ParseConfig("host=db.internal dbname=shop sslmode=verify-full application_name=listener")
	if err := errors.Join(err1, err2); err != nil {
		log.Fatal(err)
	}
	if err := errors.Join(c.Configure(pool), c.ConfigureConn(listener)); err != nil {
		log.Fatal(err)
	}
}

// NetConn gives access to the TLS state of a connection.
func ExampleNetConn() {
	var conn *pgx.Conn
	if c, ok := pgxcred.NetConn(conn.PgConn().Conn()).(*tls.Conn); ok {
		fmt.Println(tls.VersionName(c.ConnectionState().Version))
	}
}
