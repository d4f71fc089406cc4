package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// rotator returns the rotation function of -rotation-function. It works
// through the API, as a function in a Lambda does, and may be delivered twice.
// There is no resource whose password it changes: setSecret and testSecret do
// nothing.
func rotator(srv *secretstest.Server) secretstest.RotationFunc {
	return func(ctx context.Context, e rotate.Event) error {
		parts := strings.SplitN(e.SecretID, ":", 6)
		if len(parts) != 6 {
			return fmt.Errorf("rotate: %q is no ARN", e.SecretID)
		}
		c := srv.Client(func(o *secretsmanager.Options) { o.Region = parts[3] })
		switch e.Step {
		case rotate.CreateSecret:
			return createSecret(ctx, c, e)
		case rotate.FinishSecret:
			return finishSecret(ctx, c, e)
		}
		return nil
	}
}

// createSecret gives the pending version its value, unless it has one.
func createSecret(ctx context.Context, c *secretsmanager.Client, e rotate.Event) error {
	_, err := c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
		SecretId: &e.SecretID, VersionId: &e.ClientRequestToken, VersionStage: aws.String("AWSPENDING")})
	var notFound *types.ResourceNotFoundException
	if !errors.As(err, &notFound) {
		return err
	}
	cur, err := c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &e.SecretID})
	if err != nil && !errors.As(err, &notFound) {
		return err
	}
	pw, err := c.GetRandomPassword(ctx, &secretsmanager.GetRandomPasswordInput{ExcludePunctuation: aws.Bool(true)})
	if err != nil {
		return err
	}
	next := *pw.RandomPassword
	if cur != nil {
		next = withPassword(aws.ToString(cur.SecretString), next)
	}
	_, err = c.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: &e.SecretID, ClientRequestToken: &e.ClientRequestToken, SecretString: &next, VersionStages: []string{"AWSPENDING"}})
	return err
}

// withPassword returns a value with another password: in its "password" member
// if it is a JSON object, or instead of it.
func withPassword(value, password string) string {
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(value), &object) != nil || object == nil {
		return password
	}
	object["password"], _ = json.Marshal(password)
	b, err := json.Marshal(object)
	if err != nil {
		return password
	}
	return string(b)
}

// finishSecret makes the pending version the current one.
func finishSecret(ctx context.Context, c *secretsmanager.Client, e rotate.Event) error {
	d, err := c.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &e.SecretID})
	if err != nil {
		return err
	}
	in := &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: &e.SecretID, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: &e.ClientRequestToken}
	for id, stages := range d.VersionIdsToStages {
		if slices.Contains(stages, "AWSCURRENT") {
			in.RemoveFromVersionId = &id
		}
	}
	if aws.ToString(in.RemoveFromVersionId) == e.ClientRequestToken {
		return nil
	}
	_, err = c.UpdateSecretVersionStage(ctx, in)
	return err
}
