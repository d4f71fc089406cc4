package secretstest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

var wireFacts = []fact{
	{model, "an answer is HTTP 200 of type application/x-amz-json-1.1", func(c *conf) {
		a := c.raw("ListSecrets", `{"MaxResults":1}`)
		c.eq("status", a.status, 200)
		c.eq("Content-Type", a.header.Get("Content-Type"), "application/x-amz-json-1.1")
		if a.header.Get("X-Amzn-Requestid") == "" {
			c.differ("X-Amzn-Requestid: got none")
		}
	}},
	{recorded, "an error is HTTP 400 with __type and Message", func(c *conf) {
		a := c.raw("GetSecretValue", `{"SecretId":"`+c.name("none")+`"}`)
		c.eq("status", a.status, 400)
		c.eq("body", a.body, m{"__type": "ResourceNotFoundException", "Message": notFoundText})
	}},
	{guessed, "a ValidationException's message is in lower case", func(c *conf) {
		a := c.raw("GetSecretValue", `{}`)
		c.eq("status", a.status, 400)
		c.eq("__type", a.body["__type"], "ValidationException")
		if _, ok := a.body["message"]; !ok {
			c.differ("body: got %s", a.text)
		}
	}},
	{guessed, "an unknown operation is refused", func(c *conf) {
		a := c.raw("Frobnicate", `{}`)
		c.eq("status", a.status, 400)
		c.eq("__type", a.body["__type"], "UnknownOperationException")
	}},
	{guessed, "another service's operation is refused", func(c *conf) {
		a := c.send("POST", "DynamoDB_20120810.ListTables", `{}`)
		if a.status/100 != 4 {
			c.differ("status: got %d", a.status)
		}
	}},
	{guessed, "a body that is not JSON is a SerializationException", func(c *conf) {
		a := c.raw("GetSecretValue", `{"SecretId":`)
		c.eq("status", a.status, 400)
		c.eq("__type", a.body["__type"], "SerializationException")
	}},
	{guessed, "a member of the wrong type is a SerializationException", func(c *conf) {
		a := c.raw("GetSecretValue", `{"SecretId":7}`)
		c.eq("status", a.status, 400)
		c.eq("__type", a.body["__type"], "SerializationException")
	}},
	{recorded, "unknown members are ignored", func(c *conf) {
		c.create("a", "v")
		a := c.raw("GetSecretValue", `{"SecretId":"`+c.name("a")+`","Colour":{"red":[1]}}`)
		c.eq("status", a.status, 200)
	}},
	{guessed, "null members count as absent", func(c *conf) {
		c.create("a", "v")
		a := c.raw("GetSecretValue", `{"SecretId":"`+c.name("a")+`","VersionId":null,"VersionStage":null}`)
		c.eq("status", a.status, 200)
	}},
	{model, "times are numbers of seconds with a fraction", func(c *conf) {
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
	{model, "absent members are left out, not null", func(c *conf) {
		c.create("a", "v")
		for _, op := range []string{"DescribeSecret", "GetSecretValue", "ListSecretVersionIds", "GetResourcePolicy"} {
			if a := c.raw(op, `{"SecretId":"`+c.name("a")+`"}`); strings.Contains(a.text, "null") {
				c.differ("%s: got %s", op, a.text)
			}
		}
	}},
	{model, "binary values are base64", func(c *conf) {
		c.ok("CreateSecret", m{"Name": c.name("a"), "SecretBinary": "AAH+/w=="})
		a := c.raw("GetSecretValue", `{"SecretId":"`+c.name("a")+`"}`)
		c.eq("SecretBinary", a.body["SecretBinary"], "AAH+/w==")
	}},
	{model, "TagResource and UntagResource answer an empty body", func(c *conf) {
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
	fakeFact(documented, "the region of the signature is the region asked for", func(c *conf) {
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
	return fact{model, op + ": " + at + ": " + constraint, func(c *conf) {
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
	{model, "all violations are in one message", func(c *conf) {
		a := c.raw("UpdateSecretVersionStage", `{"VersionStage":"","MoveToVersionId":"1"}`)
		text, _ := a.body["message"].(string)
		if !strings.HasPrefix(text, "3 validation errors detected: ") || strings.Count(text, "; ") != 2 {
			c.differ("message: got %q", text)
		}
	}},
	{guessed, "a value that breaks a constraint is not repeated", func(c *conf) {
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
		all = append(all, fact{recorded, op + " refuses a bad name", func(c *conf) {
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
	return append(all, fact{recorded, "DeleteSecret refuses a bad name, forced or not", func(c *conf) {
		c.fails("DeleteSecret", m{"SecretId": "a b", "ForceDeleteWithoutRecovery": true}, "ValidationException", nameText)
	}})
}

var deleteFacts = append([]fact{
	{recorded, "a secret is deleted in 30 days unless told otherwise", func(c *conf) {
		c.create("a", "v")
		c.deletedIn(m{}, 30)
	}},
	{documented, "a secret is deleted in as many days as told", func(c *conf) {
		c.create("a", "v")
		c.deletedIn(m{"RecoveryWindowInDays": 7}, 7)
	}},
	{documented, "the recovery window is 7 to 30 days", func(c *conf) {
		c.create("a", "v")
		for _, days := range []int{-1, 0, 6, 31} {
			c.fails("DeleteSecret", m{"SecretId": c.name("a"), "RecoveryWindowInDays": days}, "InvalidParameterException", "")
		}
	}},
	{documented, "a forced delete takes no recovery window", func(c *conf) {
		c.create("a", "v")
		c.fails("DeleteSecret", m{"SecretId": c.name("a"), "RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": true}, "InvalidParameterException", "")
	}},
	{recorded, "a forced delete frees the name", func(c *conf) {
		first := c.create("a", "v")["ARN"]
		c.ok("DeleteSecret", m{"SecretId": c.name("a"), "ForceDeleteWithoutRecovery": true})
		c.fails("GetSecretValue", m{"SecretId": c.name("a")}, "ResourceNotFoundException", notFoundText)
		if second := c.create("a", "w")["ARN"]; second == first {
			c.differ("the recreated secret has the same ARN")
		}
	}},
	{recorded, "a secret that is to be deleted may be deleted by force", func(c *conf) {
		c.create("a", "v")
		c.ok("DeleteSecret", m{"SecretId": c.name("a")})
		c.ok("DeleteSecret", m{"SecretId": c.name("a"), "ForceDeleteWithoutRecovery": true})
		c.fails("DescribeSecret", m{"SecretId": c.name("a")}, "ResourceNotFoundException", notFoundText)
	}},
	{recorded, "a forced delete of a missing secret succeeds", func(c *conf) {
		out := c.ok("DeleteSecret", m{"SecretId": c.name("none"), "ForceDeleteWithoutRecovery": true})
		c.eq("Name", out["Name"], c.name("none"))
		c.has(out, "ARN", "DeletionDate")
	}},
	{documented, "a delete of a missing secret fails", func(c *conf) {
		c.fails("DeleteSecret", m{"SecretId": c.name("none")}, "ResourceNotFoundException", notFoundText)
	}},
	{guessed, "a second delete fails", func(c *conf) {
		c.create("a", "v")
		c.ok("DeleteSecret", m{"SecretId": c.name("a")})
		c.fails("DeleteSecret", m{"SecretId": c.name("a")}, "InvalidRequestException", deletedText)
	}},
	{documented, "RestoreSecret takes a deletion back", func(c *conf) {
		made := c.create("a", "v")
		c.ok("DeleteSecret", m{"SecretId": c.name("a")})
		out := c.ok("RestoreSecret", m{"SecretId": c.name("a")})
		c.eq("ARN", out["ARN"], made["ARN"])
		c.eq("Name", out["Name"], c.name("a"))
		c.lacks(c.ok("DescribeSecret", m{"SecretId": c.name("a")}), "DeletedDate")
		c.eq("SecretString", c.ok("GetSecretValue", m{"SecretId": c.name("a")})["SecretString"], "v")
	}},
	{documented, "RestoreSecret of an unknown secret", func(c *conf) {
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
		all = append(all, fact{recorded, op + " refuses a secret that is to be deleted", func(c *conf) {
			c.create("a", "v")
			c.ok("DeleteSecret", m{"SecretId": c.name("a")})
			in := maps.Clone(inputs[op])
			in["SecretId"] = c.name("a")
			c.fails(op, in, "InvalidRequestException", deletedText)
		}})
	}
	return all
}
