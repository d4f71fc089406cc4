// Command quickstart is the least program that reads a secret through the cache. It
// is built to be weighed; see command bench.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets"
)

type login struct{ Username, Password string }

func main() {
	client, err := secrets.New(secretsmanager.New(secretsmanager.Options{Region: "us-east-1"}), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	l, err := secrets.Bind[login](client, "prod/db").Get(context.Background())
	fmt.Println(l.Username, err)
}
