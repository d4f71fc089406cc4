// Command sdkalone is command quickstart without the cache: it reads a secret with
// aws-sdk-go-v2 alone. It is built to be weighed; see command bench.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

type login struct{ Username, Password string }

func main() {
	client := secretsmanager.New(secretsmanager.Options{Region: "us-east-1"})
	out, err := client.GetSecretValue(context.Background(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/db")})
	if err != nil {
		log.Fatal(err)
	}
	var l login
	err = json.Unmarshal([]byte(aws.ToString(out.SecretString)), &l)
	fmt.Println(l.Username, err)
}
