package secretstest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

var wireFacts = []fact{
	{"an answer is HTTP 200 of type application/x-amz-json-1.1", func(c *conf) {
		a := c.raw("ListSecrets", `{"MaxResults":1}`)
		c.eq("status", a.status, 200)
		c.eq("Content-Type", a.header.Get("Content-Type"), "application/x-amz-json-1.1")
		if a.header.Get("X-Amzn-Requestid") == "" {
			c.differ("X-Amzn-Requestid: got none")
		}
	}},
	{"an error is HTTP 400 with __type and Message", func(c *conf) {
		a := c.raw("GetSecretValue", `{"SecretId":"`+c.name("none")+`"}`)
		c.eq("status", a.status, 400)
		c.eq("body", a.body, m{"__type": "ResourceNotFoundException", "Message": notFoundText})
	}},
	{"a ValidationException's message is in lower case", func(c *conf) {
		a := c.raw("GetSecretValue", `{}`)
		c.eq("status", a.status, 400)
		c.eq("__type", a.body["__type"], "ValidationException")
		if _, ok := a.body["message"]; !ok {
			c.differ("body: got %s", a.text)
		}
	}},
	{"an unknown operation is refused", func(c *conf) {
		a := c.raw("Frobnicate", `{}`)
		c.eq("status", a.status, 400)
		c.eq("__type", a.body["__type"], "UnknownOperationException")
	}},
	{"another service's operation is refused", func(c *conf) {
		a := c.send("POST", "DynamoDB_20120810.ListTables", `{}`)
		if a.status/100 != 4 {
			c.differ("status: got %d", a.status)
		}
	}},
	{"a body that is not JSON is a SerializationException", func(c *conf) {
		a := c.raw("GetSecretValue", `{"SecretId":`)
		c.eq("status", a.status, 400)
		c.eq("__type", a.body["__type"], "SerializationException")
	}},
	{"a member of the wrong type is a SerializationException", func(c *conf) {
		a := c.raw("GetSecretValue", `{"SecretId":7}`)
		c.eq("status", a.status, 400)
		c.eq("__type", a.body["__type"], "SerializationException")
	}},
	{"unknown members are ignored", func(c *conf) {
		c.create("a", "v")
		a := c.raw("GetSecretValue", `{"SecretId":"`+c.name("a")+`","Colour":{"red":[1]}}`)
		c.eq("status", a.status, 200)
	}},
	{"null members count as absent", func(c *conf) {
		c.create("a", "v")
		a := c.raw("GetSecretValue", `{"SecretId":"`+c.name("a")+`","VersionId":null,"VersionStage":null}`)
		c.eq("status", a.status, 200)
	}},
	{"times are numbers of seconds with a fraction", func(c *conf) {
		c.create("a", "v")
		a := c.raw("DescribeSecret", `{"SecretId":"`+c.name("a")+`"}`)
		d := json.NewDecoder(strings.NewReader(a.text))
		d.UseNumber()
		var body m
		if err := d.Decode(&body); err != nil {
			c.differ("%v", err)
			return
		}
		n, _ := body["CreatedDate"].(json.Number)
		f, err := n.Float64()
		if err != nil || time.Since(time.UnixMilli(int64(f*1000))).Abs() > time.Hour {
			c.differ("CreatedDate: got %v", body["CreatedDate"])
		}
	}},
	{"absent members are left out, not null", func(c *conf) {
		c.create("a", "v")
		for _, op := range []string{"DescribeSecret", "GetSecretValue", "ListSecretVersionIds", "GetResourcePolicy"} {
			if a := c.raw(op, `{"SecretId":"`+c.name("a")+`"}`); strings.Contains(a.text, "null") {
				c.differ("%s: got %s", op, a.text)
			}
		}
	}},
	{"binary values are base64", func(c *conf) {
		c.ok("CreateSecret", m{"Name": c.name("a"), "SecretBinary": "AAH+/w=="})
		a := c.raw("GetSecretValue", `{"SecretId":"`+c.name("a")+`"}`)
		c.eq("SecretBinary", a.body["SecretBinary"], "AAH+/w==")
	}},
	{"TagResource and UntagResource answer an empty body", func(c *conf) {
		c.create("a", "v")
		for _, a := range []rawAnswer{
			c.raw("TagResource", `{"SecretId":"`+c.name("a")+`","Tags":[{"Key":"k","Value":"v"}]}`),
			c.raw("UntagResource", `{"SecretId":"`+c.name("a")+`","TagKeys":["k"]}`),
		} {
			c.eq("status", a.status, 200)
			if len(a.body) != 0 {
				c.differ("body: got %s", a.text)
			}
		}
	}},
	fakeFact("the region of the signature is the region asked for", func(c *conf) {
		c.create("a", "v")
		d := c.in("eu-west-1")
		d.fails("GetSecretValue", m{"SecretId": c.name("a")}, "ResourceNotFoundException", notFoundText)
		arn := d.create("b", "v")["ARN"].(string)
		if !strings.HasPrefix(arn, "arn:aws:secretsmanager:eu-west-1:") {
			d.differ("ARN: got %s", arn)
		}
		c.join(d)
	}),
}

