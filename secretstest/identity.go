package secretstest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/policy"
)

// An Identity is a caller, identified by its access key. An access key of
// twelve digits needs no Identity: it is the root user of the account with that
// number.
type Identity struct {
	// AccessKey is the access key id. If it is empty, the server makes one.
	AccessKey string

	// SecretKey is the secret access key. The default is "secret". It matters only
	// with Options.VerifySignatures.
	SecretKey string

	// ARN is the caller's ARN, such as arn:aws:iam::123456789012:user/app or, for
	// a session of a role, arn:aws:sts::123456789012:assumed-role/app/i-1. The
	// account in it owns the caller's secrets. The default is the root user of the
	// server's account.
	ARN string

	// Role is the ARN of the role of a session. It is needed only if the role has
	// a path, since the session's ARN lacks that.
	Role string

	// Tags are the tags of the user, the role or the session: the condition keys
	// aws:PrincipalTag/KEY.
	Tags map[string]string

	// Policies are the caller's own policies: JSON documents in IAM's format.
	Policies []string

	// Allow lists actions that the caller's own policies allow on all secrets,
	// such as "secretsmanager:GetSecretValue" or "secretsmanager:Get*". Nil allows
	// everything, unless there are Policies. An empty list allows nothing.
	Allow []string

	// Deny lists actions that the caller's own policies explicitly deny.
	Deny []string

	// SourceIP is the address that the caller's requests come from, for the
	// condition key aws:SourceIp. The default is the address of the connection, or
	// Options.SourceIP for Client and HTTPClient.
	SourceIP string

	// Keys are further condition keys of the caller's requests, such as
	// "aws:SourceVpce" or "aws:PrincipalOrgID". They replace the keys that the
	// server sets. An empty list removes a key. A request with an aws:SourceVpce
	// has no aws:SourceIp.
	Keys map[string][]string
}

// Check returns an error if AddIdentity would refuse the identity. It refuses
// an identity that has a policy that IAM would refuse.
func (id Identity) Check() error {
	_, err := newIdentity(id, DefaultRegion, DefaultAccount)
	return err
}

// An identity is an Identity as the server keeps it. It never changes.
type identity struct {
	Identity
	arn      string
	account  string
	caller   policy.Caller
	policies []*policy.Policy
	keys     map[string][]string // condition keys that all its requests have
	replaced map[string]bool     // those of Identity.Keys, in lower case
}

// AddIdentity adds a caller to the server and returns its access key. It
// replaces a caller with the same access key. If IAM would refuse a policy of
// the caller, AddIdentity fails the test, or panics if the server has no test.
func (s *Server) AddIdentity(id Identity) (accessKey string) {
	s.helper()()
	if id.AccessKey == "" {
		id.AccessKey = "AKIA" + strings.ToUpper(strings.ReplaceAll(newUUID(), "-", "")[:16])
	}
	if id.SecretKey == "" {
		id.SecretKey = defaultSecretKey
	}
	k, err := newIdentity(id, s.opts.Region, s.opts.Account)
	s.check(err, "add identity %q", id.ARN)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.identities[id.AccessKey] = k
	return id.AccessKey
}

// The credentials of Client. All callers without a secret access key of their
// own have this one.
const (
	defaultAccessKey = "AKIAIOSFODNN7EXAMPLE"
	defaultSecretKey = "secret"
)

// newIdentity derives the properties of a caller's requests.
func newIdentity(id Identity, region, account string) (*identity, error) {
	k := &identity{Identity: id, arn: id.ARN, account: account}
	if k.arn == "" {
		k.arn = rootARN(region, account)
	}
	parts := strings.SplitN(k.arn, ":", 6)
	if len(parts) == 6 && parts[4] != "" {
		k.account = parts[4]
	}
	for i, doc := range id.Policies {
		p, err := policy.ParseIdentity(doc)
		if err != nil {
			return nil, fmt.Errorf("policy %d: %w", i+1, err)
		}
		k.policies = append(k.policies, p)
	}
	kind, name := "", ""
	if len(parts) == 6 {
		kind, name, _ = strings.Cut(parts[5], "/")
	}
	k.caller = policy.Caller{ARN: k.arn, Account: k.account, UserID: uniqueID("AIDA", k.arn)}
	k.keys = map[string][]string{
		"aws:principalaccount":      {k.account},
		"aws:principalarn":          {k.arn},
		"aws:principalisawsservice": {"false"},
		"aws:viaawsservice":         {"false"},
		"aws:securetransport":       {"true"},
	}
	k.describe(kind, name, parts)
	k.replaced = make(map[string]bool)
	for key, value := range id.Tags {
		k.keys["aws:principaltag/"+strings.ToLower(key)] = []string{value}
	}
	for key, values := range id.Keys {
		k.keys[strings.ToLower(key)] = slices.Clone(values)
		k.replaced[strings.ToLower(key)] = true
	}
	return k, nil
}

