package secretstest_test

import (
	"time"
)

var putFacts = []fact{
	{"PutSecretValue makes a version that is AWSCURRENT", func(c *conf) {
		first := c.create("a", "v")["VersionId"].(string)
		out := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "w"})
		c.eq("VersionStages", out["VersionStages"], []any{"AWSCURRENT"})
		c.eq("Name", out["Name"], c.name("a"))
		c.eq("stages", c.stages(c.name("a")), map[string][]string{first: {"AWSPREVIOUS"}, out["VersionId"].(string): {"AWSCURRENT"}})
	}},
	{"PutSecretValue with another label does not move AWSCURRENT", func(c *conf) {
		first := c.create("a", "v")["VersionId"].(string)
		out := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "w", "VersionStages": []string{"AWSPENDING"}})
		c.eq("VersionStages", out["VersionStages"], []any{"AWSPENDING"})
		c.eq("stages", c.stages(c.name("a")), map[string][]string{first: {"AWSCURRENT"}, out["VersionId"].(string): {"AWSPENDING"}})
	}},
	{"the first version gets AWSCURRENT whatever labels it is given", func(c *conf) {
		c.create("a", "")
		out := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "w", "VersionStages": []string{"blue"}})
		c.eq("stages", c.stages(c.name("a")), map[string][]string{out["VersionId"].(string): {"AWSCURRENT", "blue"}})
	}},
	{"PutSecretValue again with token and value answers as before", func(c *conf) {
		c.create("a", "v")
		in := m{"SecretId": c.name("a"), "SecretString": "w", "ClientRequestToken": token()}
		first := c.ok("PutSecretValue", in)
		c.eq("second answer", c.ok("PutSecretValue", in), first)
		c.eq("versions", len(c.stages(c.name("a"))), 2)
	}},
	{"PutSecretValue again with the token and another value is refused", func(c *conf) {
		arn := c.create("a", "v")["ARN"].(string)
		t := token()
		c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "w", "ClientRequestToken": t})
		c.fails("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "x", "ClientRequestToken": t}, "ResourceExistsException",
			"You can't use ClientRequestToken "+t+" because that value is already in use for a version of secret "+arn+".")
	}},
	{"PutSecretValue without a token is refused", func(c *conf) {
		c.create("a", "v")
		c.rawFails("PutSecretValue", `{"SecretId":"`+c.name("a")+`","SecretString":"v"}`, "InvalidRequestException", tokenText)
	}},
	{"PutSecretValue: the token is asked for before the secret is looked up", func(c *conf) {
		c.rawFails("PutSecretValue", `{"SecretId":"`+c.name("none")+`","SecretString":"v"}`, "InvalidRequestException", tokenText)
	}},
	{"PutSecretValue with both values is refused", func(c *conf) {
		c.create("a", "v")
		c.fails("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "v", "SecretBinary": "dg=="}, "InvalidParameterException", bothText)
	}},
	{"PutSecretValue of an unknown secret", func(c *conf) {
		c.fails("PutSecretValue", m{"SecretId": c.name("none"), "SecretString": "v"}, "ResourceNotFoundException", notFoundText)
	}},
	{"a label sits on one version at a time", func(c *conf) {
		first := c.create("a", "v")["VersionId"].(string)
		second := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "w", "VersionStages": []string{"blue", "green"}})["VersionId"].(string)
		third := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "x", "VersionStages": []string{"blue"}})["VersionId"].(string)
		c.eq("stages", c.stages(c.name("a")), map[string][]string{first: {"AWSCURRENT"}, second: {"green"}, third: {"blue"}})
	}},
	{"AWSPREVIOUS leaves the version before the previous", func(c *conf) {
		c.create("a", "1")
		second := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "2"})["VersionId"].(string)
		third := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "3"})["VersionId"].(string)
		c.eq("stages", c.stages(c.name("a")), map[string][]string{second: {"AWSPREVIOUS"}, third: {"AWSCURRENT"}})
	}},
	{"custom labels may begin with AWS", func(c *conf) {
		c.create("a", "v")
		out := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "w", "VersionStages": []string{"AWSSOMETHING"}})
		c.eq("VersionStages", out["VersionStages"], []any{"AWSSOMETHING"})
	}},
	{"PutSecretValue that moves AWSCURRENT on takes AWSPENDING off the old version", func(c *conf) {
		c.create("a", "1")
		second := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "2",
			"VersionStages": []string{"AWSCURRENT", "AWSPENDING", "blue"}})["VersionId"].(string)
		third := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "3"})["VersionId"].(string)
		c.eq("stages", c.stages(c.name("a")), map[string][]string{second: {"AWSPREVIOUS", "blue"}, third: {"AWSCURRENT"}})
	}},
	{"no more than 20 labels across all versions", func(c *conf) {
		c.create("a", "1")
		var labels []string
		for i := range 20 {
			labels = append(labels, "label"+string(rune('a'+i)))
		}
		c.fails("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "2", "VersionStages": labels}, "LimitExceededException", "")
	}},
}

