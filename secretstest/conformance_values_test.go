package secretstest_test

import (
	"encoding/base64"
	"regexp"
	"strings"
	"time"
)

// The texts of the service that several facts share.
const (
	notFoundText = "Secrets Manager can't find the specified secret."
	deletedText  = "You can't perform this operation on the secret because it was marked for deletion."
	nameText     = "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!"
	tokenText    = "You must provide a ClientRequestToken value. We recommend a UUID-type value."
	bothText     = "You can't specify both a binary secret value and a string secret value in the same secret."
	apartText    = "You provided a VersionStage that is not associated to the provided VersionId."
	valueText    = "Secrets Manager can't find the specified secret value for "
	unknownID    = "11111111-2222-3333-4444-555555555555"
)

var createFacts = []fact{
	{recorded, "CreateSecret answers ARN, Name and VersionId", func(c *conf) {
		t := token()
		out := c.ok("CreateSecret", m{"Name": c.name("a"), "SecretString": "v", "ClientRequestToken": t})
		c.eq("Name", out["Name"], c.name("a"))
		c.eq("VersionId", out["VersionId"], t)
		c.has(out, "ARN")
	}},
	{recorded, "an ARN ends in a hyphen and six characters", func(c *conf) {
		arn := c.create("a", "v")["ARN"].(string)
		if !regexp.MustCompile(`^arn:aws[a-z-]*:secretsmanager:` + c.region + `:\d{12}:secret:` + c.name("a") + `-[A-Za-z0-9]{6}$`).MatchString(arn) {
			c.differ("ARN: got %s", arn)
		}
	}},
	{documented, "the token becomes the version id when the SDK makes it", func(c *conf) {
		out := c.create("a", "v")
		if id, _ := out["VersionId"].(string); len(id) < 32 || len(id) > 64 {
			c.differ("VersionId: got %q", id)
		}
	}},
	{recorded, "CreateSecret without a value answers no VersionId", func(c *conf) {
		c.lacks(c.create("a", ""), "VersionId")
	}},
	{recorded, "a secret without a value has no VersionIdsToStages", func(c *conf) {
		c.create("a", "")
		c.lacks(c.ok("DescribeSecret", m{"SecretId": c.name("a")}), "VersionIdsToStages")
	}},
	{recorded, "a secret without a value: GetSecretValue does not find AWSCURRENT", func(c *conf) {
		c.create("a", "")
		c.fails("GetSecretValue", m{"SecretId": c.name("a")}, "ResourceNotFoundException", valueText+"staging label: AWSCURRENT")
	}},
	{recorded, "the first version is AWSCURRENT", func(c *conf) {
		out := c.create("a", "v")
		c.eq("stages", c.stages(c.name("a")), map[string][]string{out["VersionId"].(string): {"AWSCURRENT"}})
	}},
	{recorded, "CreateSecret with both values is refused", func(c *conf) {
		c.fails("CreateSecret", m{"Name": c.name("a"), "SecretString": "v", "SecretBinary": "dg=="}, "InvalidParameterException", bothText)
	}},
	{recorded, "CreateSecret again with token and value answers as before", func(c *conf) {
		in := m{"Name": c.name("a"), "SecretString": "v", "ClientRequestToken": token()}
		first := c.ok("CreateSecret", in)
		c.eq("second answer", c.ok("CreateSecret", in), first)
	}},
	{recorded, "CreateSecret again with the token and another value is refused", func(c *conf) {
		t := token()
		arn := c.ok("CreateSecret", m{"Name": c.name("a"), "SecretString": "v", "ClientRequestToken": t})["ARN"].(string)
		c.fails("CreateSecret", m{"Name": c.name("a"), "SecretString": "w", "ClientRequestToken": t}, "ResourceExistsException",
			"You can't use ClientRequestToken "+t+" because that value is already in use for a version of secret "+arn+".")
	}},
	{recorded, "CreateSecret of a taken name is refused, with the same value too", func(c *conf) {
		c.create("a", "v")
		c.fails("CreateSecret", m{"Name": c.name("a"), "SecretString": "v"}, "ResourceExistsException",
			"The operation failed because the secret "+c.name("a")+" already exists.")
	}},
	{recorded, "CreateSecret without a token is refused", func(c *conf) {
		c.rawFails("CreateSecret", `{"Name":"`+c.name("a")+`","SecretString":"v"}`, "InvalidRequestException", tokenText)
	}},
	{recorded, "CreateSecret of a name that is to be deleted is refused", func(c *conf) {
		c.create("a", "v")
		c.ok("DeleteSecret", m{"SecretId": c.name("a")})
		c.fails("CreateSecret", m{"Name": c.name("a"), "SecretString": "v"}, "InvalidRequestException",
			"You can't create this secret because a secret with this name is already scheduled for deletion.")
	}},
	{documented, "names may hold letters, digits and -/_+=.@!", func(c *conf) {
		c.create("A-b_c+d=e.f@g!7", "v")
	}},
	{recorded, "an empty description is none", func(c *conf) {
		c.ok("CreateSecret", m{"Name": c.name("a"), "Description": ""})
		c.lacks(c.ok("DescribeSecret", m{"SecretId": c.name("a")}), "Description")
	}},
	{documented, "description, key and tags of CreateSecret are described", func(c *conf) {
		c.ok("CreateSecret", m{"Name": c.name("a"), "Description": "d", "KmsKeyId": "alias/mine",
			"Tags": []m{{"Key": "k", "Value": "v"}}})
		out := c.ok("DescribeSecret", m{"SecretId": c.name("a")})
		c.eq("Description", out["Description"], "d")
		c.eq("KmsKeyId", out["KmsKeyId"], "alias/mine")
		c.eq("Tags", out["Tags"], []any{m{"Key": "k", "Value": "v"}})
	}},
	{documented, "a value may have 65,536 bytes", func(c *conf) {
		v := strings.Repeat("v", 65536)
		c.create("a", v)
		if got := c.ok("GetSecretValue", m{"SecretId": c.name("a")})["SecretString"]; got != v {
			c.differ("the value changed on its way")
		}
	}},
	{documented, "a value may not have 65,537 bytes", func(c *conf) {
		c.fails("CreateSecret", m{"Name": c.name("a"), "SecretString": strings.Repeat("v", 65537)}, "ValidationException", "1 validation error detected: …")
	}},
	{documented, "a value is kept to the byte", func(c *conf) {
		v := "\u00e9\u2028<&>\"\\\t\r\n\u0001 \U0001f511"
		c.create("a", v)
		c.eq("SecretString", c.ok("GetSecretValue", m{"SecretId": c.name("a")})["SecretString"], v)
	}},
	{documented, "a binary value is kept to the byte", func(c *conf) {
		v := base64.StdEncoding.EncodeToString([]byte{0, 1, 254, 255, '\n'})
		c.ok("CreateSecret", m{"Name": c.name("a"), "SecretBinary": v})
		out := c.ok("GetSecretValue", m{"SecretId": c.name("a")})
		c.eq("SecretBinary", out["SecretBinary"], v)
		c.lacks(out, "SecretString")
	}},
}

