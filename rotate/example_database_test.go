package rotate_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets/rotate"
)

// created carries out createSecret, which does not connect, and returns the new
// version.
func created(engine string, rotator rotate.Rotator) rotate.Value {
	srv := exampleSecrets()
	defer srv.Close()
	srv.Put("prod/db", `{"engine":"`+engine+`","host":"db.internal","username":"app","password":"old","masterarn":"`+srv.ARN("admin")+`"}`)
	srv.Put("admin", `{"engine":"`+engine+`","host":"db.internal","username":"root","password":"toor"}`)
	handler := rotate.Handler{API: srv.Client(), Rotator: rotator}
	event := rotate.Event{Step: rotate.CreateSecret, SecretID: "prod/db", ClientRequestToken: srv.Rotation("prod/db").Start()}
	if err := handler.Handle(context.Background(), event); err != nil {
		log.Fatal(err)
	}
	id := "prod/db"
	out, err := srv.Client().GetSecretValue(context.Background(),
		&secretsmanager.GetSecretValueInput{SecretId: &id, VersionId: &event.ClientRequestToken})
	if err != nil {
		log.Fatal(err)
	}
	return rotate.Text(*out.SecretString)
}

// unconnected is an OpenFunc, as rotate.Driver("pgx", nil) is one.
var unconnected = new(fakeDB).open

// In PostgreSQL two users alternate. The password of the current user never
// changes.
func ExamplePostgres() {
	v := created("postgres", rotate.Postgres(unconnected, &rotate.SQLOptions{Alternating: true, SetRole: true}))
	user, err := v.Field("username")
	fmt.Println(user, err)
	// Output: app_clone <nil>
}

// MySQL keeps the old password beside the new one, until the next rotation.
func ExampleMySQL() {
	v := created("mysql", rotate.MySQL(unconnected, &rotate.SQLOptions{
		TwoPasswords: true,
		Password:     rotate.Password{Length: 24},
	}))
	user, err1 := v.Field("username")
	password, err2 := v.Field("password")
	fmt.Println(user, len(password), errors.Join(err1, err2))
	// Output: app 24 <nil>
}

// A login of SQL Server changes its own password.
func ExampleSQLServer() {
	open := unconnected // rotate.Driver("sqlserver", url.Values{"certificate": {"rds-ca.pem"}})
	v := created("sqlserver", rotate.SQLServer(open, nil))
	password, err := v.Field("password")
	fmt.Println(len(password), err)
	// Output: 32 <nil>
}

// A profile with PASSWORD_ROLLOVER_TIME lets both passwords log in for a while.
func ExampleOracle() {
	v := created("oracle", rotate.Oracle(unconnected, &rotate.SQLOptions{Password: rotate.Password{Length: 30, ExcludePunctuation: true}}))
	password, err := v.Field("password")
	fmt.Println(len(password), err)
	// Output: 30 <nil>
}

// A secret that Redshift manages has no host. Complete adds it.
func ExampleRedshift() {
	v := created("redshift", rotate.Redshift(unconnected, &rotate.SQLOptions{
		Complete: func(_ context.Context, secretID string, l rotate.Login) (rotate.Login, error) {
			if l.Host == "" {
				l.Host, l.Port = "shop.abc.eu-central-1.redshift.amazonaws.com", 5439
			}
			return l, nil
		},
	}))
	password, err := v.Field("password")
	fmt.Println(len(password), err)
	// Output: 32 <nil>
}

// The driver must be imported. createSecret checks this before anything is
// changed.
func ExampleDriver() {
	open := rotate.Driver("not imported", nil)
	_, err := open(rotate.Login{Engine: "postgres", Host: "db.internal", Username: "app"}.WithPassword("hunter2"))
	fmt.Println(err != nil)
	// Output: true
}

// IsRejected tells which driver errors mean that the password is wrong.
func ExampleIsRejected() {
	fmt.Println(rotate.IsRejected(fmt.Errorf("connect: %w", stateError("28P01")))) // as pgx and lib/pq report it
	fmt.Println(rotate.IsRejected(&MySQLError{Number: 1045}))
	fmt.Println(rotate.IsRejected(&MySQLError{Number: 3118})) // the account is locked
	fmt.Println(rotate.IsRejected(context.DeadlineExceeded))
	// Output:
	// true
	// true
	// false
	// false
}

// An OpenFunc gets a Login with the password, and a Login prints without it.
func ExampleLogin() {
	l := rotate.Login{Engine: "postgres", Host: "db.internal", Port: 5432, Username: "app", Database: "shop"}
	l = l.WithPassword("hunter2")
	fmt.Println(l)
	fmt.Println(len(l.Password()))
	// Output:
	// login at db.internal:5432/shop
	// 7
}

// The password goes to the driver, and nowhere else.
func ExampleLogin_Password() {
	connect := func(user, password string) string { return user + " " + fmt.Sprint(password != "") }
	l := rotate.Login{Username: "app"}.WithPassword("hunter2")
	fmt.Println(connect(l.Username, l.Password()))
	// Output: app true
}

// WithPassword does not change the original Login.
func ExampleLogin_WithPassword() {
	old := rotate.Login{Username: "app"}.WithPassword("old")
	next := old.WithPassword("next one")
	fmt.Println(len(old.Password()), len(next.Password()))
	// Output: 3 8
}

// TLS is used and verified unless the secret has "ssl": false.
func ExampleLogin_PostgresURL() {
	l := rotate.Login{Host: "db.internal", Port: 5432, Username: "app", Database: "shop"}.WithPassword("p@ss/word")
	u, err := url.Parse(l.PostgresURL(url.Values{"sslrootcert": {"rds-ca.pem"}}))
	if err != nil {
		log.Fatal("the connection string does not parse") // err would quote it
	}
	fmt.Println(u.Host, u.Path, u.Query())
	// Output: db.internal:5432 /shop map[sslmode:[verify-full] sslrootcert:[rds-ca.pem]]
}

// The name of a TLS configuration that is registered with the driver replaces the
// default.
func ExampleLogin_MySQLDSN() {
	l := rotate.Login{Host: "db.internal", Port: 3306, Username: "app", Database: "shop"}
	fmt.Println(l.MySQLDSN(nil))
	fmt.Println(l.MySQLDSN(url.Values{"tls": {"rds"}}))
	// Output:
	// app:@tcp(db.internal:3306)/shop?tls=true
	// app:@tcp(db.internal:3306)/shop?tls=rds
}
