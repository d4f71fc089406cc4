package secretstest

import (
	"slices"
)

// needTokenAndValue refuses a PutSecretValue without either.
func needTokenAndValue(in input) error {
	if err := needToken(in); err != nil {
		return err
	}
	if !in.has("SecretString") && !in.has("SecretBinary") {
		return invalidRequest("You must provide either SecretString or SecretBinary.")
	}
	return nil
}

func putSecretValue(c *call) (any, error) {
	s, token := c.secret, c.in.str("ClientRequestToken")
	val, err := c.in.value()
	if err != nil {
		return nil, err
	}
	if s.realm.account != c.caller.account && s.kmsKeyID == "" {
		return nil, errForeignKey
	}
	stages := unique(c.in.strs("VersionStages"))
	out := answerOf(s)
	out.VersionID = token
	if v := s.version(token); v != nil && !v.value.empty() {
		if !v.value.equal(val) {
			return nil, tokenInUse(token, s)
		}
		out.VersionStages = slices.Clone(v.stages)
		return out, nil
	}
	if err := s.checkStages(stages); err != nil {
		return nil, err
	}
	if err := c.checkVersions(token); err != nil {
		return nil, err
	}
	c.change()
	v := c.newVersion(token, val, stages)
	out.VersionStages = slices.Clone(v.stages)
	if len(stages) > 0 && s.holder(stageCurrent) != v {
		out.VersionStages = stages
	}
	return out, nil
}

// newVersion makes a version, or fills the empty one that a rotation added
// under this id, and gives it labels. It gets AWSCURRENT if no label is
// requested, or if no version has AWSCURRENT yet.
func (c *call) newVersion(id string, val value, stages []string) *version {
	s := c.secret
	v := s.version(id)
	if v == nil {
		v = s.add(id, val, s.kmsKeyID, c.now)
	} else {
		v.value, v.created = val, c.now
	}
	if len(stages) == 0 || s.holder(stageCurrent) == nil && !slices.Contains(stages, stageCurrent) {
		stages = append(stages[:len(stages):len(stages)], stageCurrent)
	}
	for _, stage := range stages {
		if stage == stageCurrent {
			s.supersede(v)
		} else {
			s.attach(stage, v)
		}
	}
	s.prune(c.now)
	c.srv.valueChangedLocked(c.secret)
	return v
}

// checkVersions refuses a version above Options.VersionQuota, unless it may
// replace an old one.
func (c *call) checkVersions(id string) error {
	s, quota := c.secret, c.srv.opts.VersionQuota
	if quota <= 0 || len(s.versions) < quota || s.version(id) != nil {
		return nil
	}
	for _, v := range s.versions {
		if len(v.stages) == 0 && c.now.Sub(v.created) >= keepVersionFor {
			return nil
		}
	}
	return limitExceeded("You have reached the limit of %d versions of a secret.", quota)
}

// checkStages returns an error if stages would give the secret too many labels.
// AWSCURRENT always counts.
func (c *content) checkStages(stages []string) error {
	if c.stageCount(append(stages[:len(stages):len(stages)], stageCurrent)) > maxStages {
		return limitExceeded("You can't attach more than %d staging labels to the versions of a secret.", maxStages)
	}
	return nil
}

// unique drops repetitions and keeps the order.
func unique(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func updateSecretVersionStage(c *call) (any, error) {
	s, stage := c.secret, c.in.str("VersionStage")
	from, to := c.in.str("RemoveFromVersionId"), c.in.str("MoveToVersionId")
	holder := s.holder(stage)
	switch {
	case from == "" && to == "":
		return nil, invalidParameter("You must specify RemoveFromVersionId, MoveToVersionId, or both.")
	case from != "" && s.version(from) == nil:
		return nil, invalidParameter("Not a valid version: %s", from)
	case to != "" && s.version(to) == nil:
		return nil, invalidParameter("Not a valid version: %s", to)
	case from != "" && holder != s.version(from):
		return nil, invalidParameter("The RemoveFromVersionId value %s is not valid: staging label %s is not attached to that version.", from, stage)
	case from == "" && holder != nil && holder.id != to:
		return nil, invalidParameter("The parameter RemoveFromVersionId can't be empty. Staging label %s is currently attached to version %s, so you must explicitly reference that version in RemoveFromVersionId.", stage, holder.id)
	case to == "" && stage == stageCurrent:
		return nil, invalidParameter("You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.")
	}
	if err := s.checkStages([]string{stage}); err != nil {
		return nil, err
	}
	c.change()
	if to == "" {
		s.detach(stage)
	} else {
		s.attach(stage, s.version(to))
	}
	return answerOf(s), nil
}

// versionsAnswer is the answer to ListSecretVersionIds.
type versionsAnswer struct {
	ARN       string
	Name      string
	NextToken string `json:",omitempty"`
	Versions  []versionEntry
}

func listSecretVersionIDs(c *call) (any, error) {
	s := c.secret
	d := c.view(s)
	deprecated := c.in.flag("IncludeDeprecated", false)
	size := c.in.num("MaxResults", 100)
	tok := token{Op: "ListSecretVersionIds", Realm: s.arn, Query: boolText(deprecated)}
	if err := c.openToken(&tok); err != nil {
		return nil, err
	}
	var last uint64
	out := &versionsAnswer{ARN: s.arn, Name: s.name, Versions: []versionEntry{}}
	for _, v := range d.versions {
		if v.seq <= tok.Seq || len(v.stages) == 0 && !deprecated {
			continue
		}
		if len(out.Versions) == size {
			tok.Seq = last
			out.NextToken = c.srv.sealToken(tok)
			break
		}
		last = v.seq
		out.Versions = append(out.Versions, v.entry())
	}
	return out, nil
}