var getFacts = []fact{
	{recorded, "GetSecretValue answers all there is to a version", func(c *conf) {
		made := c.create("a", "v")
		out := c.ok("GetSecretValue", m{"SecretId": c.name("a")})
		for _, name := range []string{"ARN", "Name", "VersionId"} {
			c.eq(name, out[name], made[name])
		}
		c.eq("SecretString", out["SecretString"], "v")
		c.eq("VersionStages", out["VersionStages"], []any{"AWSCURRENT"})
		c.has(out, "CreatedDate")
		c.lacks(out, "SecretBinary")
	}},
	{documented, "a secret is found by its full ARN", func(c *conf) {
		arn := c.create("a", "v")["ARN"]
		c.eq("SecretString", c.ok("GetSecretValue", m{"SecretId": arn})["SecretString"], "v")
	}},
	{documented, "a secret is found by its ARN without the suffix", func(c *conf) {
		arn := c.create("a", "v")["ARN"].(string)
		c.eq("SecretString", c.ok("GetSecretValue", m{"SecretId": arn[:len(arn)-7]})["SecretString"], "v")
	}},
	{documented, "an ARN with another suffix is not found", func(c *conf) {
		arn := c.create("a", "v")["ARN"].(string)
		c.fails("GetSecretValue", m{"SecretId": arn[:len(arn)-6] + "zzzzzz"}, "ResourceNotFoundException", notFoundText)
	}},
	{documented, "a name that ends like an ARN is not found by partial ARN", func(c *conf) {
		arn := c.create("a-AbCdEf", "v")["ARN"].(string)
		c.fails("GetSecretValue", m{"SecretId": arn[:len(arn)-7]}, "ResourceNotFoundException", notFoundText)
	}},
	{documented, "a name that ends like an ARN is found by name and full ARN", func(c *conf) {
		arn := c.create("a-AbCdEf", "v")["ARN"]
		c.ok("GetSecretValue", m{"SecretId": arn})
		c.ok("GetSecretValue", m{"SecretId": c.name("a-AbCdEf")})
	}},
	{recorded, "GetSecretValue of an unknown secret", func(c *conf) {
		c.fails("GetSecretValue", m{"SecretId": c.name("none")}, "ResourceNotFoundException", notFoundText)
	}},
	{recorded, "GetSecretValue of an unknown label", func(c *conf) {
		c.create("a", "v")
		c.fails("GetSecretValue", m{"SecretId": c.name("a"), "VersionStage": "AWSPREVIOUS"}, "ResourceNotFoundException", valueText+"staging label: AWSPREVIOUS")
	}},
	{recorded, "GetSecretValue of an unknown version", func(c *conf) {
		c.create("a", "v")
		c.fails("GetSecretValue", m{"SecretId": c.name("a"), "VersionId": unknownID}, "ResourceNotFoundException", valueText+"VersionId: "+unknownID)
	}},
	{recorded, "GetSecretValue of a version and a label apart", func(c *conf) {
		first := c.create("a", "v")["VersionId"]
		c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "w"})
		c.fails("GetSecretValue", m{"SecretId": c.name("a"), "VersionId": first, "VersionStage": "AWSCURRENT"}, "InvalidRequestException", apartText)
	}},
	{recorded, "GetSecretValue of a version and a label nobody has", func(c *conf) {
		first := c.create("a", "v")["VersionId"]
		c.fails("GetSecretValue", m{"SecretId": c.name("a"), "VersionId": first, "VersionStage": "nobody"}, "InvalidRequestException", apartText)
	}},
	{documented, "GetSecretValue of a version with its label", func(c *conf) {
		first := c.create("a", "v")["VersionId"]
		c.eq("SecretString", c.ok("GetSecretValue", m{"SecretId": c.name("a"), "VersionId": first, "VersionStage": "AWSCURRENT"})["SecretString"], "v")
	}},
	{documented, "GetSecretValue of the previous version by label and by id", func(c *conf) {
		first := c.create("a", "v")["VersionId"]
		c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "w"})
		c.eq("by label", c.ok("GetSecretValue", m{"SecretId": c.name("a"), "VersionStage": "AWSPREVIOUS"})["SecretString"], "v")
		c.eq("by id", c.ok("GetSecretValue", m{"SecretId": c.name("a"), "VersionId": first})["SecretString"], "v")
		c.eq("current", c.ok("GetSecretValue", m{"SecretId": c.name("a")})["SecretString"], "w")
	}},
	{recorded, "GetSecretValue of a secret that is to be deleted", func(c *conf) {
		c.create("a", "v")
		c.ok("DeleteSecret", m{"SecretId": c.name("a")})
		c.fails("GetSecretValue", m{"SecretId": c.name("a")}, "InvalidRequestException", deletedText)
	}},
	{recorded, "LastAccessedDate comes with the first read", func(c *conf) {
		c.create("a", "v")
		c.lacks(c.ok("DescribeSecret", m{"SecretId": c.name("a")}), "LastAccessedDate")
		c.ok("GetSecretValue", m{"SecretId": c.name("a")})
		c.has(c.ok("DescribeSecret", m{"SecretId": c.name("a")}), "LastAccessedDate")
	}},
	{recorded, "LastAccessedDate is cut to the day", func(c *conf) {
		c.create("a", "v")
		c.ok("GetSecretValue", m{"SecretId": c.name("a")})
		text, _ := c.ok("DescribeSecret", m{"SecretId": c.name("a")})["LastAccessedDate"].(string)
		at, err := time.Parse(time.RFC3339, text)
		if err != nil || !at.Equal(at.UTC().Truncate(24*time.Hour)) {
			c.differ("LastAccessedDate: got %q, want the beginning of a day", text)
		}
	}},
	{recorded, "a refused read leaves no LastAccessedDate", func(c *conf) {
		c.create("a", "v")
		c.fails("GetSecretValue", m{"SecretId": c.name("a"), "VersionStage": "nobody"}, "ResourceNotFoundException", "")
		c.lacks(c.ok("DescribeSecret", m{"SecretId": c.name("a")}), "LastAccessedDate")
	}},
}