// describe adds the condition keys that depend on the kind of caller. A session
// has a role and a start time.
func (k *identity) describe(kind, name string, parts []string) {
	switch kind {
	case "root":
		k.keys["aws:principaltype"] = []string{"Account"}
		k.caller.UserID = k.account
	case "user":
		k.keys["aws:principaltype"] = []string{"User"}
		k.keys["aws:username"] = []string{name[strings.LastIndexByte(name, '/')+1:]}
	case "assumed-role":
		role, session, _ := strings.Cut(name, "/")
		k.caller.Role = k.Role
		if k.caller.Role == "" {
			k.caller.Role = parts[0] + ":" + parts[1] + ":iam::" + k.account + ":role/" + role
		}
		k.caller.UserID = uniqueID("AROA", k.caller.Role) + ":" + session
		k.keys["aws:principaltype"] = []string{"AssumedRole"}
		k.keys["aws:principalarn"] = []string{k.caller.Role}
		k.keys["aws:tokenissuetime"] = []string{now().UTC().Format(time.RFC3339)}
	case "federated-user":
		k.keys["aws:principaltype"] = []string{"FederatedUser"}
		k.caller.UserID = k.account + ":" + name
		k.keys["aws:tokenissuetime"] = []string{now().UTC().Format(time.RFC3339)}
	}
	k.keys["aws:userid"] = []string{k.caller.UserID}
}

// uniqueID returns an id in the form of IAM's, the same for the same ARN.
func uniqueID(prefix, arn string) string {
	sum := sha256.Sum256([]byte(arn))
	return prefix + strings.ToUpper(hex.EncodeToString(sum[:]))[:17]
}

// identity returns the caller with an access key, and whether the key is known.
// Twelve digits, which AWS never uses as an access key, are the root user of
// the account with that number. Any other unknown key belongs to the root user
// of the server's account. Root users may do everything; they are in the
// partition of the request.
func (s *Server) identity(key, region string) (k *identity, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.identities[key]; k != nil {
		return k, true
	}
	account := s.opts.Account
	if accountKey(key) {
		account = key
	}
	cached := partition(region) + "/" + account
	k = s.identities[cached]
	if k == nil {
		k, _ = newIdentity(Identity{SecretKey: defaultSecretKey, ARN: rootARN(region, account)}, region, account)
		s.identities[cached] = k
	}
	return k, key == defaultAccessKey || accountKey(key)
}

// accountKey reports whether an access key is the number of an account.
func accountKey(key string) bool {
	return len(key) == 12 && strings.Trim(key, "0123456789") == ""
}

// rootARN returns the ARN of the root user of an account, in the partition of a
// region.
func rootARN(region, account string) string {
	return "arn:" + partition(region) + ":iam::" + account + ":root"
}

// may returns the decision of the caller's own policies on a request.
func (k *identity) may(r policy.Request) policy.Decision {
	for _, pattern := range k.Deny {
		if actionMatches(pattern, r.Action) {
			return policy.ExplicitDeny
		}
	}
	d := policy.ImplicitDeny
	if k.Allow == nil && k.policies == nil {
		d = policy.Allow
	}
	for _, pattern := range k.Allow {
		if actionMatches(pattern, r.Action) {
			d = policy.Allow
		}
	}
	for _, p := range k.policies {
		switch p.Decide(r) {
		case policy.ExplicitDeny:
			return policy.ExplicitDeny
		case policy.Allow:
			d = policy.Allow
		}
	}
	return d
}

// actionMatches reports whether an action matches a pattern with *. The pattern
// may omit the service's prefix.
func actionMatches(pattern, action string) bool {
	if pattern != "*" && !strings.Contains(pattern, ":") {
		pattern = "secretsmanager:" + pattern
	}
	return policy.Match(strings.ToLower(pattern), strings.ToLower(action))
}
