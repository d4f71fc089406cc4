package sqlcredtest_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
	"github.com/seed-74dc7b3e/secrets/sqlcred/sqlcredtest"
)

// login logs in at the server and returns the connection.
func login(server *sqlcredtest.Server, user, password string) (driver.Conn, error) {
	c, err := server.Open(sqlcred.Login{Username: user}.WithPassword(password))
	if err != nil {
		return nil, err
	}
	return c.Connect(context.Background())
}

func ExampleNewServer() {
	server := sqlcredtest.NewServer(map[string]string{"app": "one", "reports": "two"})
	for _, password := range []string{"one", "two"} {
		_, err := login(server, "app", password)
		fmt.Println(err == nil)
	}
	// Output:
	// true
	// false
}

// The program under test uses the fake database.
func ExampleServer_Open() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": `{"username":"app","password":"one"}`}})
	defer srv.Close()
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	server := sqlcredtest.NewServer(map[string]string{"app": "one"})

	db := sql.OpenDB(sqlcred.New(client, "prod/db", server.Open, nil))
	defer db.Close()
	fmt.Println(db.Ping())
	// Output: <nil>
}

// SetAnswer answers the queries of the program.
func ExampleServer_SetAnswer() {
	server := sqlcredtest.NewServer(map[string]string{"app": "one"})
	server.SetAnswer(func(_ context.Context, query string, args []driver.NamedValue) ([]string, [][]driver.Value, error) {
		if query != "SELECT name FROM customers WHERE id = $1" {
			return nil, nil, errors.New("unexpected: " + query)
		}
		return []string{"name"}, [][]driver.Value{{fmt.Sprint("customer ", args[0].Value)}}, nil
	})
	c, err := server.Open(sqlcred.Login{Username: "app"}.WithPassword("one"))
	if err != nil {
		log.Fatal(err)
	}
	db := sql.OpenDB(c)
	defer db.Close()

	var name string
	err = db.QueryRow("SELECT name FROM customers WHERE id = $1", 7).Scan(&name)
	fmt.Println(name, err)
	// Output: customer 7 <nil>
}

// SetPassword acts like setSecret in a rotation: open connections stay open, and
// the old password becomes wrong.
func ExampleServer_SetPassword() {
	server := sqlcredtest.NewServer(map[string]string{"app": "one"})
	conn, err := login(server, "app", "one")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	server.SetPassword("app", "two")
	_, err = login(server, "app", "one")
	fmt.Println(sqlcred.IsRefused(err), server.Connections())
	// Output: true 1
}

// RemoveUser acts like a rotation function that drops a user.
func ExampleServer_RemoveUser() {
	server := sqlcredtest.NewServer(map[string]string{"app": "one"})
	server.RemoveUser("app")
	_, err := login(server, "app", "one")
	fmt.Println(sqlcred.IsRefused(err))
	// Output: true
}

// During an outage of the database, no other password is tried.
func ExampleServer_SetDown() {
	server := sqlcredtest.NewServer(map[string]string{"app": "one"})
	server.SetDown(true)
	_, err := login(server, "app", "one")
	fmt.Println(err != nil, sqlcred.IsRefused(err))
	server.SetDown(false)
	_, err = login(server, "app", "one")
	fmt.Println(err)
	// Output:
	// true false
	// <nil>
}

// The password is right, but the server reports another failure.
func ExampleServer_SetFailure() {
	server := sqlcredtest.NewServer(map[string]string{"app": "one"})
	server.SetFailure(errors.New("too many connections"))
	_, err := login(server, "app", "one")
	fmt.Println(err)
	server.SetFailure(nil)
	_, err = login(server, "app", "one")
	fmt.Println(err)
	// Output:
	// too many connections
	// <nil>
}

// A slow login tests a program's deadlines. In a synctest bubble it can take an
// hour.
func ExampleServer_SetLatency() {
	server := sqlcredtest.NewServer(map[string]string{"app": "one"})
	server.SetLatency(time.Hour)
	c, err := server.Open(sqlcred.Login{Username: "app"}.WithPassword("one"))
	if err != nil {
		log.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err = c.Connect(ctx)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}

// Connections shows whether a program reuses connections and closes them.
func ExampleServer_Connections() {
	server := sqlcredtest.NewServer(map[string]string{"app": "one"})
	c, err := server.Open(sqlcred.Login{Username: "app"}.WithPassword("one"))
	if err != nil {
		log.Fatal(err)
	}
	db := sql.OpenDB(c)
	for range 3 {
		if err := db.Ping(); err != nil {
			log.Fatal(err)
		}
	}

	fmt.Println(server.Connections(), server.Logins())
	db.Close()
	fmt.Println(server.Connections())
	// Output:
	// 1 1
	// 0
}

// Logins shows how often the program logged in.
func ExampleServer_Logins() {
	server := sqlcredtest.NewServer(map[string]string{"app": "one"})
	for range 3 {
		conn, err := login(server, "app", "one")
		if err != nil {
			log.Fatal(err)
		}
		conn.Close()
	}
	fmt.Println(server.Logins(), server.WrongLogins())
	// Output: 3 0
}

// WrongLogins counts like a database that blocks accounts.
func ExampleServer_WrongLogins() {
	server := sqlcredtest.NewServer(map[string]string{"app": "one"})
	for _, password := range []string{"two", "three"} {
		if _, err := login(server, "app", password); err == nil {
			log.Fatal("a wrong password was accepted")
		}
	}
	fmt.Println(server.Logins(), server.WrongLogins())
	// Output: 0 2
}

// A program that looks for the SQLSTATE of its driver's errors finds one here too.
func ExampleRefusedError_SQLState() {
	server := sqlcredtest.NewServer(nil)
	_, err := login(server, "app", "one")
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		fmt.Println(state.SQLState())
	}
	refused := &sqlcredtest.RefusedError{Username: "app"}
	fmt.Println(refused.SQLState())
	// Output:
	// 28P01
	// 28P01
}