var putFacts = []fact{
	{recorded, "PutSecretValue makes a version that is AWSCURRENT", func(c *conf) {
		first := c.create("a", "v")["VersionId"].(string)
		out := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "w"})
		c.eq("VersionStages", out["VersionStages"], []any{"AWSCURRENT"})
		c.eq("Name", out["Name"], c.name("a"))
		c.eq("stages", c.stages(c.name("a")), map[string][]string{first: {"AWSPREVIOUS"}, out["VersionId"].(string): {"AWSCURRENT"}})
	}},
	{recorded, "PutSecretValue with another label does not move AWSCURRENT", func(c *conf) {
		first := c.create("a", "v")["VersionId"].(string)
		out := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "w", "VersionStages": []string{"AWSPENDING"}})
		c.eq("VersionStages", out["VersionStages"], []any{"AWSPENDING"})
		c.eq("stages", c.stages(c.name("a")), map[string][]string{first: {"AWSCURRENT"}, out["VersionId"].(string): {"AWSPENDING"}})
	}},
	{recorded, "the first version gets AWSCURRENT whatever labels it is given", func(c *conf) {
		c.create("a", "")
		out := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "w", "VersionStages": []string{"blue"}})
		c.eq("stages", c.stages(c.name("a")), map[string][]string{out["VersionId"].(string): {"AWSCURRENT", "blue"}})
	}},
	{recorded, "PutSecretValue again with token and value answers as before", func(c *conf) {
		c.create("a", "v")
		in := m{"SecretId": c.name("a"), "SecretString": "w", "ClientRequestToken": token()}
		first := c.ok("PutSecretValue", in)
		c.eq("second answer", c.ok("PutSecretValue", in), first)
		c.eq("versions", len(c.stages(c.name("a"))), 2)
	}},
	{recorded, "PutSecretValue again with the token and another value is refused", func(c *conf) {
		arn := c.create("a", "v")["ARN"].(string)
		t := token()
		c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "w", "ClientRequestToken": t})
		c.fails("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "x", "ClientRequestToken": t}, "ResourceExistsException",
			"You can't use ClientRequestToken "+t+" because that value is already in use for a version of secret "+arn+".")
	}},
	{recorded, "PutSecretValue without a token is refused", func(c *conf) {
		c.create("a", "v")
		c.rawFails("PutSecretValue", `{"SecretId":"`+c.name("a")+`","SecretString":"v"}`, "InvalidRequestException", tokenText)
	}},
	{recorded, "PutSecretValue: the token is asked for before the secret is looked up", func(c *conf) {
		c.rawFails("PutSecretValue", `{"SecretId":"`+c.name("none")+`","SecretString":"v"}`, "InvalidRequestException", tokenText)
	}},
	{guessed, "PutSecretValue with both values is refused", func(c *conf) {
		c.create("a", "v")
		c.fails("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "v", "SecretBinary": "dg=="}, "InvalidParameterException", bothText)
	}},
	{recorded, "PutSecretValue of an unknown secret", func(c *conf) {
		c.fails("PutSecretValue", m{"SecretId": c.name("none"), "SecretString": "v"}, "ResourceNotFoundException", notFoundText)
	}},
	{recorded, "a label sits on one version at a time", func(c *conf) {
		first := c.create("a", "v")["VersionId"].(string)
		second := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "w", "VersionStages": []string{"blue", "green"}})["VersionId"].(string)
		third := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "x", "VersionStages": []string{"blue"}})["VersionId"].(string)
		c.eq("stages", c.stages(c.name("a")), map[string][]string{first: {"AWSCURRENT"}, second: {"green"}, third: {"blue"}})
	}},
	{recorded, "AWSPREVIOUS leaves the version before the previous", func(c *conf) {
		c.create("a", "1")
		second := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "2"})["VersionId"].(string)
		third := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "3"})["VersionId"].(string)
		c.eq("stages", c.stages(c.name("a")), map[string][]string{second: {"AWSPREVIOUS"}, third: {"AWSCURRENT"}})
	}},
	{recorded, "custom labels may begin with AWS", func(c *conf) {
		c.create("a", "v")
		out := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "w", "VersionStages": []string{"AWSSOMETHING"}})
		c.eq("VersionStages", out["VersionStages"], []any{"AWSSOMETHING"})
	}},
	{recorded, "PutSecretValue that moves AWSCURRENT on takes AWSPENDING off the old version", func(c *conf) {
		c.create("a", "1")
		second := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "2",
			"VersionStages": []string{"AWSCURRENT", "AWSPENDING", "blue"}})["VersionId"].(string)
		third := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "3"})["VersionId"].(string)
		c.eq("stages", c.stages(c.name("a")), map[string][]string{second: {"AWSPREVIOUS", "blue"}, third: {"AWSCURRENT"}})
	}},
	{documented, "no more than 20 labels across all versions", func(c *conf) {
		c.create("a", "1")
		var labels []string
		for i := range 20 {
			labels = append(labels, "label"+string(rune('a'+i)))
		}
		c.fails("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "2", "VersionStages": labels}, "LimitExceededException", "")
	}},
}

