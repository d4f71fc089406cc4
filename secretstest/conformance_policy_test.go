package secretstest_test

import (
	"encoding/json"
	"strings"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

const somePolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},` +
	`"Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`

var (
	publicPolicy  = strings.Replace(somePolicy, `{"AWS":"arn:aws:iam::123456789012:root"}`, `"*"`, 1)
	lockoutPolicy = strings.NewReplacer(`"Allow"`, `"Deny"`, `{"AWS":"arn:aws:iam::123456789012:root"}`, `"*"`,
		"GetSecretValue", "*").Replace(somePolicy)
)

var policyFacts = []fact{
	{recorded, "a secret has no policy at first", func(c *conf) {
		made := c.create("a", "v")
		out := c.ok("GetResourcePolicy", m{"SecretId": c.name("a")})
		c.eq("ARN", out["ARN"], made["ARN"])
		c.lacks(out, "ResourcePolicy")
	}},
	{recorded, "a policy is answered as it was put", func(c *conf) {
		made := c.create("a", "v")
		out := c.ok("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": somePolicy})
		c.eq("answer", out, m{"ARN": made["ARN"], "Name": c.name("a")})
		got, _ := c.ok("GetResourcePolicy", m{"SecretId": c.name("a")})["ResourcePolicy"].(string)
		var a, b any
		json.Unmarshal([]byte(got), &a)
		json.Unmarshal([]byte(somePolicy), &b)
		c.eq("policy", a, b)
	}},
	{recorded, "a policy is deleted", func(c *conf) {
		made := c.create("a", "v")
		c.ok("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": somePolicy})
		c.eq("answer", c.ok("DeleteResourcePolicy", m{"SecretId": c.name("a")}), m{"ARN": made["ARN"], "Name": c.name("a")})
		c.lacks(c.ok("GetResourcePolicy", m{"SecretId": c.name("a")}), "ResourcePolicy")
	}},
	{recorded, "a policy that is not JSON is malformed", func(c *conf) {
		c.create("a", "v")
		c.fails("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": "some policy"}, "MalformedPolicyDocumentException", "This resource policy contains a syntax error.")
	}},
	{guessed, "a policy with another effect is malformed", func(c *conf) {
		c.create("a", "v")
		c.fails("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": strings.Replace(somePolicy, "Allow", "Perhaps", 1)},
			"MalformedPolicyDocumentException", "This resource policy contains a syntax error.")
	}},
	{guessed, "a policy with an unknown principal is malformed", func(c *conf) {
		c.create("a", "v")
		c.fails("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": strings.Replace(somePolicy, "arn:aws:iam::123456789012:root", "bob", 1)},
			"MalformedPolicyDocumentException", "This resource policy contains an unsupported principal.")
	}},
	{documented, "policies of an unknown secret", func(c *conf) {
		for _, op := range []string{"GetResourcePolicy", "DeleteResourcePolicy"} {
			c.fails(op, m{"SecretId": c.name("none")}, "ResourceNotFoundException", notFoundText)
		}
		c.fails("PutResourcePolicy", m{"SecretId": c.name("none"), "ResourcePolicy": "p"}, "ResourceNotFoundException", notFoundText)
	}},
	{documented, "a public policy is refused if it is to be blocked", func(c *conf) {
		c.create("a", "v")
		c.fails("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": publicPolicy, "BlockPublicPolicy": true}, "PublicPolicyException", "")
	}},
	{documented, "a public policy is taken otherwise", func(c *conf) {
		c.create("a", "v")
		c.ok("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": publicPolicy})
	}},
	{documented, "a policy that is not public is not blocked", func(c *conf) {
		c.create("a", "v")
		c.ok("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": somePolicy, "BlockPublicPolicy": true})
	}},
	{documented, "a good policy passes validation", func(c *conf) {
		out := c.ok("ValidateResourcePolicy", m{"ResourcePolicy": somePolicy})
		c.eq("PolicyValidationPassed", out["PolicyValidationPassed"], true)
		if list, _ := out["ValidationErrors"].([]any); len(list) != 0 {
			c.differ("ValidationErrors: got %v", list)
		}
	}},
	{documented, "a public policy does not pass validation", func(c *conf) {
		out := c.ok("ValidateResourcePolicy", m{"ResourcePolicy": publicPolicy})
		c.eq("PolicyValidationPassed", out["PolicyValidationPassed"], false)
		list, _ := out["ValidationErrors"].([]any)
		c.eq("ValidationErrors", len(list), 1)
	}},
	{guessed, "a policy that locks everybody out does not pass validation", func(c *conf) {
		out := c.ok("ValidateResourcePolicy", m{"ResourcePolicy": lockoutPolicy})
		c.eq("PolicyValidationPassed", out["PolicyValidationPassed"], false)
	}},
	{documented, "validation attaches nothing", func(c *conf) {
		c.create("a", "v")
		c.ok("ValidateResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": somePolicy})
		c.lacks(c.ok("GetResourcePolicy", m{"SecretId": c.name("a")}), "ResourcePolicy")
	}},
	{documented, "validation for an unknown secret", func(c *conf) {
		c.fails("ValidateResourcePolicy", m{"SecretId": c.name("none"), "ResourcePolicy": somePolicy}, "ResourceNotFoundException", notFoundText)
	}},
	fakeFact(documented, "a policy denies one user of an account that it allows", func(c *conf) {
		arn := c.create("a", "v")["ARN"].(string)
		c.ok("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"secretsmanager:GetSecretValue","Resource":"*"},
			{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::123456789012:user/bob"},"Action":"secretsmanager:GetSecretValue","Resource":"` + arn + `"}]}`})
		alice, bob := c.as("arn:aws:iam::123456789012:user/alice"), c.as("arn:aws:iam::123456789012:user/bob")
		alice.ok("GetSecretValue", m{"SecretId": c.name("a")})
		bob.fails("GetSecretValue", m{"SecretId": c.name("a")}, "AccessDeniedException",
			"User: arn:aws:iam::123456789012:user/bob is not authorized to perform: secretsmanager:GetSecretValue on resource: "+arn+
				" with an explicit deny in a resource-based policy")
		bob.ok("DescribeSecret", m{"SecretId": c.name("a")})
		c.join(alice)
		c.join(bob)
	}),
	fakeFact(documented, "a policy denies the pending version", func(c *conf) {
		c.create("a", "1")
		c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "2", "VersionStages": []string{"AWSPENDING"}})
		c.ok("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": `{"Version":"2012-10-17","Statement":[
			{"Effect":"Deny","Principal":"*","Action":"secretsmanager:GetSecretValue","Resource":"*",
			 "Condition":{"StringEquals":{"secretsmanager:VersionStage":"AWSPENDING"}}}]}`})
		c.ok("GetSecretValue", m{"SecretId": c.name("a")})
		c.fails("GetSecretValue", m{"SecretId": c.name("a"), "VersionStage": "AWSPENDING"}, "AccessDeniedException", "")
	}),
	fakeFact(documented, "a policy decides by the secret's tags", func(c *conf) {
		c.create("a", "1")
		c.ok("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": `{"Version":"2012-10-17","Statement":[
			{"Effect":"Deny","Principal":"*","Action":"secretsmanager:GetSecretValue","Resource":"*",
			 "Condition":{"StringEquals":{"secretsmanager:ResourceTag/locked":"yes"}}}]}`})
		c.ok("GetSecretValue", m{"SecretId": c.name("a")})
		c.ok("TagResource", m{"SecretId": c.name("a"), "Tags": []m{{"Key": "locked", "Value": "yes"}}})
		c.fails("GetSecretValue", m{"SecretId": c.name("a")}, "AccessDeniedException", "")
	}),
	fakeFact(recorded, "another account's secret is not in the list, and needs a policy", func(c *conf) {
		arn := c.create("a", "v")["ARN"].(string)
		carol := c.as("arn:aws:iam::999999999999:user/carol")
		carol.fails("DescribeSecret", m{"SecretId": arn}, "AccessDeniedException", "")
		c.ok("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"secretsmanager:*","Resource":"*"}]}`})
		c.eq("ARN", carol.ok("DescribeSecret", m{"SecretId": arn})["ARN"], arn)
		c.eq("list", names(carol.ok("ListSecrets", m{})), []string{})
		c.join(carol)
	}),
	fakeFact(recorded, "another account's secret under the default key cannot be read", func(c *conf) {
		arn := c.create("a", "v")["ARN"].(string)
		c.ok("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"secretsmanager:*","Resource":"*"}]}`})
		carol := c.as("arn:aws:iam::999999999999:user/carol")
		const text = "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key."
		carol.fails("GetSecretValue", m{"SecretId": arn}, "InvalidRequestException", text)
		carol.fails("PutSecretValue", m{"SecretId": arn, "SecretString": "w"}, "InvalidRequestException", text)
		c.join(carol)
	}),
	fakeFact(documented, "a caller may be allowed GetSecretValue and not DescribeSecret", func(c *conf) {
		c.create("a", "v")
		app := c.as("arn:aws:iam::123456789012:user/app", "secretsmanager:GetSecretValue")
		app.ok("GetSecretValue", m{"SecretId": c.name("a")})
		app.fails("DescribeSecret", m{"SecretId": c.name("a")}, "AccessDeniedException",
			"User: arn:aws:iam::123456789012:user/app is not authorized to perform: secretsmanager:DescribeSecret on resource: …")
		c.join(app)
	}),
	fakeFact(documented, "BatchGetSecretValue needs its own permission and GetSecretValue", func(c *conf) {
		c.create("a", "v")
		only := c.as("arn:aws:iam::123456789012:user/get", "secretsmanager:GetSecretValue")
		only.fails("BatchGetSecretValue", m{"SecretIdList": []string{c.name("a")}}, "AccessDeniedException", "")
		batch := c.as("arn:aws:iam::123456789012:user/batch", "secretsmanager:BatchGetSecretValue")
		list, _ := batch.ok("BatchGetSecretValue", m{"SecretIdList": []string{c.name("a")}})["Errors"].([]any)
		if len(list) != 1 || list[0].(m)["ErrorCode"] != "AccessDeniedException" {
			c.differ("Errors: got %v", list)
		}
		c.join(only)
		c.join(batch)
	}),
}

// as returns c with another caller. The caller may execute the allowed actions,
// or all actions if none are given.
func (c *conf) as(arn string, allowed ...string) *conf {
	d := c.in(c.region)
	d.creds.AccessKeyID = c.fake.AddIdentity(secretstest.Identity{ARN: arn, Allow: allowed})
	return d
}
