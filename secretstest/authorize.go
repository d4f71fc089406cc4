package secretstest

import (
	"maps"
	"strconv"
	"strings"
	"time"

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

// target returns the ARN of the secret of a call, or the id in the request.
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

// authorize checks that the caller may execute op. The secret is nil if the
// operation has none, or if it does not exist; id is then the id in the
// request.
func (c *call) authorize(op string, s *secret, id string) error {
	if c.caller.Allow == nil && c.caller.policies == nil && c.caller.Deny == nil &&
		(s == nil || s.policy == nil && s.realm.account == c.caller.account) {
		return nil // no policy applies
	}
	r := c.policyRequest(op, s, id)
	deny := func(reason string) error {
		shown := id
		if s != nil {
			shown = s.arn
		}
		return &apiError{code: "AccessDeniedException", message: c.deniedText(op, shown, reason)}
	}
	own := c.caller.may(r)
	if own == policy.ExplicitDeny {
		return deny(denyIdentityPolicy)
	}
	byResource := policy.ImplicitDeny
	if s != nil && s.policy != nil {
		byResource = s.policy.Decide(r)
	}
	foreign := s != nil && s.realm.account != c.caller.account
	switch {
	case byResource == policy.ExplicitDeny:
		return deny(denyResourcePolicy)
	case foreign && byResource < policy.Delegate:
		return deny(noResourcePolicy)
	case own != policy.Allow && (foreign || byResource != policy.Allow):
		return deny(noIdentityPolicy)
	}
	return nil
}

// policyRequest describes the call to policies. CreateSecret is about the ARN
// that the secret would get.
func (c *call) policyRequest(op string, s *secret, id string) policy.Request {
	r := policy.Request{Caller: c.caller.caller, Action: "secretsmanager:" + op, Resource: id, Keys: maps.Clone(c.caller.keys)}
	set := func(key string, values ...string) {
		if !c.caller.replaced[key] {
			r.Keys[key] = values
		}
	}
	set("aws:requestedregion", c.region)
	set("aws:currenttime", c.now.UTC().Format(time.RFC3339))
	set("aws:epochtime", strconv.FormatInt(c.now.Unix(), 10))
	if len(r.Keys["aws:sourcevpce"]) == 0 && c.sourceIP != "" {
		set("aws:sourceip", c.sourceIP)
	}
	if c.userAgent != "" {
		set("aws:useragent", c.userAgent)
	}
	if s == nil && c.op.name == "CreateSecret" {
		r.Resource = arnOf(c.region, c.caller.account, id, "??????")
		set("secretsmanager:name", id)
	}
	if s != nil {
		r.Resource = s.arn
		secretKeys(s, set)
	}
	c.tagKeys(set, r.Keys)
	c.inputKeys(op, set)
	return r
}

// secretKeys adds the condition keys about a secret.
func secretKeys(s *secret, set func(string, ...string)) {
	set("secretsmanager:secretid", s.arn)
	set("secretsmanager:name", s.name)
	set("aws:resourceaccount", s.realm.account)
	primary := s.primaryRegion
	if primary == "" {
		primary = s.realm.region
	}
	set("secretsmanager:secretprimaryregion", primary)
	if fn := s.rotation().function; fn != "" {
		set("secretsmanager:resource/allowrotationlambdaarn", fn)
	}
	if s.kind != "" {
		set("secretsmanager:type", s.kind)
	}
	for _, t := range s.tags {
		set("secretsmanager:resourcetag/"+strings.ToLower(t.Key), t.Value)
		set("aws:resourcetag/"+strings.ToLower(t.Key), t.Value)
	}
}

// tagKeys adds the condition keys about the tags of a request.
func (c *call) tagKeys(set func(string, ...string), keys map[string][]string) {
	for _, t := range c.in.objects("Tags") {
		key := t.str("Key")
		set("aws:requesttag/"+strings.ToLower(key), t.str("Value"))
		set("aws:tagkeys", append(keys["aws:tagkeys"], key)...)
	}
	if drop := c.in.strs("TagKeys"); len(drop) > 0 {
		set("aws:tagkeys", drop...)
	}
}

// inputKeys adds the service's condition keys for the parameters of a request.
// A read that names no version reads AWSCURRENT. An absent flag is false in the
// operations that have it, as the service documents.
func (c *call) inputKeys(op string, set func(string, ...string)) {
	if id := c.in.str("VersionId"); id != "" {
		set("secretsmanager:versionid", id)
	}
	stage := c.in.str("VersionStage")
	if stage == "" && op == "GetSecretValue" && c.in.str("VersionId") == "" {
		stage = stageCurrent
	}
	if stage != "" {
		set("secretsmanager:versionstage", stage)
	}
	if stages := c.in.strs("VersionStages"); len(stages) > 0 {
		set("secretsmanager:versionstage", stages...)
	}
	for name, key := range textKeys {
		if v := c.in.str(name); v != "" {
			set("secretsmanager:"+key, v)
		}
	}
	if k := c.in.str("KmsKeyId"); k != "" {
		set("secretsmanager:kmskeyarn", c.keyARN(k))
	}
	for _, name := range flagKeys[op] {
		set("secretsmanager:"+strings.ToLower(name), strconv.FormatBool(c.in.flag(name, name == "RotateImmediately")))
	}
	var regions []string
	for _, r := range c.in.objects("AddReplicaRegions") {
		regions = append(regions, r.str("Region"))
	}
	if len(regions) > 0 {
		set("secretsmanager:addreplicaregions", regions...)
	}
	switch op {
	case "DeleteSecret":
		if !c.in.flag("ForceDeleteWithoutRecovery", false) {
			set("secretsmanager:recoverywindowindays", strconv.Itoa(c.in.num("RecoveryWindowInDays", defaultWindow)))
		}
	case "RotateSecret":
		set("secretsmanager:modifyrotationrules", strconv.FormatBool(c.in.has("RotationRules")))
	}
}

// textKeys are the members of requests that are condition keys.
var textKeys = map[string]string{
	"KmsKeyId": "kmskeyid", "Description": "description", "RotationLambdaARN": "rotationlambdaarn",
	"ExternalSecretRotationRoleArn": "externalsecretrotationrolearn", "Type": "type",
}

// flagKeys are the booleans of requests that are condition keys, by operation.
var flagKeys = map[string][]string{
	"CreateSecret":             {"ForceOverwriteReplicaSecret"},
	"DeleteSecret":             {"ForceDeleteWithoutRecovery"},
	"PutResourcePolicy":        {"BlockPublicPolicy"},
	"ReplicateSecretToRegions": {"ForceOverwriteReplicaSecret"},
	"RotateSecret":             {"RotateImmediately"},
}

// keyARN returns the ARN of a KMS key that may be named by its id or an alias.
func (c *call) keyARN(key string) string {
	if strings.HasPrefix(key, "arn:") {
		return key
	}
	if !strings.HasPrefix(key, "alias/") {
		key = "key/" + key
	}
	return "arn:" + partition(c.region) + ":kms:" + c.region + ":" + c.caller.account + ":" + key
}
