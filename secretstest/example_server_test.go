package secretstest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// value reads the current value of a secret.
func value(client *secretsmanager.Client, id string) (string, error) {
	out, err := client.GetSecretValue(context.Background(), &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.SecretString), nil
}

// errorCode returns the code of an error of the service.
func errorCode(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return "no answer of the service"
}

// noRetry turns off the SDK's retries, because their backoff takes real time.
func noRetry(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} }

// A server that lives as long as the test. Nothing has to be closed.
func ExampleNew() {
	testReader := func(t *testing.T) { // func TestReader(t *testing.T)
		srv := secretstest.New(t, secretstest.Secrets{"prod/api-key": "k-1"})
		got, err := value(srv.Client(), "prod/api-key")
		if err != nil || got != "k-1" {
			t.Errorf("got %q, %v, want %q", got, err, "k-1")
		}
	}
	_ = testReader
}

// Outside a test, the caller closes the server.
func ExampleNewServer() {
	srv := secretstest.NewServer(&secretstest.Options{
		Region:  "eu-central-1",
		Account: "210987654321",
		Secrets: secretstest.Secrets{"prod/db": `{"username":"app","password":"hunter2"}`},
	})
	defer srv.Close()

	arn := srv.ARN("prod/db") // ends in a random suffix
	fmt.Println(arn[:strings.LastIndexByte(arn, '-')])
	// Output: arn:aws:secretsmanager:eu-central-1:210987654321:secret:prod/db
}

// Code under test may find a secret by its ARN as well as by its name.
func ExampleServer_ARN() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()

	_, err := value(srv.Client(), srv.ARN("prod/db"))
	fmt.Println(err)
	// Output: <nil>
}

// Options of the SDK apply. Without retries a fault reaches the caller at noRetry.
func ExampleServer_Client() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/api-key": "k-1"}})
	defer srv.Close()
	client := srv.Client(func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} })

	srv.Fail(secretstest.Fault{}) // throttles one call
	_, err := value(client, "prod/api-key")
	fmt.Println(errorCode(err))
	// Output: ThrottlingException
}

// Every call is in a ledger. A Call with some fields set is a pattern.
func ExampleServer_Calls() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	for _, id := range []string{"prod/db", "prod/unknown"} {
		if _, err := value(srv.Client(), id); err != nil {
			fmt.Println(errorCode(err))
		}
	}

	for _, c := range srv.Calls(secretstest.Call{Op: "GetSecretValue"}) {
		fmt.Println(c.SecretID, c.Outcome)
	}
	// Output:
	// ResourceNotFoundException
	// prod/db OK
	// prod/unknown ResourceNotFoundException
}

// Count tells how often the code under test read a secret.
func ExampleServer_Count() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	for range 3 {
		if _, err := value(srv.Client(), "prod/db"); err != nil {
			log.Fatal(err)
		}
	}

	fmt.Println(srv.Count(secretstest.Call{Secret: "prod/db"}))
	fmt.Println(srv.Count(secretstest.Call{Outcome: "ThrottlingException"}))
	// Output:
	// 3
	// 0
}

// The test counts only the calls after its setup.
func ExampleServer_ResetCalls() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	if _, err := value(srv.Client(), "prod/db"); err != nil {
		log.Fatal(err)
	}

	srv.ResetCalls()
	fmt.Println(srv.Count())
	// Output: 0
}

// One server serves several cases of a test. Reset empties it before each.
func ExampleServer_Reset() {
	srv := secretstest.NewServer(nil)
	defer srv.Close()
	for _, name := range []string{"one", "two"} {
		srv.Reset()
		srv.Put("case/"+name, "x")
		_, err := value(srv.Client(noRetry), "case/one")
		fmt.Println(name, err == nil)
	}
	// Output:
	// one true
	// two false
}

// A new version takes AWSCURRENT. The version before it keeps AWSPREVIOUS.
func ExampleServer_Put() {
	srv := secretstest.NewServer(nil)
	defer srv.Close()

	first := srv.Put("prod/api-key", "k-1") // creates the secret
	second := srv.Put("prod/api-key", "k-2")
	stages := srv.Stages("prod/api-key")
	fmt.Println(stages[first], stages[second])
	// Output: [AWSPREVIOUS] [AWSCURRENT]
}

func ExampleServer_PutBinary() {
	srv := secretstest.NewServer(nil)
	defer srv.Close()
	srv.PutBinary("prod/keystore", []byte{0xfe, 0xed})

	out, err := srv.Client().GetSecretValue(context.Background(),
		&secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/keystore")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out.SecretString == nil, len(out.SecretBinary))
	// Output: true 2
}

// Between createSecret and finishSecret of a rotation both versions can be read.
func ExampleServer_PutPending() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "old"}})
	defer srv.Close()

	id := srv.PutPending("prod/db", "new")
	fmt.Println(srv.VersionID("prod/db", "AWSPENDING") == id)
	current, err := value(srv.Client(), "prod/db")
	fmt.Println(current, err)
	// Output:
	// true
	// old <nil>
}

