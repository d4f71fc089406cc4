package sqlcred_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

var (
	awsClient *secretsmanager.Client // of the program's AWS configuration
	ctx       context.Context
)

// The secret says where the database is, and a driver is registered.
func ExampleOpenDB() {
	client, err := secrets.New(awsClient, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	db, err := sqlcred.OpenDB("pgx", client, "prod/db", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if err := db.PingContext(ctx); err != nil {
		log.Fatal(err)
	}
}

// A secret that Amazon RDS manages contains only a user name and a password.
func ExampleOpenDB_managed() {
	client, err := secrets.New(awsClient, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	db, err := sqlcred.OpenDB("mysql", client, "rds!cluster-4711", &sqlcred.Options{
		Host:   "shop.cluster-abc.eu-central-1.rds.amazonaws.com",
		DBName: "shop",
		Params: map[string]string{"tls": "rds"}, // registered with the driver
	})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
}

// The open function makes a driver's connector for each version of the secret.
func ExampleNew() {
	srv, client, server := exampleDatabase()
	defer srv.Close()
	defer client.Close()
	open := func(l sqlcred.Login) (driver.Connector, error) {
		if _, err := l.DSN("postgres", nil); err != nil {
			return nil, err
		}
		return server.Open(l) // pq.NewConnector(dsn), for instance
	}
	// One login at a time: the server blocks accounts after three wrong logins.
	db := sql.OpenDB(sqlcred.New(client, "prod/db", open, &sqlcred.Options{MaxLogins: 1}))
	defer db.Close()
	fmt.Println(db.Ping())
	// Output: <nil>
}

// DriverConn gives access to the driver's own connection, with and without
// Options.RetireAfterRotation.
func ExampleDriverConn() {
	srv, client, server := exampleDatabase()
	defer srv.Close()
	defer client.Close()
	for _, retire := range []bool{false, true} {
		db := sql.OpenDB(sqlcred.New(client, "prod/db", server.Open, &sqlcred.Options{RetireAfterRotation: retire}))
		defer db.Close()
		conn, err := db.Conn(context.Background())
		if err != nil {
			log.Fatal(err)
		}
		err = conn.Raw(func(driverConn any) error {
			_, ok := sqlcred.DriverConn(driverConn).(driver.QueryerContext) // with pgx: *stdlib.Conn
			fmt.Println(ok)
			return nil
		})
		if err != nil {
			log.Fatal(err)
		}
		conn.Close()
	}
	// Output:
	// true
	// true
}

// A Login does not show its password.
func ExampleLogin() {
	var l sqlcred.Login
	secret := `{"engine":"postgres","host":"db.example","port":5432,"username":"app","password":"hunter2","dbname":"shop"}`
	if err := json.Unmarshal([]byte(secret), &l); err != nil {
		log.Fatal(err)
	}
	fmt.Println(l)
	fmt.Printf("%#v\n", l)
	text, err := json.Marshal(struct{ Login sqlcred.Login }{l})
	fmt.Println(string(text), err)
	fmt.Println(len(l.Password()))
	// Output:
	// postgres://app@db.example:5432/shop
	// sqlcred.Login("postgres://app@db.example:5432/shop")
	// {"Login":{"engine":"postgres","host":"db.example","port":5432,"username":"app","dbname":"shop"}} <nil>
	// 7
}
