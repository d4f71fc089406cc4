package sqlcred_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"log/slog"
	"strings"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
	"github.com/seed-74dc7b3e/secrets/sqlcred/sqlcredtest"
)

// exampleDatabase returns a client of a fake Secrets Manager, and a fake database.
func exampleDatabase() (*secretstest.Server, *secrets.Client, *sqlcredtest.Server) {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{
		"prod/db": `{"engine":"postgres","host":"db.internal","port":5432,"username":"app","password":"one","dbname":"shop"}`,
	}})
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	return srv, client, sqlcredtest.NewServer(map[string]string{"app": "one"})
}

// A pool keeps working while the password rotates. One fake replaces AWS here,
// and another the database.
func Example() {
	srv, client, server := exampleDatabase()
	defer srv.Close()
	defer client.Close()
	db := sql.OpenDB(sqlcred.New(client, "prod/db", server.Open, nil)) // or sqlcred.OpenDB("pgx", client, "prod/db", nil)
	defer db.Close()
	db.SetMaxIdleConns(-1) // every Ping logs in

	fmt.Println("before:", db.Ping())
	r := srv.Rotation("prod/db")
	r.SetValue(`{"engine":"postgres","username":"app","password":"two"}`)
	if err := r.Step("createSecret"); err != nil {
		log.Fatal(err)
	}
	server.SetPassword("app", "two") // setSecret: the label AWSCURRENT has not moved yet
	fmt.Println("during:", db.Ping())
	if err := r.Step("testSecret", "finishSecret"); err != nil {
		log.Fatal(err)
	}
	fmt.Println("after:", db.Ping())
	fmt.Println("wrong logins:", server.WrongLogins())
	// Output:
	// before: <nil>
	// during: <nil>
	// after: <nil>
	// wrong logins: 1
}

// Options supply what the secret lacks, and limits that suit the database.
func ExampleOptions() {
	srv, client, server := exampleDatabase()
	defer srv.Close()
	defer client.Close()
	srv.Put("legacy/db", `{"user":"app","pass":"one"}`)

	c := sqlcred.New(client, "legacy/db", server.Open, &sqlcred.Options{
		Engine:              "postgres",
		Host:                "db.internal",
		Keys:                sqlcred.Keys{Username: "user", Password: "pass"},
		MaxLogins:           1,    // at most one wrong login per rotation
		RetriesPerHour:      10,   // the server blocks accounts
		RetireAfterRotation: true, // auditors require that old passwords are unused
	})
	db := sql.OpenDB(c)
	defer db.Close()
	fmt.Println(db.Ping())
	// Output: <nil>
}