// RotateSecret labels a version before a rotation function gives it a value. A
// read of AWSPENDING at that moment fails with ResourceNotFoundException.
func ExampleServer_PutEmptyPending() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "old"}})
	defer srv.Close()
	srv.PutEmptyPending("prod/db")

	_, err := srv.Client(noRetry).GetSecretValue(context.Background(), &secretsmanager.GetSecretValueInput{
		SecretId: aws.String("prod/db"), VersionStage: aws.String("AWSPENDING"),
	})
	fmt.Println(errorCode(err))
	// Output: ResourceNotFoundException
}

// Custom labels keep a version that signatures still refer to.
func ExampleServer_PutStages() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"signing-key": "first"}})
	defer srv.Close()

	id := srv.PutStages("signing-key", "second", "BLUE", "GREEN")
	fmt.Println(srv.Stages("signing-key")[id])
	// Output: [BLUE GREEN]
}

// A rollback makes the previous version current again.
func ExampleServer_MoveStage() {
	srv := secretstest.NewServer(nil)
	defer srv.Close()
	first := srv.Put("prod/api-key", "k-1")
	second := srv.Put("prod/api-key", "k-2")

	srv.MoveStage("prod/api-key", "AWSCURRENT", first)
	stages := srv.Stages("prod/api-key")
	fmt.Println(stages[first], stages[second])
	// Output: [AWSCURRENT] [AWSPREVIOUS]
}

// VersionID returns the version with a label, and "" for an unused label.
func ExampleServer_VersionID() {
	srv := secretstest.NewServer(nil)
	defer srv.Close()
	id := srv.Put("prod/api-key", "k-1")

	fmt.Println(srv.VersionID("prod/api-key", "AWSCURRENT") == id)
	fmt.Printf("%q\n", srv.VersionID("prod/api-key", "AWSPENDING"))
	// Output:
	// true
	// ""
}

// The labels of each version, as DescribeSecret shows them.
func ExampleServer_Stages() {
	srv := secretstest.NewServer(nil)
	defer srv.Close()
	id := srv.Put("prod/api-key", "k-1")
	fmt.Println(srv.Stages("prod/api-key")[id])
	// Output: [AWSCURRENT]
}

// A deleted secret can be created again under its name. It then has another
// ARN.
func ExampleServer_Delete() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	old := srv.ARN("prod/db")

	srv.Delete("prod/db")
	_, err := value(srv.Client(noRetry), "prod/db")
	fmt.Println(errorCode(err))
	srv.Put("prod/db", "y")
	fmt.Println(srv.ARN("prod/db") == old)
	// Output:
	// ResourceNotFoundException
	// false
}

// During its recovery window a secret cannot be read, and Restore brings it back.
func ExampleServer_ScheduleDeletion() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	client := srv.Client(noRetry)

	srv.ScheduleDeletion("prod/db")
	_, err := value(client, "prod/db")
	var invalid *types.InvalidRequestException
	fmt.Println(errors.As(err, &invalid))

	srv.Restore("prod/db")
	_, err = value(client, "prod/db")
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// A restored secret has its old ARN and versions.
func ExampleServer_Restore() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	arn := srv.ARN("prod/db")

	srv.ScheduleDeletion("prod/db")
	srv.Restore("prod/db")
	fmt.Println(srv.ARN("prod/db") == arn)
	// Output: true
}

// The AWS CLI, or a program in another language, takes the server's address as
// its endpoint: aws --endpoint-url URL secretsmanager list-secrets.
func ExampleServer_URL() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()

	client := srv.Client(func(o *secretsmanager.Options) {
		o.BaseEndpoint = aws.String(srv.URL())
		o.HTTPClient = http.DefaultClient // over loopback
	})
	_, err := value(client, "prod/db")
	fmt.Println(err)
	// Output: <nil>
}

// HTTPClient is for an SDK client that the code under test configures.
func ExampleServer_HTTPClient() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()

	cfg := aws.Config{
		Region:     "us-east-1",
		HTTPClient: srv.HTTPClient(), // instead of the network
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: secretstest.DefaultAccount, SecretAccessKey: "secret"}, nil
		}),
	}
	_, err := value(secretsmanager.NewFromConfig(cfg), "prod/db")
	fmt.Println(err)
	// Output: <nil>
}

// A Server is an http.Handler and can be mounted in a mux. Besides the protocol
// it has a path that empties it.
func ExampleServer_ServeHTTP() {
	srv := secretstest.NewServer(&secretstest.Options{
		Secrets:     secretstest.Secrets{"prod/db": "x"},
		BodyTimeout: time.Second,
	})
	defer srv.Close()

	resp, err := http.Post(srv.URL()+"/_fake/reset", "", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		log.Fatal(err)
	}
	_, err = value(srv.Client(noRetry), "prod/db")
	fmt.Println(resp.StatusCode, errorCode(err))
	// Output: 204 ResourceNotFoundException
}
