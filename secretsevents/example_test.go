package secretsevents_test

import (
	"fmt"

	"github.com/seed-74dc7b3e/secrets/secretsevents"
)

// The body of an SQS message from EventBridge.
func ExampleParse() {
	body := `{"source":"aws.secretsmanager","detail-type":"Secret Label Updated","account":"123456789012","region":"us-east-1",
		"resources":["arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbCdEf"],
		"detail":{"name":"prod/db","labelUpdated":"AWSCURRENT","versionId":"5c9ad2b8"}}`
	e, err := secretsevents.Parse([]byte(body))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s: %s of %s is %s\n", e.Kind, e.Label, e.Name, e.VersionID)
	// Output: label moved: AWSCURRENT of prod/db is 5c9ad2b8
}
