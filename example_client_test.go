package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// exampleClient returns a client of a fake server, both for the caller to close.
// Its SDK does not retry, so that faults take no time.
func exampleClient() (*secretstest.Server, *secrets.Client) {
	srv, opts := exampleServer()
	api := srv.Client(func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} })
	client, err := secrets.New(api, opts)
	if err != nil {
		log.Fatal(err)
	}
	return srv, client
}

// A service makes one client and one handle for each secret. Reads come from
// memory, the values are refreshed in the background, and nothing that is printed
// holds one.
func Example() {
	srv := secretstest.NewServer(&secretstest.Options{ // against AWS: secretsmanager.NewFromConfig(cfg)
		Secrets: secretstest.Secrets{"prod/db": `{"username":"app","password":"hunter2","host":"db.internal"}`},
	})
	defer srv.Close()
	client, err := secrets.New(srv.Client(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	ctx := context.Background()
	db := secrets.Bind[DBLogin](client, "prod/db")
	if err := secrets.Load(ctx, db); err != nil { // fails at the start rather than at the first request
		log.Fatal(err)
	}
	login, err := db.Get(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(login.Username, login.Host)
	fmt.Println(db)
	// Output:
	// app db.internal
	// secrets.Ref[secrets_test.DBLogin]("prod/db")
}

// A Secret says everything but its value, unless it is asked for that.
func ExampleClient_Get() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()

	ctx := context.Background()
	for _, id := range []string{"prod/db", srv.ARN("prod/db")} { // one cache entry, one request
		s, err := client.Get(ctx, id)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(s.Name(), s.Stages())
	}
	_, err := client.Get(ctx, "prod/dv")
	var missing *types.ResourceNotFoundException
	fmt.Println(errors.As(err, &missing))
	// Output:
	// prod/db [AWSCURRENT]
	// prod/db [AWSCURRENT]
	// true
}

// After a deployment step that changed a secret, the next read must see it.
func ExampleClient_Refresh() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	ctx := context.Background()
	before, err := client.Get(ctx, "prod/api-key")
	if err != nil {
		log.Fatal(err)
	}

	srv.Put("prod/api-key", "k-456")
	if err := client.Refresh(ctx, "prod/api-key"); err != nil {
		log.Print("the old version stays in service: ", err)
	}
	after, err := client.Get(ctx, "prod/api-key")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(before.VersionID() != after.VersionID())
	// Output: true
}

// Whether a rotation is outstanding, before a deployment begins, for instance.
func ExampleClient_RotationState() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	ctx := context.Background()
	show := func() {
		st, err := client.RotationState(ctx, "prod/db")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(st.Phase, st.PendingVersion != "")
	}

	show()
	_, end := srv.RotationStuckAfterSet("prod/db")
	show()
	end()
	show()
	// Output:
	// idle false
	// in progress true
	// idle false
}

// What a minute of traffic did, as a dashboard shows it.
func ExampleClient_Stats() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	ctx := context.Background()
	for range 100 {
		if _, err := client.Get(ctx, "prod/api-key"); err != nil {
			log.Fatal(err)
		}
	}

	st := client.Stats()
	fmt.Printf("%d hits, %d miss, %d calls, %d failed\n", st.Hits, st.Misses, st.Calls(), st.Errors)
	// Output: 99 hits, 1 miss, 1 calls, 0 failed
}

// The difference between two moments, for what counts up since the start.
func ExampleStats_Sub() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	if err := client.Prefetch(context.Background(), "prod/db", "prod/api-key"); err != nil {
		log.Fatal(err)
	}

	before := client.Stats()
	if _, err := client.Get(context.Background(), "prod/db"); err != nil {
		log.Fatal(err)
	}
	diff := client.Stats().Sub(before)
	fmt.Println(diff.Hits, diff.Calls(), diff.Secrets) // Secrets is how many are held now
	// Output: 1 0 2
}

// Calls of any kind are billed alike.
func ExampleStats_Calls() {
	st := secrets.Stats{GetSecretValue: 30, DescribeSecret: 300, BatchGetSecretValue: 5}
	fmt.Println(st.Calls())
	// Output: 335
}

// A hot secret with the default TTL costs about 335 calls a day.
func ExampleStats_Cost() {
	day := secrets.Stats{GetSecretValue: 24, DescribeSecret: 311}
	fmt.Printf("%.4f USD a day, %.2f a year\n", day.Cost(), 365*day.Cost())
	// Output: 0.0017 USD a day, 0.61 a year
}

// Why a secret is not fresh, and until when its old version is served.
func ExampleClient_Status() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	ctx := context.Background()
	if _, err := client.Get(ctx, "prod/db"); err != nil {
		log.Fatal(err)
	}
	srv.Fail(secretstest.Outage())
	if err := client.Refresh(ctx, "prod/db"); err != nil {
		fmt.Println("refresh:", secrets.ClassOf(err))
	}

	st, cached := client.Status("prod/db")
	fmt.Println(cached, st.Failures, st.LastClass, st.Version != "")
	_, cached = client.Status("prod/unknown") // makes no request
	fmt.Println(cached)
	// Output:
	// refresh: network
	// true 1 network true
	// false
}

// An error's class decides what a program does about it.
func ExampleClassOf() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()

	_, err := client.Get(context.Background(), "prod/dv")
	switch secrets.ClassOf(err) {
	case "":
		fmt.Println("it was read")
	case secrets.ClassNetwork, secrets.ClassThrottled, secrets.ClassServer, secrets.ClassCredentials:
		fmt.Println("try again later")
	case secrets.ClassMissing, secrets.ClassDenied:
		fmt.Println("an operator must help: check the name, the region, the policy")
	default:
		fmt.Println(err)
	}
	// Output: an operator must help: check the name, the region, the policy
}

// A call's event has the context of the read that caused it, and so its trace.
func ExampleEvent_Context() {
	srv, opts := exampleServer()
	defer srv.Close()
	type requestKey struct{}
	opts.OnEvent = func(e secrets.Event) {
		if e.Kind == secrets.EventCall {
			fmt.Println(e.Operation, e.Secret, "for request", e.Context().Value(requestKey{}))
		}
	}
	client, err := secrets.New(srv.Client(), opts)
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.WithValue(context.Background(), requestKey{}, "r-17")
	if _, err := client.Get(ctx, "prod/db"); err != nil {
		log.Fatal(err)
	}
	client.Close() // waits until all events are told
	// Output: GetSecretValue prod/db for request r-17
}

// Settings for a service that must notice a change within a minute, must not wait
// for the network, and rather fails than uses a value that is a day old.
func ExampleOptions() {
	srv, _ := exampleServer()
	defer srv.Close()
	client, err := secrets.New(srv.Client(), &secrets.Options{
		TTL:       time.Minute,
		StaleWait: 50 * time.Millisecond,
		MaxStale:  24 * time.Hour,
		Size:      100,
		Logger:    slog.New(slog.DiscardHandler), // the default is slog.Default()
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	_, err = secrets.New(srv.Client(), &secrets.Options{Replicas: []string{""}})
	fmt.Println(err != nil) // what makes no sense is an error
	// Output: true
}
