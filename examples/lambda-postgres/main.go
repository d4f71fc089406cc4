// Lambda-postgres is an AWS Lambda function that rotates the password of a
// PostgreSQL user. README.md describes its requirements and its deployment.
package main

import (
	"context"
	"log"
	"net/url"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/seed-74dc7b3e/secrets/rotate"
)

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	// The certificate authorities of Amazon RDS are in a file beside the program.
	handler := newHandler(secretsmanager.NewFromConfig(cfg), os.Getenv("LAMBDA_TASK_ROOT")+"/global-bundle.pem")
	lambda.Start(handler.Handle)
}

func newHandler(api rotate.API, authorities string) rotate.Handler {
	open := rotate.Driver("pgx", url.Values{"sslrootcert": {authorities}})
	return rotate.Handler{API: api, Rotator: rotate.Postgres(open, nil)}
}
