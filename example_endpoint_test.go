package secrets_test

import (
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets"
)

// An emulator in another container is reached over plain HTTP, which is refused
// unless it is allowed. Allow it in that environment only.
func ExampleOptions_emulator() {
	api := secretsmanager.New(secretsmanager.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String("http://localstack:4566"),
		Credentials:  aws.AnonymousCredentials{},
	})
	client, err := secrets.New(api, &secrets.Options{AllowHTTP: os.Getenv("SECRETS_ALLOW_HTTP") == "true"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	_, err = client.Get(ctx, "dev/db")
	fmt.Println("refused:", err != nil)
	// Output: refused: true
}
