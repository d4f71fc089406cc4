package secretstest_test

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
	{recorded, "a custom label is put on a version", func(c *conf) {
		previous, current := two(c)
		move(c, "blue", current, "")
		c.eq("stages", c.stages(c.name("a")), map[string][]string{previous: {"AWSPREVIOUS"}, current: {"AWSCURRENT", "blue"}})
	}},
	{recorded, "a custom label is moved", func(c *conf) {
		previous, current := two(c)
		move(c, "blue", current, "")
		move(c, "blue", previous, current)
		c.eq("stages", c.stages(c.name("a")), map[string][]string{previous: {"AWSPREVIOUS", "blue"}, current: {"AWSCURRENT"}})
	}},
	{recorded, "a custom label is taken off", func(c *conf) {
		previous, current := two(c)
		move(c, "blue", current, "")
		move(c, "blue", "", current)
		c.eq("stages", c.stages(c.name("a")), map[string][]string{previous: {"AWSPREVIOUS"}, current: {"AWSCURRENT"}})
	}},
	{recorded, "moving AWSCURRENT puts AWSPREVIOUS on the version it left", func(c *conf) {
		previous, current := two(c)
		move(c, "AWSCURRENT", previous, current)
		c.eq("stages", c.stages(c.name("a")), map[string][]string{previous: {"AWSCURRENT"}, current: {"AWSPREVIOUS"}})
	}},
	{recorded, "moving AWSCURRENT takes AWSPREVIOUS off any other version", func(c *conf) {
		first := c.create("a", "1")["VersionId"].(string)
		second := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "2"})["VersionId"].(string)
		third := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "3", "VersionStages": []string{"AWSPENDING"}})["VersionId"].(string)
		_ = first
		move(c, "AWSCURRENT", third, second)
		c.eq("stages", c.stages(c.name("a")), map[string][]string{second: {"AWSPREVIOUS"}, third: {"AWSCURRENT", "AWSPENDING"}})
	}},
	{recorded, "AWSPENDING stays on a version that becomes AWSCURRENT", func(c *conf) {
		first := c.create("a", "1")["VersionId"].(string)
		second := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "2", "VersionStages": []string{"AWSPENDING"}})["VersionId"].(string)
		move(c, "AWSCURRENT", second, first)
		c.eq("stages", c.stages(c.name("a")), map[string][]string{first: {"AWSPREVIOUS"}, second: {"AWSCURRENT", "AWSPENDING"}})
	}},
	{recorded, "AWSPENDING leaves when PutSecretValue moves AWSCURRENT on", func(c *conf) {
		first := c.create("a", "1")["VersionId"].(string)
		second := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "2", "VersionStages": []string{"AWSPENDING"}})["VersionId"].(string)
		move(c, "AWSCURRENT", second, first)
		third := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "3"})["VersionId"].(string)
		c.eq("stages", c.stages(c.name("a")), map[string][]string{second: {"AWSPREVIOUS"}, third: {"AWSCURRENT"}})
	}},
	{guessed, "moving AWSCURRENT without saying where from is refused", func(c *conf) {
		previous, current := two(c)
		c.fails("UpdateSecretVersionStage", m{"SecretId": c.name("a"), "VersionStage": "AWSCURRENT", "MoveToVersionId": previous},
			"InvalidParameterException", "The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version "+
				current+", so you must explicitly reference that version in RemoveFromVersionId.")
	}},
	{guessed, "moving a label from a version that does not have it is refused", func(c *conf) {
		previous, _ := two(c)
		c.fails("UpdateSecretVersionStage", m{"SecretId": c.name("a"), "VersionStage": "AWSCURRENT", "MoveToVersionId": previous, "RemoveFromVersionId": previous},
			"InvalidParameterException", "")
	}},
	{documented, "moving a label of an unknown secret", func(c *conf) {
		c.fails("UpdateSecretVersionStage", m{"SecretId": c.name("none"), "VersionStage": "blue", "MoveToVersionId": unknownID},
			"ResourceNotFoundException", notFoundText)
	}},
	{guessed, "moving a label to an unknown version is refused", func(c *conf) {
		c.create("a", "v")
		_, e := c.call("UpdateSecretVersionStage", m{"SecretId": c.name("a"), "VersionStage": "blue", "MoveToVersionId": unknownID})
		if e == nil {
			c.differ("got an answer, want an error")
		}
	}},
}