// broken is a fact about a constraint: the body must be refused for it.
func broken(op, body, at, constraint string) fact {
	return fact{op + ": " + at + ": " + constraint, func(c *conf) {
		a := c.raw(op, body)
		c.eq("status", a.status, 400)
		c.eq("__type", a.body["__type"], "ValidationException")
		text, _ := a.body["message"].(string)
		if text == "" {
			text, _ = a.body["Message"].(string)
		}
		if !strings.HasPrefix(text, "1 validation error detected: Value ") ||
			!strings.HasSuffix(text, " at '"+at+"' failed to satisfy constraint: "+constraint) {
			c.differ("message: got %.400q", text)
		}
	}}
}

const (
	notNull  = "Member must not be null"
	minOne   = "Member must have length greater than or equal to 1"
	minValue = "Member must have value greater than or equal to 1"
	idShort  = "Member must have length greater than or equal to 32"
)

func atMost(n int) string { return fmt.Sprintf("Member must have length less than or equal to %d", n) }

var validationFacts = append([]fact{
	broken("CreateSecret", `{"ClientRequestToken":"`+unknownID+`"}`, "name", notNull),
	broken("CreateSecret", `{"Name":"","ClientRequestToken":"`+unknownID+`"}`, "name", minOne),
	broken("CreateSecret", `{"Name":"`+strings.Repeat("n", 513)+`","ClientRequestToken":"`+unknownID+`"}`, "name", atMost(512)),
	broken("CreateSecret", `{"Name":"n","ClientRequestToken":"short"}`, "clientRequestToken", idShort),
	broken("CreateSecret", `{"Name":"n","ClientRequestToken":"`+strings.Repeat("t", 65)+`"}`, "clientRequestToken", atMost(64)),
	broken("CreateSecret", `{"Name":"n","ClientRequestToken":"`+unknownID+`","Tags":[{"Key":"","Value":"v"}]}`, "tags.1.member.key", minOne),
	broken("CreateSecret", `{"Name":"n","ClientRequestToken":"`+unknownID+`","Description":"`+strings.Repeat("d", 2049)+`"}`, "description", atMost(2048)),
	broken("CreateSecret", `{"Name":"n","ClientRequestToken":"`+unknownID+`","AddReplicaRegions":[]}`, "addReplicaRegions", minOne),
	broken("GetSecretValue", `{"SecretId":""}`, "secretId", minOne),
	broken("GetSecretValue", `{"SecretId":"`+strings.Repeat("s", 2049)+`"}`, "secretId", atMost(2048)),
	broken("GetSecretValue", `{"SecretId":"n","VersionId":"1"}`, "versionId", idShort),
	broken("GetSecretValue", `{"SecretId":"n","VersionStage":""}`, "versionStage", minOne),
	broken("PutSecretValue", `{"SecretId":"n","ClientRequestToken":"`+unknownID+`","SecretString":"v","VersionStages":[]}`, "versionStages", minOne),
	broken("ListSecrets", `{"MaxResults":0}`, "maxResults", minValue),
	broken("ListSecrets", `{"MaxResults":101}`, "maxResults", "Member must have value less than or equal to 100"),
	broken("ListSecrets", `{"SortOrder":"up"}`, "sortOrder", "Member must satisfy enum value set: [asc, desc]"),
	broken("BatchGetSecretValue", `{"SecretIdList":[]}`, "secretIdList", minOne),
	broken("GetRandomPassword", `{"PasswordLength":0}`, "passwordLength", minValue),
	broken("GetRandomPassword", `{"PasswordLength":4097}`, "passwordLength", "Member must have value less than or equal to 4096"),
	broken("RotateSecret", `{"SecretId":"n","ClientRequestToken":"`+unknownID+`","RotationRules":{"AutomaticallyAfterDays":0}}`, "rotationRules.automaticallyAfterDays", minValue),
	broken("RotateSecret", `{"SecretId":"n","ClientRequestToken":"`+unknownID+`","RotationRules":{"Duration":"3d"}}`, "rotationRules.duration", "Member must satisfy regular expression pattern: [0-9]+h"),
	broken("ReplicateSecretToRegions", `{"SecretId":"n","AddReplicaRegions":[{"Region":"mars"}]}`, "addReplicaRegions.1.member.region", `Member must satisfy regular expression pattern: ^([a-z]+-)+\d+$`),
	broken("TagResource", `{"SecretId":"n"}`, "tags", notNull),
	broken("UntagResource", `{"SecretId":"n"}`, "tagKeys", notNull),
	broken("PutResourcePolicy", `{"SecretId":"n","ResourcePolicy":""}`, "resourcePolicy", minOne),
	broken("UpdateSecretVersionStage", `{"SecretId":"n"}`, "versionStage", notNull),
	{"all violations are in one message", func(c *conf) {
		a := c.raw("UpdateSecretVersionStage", `{"VersionStage":"","MoveToVersionId":"1"}`)
		text, _ := a.body["message"].(string)
		if !strings.HasPrefix(text, "3 validation errors detected: ") || strings.Count(text, "; ") != 2 {
			c.differ("message: got %q", text)
		}
	}},
	{"a value that breaks a constraint is not repeated", func(c *conf) {
		a := c.raw("CreateSecret", `{"Name":"n","ClientRequestToken":"`+unknownID+`","SecretString":"`+strings.Repeat("hunter2", 10000)+`"}`)
		c.eq("status", a.status, 400)
		if strings.Contains(a.text, "hunter2") {
			c.differ("the message holds the value")
		}
	}},
}, badNameFacts()...)