var updateFacts = []fact{
	{"UpdateSecret of the description makes no version", func(c *conf) {
		first := c.create("a", "v")["VersionId"].(string)
		out := c.ok("UpdateSecret", m{"SecretId": c.name("a"), "Description": "d"})
		c.lacks(out, "VersionId")
		c.has(out, "ARN", "Name")
		c.eq("stages", c.stages(c.name("a")), map[string][]string{first: {"AWSCURRENT"}})
		c.eq("Description", c.ok("DescribeSecret", m{"SecretId": c.name("a")})["Description"], "d")
	}},
	{"UpdateSecret with SecretId alone succeeds", func(c *conf) {
		c.create("a", "v")
		out := c.ok("UpdateSecret", m{"SecretId": c.name("a")})
		c.lacks(out, "VersionId")
		c.eq("Name", out["Name"], c.name("a"))
	}},
	{"UpdateSecret with a value moves AWSCURRENT", func(c *conf) {
		first := c.create("a", "v")["VersionId"].(string)
		out := c.ok("UpdateSecret", m{"SecretId": c.name("a"), "SecretString": "w"})
		c.eq("stages", c.stages(c.name("a")), map[string][]string{first: {"AWSPREVIOUS"}, out["VersionId"].(string): {"AWSCURRENT"}})
		c.eq("SecretString", c.ok("GetSecretValue", m{"SecretId": c.name("a")})["SecretString"], "w")
	}},
	{"UpdateSecret with the same value under a new token makes a version", func(c *conf) {
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
	{"UpdateSecret again with token and value answers as before", func(c *conf) {
		c.create("a", "v")
		in := m{"SecretId": c.name("a"), "SecretString": "w", "ClientRequestToken": token()}
		first := c.ok("UpdateSecret", in)
		c.eq("second answer", c.ok("UpdateSecret", in), first)
		c.eq("versions", len(c.stages(c.name("a"))), 2)
	}},
	{"UpdateSecret again with the token and another value is refused", func(c *conf) {
		arn := c.create("a", "v")["ARN"].(string)
		t := token()
		c.ok("UpdateSecret", m{"SecretId": c.name("a"), "SecretString": "w", "ClientRequestToken": t})
		c.fails("UpdateSecret", m{"SecretId": c.name("a"), "SecretString": "x", "ClientRequestToken": t}, "ResourceExistsException",
			"You can't use ClientRequestToken "+t+" because that value is already in use for a version of secret "+arn+".")
	}},
	{"UpdateSecret without a token is refused", func(c *conf) {
		c.create("a", "v")
		c.rawFails("UpdateSecret", `{"SecretId":"`+c.name("a")+`","SecretString":"v"}`, "InvalidRequestException", tokenText)
	}},
	{"UpdateSecret with both values is refused", func(c *conf) {
		c.create("a", "v")
		c.fails("UpdateSecret", m{"SecretId": c.name("a"), "SecretString": "v", "SecretBinary": "dg=="}, "InvalidParameterException", bothText)
	}},
	{"UpdateSecret of an unknown secret", func(c *conf) {
		c.fails("UpdateSecret", m{"SecretId": c.name("none"), "SecretString": "v"}, "ResourceNotFoundException", notFoundText)
	}},
	{"UpdateSecret changes the key", func(c *conf) {
		c.create("a", "v")
		c.ok("UpdateSecret", m{"SecretId": c.name("a"), "KmsKeyId": "alias/mine"})
		c.eq("KmsKeyId", c.ok("DescribeSecret", m{"SecretId": c.name("a")})["KmsKeyId"], "alias/mine")
	}},
	{"the service's own key is not described", func(c *conf) {
		c.ok("CreateSecret", m{"Name": c.name("a"), "KmsKeyId": "alias/aws/secretsmanager"})
		c.lacks(c.ok("DescribeSecret", m{"SecretId": c.name("a")}), "KmsKeyId")
	}},
	{"UpdateSecret from text to binary", func(c *conf) {
		c.create("a", "v")
		c.ok("UpdateSecret", m{"SecretId": c.name("a"), "SecretBinary": "AAE="})
		out := c.ok("GetSecretValue", m{"SecretId": c.name("a")})
		c.eq("SecretBinary", out["SecretBinary"], "AAE=")
		c.lacks(out, "SecretString")
	}},
	{"UpdateSecret gives a secret without a value its first", func(c *conf) {
		c.create("a", "")
		id := c.ok("UpdateSecret", m{"SecretId": c.name("a"), "SecretString": "v"})["VersionId"].(string)
		c.eq("stages", c.stages(c.name("a")), map[string][]string{id: {"AWSCURRENT"}})
	}},
}

// two makes a secret of two versions, and returns the previous and the
// current.
func two(c *conf) (previous, current string) {
	previous = c.create("a", "1")["VersionId"].(string)
	current = c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "2"})["VersionId"].(string)
	return previous, current
}