var updateFacts = []fact{
	{recorded, "UpdateSecret of the description makes no version", func(c *conf) {
		first := c.create("a", "v")["VersionId"].(string)
		out := c.ok("UpdateSecret", m{"SecretId": c.name("a"), "Description": "d"})
		c.lacks(out, "VersionId")
		c.has(out, "ARN", "Name")
		c.eq("stages", c.stages(c.name("a")), map[string][]string{first: {"AWSCURRENT"}})
		c.eq("Description", c.ok("DescribeSecret", m{"SecretId": c.name("a")})["Description"], "d")
	}},
	{recorded, "UpdateSecret with SecretId alone succeeds", func(c *conf) {
		c.create("a", "v")
		out := c.ok("UpdateSecret", m{"SecretId": c.name("a")})
		c.lacks(out, "VersionId")
		c.eq("Name", out["Name"], c.name("a"))
	}},
	{documented, "UpdateSecret with a value moves AWSCURRENT", func(c *conf) {
		first := c.create("a", "v")["VersionId"].(string)
		out := c.ok("UpdateSecret", m{"SecretId": c.name("a"), "SecretString": "w"})
		c.eq("stages", c.stages(c.name("a")), map[string][]string{first: {"AWSPREVIOUS"}, out["VersionId"].(string): {"AWSCURRENT"}})
		c.eq("SecretString", c.ok("GetSecretValue", m{"SecretId": c.name("a")})["SecretString"], "w")
	}},
	{recorded, "UpdateSecret with the same value under a new token makes a version", func(c *conf) {
		c.create("a", "v")
		before := c.ok("DescribeSecret", m{"SecretId": c.name("a")})["LastChangedDate"].(string)
		time.Sleep(5 * time.Millisecond)
		out := c.ok("UpdateSecret", m{"SecretId": c.name("a"), "SecretString": "v"})
		c.has(out, "VersionId")
		c.eq("versions", len(c.stages(c.name("a"))), 2)
		if after := c.ok("DescribeSecret", m{"SecretId": c.name("a")})["LastChangedDate"].(string); after == before {
			c.differ("LastChangedDate: got %s again, want a later one", after)
		}
	}},
	{recorded, "UpdateSecret again with token and value answers as before", func(c *conf) {
		c.create("a", "v")
		in := m{"SecretId": c.name("a"), "SecretString": "w", "ClientRequestToken": token()}
		first := c.ok("UpdateSecret", in)
		c.eq("second answer", c.ok("UpdateSecret", in), first)
		c.eq("versions", len(c.stages(c.name("a"))), 2)
	}},
	{recorded, "UpdateSecret again with the token and another value is refused", func(c *conf) {
		arn := c.create("a", "v")["ARN"].(string)
		t := token()
		c.ok("UpdateSecret", m{"SecretId": c.name("a"), "SecretString": "w", "ClientRequestToken": t})
		c.fails("UpdateSecret", m{"SecretId": c.name("a"), "SecretString": "x", "ClientRequestToken": t}, "ResourceExistsException",
			"You can't use ClientRequestToken "+t+" because that value is already in use for a version of secret "+arn+".")
	}},
	{recorded, "UpdateSecret without a token is refused", func(c *conf) {
		c.create("a", "v")
		c.rawFails("UpdateSecret", `{"SecretId":"`+c.name("a")+`","SecretString":"v"}`, "InvalidRequestException", tokenText)
	}},
	{guessed, "UpdateSecret with both values is refused", func(c *conf) {
		c.create("a", "v")
		c.fails("UpdateSecret", m{"SecretId": c.name("a"), "SecretString": "v", "SecretBinary": "dg=="}, "InvalidParameterException", bothText)
	}},
	{recorded, "UpdateSecret of an unknown secret", func(c *conf) {
		c.fails("UpdateSecret", m{"SecretId": c.name("none"), "SecretString": "v"}, "ResourceNotFoundException", notFoundText)
	}},
	{documented, "UpdateSecret changes the key", func(c *conf) {
		c.create("a", "v")
		c.ok("UpdateSecret", m{"SecretId": c.name("a"), "KmsKeyId": "alias/mine"})
		c.eq("KmsKeyId", c.ok("DescribeSecret", m{"SecretId": c.name("a")})["KmsKeyId"], "alias/mine")
	}},
	{documented, "the service's own key is not described", func(c *conf) {
		c.ok("CreateSecret", m{"Name": c.name("a"), "KmsKeyId": "alias/aws/secretsmanager"})
		c.lacks(c.ok("DescribeSecret", m{"SecretId": c.name("a")}), "KmsKeyId")
	}},
	{documented, "UpdateSecret from text to binary", func(c *conf) {
		c.create("a", "v")
		c.ok("UpdateSecret", m{"SecretId": c.name("a"), "SecretBinary": "AAE="})
		out := c.ok("GetSecretValue", m{"SecretId": c.name("a")})
		c.eq("SecretBinary", out["SecretBinary"], "AAE=")
		c.lacks(out, "SecretString")
	}},
	{documented, "UpdateSecret gives a secret without a value its first", func(c *conf) {
		c.create("a", "")
		id := c.ok("UpdateSecret", m{"SecretId": c.name("a"), "SecretString": "v"})["VersionId"].(string)
		c.eq("stages", c.stages(c.name("a")), map[string][]string{id: {"AWSCURRENT"}})
	}},
}
