package secrets_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// The examples read from a fake. Against AWS the API is
// secretsmanager.NewFromConfig(cfg).
func exampleServer() (*secretstest.Server, *secrets.Options) {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{
		"prod/api-key":  "k-123",
		"prod/db":       `{"username":"app","password":"hunter2","host":"db.internal","port":5432}`,
		"prod/upstream": "https://up.internal:8443/v2",
		"hmac-key":      "first key",
	}})
	return srv, &secrets.Options{Logger: slog.New(slog.DiscardHandler)}
}

type DBLogin struct {
	Username string
	Password string
	Host     string
	Port     int
}

// Validate refuses a login that cannot work; the last good version stays in use.
func (l DBLogin) Validate() error {
	if l.Username == "" || l.Host == "" {
		return errors.New("username and host must be set")
	}
	return nil
}

func ExampleNew() {
	srv, opts := exampleServer()
	defer srv.Close()

	opts.TTL = time.Minute
	client, err := secrets.New(srv.Client(), opts)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	s, err := client.Get(context.Background(), "prod/api-key")
	if err != nil {
		log.Fatal(err)
	}
	text, err := s.Text() // only Text and Bytes give the value
	fmt.Println(len(text), err)
	fmt.Println(s.Name(), s.Stages())

	_, err = client.Get(context.Background(), "prod/unknown")
	var missing *types.ResourceNotFoundException // the SDK's own types
	fmt.Println(errors.As(err, &missing))
	// Output:
	// 5 <nil>
	// prod/api-key [AWSCURRENT]
	// true
}

func ExampleGet() {
	srv, opts := exampleServer()
	defer srv.Close()
	client, err := secrets.New(srv.Client(), opts)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	ctx := context.Background()
	key, err := secrets.Get[string](ctx, client, "prod/api-key")
	fmt.Println(len(key), err)
	login, err := secrets.Get[DBLogin](ctx, client, "prod/db")
	fmt.Println(login.Username, login.Host, login.Port, err)
	// Output:
	// 5 <nil>
	// app db.internal 5432 <nil>
}

func ExampleBind() {
	srv, opts := exampleServer()
	defer srv.Close()
	client, err := secrets.New(srv.Client(), opts)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	login := secrets.Bind[DBLogin](client, "prod/db") // made once, at the program's start
	for range 3 {
		l, err := login.Get(context.Background()) // as often as it is needed
		fmt.Println(l.Username, err)
	}
	st := client.Stats()
	fmt.Println(st.Hits, "hits,", st.Calls(), "call")
	// Output:
	// app <nil>
	// app <nil>
	// app <nil>
	// 2 hits, 1 call
}

func ExampleBindFunc() {
	srv, opts := exampleServer()
	defer srv.Close()
	client, err := secrets.New(srv.Client(), opts)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	upstream := secrets.BindFunc(client, "prod/upstream", func(s *secrets.Secret) (*url.URL, error) {
		text, err := s.Text()
		if err != nil {
			return nil, err
		}
		return url.Parse(text) // its error would quote the text; it is not shown
	})
	u, err := upstream.Get(context.Background())
	fmt.Println(u.Port(), err)
	// Output: 8443 <nil>
}

func ExampleTry() {
	srv, opts := exampleServer()
	defer srv.Close()
	client, err := secrets.New(srv.Client(), opts)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	// A rotation has changed the password in the database. The version that
	// has it is still pending.
	srv.PutPending("prod/db", `{"username":"app","password":"hunter3","host":"db.internal","port":5432}`)
	errAuth := errors.New("password authentication failed")
	dial := func(l DBLogin) (string, error) {
		if l.Password != "hunter3" {
			return "", errAuth
		}
		return "connection of " + l.Username, nil
	}

	login := secrets.Bind[DBLogin](client, "prod/db")
	for range 2 {
		conn, err := secrets.Try(context.Background(), login, func(_ context.Context, l DBLogin) (string, error) {
			fmt.Println("dial")
			conn, err := dial(l)
			return conn, secrets.RejectedIf(err, func(err error) bool { return errors.Is(err, errAuth) })
		})
		fmt.Println(conn, err)
	}
	// Output:
	// dial
	// dial
	// connection of app <nil>
	// dial
	// connection of app <nil>
}

