package sqlcred_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
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

// A secret that Amazon RDS manages holds a user name and a password.
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

// A driver's own connector is made of each version of the secret.
func ExampleNew() {
	client, err := secrets.New(awsClient, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	open := func(l sqlcred.Login) (driver.Connector, error) {
		dsn, err := l.DSN("postgres", nil)
		if err != nil {
			return nil, err
		}
		return newConnector(dsn) // pq.NewConnector, for instance
	}
	// One login at a time: the server blocks accounts after three strikes.
	db := sql.OpenDB(sqlcred.New(client, "prod/db", open, &sqlcred.Options{MaxLogins: 1}))
	defer db.Close()
}

// What a driver offers beyond database/sql is available with and without
// Options.RetireAfterRotation.
func ExampleDriverConn() {
	var conn *sql.Conn // of a database that was opened with a connector
	err := conn.Raw(func(driverConn any) error {
		c, ok := sqlcred.DriverConn(driverConn).(interface{ CopyIn() error })
		if !ok {
			return errors.New("another driver")
		}
		return c.CopyIn()
	})
	if err != nil {
		log.Fatal(err)
	}
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

func newConnector(string) (driver.Connector, error) {
	return nil, errors.New("not part of the example")
}
