package secrets_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// The secrets are replicated to another region, which is asked where the client's
// own does not answer.
func ExampleOptions_replicas() {
	srv, opts := exampleServer()
	defer srv.Close()
	api := srv.Client(func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} })
	_, err := api.ReplicateSecretToRegions(context.Background(), &secretsmanager.ReplicateSecretToRegionsInput{
		SecretId:          aws.String("prod/api-key"),
		AddReplicaRegions: []types.ReplicaRegionType{{Region: aws.String("us-west-2")}},
	})
	if err != nil {
		log.Fatal(err)
	}
	opts.Replicas = []string{"us-west-2"}
	client, err := secrets.New(api, opts)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	srv.Region("us-east-1").Down()
	_, err = secrets.Get[string](context.Background(), client, "prod/api-key") // was never read before
	fmt.Println(err, client.Stats().Failovers)
	// Output:
	// <nil> 1
}

// The secrets of one account are read with credentials of a role in that account.
// Program examples/accounts assumes such roles.
func ExampleOptions_accounts() {
	srv, opts := exampleServer()
	defer srv.Close()
	const other = "210987654321"
	role := srv.ClientFor(secretstest.Identity{ARN: "arn:aws:sts::" + other + ":assumed-role/reader/1"})
	made, err := role.CreateSecret(context.Background(), &secretsmanager.CreateSecretInput{
		Name: aws.String("theirs"), SecretString: aws.String("k-789"),
	})
	if err != nil {
		log.Fatal(err)
	}
	opts.APIFor = func(account, region string) secrets.API {
		if account == other {
			return role
		}
		return nil // the client's own
	}
	client, err := secrets.New(srv.Client(), opts)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	for _, id := range []string{"prod/api-key", *made.ARN} {
		s, err := client.Get(context.Background(), id)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(s.Name())
	}
	// Output:
	// prod/api-key
	// theirs
}