// badNameFacts returns a fact for each operation that refuses other characters
// in a name.
func badNameFacts() []fact {
	inputs := map[string]m{
		"CreateSecret":           {"Name": "a b", "SecretString": "v"},
		"DeleteSecret":           {"SecretId": "a b"},
		"DescribeSecret":         {"SecretId": "a b"},
		"GetSecretValue":         {"SecretId": "a b"},
		"ListSecretVersionIds":   {"SecretId": "a b"},
		"PutSecretValue":         {"SecretId": "a b", "SecretString": "v"},
		"TagResource":            {"SecretId": "a b", "Tags": []m{{"Key": "k", "Value": "v"}}},
		"UntagResource":          {"SecretId": "a b", "TagKeys": []string{"k"}},
		"UpdateSecret":           {"SecretId": "a b", "SecretString": "v"},
		"ValidateResourcePolicy": {"SecretId": "a b", "ResourcePolicy": somePolicy},
	}
	var all []fact
	for _, op := range slices.Sorted(maps.Keys(inputs)) {
		all = append(all, fact{op + " refuses a bad name", func(c *conf) {
			in := inputs[op]
			for _, name := range []string{"a b", "a#b", "a:b", "\u00e9", "a\nb"} {
				if _, ok := in["Name"]; ok {
					in["Name"] = name
				} else {
					in["SecretId"] = name
				}
				c.fails(op, in, "ValidationException", nameText)
			}
		}})
	}
	return append(all, fact{"DeleteSecret refuses a bad name, forced or not", func(c *conf) {
		c.fails("DeleteSecret", m{"SecretId": "a b", "ForceDeleteWithoutRecovery": true}, "ValidationException", nameText)
	}})
}

