package secretstest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// described reads a secret's labels, which decrypts nothing.
func described(client *secretsmanager.Client, id string) error {
	_, err := client.DescribeSecret(context.Background(), &secretsmanager.DescribeSecretInput{SecretId: &id})
	return err
}

// The service cannot be reached at all.
func ExampleOutage() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()

	srv.Fail(secretstest.Outage())
	_, err := value(srv.Client(noRetry), "prod/db")
	fmt.Println(errorCode(err))
	// Output: no answer of the service
}

// A reader without secretsmanager:DescribeSecret still gets the value.
func ExampleDenyDescribe() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	client := srv.Client(noRetry)

	srv.Fail(secretstest.DenyDescribe("prod/db"))
	fmt.Println(errorCode(described(client, "prod/db")))
	_, err := value(client, "prod/db")
	fmt.Println(err)
	// Output:
	// AccessDeniedException
	// <nil>
}

// A reader without kms:Decrypt sees the labels, but not the value.
func ExampleDenyKMS() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	client := srv.Client(noRetry)

	srv.Fail(secretstest.DenyKMS("prod/db"))
	fmt.Println(described(client, "prod/db"))
	_, err := value(client, "prod/db")
	fmt.Println(errorCode(err))
	// Output:
	// <nil>
	// AccessDeniedException
}

// A policy lets a reader read only the current version.
func ExampleDenyPending() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "old"}})
	defer srv.Close()
	srv.PutPending("prod/db", "new")

	srv.Fail(secretstest.DenyPending("prod/db"))
	_, err := srv.Client(noRetry).GetSecretValue(context.Background(), &secretsmanager.GetSecretValueInput{
		SecretId: aws.String("prod/db"), VersionStage: aws.String("AWSPENDING"),
	})
	fmt.Println(errorCode(err))
	_, err = value(srv.Client(), "prod/db")
	fmt.Println(err)
	// Output:
	// AccessDeniedException
	// <nil>
}

// ClearFaults ends faults of any kind.
func ExampleServer_ClearFaults() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	client := srv.Client(noRetry)

	srv.Fail(secretstest.Fault{Times: secretstest.Always, Code: "InternalServiceError"})
	_, err := value(client, "prod/db")
	fmt.Println(errorCode(err))
	srv.ClearFaults()
	_, err = value(client, "prod/db")
	fmt.Println(err)
	// Output:
	// InternalServiceError
	// <nil>
}

// A fault says which calls it strikes and what happens to them. Here the third
// read returns the state before the last change.
func ExampleFault() {
	srv := secretstest.NewServer(nil)
	defer srv.Close()
	srv.Put("prod/db", "old")
	srv.Put("prod/db", "new")

	srv.Fail(secretstest.Fault{Op: "GetSecretValue", Secret: "prod/db", Skip: 2, Times: 1, Stale: true})
	for range 4 {
		fmt.Println(value(srv.Client(), "prod/db"))
	}
	// Output:
	// new <nil>
	// new <nil>
	// old <nil>
	// new <nil>
}

// Nine of ten calls are throttled, the same nine in each run.
func ExampleServer_ThrottleStorm() {
	srv := secretstest.NewServer(&secretstest.Options{Seed: 7, Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	client := srv.Client(noRetry)

	end := srv.ThrottleStorm()
	throttled := 0
	for range 30 {
		if _, err := value(client, "prod/db"); err != nil {
			throttled++
		}
	}
	fmt.Println(throttled > 20, throttled < 30)
	end()
	_, err := value(client, "prod/db")
	fmt.Println(err)
	// Output:
	// true true
	// <nil>
}

// The key is revoked, and a batch reports the error for one secret only.
func ExampleServer_KMSRevoked() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"a": "x", "b": "y"}})
	defer srv.Close()

	end := srv.KMSRevoked("a")
	defer end()
	out, err := srv.Client().BatchGetSecretValue(context.Background(),
		&secretsmanager.BatchGetSecretValueInput{SecretIdList: []string{"a", "b"}})
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range out.Errors {
		fmt.Println(*e.SecretId, *e.ErrorCode)
	}
	fmt.Println(len(out.SecretValues))
	// Output:
	// a AccessDeniedException
	// 1
}

// A server stalls in the middle of a response. The caller's deadline ends the
// call.
func ExampleServer_SlowTrickle() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()

	end := srv.SlowTrickle(time.Minute)
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := srv.Client(noRetry).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/db")})
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}

// The server's clock is ten minutes ahead, so it refuses the client's
// signature. The SDK corrects its clock by the Date header of the response and
// retries.
func ExampleServer_ClockSkew() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()

	end := srv.ClockSkew(10 * time.Minute)
	_, err := value(srv.Client(noRetry), "prod/db")
	fmt.Println(errorCode(err))
	end()
	_, err = value(srv.Client(noRetry), "prod/db")
	fmt.Println(err)
	// Output:
	// InvalidSignatureException
	// <nil>
}

// A proxy between the program and the service answers in place of the service.
func ExampleServer_BrokenJSON() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()

	end := srv.BrokenJSON()
	defer end()
	_, err := value(srv.Client(), "prod/db")
	fmt.Println(err != nil, errorCode(err))
	// Output: true no answer of the service
}

// A failure to renew credentials says nothing about a secret, so a cache must
// not drop its values.
func ExampleServer_STSDenied() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()

	end := srv.STSDenied()
	defer end()
	_, err := value(srv.Client(), "prod/db")
	fmt.Println(errorCode(err))
	fmt.Println(srv.Count(), "calls arrived")
	// Output:
	// AccessDenied
	// 0 calls arrived
}

// One region cannot be reached. A replica in another still works.
func ExampleServer_RegionOutage() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	replicate(srv, "prod/db", "us-west-2")

	end := srv.RegionOutage("us-east-1")
	defer end()
	_, err := value(srv.Client(noRetry), "prod/db")
	fmt.Println(errorCode(err))
	west := srv.Client(func(o *secretsmanager.Options) { o.Region = "us-west-2" })
	_, err = value(west, "prod/db")
	fmt.Println(err)
	// Output:
	// no answer of the service
	// <nil>
}

// A lagging replica still returns the password from before the rotation.
func ExampleServer_LaggingReplica() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "old"}})
	defer srv.Close()
	replicate(srv, "prod/db", "us-west-2")
	west := srv.Client(func(o *secretsmanager.Options) { o.Region = "us-west-2" })

	end := srv.LaggingReplica("us-west-2", time.Minute)
	srv.Put("prod/db", "new")
	fmt.Println(value(west, "prod/db"))
	end()
	fmt.Println(value(west, "prod/db"))
	// Output:
	// old <nil>
	// new <nil>
}
