package secretstest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// In a test, call New(t, secretstest.Secrets{...}). This example works without
// a test.
func Example() {
	srv := secretstest.NewServer(&secretstest.Options{
		Secrets: secretstest.Secrets{"prod/api-key": "sk-1"},
	})
	defer srv.Close()
	client := srv.Client() // the SDK's own

	in := &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/api-key")}
	out, err := client.GetSecretValue(context.TODO(), in)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(*out.SecretString)

	srv.Delete("prod/api-key")
	_, err = client.GetSecretValue(context.TODO(), in)
	var missing *types.ResourceNotFoundException
	fmt.Println(errors.As(err, &missing))
	fmt.Println(srv.Count(secretstest.Call{Op: "GetSecretValue"}), "reads")
	// Output:
	// sk-1
	// true
	// 2 reads
}

func ExampleServer_Fail() {
	srv := secretstest.NewServer(&secretstest.Options{
		Secrets: secretstest.Secrets{"prod/api-key": "sk-1"},
	})
	defer srv.Close()
	srv.Fail(secretstest.Fault{Op: "GetSecretValue", Times: 2, Code: "InternalServiceError"})

	client := srv.Client(func(o *secretsmanager.Options) { // retries that take no time
		o.Retryer = retry.AddWithMaxBackoffDelay(retry.NewStandard(), time.Nanosecond)
	})
	in := &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/api-key")}
	if _, err := client.GetSecretValue(context.TODO(), in); err != nil {
		log.Fatal(err)
	}
	for _, c := range srv.Calls() { // the SDK tried three times
		fmt.Println(c)
	}
	// Output:
	// GetSecretValue "prod/api-key" in us-east-1 by arn:aws:iam::123456789012:root: InternalServiceError
	// GetSecretValue "prod/api-key" in us-east-1 by arn:aws:iam::123456789012:root: InternalServiceError
	// GetSecretValue "prod/api-key" in us-east-1 by arn:aws:iam::123456789012:root: OK
}

func ExampleRotation() {
	srv := secretstest.NewServer(&secretstest.Options{
		Secrets: secretstest.Secrets{"prod/db": `{"username":"app","password":"old"}`},
	})
	defer srv.Close()

	r := srv.Rotation("prod/db")
	r.SetValue(`{"username":"app","password":"new"}`)
	show := func() {
		for _, stage := range []string{"AWSCURRENT", "AWSPENDING"} {
			out, err := srv.Client().GetSecretValue(context.TODO(), &secretsmanager.GetSecretValueInput{
				SecretId: aws.String("prod/db"), VersionStage: &stage})
			if err != nil {
				fmt.Println(stage, "not there")
				continue
			}
			fmt.Println(stage, *out.SecretString)
		}
	}
	r.Start()
	show()
	for _, steps := range [][]rotate.Step{{rotate.CreateSecret, rotate.SetSecret, rotate.TestSecret}, {rotate.FinishSecret}} {
		if err := r.Step(steps...); err != nil {
			log.Fatal(err)
		}
		show()
	}
	// Output:
	// AWSCURRENT {"username":"app","password":"old"}
	// AWSPENDING not there
	// AWSCURRENT {"username":"app","password":"old"}
	// AWSPENDING {"username":"app","password":"new"}
	// AWSCURRENT {"username":"app","password":"new"}
	// AWSPENDING not there
}
