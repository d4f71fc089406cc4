package secretstest

import (
	"strings"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/policy"
)

// The reasons that AWS gives for a refusal.
const (
	noIdentityPolicy   = "because no identity-based policy allows the %s action"
	noResourcePolicy   = "because no resource-based policy allows the %s action"
	denyIdentityPolicy = "with an explicit deny in an identity-based policy"
	denyResourcePolicy = "with an explicit deny in a resource-based policy"
)

// deniedText returns AWS's words for a refusal.
func (c *call) deniedText(op, resource, reason string) string {
	action := "secretsmanager:" + op
	return "User: " + c.caller.arn + " is not authorized to perform: " + action +
		" on resource: " + resource + " " + strings.Replace(reason, "%s", action, 1)
}

// target returns the ARN of the secret that a call is about, or what it was
// called there.
func (c *call) target() string {
	id := c.entry.SecretID
	if s := c.srv.findLocked(c.caller.account, c.region, id, c.now); s != nil {
		return s.arn
	}
	if id == "" {
		return "*"
	}
	return id
}

// authorize checks that the caller may carry out op. The secret is nil when
// the operation is about none, or about one that is not there; id is then how
// it was asked for.
func (c *call) authorize(op string, s *secret, id string) error {
	resource := id
	if s != nil {
		resource = s.arn
	}
	deny := func(reason string) error {
		return &apiError{code: "AccessDeniedException", message: c.deniedText(op, resource, reason)}
	}
	own := c.caller.may("secretsmanager:" + op)
	if own == policy.ExplicitDeny {
		return deny(denyIdentityPolicy)
	}
	byResource := policy.ImplicitDeny
	if s != nil && s.policy != nil {
		byResource = s.policy.Decide(c.policyRequest(op, s))
	}
	foreign := s != nil && s.realm.account != c.caller.account
	switch {
	case byResource == policy.ExplicitDeny:
		return deny(denyResourcePolicy)
	case foreign && byResource != policy.Allow:
		return deny(noResourcePolicy)
	case own != policy.Allow && (foreign || byResource != policy.Allow):
		return deny(noIdentityPolicy)
	}
	return nil
}

// policyRequest describes the call to a resource policy.
func (c *call) policyRequest(op string, s *secret) policy.Request {
	keys := map[string][]string{
		"aws:principalarn":        {c.caller.arn},
		"aws:principalaccount":    {c.caller.account},
		"aws:requestedregion":     {c.region},
		"aws:securetransport":     {"true"},
		"aws:currenttime":         {c.now.UTC().Format("2006-01-02T15:04:05Z")},
		"secretsmanager:secretid": {s.arn},
		"secretsmanager:name":     {s.name},
	}
	for _, t := range s.tags {
		keys["secretsmanager:resourcetag/"+strings.ToLower(t.Key)] = []string{t.Value}
		keys["aws:resourcetag/"+strings.ToLower(t.Key)] = []string{t.Value}
	}
	for _, t := range c.in.objects("Tags") {
		key := t.str("Key")
		keys["aws:requesttag/"+strings.ToLower(key)] = []string{t.str("Value")}
		keys["aws:tagkeys"] = append(keys["aws:tagkeys"], key)
	}
	c.versionKeys(op, keys)
	return policy.Request{
		PrincipalARN: c.caller.arn,
		Account:      c.caller.account,
		Action:       "secretsmanager:" + op,
		Resource:     s.arn,
		Keys:         keys,
	}
}

// versionKeys adds the condition keys about the version that is asked for. A
// read that names no version is one of AWSCURRENT.
func (c *call) versionKeys(op string, keys map[string][]string) {
	if id := c.in.str("VersionId"); id != "" {
		keys["secretsmanager:versionid"] = []string{id}
	}
	stage := c.in.str("VersionStage")
	if stage == "" && op == "GetSecretValue" && c.in.str("VersionId") == "" {
		stage = stageCurrent
	}
	if stage != "" {
		keys["secretsmanager:versionstage"] = []string{stage}
	}
	if stages := c.in.strs("VersionStages"); len(stages) > 0 {
		keys["secretsmanager:versionstage"] = stages
	}
	for _, name := range []string{"KmsKeyId", "Description", "RotationLambdaARN"} {
		if v := c.in.str(name); v != "" {
			keys["secretsmanager:"+strings.ToLower(name)] = []string{v}
		}
	}
	for _, name := range []string{"ForceDeleteWithoutRecovery", "BlockPublicPolicy", "RotateImmediately", "ForceOverwriteReplicaSecret"} {
		if c.in.has(name) {
			v := "false"
			if c.in.flag(name, false) {
				v = "true"
			}
			keys["secretsmanager:"+strings.ToLower(name)] = []string{v}
		}
	}
}
