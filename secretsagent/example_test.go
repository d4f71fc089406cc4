package secretsagent_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets/secretsagent"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// exampleAgent returns an agent in front of a fake Secrets Manager, which is to be
// closed.
func exampleAgent() (*secretstest.Server, *secretsagent.Agent) {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/api-key": "k-1"}})
	agent, err := secretsagent.New(&secretsagent.Options{URL: srv.AgentURL(), Token: srv.AgentToken()})
	if err != nil {
		log.Fatal(err)
	}
	return srv, agent
}

// On a host with an agent no options are needed: token and port are found at
// the places in the agent's documentation. Another host is refused, because the
// token would go there in plain text.
func ExampleNew() {
	agent, err := secretsagent.New(nil)
	fmt.Println(agent, err)
	_, err = secretsagent.New(&secretsagent.Options{URL: "http://agent.internal:2773"})
	fmt.Println(err != nil)
	// Output:
	// secretsagent.Agent(http://localhost:2773) <nil>
	// true
}

// An Agent can be used without a secrets.Client, like the SDK's client. Each
// call is a request to the agent.
func ExampleAgent_GetSecretValue() {
	srv, agent := exampleAgent()
	defer srv.Close()

	out, err := agent.GetSecretValue(context.Background(), &secretsmanager.GetSecretValueInput{
		SecretId: aws.String("prod/api-key"), VersionStage: aws.String("AWSCURRENT"),
	})
	if err != nil {
		var refused *secretsagent.Error
		if errors.As(err, &refused) {
			log.Fatal("the agent refused: ", refused.Reason)
		}
		log.Fatal(err)
	}
	fmt.Println(*out.Name, out.VersionStages)
	// Output: prod/api-key [AWSCURRENT]
}

// A container that starts together with its agent waits until the agent is
// ready.
func ExampleAgent_Ping() {
	srv, agent := exampleAgent()
	fmt.Println(agent.Ping(context.Background()))
	srv.Close()
	fmt.Println(agent.Ping(context.Background()) != nil)
	// Output:
	// <nil>
	// true
}

// The agent keeps a value for its own TTL. Refresh makes it ask the service.
func ExampleRefresh() {
	srv, agent := exampleAgent()
	defer srv.Close()
	ctx := context.Background()
	in := &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/api-key")}
	first, err := agent.GetSecretValue(ctx, in)
	if err != nil {
		log.Fatal(err)
	}

	srv.Put("prod/api-key", "k-2")
	for _, ctx := range []context.Context{ctx, secretsagent.Refresh(ctx)} {
		out, err := agent.GetSecretValue(ctx, in)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("new:", *out.VersionId != *first.VersionId)
	}
	// Output:
	// new: false
	// new: true
}
