package secretstest_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// replicate adds a replica of a secret in a region, and returns its status.
func replicate(srv *secretstest.Server, id, region string) types.ReplicationStatusType {
	out, err := srv.Client().ReplicateSecretToRegions(context.Background(), &secretsmanager.ReplicateSecretToRegionsInput{
		SecretId:          &id,
		AddReplicaRegions: []types.ReplicaRegionType{{Region: &region}},
	})
	if err != nil {
		log.Fatal(err)
	}
	return out.ReplicationStatus[0]
}

// A region whose endpoint answers with HTTP 503, and recovers.
func ExampleServer_Region() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	client := srv.Client(noRetry)

	east := srv.Region(secretstest.DefaultRegion)
	east.Down()
	_, err := value(client, "prod/db")
	fmt.Println(err != nil)
	east.Up()
	_, err = value(client, "prod/db")
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// A region that is down keeps its secrets, and replicas still serve.
func ExampleRegion_Down() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	replicate(srv, "prod/db", "us-west-2")
	srv.Region("us-east-1").Down()

	west := srv.Client(func(o *secretsmanager.Options) { o.Region = "us-west-2" })
	_, err := value(west, "prod/db")
	fmt.Println(err)
	// Output: <nil>
}

// After an outage the secrets of a region are as they were before.
func ExampleRegion_Up() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()

	region := srv.Region("us-east-1")
	region.Down()
	region.Up()
	_, err := value(srv.Client(noRetry), "prod/db")
	fmt.Println(err)
	// Output: <nil>
}

// A replica does not exist until it is in sync.
func ExampleRegion_ReplicationTakes() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	srv.Region("us-west-2").ReplicationTakes(time.Hour)

	fmt.Println(replicate(srv, "prod/db", "us-west-2").Status)
	west := srv.Client(noRetry, func(o *secretsmanager.Options) { o.Region = "us-west-2" })
	_, err := value(west, "prod/db")
	fmt.Println(errorCode(err))
	// Output:
	// InProgress
	// ResourceNotFoundException
}

// DescribeSecret says why replication failed.
func ExampleRegion_ReplicationFails() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	srv.Region("us-west-2").ReplicationFails("the KMS key is not there")
	replicate(srv, "prod/db", "us-west-2")

	out, err := srv.Client().DescribeSecret(context.Background(),
		&secretsmanager.DescribeSecretInput{SecretId: aws.String("prod/db")})
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range out.ReplicationStatus {
		fmt.Println(*r.Region, r.Status, *r.StatusMessage)
	}
	// Output: us-west-2 Failed the KMS key is not there
}

// A client for a session of a role that may only read.
func ExampleServer_ClientFor() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	reader := srv.ClientFor(secretstest.Identity{
		ARN:   "arn:aws:sts::123456789012:assumed-role/reader/i-1",
		Allow: []string{"secretsmanager:GetSecretValue"},
	}, noRetry)

	_, err := value(reader, "prod/db")
	fmt.Println(err)
	fmt.Println(errorCode(described(reader, "prod/db")))
	// Output:
	// <nil>
	// AccessDeniedException
}

// A policy for production is tested before it is deployed.
func ExampleIdentity_Check() {
	id := secretstest.Identity{Policies: []string{`{
		"Version": "2012-10-17",
		"Statement": [{
			"Effect": "Allow",
			"Action": "secretsmanager:GetSecretValue",
			"Resource": "arn:aws:secretsmanager:*:*:secret:prod/*",
			"Condition": {"StringEqual": {"secretsmanager:VersionStage": "AWSCURRENT"}}
		}]
	}`}}
	fmt.Println(id.Check() != nil) // the operator is StringEquals
	// Output: true
}

// AddIdentity adds a caller whose keys are in the configuration of the code
// under test.
func ExampleServer_AddIdentity() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	key := srv.AddIdentity(secretstest.Identity{
		ARN:  "arn:aws:iam::123456789012:user/app",
		Deny: []string{"secretsmanager:PutSecretValue"},
	})

	client := srv.Client(noRetry, func(o *secretsmanager.Options) {
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key, SecretAccessKey: "secret"}, nil
		})
	})
	_, err := client.PutSecretValue(context.Background(),
		&secretsmanager.PutSecretValueInput{SecretId: aws.String("prod/db"), SecretString: aws.String("y")})
	fmt.Println(errorCode(err))
	fmt.Println(srv.Calls()[0].Identity)
	// Output:
	// AccessDeniedException
	// arn:aws:iam::123456789012:user/app
}