func ExampleClient_GetVersion() {
	srv, opts := exampleServer()
	defer srv.Close()
	client, err := secrets.New(srv.Client(), opts)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	srv.Put("prod/api-key", "k-456")
	ctx := context.Background()
	old, err := client.GetVersion(ctx, "prod/api-key", secrets.Stage(secrets.Previous))
	if err != nil {
		log.Fatal(err)
	}
	same, err := client.GetVersion(ctx, "prod/api-key", secrets.VersionID(old.VersionID()))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(old.Stages(), same.VersionID() == old.VersionID())
	// Output: [AWSPREVIOUS] true
}

// A verifier accepts signatures of all keys that are in use: for a while after
// a rotation others still sign with the one before.
func ExampleClient_Versions() {
	srv, opts := exampleServer()
	defer srv.Close()
	client, err := secrets.New(srv.Client(), opts)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	sign := func(key []byte, message string) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(message))
		return mac.Sum(nil)
	}
	signature := sign([]byte("first key"), "message")
	srv.Put("hmac-key", "second key")

	keys, err := client.Versions(context.Background(), "hmac-key")
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range keys {
		ok := subtle.ConstantTimeCompare(sign(key.Bytes(), "message"), signature) == 1
		fmt.Println(key.Stages(), ok)
	}
	// Output:
	// [AWSCURRENT] false
	// [AWSPREVIOUS] true
}

func ExampleRef_Watch() {
	srv, opts := exampleServer()
	defer srv.Close()
	client, err := secrets.New(srv.Client(), opts)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for key, err := range secrets.Bind[string](client, "prod/api-key").Watch(ctx) {
		if err != nil {
			fmt.Println("the old one stays in use:", err)
			continue
		}
		fmt.Println("a key of", len(key))
		if key == "the next key" {
			break
		}
		srv.Put("prod/api-key", "the next key")
		if err := client.Refresh(ctx, "prod/api-key"); err != nil { // so that the example need not wait for the TTL
			log.Fatal(err)
		}
	}
	// Output:
	// a key of 5
	// a key of 12
}

func ExampleClient_Prefetch() {
	srv, opts := exampleServer()
	defer srv.Close()
	client, err := secrets.New(srv.Client(), opts)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	ctx := context.Background()
	err = client.Prefetch(ctx, "prod/api-key", "prod/db", "hmac-key", "prod/unknown")
	var failed *secrets.PrefetchError
	if errors.As(err, &failed) {
		for id := range failed.Errors {
			fmt.Println("not cached:", id)
		}
	}
	_, err = secrets.Get[string](ctx, client, "prod/api-key")
	fmt.Println(err)
	st := client.Stats()
	fmt.Println(st.Calls(), "call")
	// Output:
	// not cached: prod/unknown
	// <nil>
	// 1 call
}

// What happens to secrets, as a metric or an alert would have it.
func ExampleEvent() {
	srv, opts := exampleServer()
	defer srv.Close()
	opts.OnEvent = func(e secrets.Event) {
		switch e.Kind {
		case secrets.EventAdopted:
			fmt.Println(e.Kind, e.Secret, "by a", e.How)
		case secrets.EventRefused:
			fmt.Println(e.Kind, e.Secret, "as", e.Type, "because of", e.Class)
		}
	}
	client, err := secrets.New(srv.Client(), opts)
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	db := secrets.Bind[DBLogin](client, "prod/db")
	if _, err := db.Get(ctx); err != nil {
		log.Fatal(err)
	}
	srv.Put("prod/db", `{"username":""}`)
	if err := client.Refresh(ctx, "prod/db"); err != nil {
		log.Fatal(err)
	}
	client.Close() // waits until all events are told
	// Output:
	// adopted prod/db by a read
	// refused prod/db as secrets_test.DBLogin because of decode
	// adopted prod/db by a refresh
}

// Which secrets an operator should look at.
func ExampleClient_Statuses() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	ctx := context.Background()
	if err := client.Prefetch(ctx, "prod/db", "prod/api-key"); err != nil {
		log.Fatal(err)
	}
	srv.Fail(secretstest.Fault{Code: "ThrottlingException"})
	if err := client.Refresh(ctx, "prod/api-key"); err != nil {
		fmt.Println("the old version stays in service:", secrets.ClassOf(err))
	}

	for st := range client.Statuses() {
		if st.Failures > 0 {
			fmt.Println(st.Name, "fails:", st.LastClass)
		}
	}
	// Output:
	// the old version stays in service: throttled
	// prod/api-key fails: throttled
}
