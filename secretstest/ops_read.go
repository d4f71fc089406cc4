package secretstest

func getSecretValue(c *call) (any, error) {
	s := c.secret
	if s.realm.account != c.caller.account && s.kmsKeyID == "" {
		return nil, errForeignKey
	}
	v, err := c.pick(c.view(s), c.in.str("VersionId"), c.in.str("VersionStage"))
	if err != nil {
		return nil, err
	}
	c.touch(s, v)
	return valueOf(s, v), nil
}

var errForeignKey = invalidRequest("You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.")

// pick returns the version that a read asks for, which has a value.
func (c *call) pick(d *content, id, stage string) (*version, error) {
	if id == "" {
		if stage == "" {
			stage = stageCurrent
		}
		v := d.holder(stage)
		if v == nil || v.value.empty() {
			return nil, notFound("Secrets Manager can't find the specified secret value for staging label: %s", stage)
		}
		return v, nil
	}
	v := d.version(id)
	if stage != "" && (d.holder(stage) == nil || v != nil && !v.has(stage)) {
		return nil, errStage
	}
	if v == nil || v.value.empty() {
		return nil, notFound("Secrets Manager can't find the specified secret value for VersionId: %s", id)
	}
	return v, nil
}

// touch notes that a version was read today.
func (c *call) touch(s *secret, v *version) {
	today := dayOf(c.now)
	if !s.accessed.Equal(today) {
		s.accessed = today
		s.realm.edits++
	}
	v.accessed = today
	if live := s.version(v.id); live != nil {
		live.accessed = today
	}
}

func describeSecret(c *call) (any, error) {
	d := c.view(c.secret)
	out := c.secret.describe(d, false)
	if !c.read.noStages {
		out.VersionIDsToStages = d.stages()
	}
	if !c.secret.replica {
		out.ReplicationStatus = c.srv.replicationStatus(c.secret, d)
	}
	return out, nil
}

// A batchError says why BatchGetSecretValue left a secret out.
type batchError struct {
	SecretID  string `json:"SecretId"`
	ErrorCode string
	Message   string
}

// batchAnswer is the answer to BatchGetSecretValue.
type batchAnswer struct {
	SecretValues []*secretValue
	NextToken    string `json:",omitempty"`
	Errors       []batchError
}

func batchGetSecretValue(c *call) (any, error) {
	if err := c.authorize("BatchGetSecretValue", nil, "*"); err != nil {
		return nil, err
	}
	byID := len(c.in.strs("SecretIdList")) > 0
	switch filtered := c.in.has("Filters"); {
	case byID == filtered:
		return nil, invalidParameter("Either 'SecretIdList' or 'Filters' must be provided, but not both.")
	case c.in.has("MaxResults") && !filtered:
		return nil, invalidParameter("'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.")
	}
	out := &batchAnswer{SecretValues: []*secretValue{}, Errors: []batchError{}}
	if byID {
		for _, id := range c.in.strs("SecretIdList") {
			out.get(c, id)
		}
		return out, nil
	}
	if err := c.authorize("ListSecrets", nil, "*"); err != nil {
		return nil, err
	}
	page, next, err := c.listPage("BatchGetSecretValue", 20)
	if err != nil {
		return nil, err
	}
	for _, s := range page {
		out.get(c, s.arn)
	}
	out.NextToken = next
	return out, nil
}

// get adds the current value of one secret to the output, or its error. Faults
// of GetSecretValue strike here too.
func (a *batchAnswer) get(c *call, id string) {
	one := *c
	one.op = operations["GetSecretValue"]
	one.in = input{"SecretId": id}
	one.inBatch = true
	one.entry = &Call{Op: one.op.name, SecretID: id, Secret: c.nameOf(id)}
	v, err := one.getStruck()
	if err == nil {
		a.SecretValues = append(a.SecretValues, v)
		return
	}
	e := err.(*apiError)
	if e == errDeleted {
		e = errInBatch // a batch has its own error text
	}
	a.Errors = append(a.Errors, batchError{id, e.code, e.message})
}

// getStruck reads a secret, unless a fault prevents it.
func (c *call) getStruck() (*secretValue, error) {
	if f := c.srv.strikeLocked(c); f != nil {
		if err := f.err(); err != nil {
			return nil, err
		}
		c.read = f.reading()
	}
	if err := c.lookUp(); err != nil {
		return nil, err
	}
	v, err := getSecretValue(c)
	if err != nil {
		return nil, err
	}
	return v.(*secretValue), nil
}
