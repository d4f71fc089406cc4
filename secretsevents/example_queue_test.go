package secretsevents_test

import (
	"errors"
	"fmt"

	"github.com/seed-74dc7b3e/secrets/secretsevents"
)

// A queue holds events of many kinds. Most need no action. A message that is
// not an event must be deleted, or it would be delivered again and again.
func Example() {
	queue := []string{
		`{"source":"aws.secretsmanager","detail-type":"Secret Label Updated",
			"resources":["arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbCdEf"],
			"detail":{"name":"prod/db","labelUpdated":"AWSCURRENT","versionId":"5c9ad2b8"}}`,
		`{"source":"aws.ec2","detail-type":"EC2 Instance State-change Notification","detail":{}}`,
		`hello`,
	}
	for _, body := range queue {
		e, err := secretsevents.Parse([]byte(body))
		switch {
		case errors.Is(err, secretsevents.ErrMalformed), errors.Is(err, secretsevents.ErrTooLarge):
			fmt.Println("delete it: it will not get better")
		case e.Kind == secretsevents.Unrelated:
			fmt.Println("ignore it")
		default: // secrets.Client.HandleEvent does this for its secrets
			fmt.Println("ask for", e.SecretID[len("arn:aws:secretsmanager:"):])
		}
	}
	// Output:
	// ask for us-east-1:123456789012:secret:prod/db-AbCdEf
	// ignore it
	// delete it: it will not get better
}