var deleteFacts = append([]fact{
	{"a secret is deleted in 30 days unless told otherwise", func(c *conf) {
		c.create("a", "v")
		c.deletedIn(m{}, 30)
	}},
	{"a secret is deleted in as many days as told", func(c *conf) {
		c.create("a", "v")
		c.deletedIn(m{"RecoveryWindowInDays": 7}, 7)
	}},
	{"the recovery window is 7 to 30 days", func(c *conf) {
		c.create("a", "v")
		for _, days := range []int{-1, 0, 6, 31} {
			c.fails("DeleteSecret", m{"SecretId": c.name("a"), "RecoveryWindowInDays": days}, "InvalidParameterException", "")
		}
	}},
	{"a forced delete takes no recovery window", func(c *conf) {
		c.create("a", "v")
		c.fails("DeleteSecret", m{"SecretId": c.name("a"), "RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": true}, "InvalidParameterException", "")
	}},
	{"a forced delete frees the name", func(c *conf) {
		first := c.create("a", "v")["ARN"]
		c.ok("DeleteSecret", m{"SecretId": c.name("a"), "ForceDeleteWithoutRecovery": true})
		c.fails("GetSecretValue", m{"SecretId": c.name("a")}, "ResourceNotFoundException", notFoundText)
		if second := c.create("a", "w")["ARN"]; second == first {
			c.differ("the secret that was made again has the same ARN")
		}
	}},
	{"a secret that is to be deleted may be deleted by force", func(c *conf) {
		c.create("a", "v")
		c.ok("DeleteSecret", m{"SecretId": c.name("a")})
		c.ok("DeleteSecret", m{"SecretId": c.name("a"), "ForceDeleteWithoutRecovery": true})
		c.fails("DescribeSecret", m{"SecretId": c.name("a")}, "ResourceNotFoundException", notFoundText)
	}},
	{"a forced delete of a missing secret succeeds", func(c *conf) {
		out := c.ok("DeleteSecret", m{"SecretId": c.name("none"), "ForceDeleteWithoutRecovery": true})
		c.eq("Name", out["Name"], c.name("none"))
		c.has(out, "ARN", "DeletionDate")
	}},
	{"a delete of a missing secret fails", func(c *conf) {
		c.fails("DeleteSecret", m{"SecretId": c.name("none")}, "ResourceNotFoundException", notFoundText)
	}},
	{"a second delete fails", func(c *conf) {
		c.create("a", "v")
		c.ok("DeleteSecret", m{"SecretId": c.name("a")})
		c.fails("DeleteSecret", m{"SecretId": c.name("a")}, "InvalidRequestException", deletedText)
	}},
	{"RestoreSecret takes a deletion back", func(c *conf) {
		made := c.create("a", "v")
		c.ok("DeleteSecret", m{"SecretId": c.name("a")})
		out := c.ok("RestoreSecret", m{"SecretId": c.name("a")})
		c.eq("ARN", out["ARN"], made["ARN"])
		c.eq("Name", out["Name"], c.name("a"))
		c.lacks(c.ok("DescribeSecret", m{"SecretId": c.name("a")}), "DeletedDate")
		c.eq("SecretString", c.ok("GetSecretValue", m{"SecretId": c.name("a")})["SecretString"], "v")
	}},
	{"RestoreSecret of an unknown secret", func(c *conf) {
		c.fails("RestoreSecret", m{"SecretId": c.name("none")}, "ResourceNotFoundException", notFoundText)
	}},
}, dyingFacts()...)

// deletedIn deletes a secret and checks when it will go.
func (c *conf) deletedIn(in m, days int) {
	in["SecretId"] = c.name("a")
	text, _ := c.ok("DeleteSecret", in)["DeletionDate"].(string)
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || (time.Until(at)-time.Duration(days)*24*time.Hour).Abs() > time.Hour {
		c.differ("DeletionDate: got %q, want %d days from now", text, days)
	}
}

// dyingFacts returns a fact for each operation that refuses a secret that is to
// be deleted.
func dyingFacts() []fact {
	inputs := map[string]m{
		"PutSecretValue":           {"SecretString": "v"},
		"UpdateSecret":             {"SecretString": "v"},
		"TagResource":              {"Tags": []m{{"Key": "k", "Value": "v"}}},
		"UntagResource":            {"TagKeys": []string{"k"}},
		"RotateSecret":             {},
		"UpdateSecretVersionStage": {"VersionStage": "blue", "MoveToVersionId": unknownID},
	}
	var all []fact
	for _, op := range slices.Sorted(maps.Keys(inputs)) {
		all = append(all, fact{op + " refuses a secret that is to be deleted", func(c *conf) {
			c.create("a", "v")
			c.ok("DeleteSecret", m{"SecretId": c.name("a")})
			in := maps.Clone(inputs[op])
			in["SecretId"] = c.name("a")
			c.fails(op, in, "InvalidRequestException", deletedText)
		}})
	}
	return all
}

const somePolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},` +
	`"Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`

var (
	publicPolicy  = strings.Replace(somePolicy, `{"AWS":"arn:aws:iam::123456789012:root"}`, `"*"`, 1)
	lockoutPolicy = strings.NewReplacer(`"Allow"`, `"Deny"`, `{"AWS":"arn:aws:iam::123456789012:root"}`, `"*"`,
		"GetSecretValue", "*").Replace(somePolicy)
)

