package secretstest_test

import (
	"strings"
	"time"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

const ownedText = "The secret is managed by another service, and you must use that service to update it."

var managedFacts = []fact{
	fakeFact(recorded, "an RDS-managed secret is owned by rds, tagged, and rotated every 7 days without a function", func(c *conf) {
		out := c.ok("DescribeSecret", m{"SecretId": c.fake.RDSSecret("admin")})
		c.eq("OwningService", out["OwningService"], "rds")
		c.eq("RotationRules", out["RotationRules"], m{"AutomaticallyAfterDays": 7.0})
		c.eq("RotationEnabled", out["RotationEnabled"], true)
		c.lacks(out, "RotationLambdaARN")
		c.has(out, "Tags")
	}),
	fakeFact(recorded, "RotateSecret takes rules for a managed secret without a function", func(c *conf) {
		name := c.fake.RDSSecret("admin")
		c.ok("RotateSecret", m{"SecretId": name, "RotationRules": m{"AutomaticallyAfterDays": 14}})
		c.eq("rotation", c.fake.Rotation(name).Wait(), nil)
	}),
	fakeFact(documented, "a managed external secret is rotated with a type, metadata and a role, and no function", func(c *conf) {
		c.ok("CreateSecret", m{"Name": c.name("a"), "SecretString": "{}", "Type": "partner"})
		c.fails("RotateSecret", m{"SecretId": c.name("a")}, "InvalidRequestException", "")
		id := c.ok("RotateSecret", m{"SecretId": c.name("a"), "ExternalSecretRotationRoleArn": "arn:aws:iam::123456789012:role/rotator",
			"ExternalSecretRotationMetadata": []m{{"Key": "k", "Value": "v"}}})["VersionId"]
		c.eq("rotation", c.fake.Rotation(c.name("a")).Wait(), nil)
		c.eq("current", c.fake.VersionID(c.name("a"), "AWSCURRENT"), id)
	}),
	ownedFact("PutSecretValue", m{"SecretString": "v"}),
	ownedFact("UpdateSecret", m{"SecretString": "v"}),
	ownedFact("DeleteSecret", m{}),
	ownedFact("TagResource", m{"Tags": []m{{"Key": "k", "Value": "v"}}}),
	ownedFact("UntagResource", m{"TagKeys": []string{"k"}}),
	ownedFact("CancelRotateSecret", m{}),
	ownedFact("UpdateSecretVersionStage", m{"VersionStage": "blue", "MoveToVersionId": unknownID}),
	fakeFact(documented, "DescribeSecret has no LastRotatedDate when rotation is off, ListSecrets has", func(c *conf) {
		rotating(c)
		c.ok("CancelRotateSecret", m{"SecretId": c.name("a")})
		c.lacks(c.ok("DescribeSecret", m{"SecretId": c.name("a")}), "LastRotatedDate")
		c.has(c.ok("ListSecrets", m{"Filters": mine(c)})["SecretList"].([]any)[0].(m), "LastRotatedDate")
	}),
	fakeFact(documented, "CancelRotateSecret of a secret that was never rotated is refused", func(c *conf) {
		c.create("a", "v")
		c.fails("CancelRotateSecret", m{"SecretId": c.name("a")}, "InvalidRequestException", "")
	}),
	fakeFact(documented, "replication is InProgress until the replica is there", func(c *conf) {
		c.create("a", "v")
		c.fake.Region("eu-west-1").ReplicationTakes(time.Hour)
		out := c.ok("ReplicateSecretToRegions", m{"SecretId": c.name("a"), "AddReplicaRegions": []m{{"Region": "eu-west-1"}}})
		c.eq("Status", out["ReplicationStatus"].([]any)[0].(m)["Status"], "InProgress")
		d := c.in("eu-west-1")
		d.fails("GetSecretValue", m{"SecretId": c.name("a")}, "ResourceNotFoundException", notFoundText)
		c.join(d)
	}),
	fakeFact(documented, "replication may fail, with a message", func(c *conf) {
		c.create("a", "v")
		c.fake.Region("eu-west-1").ReplicationFails("no key")
		out := c.ok("ReplicateSecretToRegions", m{"SecretId": c.name("a"), "AddReplicaRegions": []m{{"Region": "eu-west-1"}}})
		st := out["ReplicationStatus"].([]any)[0].(m)
		c.eq("status", []any{st["Status"], st["StatusMessage"]}, []any{"Failed", "no key"})
	}),
	{documented, "UpdateSecret with a known token and value and another description is refused", func(c *conf) {
		id := c.create("a", "v")["VersionId"].(string)
		c.fails("UpdateSecret", m{"SecretId": c.name("a"), "SecretString": "v", "ClientRequestToken": id, "Description": "d"}, "ResourceExistsException", "")
	}},
	{documented, "tag keys that begin with aws: are refused", func(c *conf) {
		c.create("a", "v")
		for _, key := range []string{"aws:k", "AWS:k"} {
			c.fails("TagResource", m{"SecretId": c.name("a"), "Tags": []m{{"Key": key, "Value": "v"}}}, "InvalidParameterException", "")
		}
		c.fails("UntagResource", m{"SecretId": c.name("a"), "TagKeys": []string{"aws:k"}}, "InvalidParameterException", "")
	}},
	{guessed, "tags with control characters are refused", func(c *conf) {
		c.create("a", "v")
		c.fails("TagResource", m{"SecretId": c.name("a"), "Tags": []m{{"Key": "k\x01", "Value": "v"}}}, "InvalidParameterException", "")
		c.fails("TagResource", m{"SecretId": c.name("a"), "Tags": []m{{"Key": "k", "Value": "v\n"}}}, "InvalidParameterException", "")
	}},
	{recorded, "AWSCURRENT is not taken off", func(c *conf) {
		id := c.create("a", "v")["VersionId"].(string)
		c.fails("UpdateSecretVersionStage", m{"SecretId": c.name("a"), "VersionStage": "AWSCURRENT", "RemoveFromVersionId": id}, "InvalidParameterException",
			"You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.")
	}},
	{guessed, "two hundred young versions are no error", func(c *conf) {
		c.create("a", "0")
		for range 200 {
			c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "v"})
		}
	}},
}

