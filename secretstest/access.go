package secretstest

import (
	"strings"
)

// An Identity is a caller, known by its access key. A key of twelve digits needs
// no Identity: it is that of the root user of the account with that number.
type Identity struct {
	// AccessKey is the access key id. One is made up if it is empty.
	AccessKey string

	// ARN is the caller's, such as arn:aws:iam::123456789012:user/app. Its
	// account is where the caller's secrets are. The default is the root user
	// of the server's account.
	ARN string

	// Allow lists the actions that the caller's own policies allow, such as
	// "secretsmanager:GetSecretValue" or "secretsmanager:Get*", on all
	// secrets. Nil allows everything; an empty list nothing.
	Allow []string

	// Deny lists actions that the caller's own policies deny explicitly.
	Deny []string
}

// An identity is an Identity as the server keeps it. It never changes.
type identity struct {
	Identity
	arn     string
	account string
}

// AddIdentity makes the server know a caller by its access key, which it
// returns. A caller that had the key before is replaced.
func (s *Server) AddIdentity(id Identity) (accessKey string) {
	if id.AccessKey == "" {
		id.AccessKey = "AKIA" + strings.ToUpper(strings.ReplaceAll(newUUID(), "-", "")[:16])
	}
	k := &identity{Identity: id, arn: id.ARN, account: s.opts.Account}
	if k.arn == "" {
		k.arn = "arn:aws:iam::" + s.opts.Account + ":root"
	}
	if parts := strings.SplitN(k.arn, ":", 6); len(parts) == 6 && parts[4] != "" {
		k.account = parts[4]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.identities[id.AccessKey] = k
	return id.AccessKey
}

// identity returns the caller with an access key. Twelve digits, which AWS
// gives to nobody as a key, are the root user of the account with that number.
// Any other key that nobody has belongs to the root user of the server's
// account. Root users may do everything.
func (s *Server) identity(key string) *identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.identities[key]; k != nil {
		return k
	}
	if accountKey(key) {
		return &identity{arn: "arn:aws:iam::" + key + ":root", account: key}
	}
	k := s.identities[""]
	if k == nil {
		k = &identity{arn: "arn:aws:iam::" + s.opts.Account + ":root", account: s.opts.Account}
		s.identities[""] = k
	}
	return k
}

// accountKey reports whether an access key is the number of an account.
func accountKey(key string) bool {
	return len(key) == 12 && strings.Trim(key, "0123456789") == ""
}

// may returns what the caller's own policies say of an action.
func (k *identity) may(action string) decision {
	for _, pattern := range k.Deny {
		if actionMatches(pattern, action) {
			return explicitDeny
		}
	}
	if k.Allow == nil {
		return allow
	}
	for _, pattern := range k.Allow {
		if actionMatches(pattern, action) {
			return allow
		}
	}
	return implicitDeny
}

// actionMatches reports whether an action is one that a pattern with * stands
// for. The service's prefix may be left out of the pattern.
func actionMatches(pattern, action string) bool {
	pattern, action = strings.ToLower(pattern), strings.ToLower(action)
	if pattern != "*" && !strings.Contains(pattern, ":") {
		pattern = "secretsmanager:" + pattern
	}
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == action
	}
	rest, ok := strings.CutPrefix(action, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, p)
		if i < 0 {
			return false
		}
		rest = rest[i+len(p):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

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
	if own == explicitDeny {
		return deny(denyIdentityPolicy)
	}
	byResource := implicitDeny
	if s != nil && s.policy != nil {
		byResource = s.policy.decide(c.policyRequest(op, s))
	}
	foreign := s != nil && s.realm.account != c.caller.account
	switch {
	case byResource == explicitDeny:
		return deny(denyResourcePolicy)
	case foreign && byResource != allow:
		return deny(noResourcePolicy)
	case own != allow && (foreign || byResource != allow):
		return deny(noIdentityPolicy)
	}
	return nil
}

// policyRequest describes the call to a resource policy.
func (c *call) policyRequest(op string, s *secret) request {
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
	return request{
		principalARN: c.caller.arn,
		account:      c.caller.account,
		action:       "secretsmanager:" + op,
		resource:     s.arn,
		keys:         keys,
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
