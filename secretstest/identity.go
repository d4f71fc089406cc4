package secretstest

import (
	"strings"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/policy"
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
func (k *identity) may(action string) policy.Decision {
	for _, pattern := range k.Deny {
		if actionMatches(pattern, action) {
			return policy.ExplicitDeny
		}
	}
	if k.Allow == nil {
		return policy.Allow
	}
	for _, pattern := range k.Allow {
		if actionMatches(pattern, action) {
			return policy.Allow
		}
	}
	return policy.ImplicitDeny
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
