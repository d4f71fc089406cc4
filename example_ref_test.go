package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/seed-74dc7b3e/secrets"
)

// errAuth is what the database of these examples says to a wrong password.
var errAuth = errors.New("password authentication failed")

func isAuthError(err error) bool { return errors.Is(err, errAuth) }

// A handle is read as often as its value is needed. Do not keep the value.
func ExampleRef_Get() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()

	db := secrets.Bind[DBLogin](client, "prod/db")
	connect := func(ctx context.Context) (string, error) {
		login, err := db.Get(ctx)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s:%d", login.Host, login.Port), nil
	}
	fmt.Println(connect(context.Background()))
	// Output: db.internal:5432 <nil>
}

// The id goes into a program's own messages.
func ExampleRef_ID() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()

	for _, h := range []secrets.Handle{
		secrets.Bind[string](client, "prod/api-key"),
		secrets.Bind[DBLogin](client, "prod/db"),
	} {
		fmt.Println("needs", h.ID())
	}
	// Output:
	// needs prod/api-key
	// needs prod/db
}

// A code path that must not block takes what is in memory, or does without.
func ExampleRef_Peek() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	key := secrets.Bind[string](client, "prod/api-key")

	_, ok := key.Peek()
	fmt.Println(ok)
	if err := secrets.Load(context.Background(), key); err != nil {
		log.Fatal(err)
	}
	_, ok = key.Peek()
	fmt.Println(ok)
	// Output:
	// false
	// true
}

// While a rotation is outstanding, a pool opens its connections one at a time.
func ExampleRef_Rotating() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	db := secrets.Bind[DBLogin](client, "prod/db")
	if _, err := db.Get(context.Background()); err != nil {
		log.Fatal(err)
	}

	fmt.Println(db.Rotating())
	srv.PutPending("prod/db", `{"username":"app","password":"hunter3","host":"db.internal"}`)
	if err := client.Refresh(context.Background(), "prod/db"); err != nil { // or a check in the background
		log.Fatal(err)
	}
	fmt.Println(db.Rotating())
	// Output:
	// false
	// true
}

// A new version that does not validate is not served, and Status says so.
func ExampleRef_Status() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	ctx := context.Background()
	db := secrets.Bind[DBLogin](client, "prod/db")
	if _, err := db.Get(ctx); err != nil {
		log.Fatal(err)
	}
	srv.Put("prod/db", `{"username":""}`)
	if err := client.Refresh(ctx, "prod/db"); err != nil {
		log.Fatal(err)
	}

	st, _ := db.Status()
	fmt.Println(st.Serving == st.Version, len(st.Refused))
	login, err := db.Get(ctx)
	fmt.Println(login.Username, err)
	// Output:
	// false 1
	// app <nil>
}

// The pending version is not offered: the account has no right to read it.
func ExampleRef_WithTry() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	db := secrets.Bind[DBLogin](client, "prod/db").WithTry(&secrets.TryOptions{
		Stages: []string{secrets.Current, secrets.Previous},
		Wait:   -1, // do not wait for another version when all were rejected
	})

	_, err := secrets.Try(context.Background(), db, func(context.Context, DBLogin) (string, error) {
		return "", secrets.Rejected(errAuth)
	})
	var all *secrets.RejectedError
	if errors.As(err, &all) {
		for _, a := range all.Attempts {
			fmt.Println("rejected:", a.Stage)
		}
	}
	fmt.Println(errors.Is(err, errAuth))
	// Output:
	// rejected: AWSCURRENT
	// true
}

// Only the answer that the credentials are wrong is a rejection. Whatever else
// goes wrong is returned at once.
func ExampleRejected() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	errNetwork := errors.New("connection refused")
	key := secrets.Bind[string](client, "prod/api-key")

	_, err := secrets.Try(context.Background(), key, func(context.Context, string) (int, error) {
		status, err := 0, errNetwork // of a request with the key
		if status == 401 {
			return status, secrets.Rejected(errAuth)
		}
		return status, err
	})
	fmt.Println(err)
	// Output: connection refused
}

// RejectedIf asks a function that knows the errors of a driver.
func ExampleRejectedIf() {
	var rejected error
	rejected = secrets.RejectedIf(nil, isAuthError)
	fmt.Println(rejected)
	other := errors.New("connection refused")
	fmt.Println(secrets.RejectedIf(other, isAuthError) == other)
	rejected = secrets.RejectedIf(errAuth, isAuthError)
	fmt.Println(rejected != errAuth, errors.Is(rejected, errAuth))
	// Output:
	// <nil>
	// true
	// true true
}

// A use that wants to know which version it was offered, for a log line.
func ExampleTryOffer() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	srv.PutPending("prod/db", `{"username":"app","password":"hunter3","host":"db.internal"}`)

	db := secrets.Bind[DBLogin](client, "prod/db")
	host, err := secrets.TryOffer(context.Background(), db, func(_ context.Context, o secrets.Offer[DBLogin]) (string, error) {
		fmt.Println("logs in with", o.Stage)
		if o.Value.Password != "hunter3" { // what the database takes since setSecret
			return "", secrets.Rejected(errAuth)
		}
		return o.Value.Host, nil
	})
	fmt.Println(host, err)
	// Output:
	// logs in with AWSCURRENT
	// logs in with AWSPENDING
	// db.internal <nil>
}