// move makes a call of UpdateSecretVersionStage that must succeed.
func move(c *conf, label, to, from string) {
	in := m{"SecretId": c.name("a"), "VersionStage": label}
	if to != "" {
		in["MoveToVersionId"] = to
	}
	if from != "" {
		in["RemoveFromVersionId"] = from
	}
	out := c.ok("UpdateSecretVersionStage", in)
	c.eq("Name", out["Name"], c.name("a"))
	c.has(out, "ARN")
}

var stageFacts = []fact{
	{"a custom label is put on a version", func(c *conf) {
		previous, current := two(c)
		move(c, "blue", current, "")
		c.eq("stages", c.stages(c.name("a")), map[string][]string{previous: {"AWSPREVIOUS"}, current: {"AWSCURRENT", "blue"}})
	}},
	{"a custom label is moved", func(c *conf) {
		previous, current := two(c)
		move(c, "blue", current, "")
		move(c, "blue", previous, current)
		c.eq("stages", c.stages(c.name("a")), map[string][]string{previous: {"AWSPREVIOUS", "blue"}, current: {"AWSCURRENT"}})
	}},
	{"a custom label is taken off", func(c *conf) {
		previous, current := two(c)
		move(c, "blue", current, "")
		move(c, "blue", "", current)
		c.eq("stages", c.stages(c.name("a")), map[string][]string{previous: {"AWSPREVIOUS"}, current: {"AWSCURRENT"}})
	}},
	{"moving AWSCURRENT puts AWSPREVIOUS on the version it left", func(c *conf) {
		previous, current := two(c)
		move(c, "AWSCURRENT", previous, current)
		c.eq("stages", c.stages(c.name("a")), map[string][]string{previous: {"AWSCURRENT"}, current: {"AWSPREVIOUS"}})
	}},
	{"moving AWSCURRENT takes AWSPREVIOUS off any other version", func(c *conf) {
		first := c.create("a", "1")["VersionId"].(string)
		second := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "2"})["VersionId"].(string)
		third := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "3", "VersionStages": []string{"AWSPENDING"}})["VersionId"].(string)
		_ = first
		move(c, "AWSCURRENT", third, second)
		c.eq("stages", c.stages(c.name("a")), map[string][]string{second: {"AWSPREVIOUS"}, third: {"AWSCURRENT", "AWSPENDING"}})
	}},
	{"AWSPENDING stays on a version that becomes AWSCURRENT", func(c *conf) {
		first := c.create("a", "1")["VersionId"].(string)
		second := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "2", "VersionStages": []string{"AWSPENDING"}})["VersionId"].(string)
		move(c, "AWSCURRENT", second, first)
		c.eq("stages", c.stages(c.name("a")), map[string][]string{first: {"AWSPREVIOUS"}, second: {"AWSCURRENT", "AWSPENDING"}})
	}},
	{"AWSPENDING leaves when PutSecretValue moves AWSCURRENT on", func(c *conf) {
		first := c.create("a", "1")["VersionId"].(string)
		second := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "2", "VersionStages": []string{"AWSPENDING"}})["VersionId"].(string)
		move(c, "AWSCURRENT", second, first)
		third := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "3"})["VersionId"].(string)
		c.eq("stages", c.stages(c.name("a")), map[string][]string{second: {"AWSPREVIOUS"}, third: {"AWSCURRENT"}})
	}},
	{"moving AWSCURRENT without saying where from is refused", func(c *conf) {
		previous, current := two(c)
		c.fails("UpdateSecretVersionStage", m{"SecretId": c.name("a"), "VersionStage": "AWSCURRENT", "MoveToVersionId": previous},
			"InvalidParameterException", "The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version "+
				current+", so you must explicitly reference that version in RemoveFromVersionId.")
	}},
	{"moving a label from a version that does not have it is refused", func(c *conf) {
		previous, _ := two(c)
		c.fails("UpdateSecretVersionStage", m{"SecretId": c.name("a"), "VersionStage": "AWSCURRENT", "MoveToVersionId": previous, "RemoveFromVersionId": previous},
			"InvalidParameterException", "")
	}},
	{"moving a label of an unknown secret", func(c *conf) {
		c.fails("UpdateSecretVersionStage", m{"SecretId": c.name("none"), "VersionStage": "blue", "MoveToVersionId": unknownID},
			"ResourceNotFoundException", notFoundText)
	}},
	{"moving a label to an unknown version is refused", func(c *conf) {
		c.create("a", "v")
		_, e := c.call("UpdateSecretVersionStage", m{"SecretId": c.name("a"), "VersionStage": "blue", "MoveToVersionId": unknownID})
		if e == nil {
			c.differ("got an answer, want an error")
		}
	}},
}