// ownedFact is a fact about an operation that only the owning service may use.
func ownedFact(op string, in m) fact {
	return fakeFact(documented, op+" refuses a secret that another service owns", func(c *conf) {
		in["SecretId"] = c.fake.RDSSecret("admin")
		c.fails(op, in, "InvalidRequestException", ownedText)
	})
}

// scope returns the header of a request that is signed for a region and a
// service, by nobody.
func scope(region, service string) string {
	return "AWS4-HMAC-SHA256 Credential=AK/20260101/" + region + "/" + service + "/aws4_request, SignedHeaders=host, Signature=0"
}

var protocolFacts = []fact{
	fakeFact(documented, "the partition of ARNs is that of the region", func(c *conf) {
		for region, partition := range map[string]string{"cn-north-1": "aws-cn", "cn-northwest-1": "aws-cn", "us-gov-east-1": "aws-us-gov", "eu-west-1": "aws"} {
			d := c.in(region)
			arn := d.create("a", "v")["ARN"].(string)
			if !strings.HasPrefix(arn, "arn:"+partition+":secretsmanager:"+region+":") {
				d.differ("ARN: got %s", arn)
			}
			c.join(d)
		}
	}),
	fakeFact(documented, "an ARN of another partition is not found", func(c *conf) {
		arn := c.create("a", "v")["ARN"].(string)
		c.fails("GetSecretValue", m{"SecretId": strings.Replace(arn, "arn:aws:", "arn:aws-cn:", 1)}, "ResourceNotFoundException", notFoundText)
	}),
	fakeFact(documented, "a secret is not replicated to another partition", func(c *conf) {
		c.create("a", "v")
		c.fails("ReplicateSecretToRegions", m{"SecretId": c.name("a"), "AddReplicaRegions": []m{{"Region": "cn-north-1"}}}, "InvalidParameterException", "")
	}),
	fakeFact(guessed, "only POST is answered", func(c *conf) {
		a := c.send("GET", "secretsmanager.ListSecrets", "")
		c.eq("status", a.status, 405)
	}),
	fakeFact(documented, "the credential scope must name the service", func(c *conf) {
		status, text := c.bare("/", scope("us-east-1", "sts"))
		c.eq("status", status, 400)
		if !strings.Contains(text, "Credential should be scoped to correct service: 'secretsmanager'.") {
			c.differ("got %s", text)
		}
	}),
	fakeFact(documented, "the region of a presigned query is the region asked for", func(c *conf) {
		c.fake.Put("s", "v")
		for region, want := range map[string]int{"us-east-1": 200, "eu-west-1": 400} {
			status, _ := c.bare("/?X-Amz-Credential=AK%2F20260101%2F"+region+"%2Fsecretsmanager%2Faws4_request", "")
			c.eq("status", status, want)
		}
	}),
	fakeFact(documented, "a signature that does not match is refused, if they are verified", func(c *conf) {
		strict := secretstest.NewServer(&secretstest.Options{VerifySignatures: true, Secrets: secretstest.Secrets{"s": "v"}})
		defer strict.Close()
		d := newConf(strict.URL(), c.region)
		d.creds.AccessKeyID, d.creds.SecretAccessKey = "123456789012", "wrong"
		d.fails("GetSecretValue", m{"SecretId": "s"}, "InvalidSignatureException", "The request signature we calculated does not match the signature you provided.…")
		d.creds.SecretAccessKey = "secret"
		d.eq("SecretString", d.ok("GetSecretValue", m{"SecretId": "s"})["SecretString"], "v")
		c.join(d)
	}),
	fakeFact(documented, "calls above the rate of their operation are throttled", func(c *conf) {
		srv := secretstest.NewServer(&secretstest.Options{EnforceRates: true})
		defer srv.Close()
		d := &conf{sdk: srv.Client(once)}
		var last *apiError
		for range 300 {
			if _, last = d.call("ListSecrets", m{}); last != nil {
				break
			}
		}
		if last == nil || *last != (apiError{"ThrottlingException", "Rate exceeded"}) {
			c.differ("got %v", last)
		}
	}),
	fakeFact(documented, "a label that moves sends an event, AWSPENDING and AWSPREVIOUS do not", func(c *conf) {
		events := make(chan string, 10)
		c.fake.OnEvent(func(e []byte) { events <- string(e) })
		c.create("a", "v")
		c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "w", "VersionStages": []string{"AWSPENDING"}})
		id := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "x", "VersionStages": []string{"blue"}})["VersionId"].(string)
		if e := <-events; !strings.Contains(e, `"labelUpdated":"AWSCURRENT"`) {
			c.differ("got %s", e)
		}
		if e := <-events; !strings.Contains(e, `"labelUpdated":"blue","versionId":"`+id+`"`) {
			c.differ("got %s", e)
		}
	}),
	fakeFact(documented, "the local agent answers with the date as a string, and refuses a wrong token", func(c *conf) {
		c.fake.Put("s", "v")
		status, text := agentGet(c.fake, "/secretsmanager/get?secretId=s", c.fake.AgentToken())
		c.eq("status", status, 200)
		if !strings.Contains(text, `"CreatedDate":"`) {
			c.differ("got %s", text)
		}
		status, text = agentGet(c.fake, "/secretsmanager/get?secretId=s", "wrong")
		c.eq("answer", []any{status, text}, []any{403, "Bad Token"})
	}),
}