// Without database/sql, a Connector makes single connections.
func ExampleConnector_Connect() {
	srv, client, server := exampleDatabase()
	defer srv.Close()
	defer client.Close()
	c := sqlcred.New(client, "prod/db", server.Open, nil)
	defer c.Close()

	conn, err := c.Connect(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(server.Connections())
	conn.Close()
	fmt.Println(server.Connections())
	// Output:
	// 1
	// 0
}

// database/sql calls Driver. A program can call it to identify the driver.
func ExampleConnector_Driver() {
	srv, client, server := exampleDatabase()
	defer srv.Close()
	defer client.Close()
	c := sqlcred.New(client, "prod/db", server.Open, nil)
	db := sql.OpenDB(c)
	defer db.Close()

	fmt.Println(db.Driver() == c.Driver())
	// Output: true
}

// Retired is for pools with a hook that decides whether to keep a connection.
func ExampleConnector_Retired() {
	srv, client, server := exampleDatabase()
	defer srv.Close()
	defer client.Close()
	ctx := context.Background()
	var old sqlcred.Login
	c := sqlcred.New(client, "prod/db", func(l sqlcred.Login) (driver.Connector, error) {
		old = l // a pool stores it with each connection
		return server.Open(l)
	}, nil)
	defer c.Close()
	conn, err := c.Connect(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	fmt.Println(c.Retired(old))
	srv.Rotate("prod/db")
	if err := client.Refresh(ctx, "prod/db"); err != nil { // or a check in the background
		log.Fatal(err)
	}
	fmt.Println(c.Retired(old))
	// Output:
	// false
	// true
}

// Status suits a readiness probe or an operator's page: it makes no request.
func ExampleConnector_Status() {
	srv, client, server := exampleDatabase()
	defer srv.Close()
	defer client.Close()
	srv.PutPending("prod/db", `{"engine":"postgres","username":"app","password":"two"}`)
	server.SetPassword("app", "two")
	c := sqlcred.New(client, "prod/db", server.Open, nil)
	db := sql.OpenDB(c)
	defer db.Close()
	if err := db.Ping(); err != nil {
		log.Fatal(err)
	}

	st := c.Status()
	fmt.Println(st.Stage, st.Rotating, st.WrongLogins, st.UnderWay, st.Waiting)
	// Output: AWSPENDING true 1 0 0
}

// A client outside database/sql can read the secret as a Login.
func ExampleDecodeLogin() {
	srv, client, _ := exampleDatabase()
	defer srv.Close()
	defer client.Close()
	srv.Put("broken/db", `{"username":"app"}`)

	l, err := secrets.BindFunc(client, "prod/db", sqlcred.DecodeLogin).Get(context.Background())
	fmt.Println(l, err)
	_, err = secrets.BindFunc(client, "broken/db", sqlcred.DecodeLogin).Get(context.Background())
	var decode *secrets.DecodeError
	fmt.Println(errors.As(err, &decode))
	// Output:
	// postgres://app@db.internal:5432/shop <nil>
	// true
}

// IsRefused recognizes the errors after which another version is tried.
func ExampleIsRefused() {
	wrong := &sqlcredtest.RefusedError{Username: "app"} // as pgx and lib/pq: SQLSTATE 28P01
	fmt.Println(sqlcred.IsRefused(fmt.Errorf("ping: %w", wrong)))
	fmt.Println(sqlcred.IsRefused(context.DeadlineExceeded))
	fmt.Println(sqlcred.IsRefused(fs.ErrNotExist))
	// Output:
	// true
	// false
	// false
}

// A DSN contains the password: pass it to the driver only.
func ExampleLogin_DSN() {
	l := sqlcred.Login{Engine: "postgres", Host: "db.internal", Username: "app", DBName: "shop", TLS: sqlcred.TLSVerify}
	l = l.WithPassword("hunter2")
	dsn, err := l.DSN("pgx", map[string]string{"sslrootcert": "rds-ca.pem"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Contains(dsn, "verify-full"), strings.Contains(dsn, "rds-ca.pem"))

	_, err = sqlcred.Login{Username: "app"}.WithPassword("hunter2").DSN("pgx", nil)
	fmt.Println(err != nil) // there is no host
	// Output:
	// true true
	// true
}

// Some drivers take the parts of a login instead of a DSN.
func ExampleLogin_Password() {
	type config struct{ User, Addr, Passwd string }
	l := sqlcred.Login{Host: "db.internal", Port: 3306, Username: "app"}.WithPassword("hunter2")

	c := config{User: l.Username, Addr: fmt.Sprintf("%s:%d", l.Host, l.Port), Passwd: l.Password()}
	fmt.Println(c.User, c.Addr, len(c.Passwd))
	// Output: app db.internal:3306 7
}

// A test can make a login that the database refuses.
func ExampleLogin_WithPassword() {
	right := sqlcred.Login{Username: "app"}.WithPassword("one")
	wrong := right.WithPassword("guess")

	_, _, server := exampleDatabase()
	for _, l := range []sqlcred.Login{right, wrong} {
		c, err := server.Open(l)
		if err != nil {
			log.Fatal(err)
		}
		conn, err := c.Connect(context.Background())
		fmt.Println(conn != nil, sqlcred.IsRefused(err))
	}
	// Output:
	// true false
	// false true
}