var policyFacts = []fact{
	{"a secret has no policy at first", func(c *conf) {
		made := c.create("a", "v")
		out := c.ok("GetResourcePolicy", m{"SecretId": c.name("a")})
		c.eq("ARN", out["ARN"], made["ARN"])
		c.lacks(out, "ResourcePolicy")
	}},
	{"a policy is answered as it was put", func(c *conf) {
		made := c.create("a", "v")
		out := c.ok("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": somePolicy})
		c.eq("answer", out, m{"ARN": made["ARN"], "Name": c.name("a")})
		got, _ := c.ok("GetResourcePolicy", m{"SecretId": c.name("a")})["ResourcePolicy"].(string)
		var a, b any
		json.Unmarshal([]byte(got), &a)
		json.Unmarshal([]byte(somePolicy), &b)
		c.eq("policy", a, b)
	}},
	{"a policy is deleted", func(c *conf) {
		made := c.create("a", "v")
		c.ok("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": somePolicy})
		c.eq("answer", c.ok("DeleteResourcePolicy", m{"SecretId": c.name("a")}), m{"ARN": made["ARN"], "Name": c.name("a")})
		c.lacks(c.ok("GetResourcePolicy", m{"SecretId": c.name("a")}), "ResourcePolicy")
	}},
	{"a policy that is not JSON is malformed", func(c *conf) {
		c.create("a", "v")
		c.fails("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": "some policy"}, "MalformedPolicyDocumentException", "This resource policy contains a syntax error.")
	}},
	{"a policy with another effect is malformed", func(c *conf) {
		c.create("a", "v")
		c.fails("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": strings.Replace(somePolicy, "Allow", "Perhaps", 1)},
			"MalformedPolicyDocumentException", "This resource policy contains a syntax error.")
	}},
	{"a policy with an unknown principal is malformed", func(c *conf) {
		c.create("a", "v")
		c.fails("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": strings.Replace(somePolicy, "arn:aws:iam::123456789012:root", "bob", 1)},
			"MalformedPolicyDocumentException", "This resource policy contains an unsupported principal.")
	}},
	{"policies of an unknown secret", func(c *conf) {
		for _, op := range []string{"GetResourcePolicy", "DeleteResourcePolicy"} {
			c.fails(op, m{"SecretId": c.name("none")}, "ResourceNotFoundException", notFoundText)
		}
		c.fails("PutResourcePolicy", m{"SecretId": c.name("none"), "ResourcePolicy": "p"}, "ResourceNotFoundException", notFoundText)
	}},
	{"a public policy is refused if it is to be blocked", func(c *conf) {
		c.create("a", "v")
		c.fails("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": publicPolicy, "BlockPublicPolicy": true}, "PublicPolicyException", "")
	}},
	{"a public policy is taken otherwise", func(c *conf) {
		c.create("a", "v")
		c.ok("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": publicPolicy})
	}},
	{"a policy that is not public is not blocked", func(c *conf) {
		c.create("a", "v")
		c.ok("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": somePolicy, "BlockPublicPolicy": true})
	}},
	{"a good policy passes validation", func(c *conf) {
		out := c.ok("ValidateResourcePolicy", m{"ResourcePolicy": somePolicy})
		c.eq("PolicyValidationPassed", out["PolicyValidationPassed"], true)
		if list, _ := out["ValidationErrors"].([]any); len(list) != 0 {
			c.differ("ValidationErrors: got %v", list)
		}
	}},
	{"a public policy does not pass validation", func(c *conf) {
		out := c.ok("ValidateResourcePolicy", m{"ResourcePolicy": publicPolicy})
		c.eq("PolicyValidationPassed", out["PolicyValidationPassed"], false)
		list, _ := out["ValidationErrors"].([]any)
		c.eq("ValidationErrors", len(list), 1)
	}},
	{"a policy that locks everybody out does not pass validation", func(c *conf) {
		out := c.ok("ValidateResourcePolicy", m{"ResourcePolicy": lockoutPolicy})
		c.eq("PolicyValidationPassed", out["PolicyValidationPassed"], false)
	}},
	{"validation attaches nothing", func(c *conf) {
		c.create("a", "v")
		c.ok("ValidateResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": somePolicy})
		c.lacks(c.ok("GetResourcePolicy", m{"SecretId": c.name("a")}), "ResourcePolicy")
	}},
	{"validation for an unknown secret", func(c *conf) {
		c.fails("ValidateResourcePolicy", m{"SecretId": c.name("none"), "ResourcePolicy": somePolicy}, "ResourceNotFoundException", notFoundText)
	}},
	fakeFact("a policy denies one user of an account that it allows", func(c *conf) {
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
	fakeFact("a policy denies the pending version", func(c *conf) {
		c.create("a", "1")
		c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "2", "VersionStages": []string{"AWSPENDING"}})
		c.ok("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": `{"Version":"2012-10-17","Statement":[
			{"Effect":"Deny","Principal":"*","Action":"secretsmanager:GetSecretValue","Resource":"*",
			 "Condition":{"StringEquals":{"secretsmanager:VersionStage":"AWSPENDING"}}}]}`})
		c.ok("GetSecretValue", m{"SecretId": c.name("a")})
		c.fails("GetSecretValue", m{"SecretId": c.name("a"), "VersionStage": "AWSPENDING"}, "AccessDeniedException", "")
	}),
	fakeFact("a policy decides by the secret's tags", func(c *conf) {
		c.create("a", "1")
		c.ok("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": `{"Version":"2012-10-17","Statement":[
			{"Effect":"Deny","Principal":"*","Action":"secretsmanager:GetSecretValue","Resource":"*",
			 "Condition":{"StringEquals":{"secretsmanager:ResourceTag/locked":"yes"}}}]}`})
		c.ok("GetSecretValue", m{"SecretId": c.name("a")})
		c.ok("TagResource", m{"SecretId": c.name("a"), "Tags": []m{{"Key": "locked", "Value": "yes"}}})
		c.fails("GetSecretValue", m{"SecretId": c.name("a")}, "AccessDeniedException", "")
	}),
	fakeFact("another account's secret is not in the list, and needs a policy", func(c *conf) {
		arn := c.create("a", "v")["ARN"].(string)
		carol := c.as("arn:aws:iam::999999999999:user/carol")
		carol.fails("DescribeSecret", m{"SecretId": arn}, "AccessDeniedException", "")
		c.ok("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"secretsmanager:*","Resource":"*"}]}`})
		c.eq("ARN", carol.ok("DescribeSecret", m{"SecretId": arn})["ARN"], arn)
		c.eq("list", names(carol.ok("ListSecrets", m{})), []string{})
		c.join(carol)
	}),
	fakeFact("another account's secret under the default key cannot be read", func(c *conf) {
		arn := c.create("a", "v")["ARN"].(string)
		c.ok("PutResourcePolicy", m{"SecretId": c.name("a"), "ResourcePolicy": `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"secretsmanager:*","Resource":"*"}]}`})
		carol := c.as("arn:aws:iam::999999999999:user/carol")
		const text = "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key."
		carol.fails("GetSecretValue", m{"SecretId": arn}, "InvalidRequestException", text)
		carol.fails("PutSecretValue", m{"SecretId": arn, "SecretString": "w"}, "InvalidRequestException", text)
		c.join(carol)
	}),
	fakeFact("a caller may be allowed GetSecretValue and not DescribeSecret", func(c *conf) {
		c.create("a", "v")
		app := c.as("arn:aws:iam::123456789012:user/app", "secretsmanager:GetSecretValue")
		app.ok("GetSecretValue", m{"SecretId": c.name("a")})
		app.fails("DescribeSecret", m{"SecretId": c.name("a")}, "AccessDeniedException",
			"User: arn:aws:iam::123456789012:user/app is not authorized to perform: secretsmanager:DescribeSecret on resource: …")
		c.join(app)
	}),
	fakeFact("BatchGetSecretValue needs its own permission and GetSecretValue", func(c *conf) {
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

// as returns c as another caller, who may do what is allowed: everything, if
// that is nothing.
func (c *conf) as(arn string, allowed ...string) *conf {
	d := c.in(c.region)
	d.creds.AccessKeyID = c.fake.AddIdentity(secretstest.Identity{ARN: arn, Allow: allowed})
	return d
}

var tagFacts = []fact{
	{"tags are absent until the first one", func(c *conf) {
		c.create("a", "v")
		c.lacks(c.ok("DescribeSecret", m{"SecretId": c.name("a")}), "Tags")
		c.ok("TagResource", m{"SecretId": c.name("a"), "Tags": []m{{"Key": "k", "Value": "v"}}})
		c.eq("Tags", c.ok("DescribeSecret", m{"SecretId": c.name("a")})["Tags"], []any{m{"Key": "k", "Value": "v"}})
	}},
	{"tags are an empty list after the last is gone", func(c *conf) {
		c.create("a", "v")
		c.ok("TagResource", m{"SecretId": c.name("a"), "Tags": []m{{"Key": "k", "Value": "v"}}})
		c.ok("UntagResource", m{"SecretId": c.name("a"), "TagKeys": []string{"k"}})
		c.eq("Tags", c.ok("DescribeSecret", m{"SecretId": c.name("a")})["Tags"], []any{})
	}},
	{"a tag's value is replaced", func(c *conf) {
		c.create("a", "v")
		for _, v := range []string{"1", "2"} {
			c.ok("TagResource", m{"SecretId": c.name("a"), "Tags": []m{{"Key": "k", "Value": v}}})
		}
		c.eq("Tags", c.ok("DescribeSecret", m{"SecretId": c.name("a")})["Tags"], []any{m{"Key": "k", "Value": "2"}})
	}},
	{"keys of tags are case-sensitive", func(c *conf) {
		c.create("a", "v")
		c.ok("TagResource", m{"SecretId": c.name("a"), "Tags": []m{{"Key": "k", "Value": "1"}, {"Key": "K", "Value": "2"}}})
		c.eq("tags", len(c.ok("DescribeSecret", m{"SecretId": c.name("a")})["Tags"].([]any)), 2)
	}},
	{"taking off a tag that is not there succeeds", func(c *conf) {
		c.create("a", "v")
		c.ok("UntagResource", m{"SecretId": c.name("a"), "TagKeys": []string{"k"}})
	}},
	{"tags of an unknown secret", func(c *conf) {
		c.fails("TagResource", m{"SecretId": c.name("none"), "Tags": []m{{"Key": "k", "Value": "v"}}}, "ResourceNotFoundException", notFoundText)
		c.fails("UntagResource", m{"SecretId": c.name("none"), "TagKeys": []string{"k"}}, "ResourceNotFoundException", notFoundText)
	}},
	{"no more than 50 tags", func(c *conf) {
		c.create("a", "v")
		var tags []m
		for i := range 51 {
			tags = append(tags, m{"Key": fmt.Sprint("k", i), "Value": "v"})
		}
		c.ok("TagResource", m{"SecretId": c.name("a"), "Tags": tags[:50]})
		if _, e := c.call("TagResource", m{"SecretId": c.name("a"), "Tags": tags[50:]}); e == nil {
			c.differ("a 51st tag was taken")
		}
	}},
}

var replicaFacts = []fact{
	{"ReplicateSecretToRegions answers the status of each region", func(c *conf) {
		made := c.create("a", "v")
		out := c.ok("ReplicateSecretToRegions", m{"SecretId": c.name("a"), "AddReplicaRegions": []m{{"Region": "eu-west-1"}}})
		c.eq("ARN", out["ARN"], made["ARN"])
		list, _ := out["ReplicationStatus"].([]any)
		if len(list) != 1 || list[0].(m)["Region"] != "eu-west-1" {
			c.differ("ReplicationStatus: got %v", list)
		}
	}},
	{"DescribeSecret has PrimaryRegion and ReplicationStatus of a replicated secret", func(c *conf) {
		replicated(c)
		out := c.ok("DescribeSecret", m{"SecretId": c.name("a")})
		c.eq("PrimaryRegion", out["PrimaryRegion"], c.region)
		list, _ := out["ReplicationStatus"].([]any)
		c.eq("regions", len(list), 1)
	}},
	{"a replica has the name, the value and the ARN but for the region", func(c *conf) {
		arn := replicated(c)
		d := c.in("eu-west-1")
		out := d.ok("GetSecretValue", m{"SecretId": c.name("a")})
		d.eq("SecretString", out["SecretString"], "v")
		d.eq("ARN", out["ARN"], strings.Replace(arn, ":"+c.region+":", ":eu-west-1:", 1))
		d.eq("PrimaryRegion", d.ok("DescribeSecret", m{"SecretId": c.name("a")})["PrimaryRegion"], c.region)
		c.join(d)
	}},
	{"a replica follows its primary", func(c *conf) {
		replicated(c)
		id := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "w"})["VersionId"]
		d := c.in("eu-west-1")
		out := d.ok("GetSecretValue", m{"SecretId": c.name("a")})
		d.eq("SecretString", out["SecretString"], "w")
		d.eq("VersionId", out["VersionId"], id)
		c.join(d)
	}},
	{"a replica refuses changes", func(c *conf) {
		replicated(c)
		d := c.in("eu-west-1")
		const text = "Operation not permitted on a replica secret. Call must be made in primary secret's region."
		d.fails("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "w"}, "InvalidParameterException", text)
		d.fails("UpdateSecret", m{"SecretId": c.name("a"), "SecretString": "w"}, "InvalidParameterException", text)
		d.fails("TagResource", m{"SecretId": c.name("a"), "Tags": []m{{"Key": "k", "Value": "v"}}}, "InvalidParameterException", text)
		d.fails("DeleteSecret", m{"SecretId": c.name("a")}, "InvalidParameterException", text)
		d.fails("RotateSecret", m{"SecretId": c.name("a")}, "InvalidParameterException", text)
		c.join(d)
	}},
	{"a primary with replicas is not deleted", func(c *conf) {
		replicated(c)
		c.fails("DeleteSecret", m{"SecretId": c.name("a")}, "InvalidParameterException",
			"You can't delete secret "+c.name("a")+" that still has replica regions [eu-west-1].")
	}},
	{"a replica is removed", func(c *conf) {
		replicated(c)
		out := c.ok("RemoveRegionsFromReplication", m{"SecretId": c.name("a"), "RemoveReplicaRegions": []string{"eu-west-1"}})
		if list, _ := out["ReplicationStatus"].([]any); len(list) != 0 {
			c.differ("ReplicationStatus: got %v", list)
		}
		d := c.in("eu-west-1")
		d.fails("GetSecretValue", m{"SecretId": c.name("a")}, "ResourceNotFoundException", notFoundText)
		c.join(d)
		c.ok("DeleteSecret", m{"SecretId": c.name("a"), "ForceDeleteWithoutRecovery": true})
	}},
	{"StopReplicationToReplica makes a replica a secret of its own", func(c *conf) {
		replicated(c)
		d := c.in("eu-west-1")
		d.has(d.ok("StopReplicationToReplica", m{"SecretId": c.name("a")}), "ARN")
		d.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "own"})
		c.eq("primary", c.ok("GetSecretValue", m{"SecretId": c.name("a")})["SecretString"], "v")
		d.ok("DeleteSecret", m{"SecretId": c.name("a"), "ForceDeleteWithoutRecovery": true})
		c.join(d)
	}},
	{"CreateSecret may replicate at once", func(c *conf) {
		out := c.ok("CreateSecret", m{"Name": c.name("a"), "SecretString": "v", "AddReplicaRegions": []m{{"Region": "eu-west-1"}}})
		list, _ := out["ReplicationStatus"].([]any)
		c.eq("regions", len(list), 1)
	}},
	{"replication to a region where the name is taken fails in its status", func(c *conf) {
		c.create("a", "v")
		d := c.in("eu-west-1")
		d.create("a", "other")
		c.ok("ReplicateSecretToRegions", m{"SecretId": c.name("a"), "AddReplicaRegions": []m{{"Region": "eu-west-1"}}})
		list, _ := c.ok("DescribeSecret", m{"SecretId": c.name("a")})["ReplicationStatus"].([]any)
		if len(list) != 1 || list[0].(m)["Status"] != "Failed" {
			c.differ("ReplicationStatus: got %v", list)
		}
		d.eq("the other secret", d.ok("GetSecretValue", m{"SecretId": c.name("a")})["SecretString"], "other")
		d.ok("DeleteSecret", m{"SecretId": c.name("a"), "ForceDeleteWithoutRecovery": true})
		c.join(d)
	}},
	{"primary-region finds a replicated secret", func(c *conf) {
		replicated(c)
		c.create("b", "v")
		out := c.ok("ListSecrets", m{"Filters": mine(c, m{"Key": "primary-region", "Values": []string{c.region}})})
		c.eq("found", names(out), []string{c.name("a")})
	}},
	{"replication of an unknown secret", func(c *conf) {
		c.fails("ReplicateSecretToRegions", m{"SecretId": c.name("none"), "AddReplicaRegions": []m{{"Region": "eu-west-1"}}}, "ResourceNotFoundException", notFoundText)
		c.fails("RemoveRegionsFromReplication", m{"SecretId": c.name("none"), "RemoveReplicaRegions": []string{"eu-west-1"}}, "ResourceNotFoundException", notFoundText)
		c.fails("StopReplicationToReplica", m{"SecretId": c.name("none")}, "ResourceNotFoundException", notFoundText)
	}},
}

// replicated makes a secret with a replica in eu-west-1, and returns its ARN.
func replicated(c *conf) string {
	out := c.ok("CreateSecret", m{"Name": c.name("a"), "SecretString": "v", "AddReplicaRegions": []m{{"Region": "eu-west-1"}}})
	for range 20 {
		list, _ := c.ok("DescribeSecret", m{"SecretId": c.name("a")})["ReplicationStatus"].([]any)
		if len(list) == 1 && list[0].(m)["Status"] == "InSync" {
			return out["ARN"].(string)
		}
		if c.fake != nil {
			break
		}
		time.Sleep(time.Second)
	}
	c.differ("no replica")
	panic(giveUp{})
}
