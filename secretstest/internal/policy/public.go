package policy

import (
	"slices"
	"strings"
)

// A Problem is one finding of ValidateResourcePolicy.
type Problem struct {
	CheckName    string
	ErrorMessage string
}

// Problems returns the objections of ValidateResourcePolicy to a syntactically
// valid policy: that it is public, that it locks everybody out of managing the
// secret, and that it has condition keys that no request has. The resource is
// the secret's ARN, or empty if that is not known. The service documents the
// checks, but not their names.
func (p *Policy) Problems(resource string) []Problem {
	var problems []Problem
	if p.Public(resource) {
		problems = append(problems, Problem{"PublicPolicyCheck",
			"This resource policy grants broad access to your secret."})
	}
	if p.locksOut(resource) {
		problems = append(problems, Problem{"LockoutCheck",
			"Your requested changes will not allow you to manage this secret in the future."})
	}
	for _, key := range p.unknownKeys() {
		problems = append(problems, Problem{"ConditionKeyCheck",
			"This resource policy contains an unsupported condition key: " + key + "."})
	}
	return problems
}

// locksOut reports whether a statement denies everybody, without conditions,
// to change the policy.
func (p *Policy) locksOut(resource string) bool {
	for i := range p.statements {
		s := &p.statements[i]
		if s.deny && s.principals.any && !s.notPrincipal && len(s.conditions) == 0 &&
			s.matchAction("secretsmanager:PutResourcePolicy") && s.concerns(resource) {
			return true
		}
	}
	return false
}

// Public reports whether the policy allows something to everybody on a secret,
// or on some secret if its ARN is empty. A statement is not public if a
// condition restricts it to fixed callers: to an exact source ARN, account,
// VPC, organization or principal, or to an address range of at least 8 bits. It
// is not public either if a Deny statement denies at least the same to all
// other callers.
func (p *Policy) Public(resource string) bool {
	for i := range p.statements {
		s := &p.statements[i]
		if s.deny || s.notPrincipal == s.principals.any || !s.concerns(resource) {
			continue
		}
		if !slices.ContainsFunc(s.conditions, func(c condition) bool { return c.restricts() }) && !p.fenced(s, resource) {
			return true
		}
	}
	return false
}

// concerns reports whether a statement can apply to a secret. A pattern with a
// variable might.
func (s *statement) concerns(resource string) bool {
	if resource == "" {
		return true
	}
	matched := slices.ContainsFunc(s.resources, func(pattern string) bool {
		return strings.Contains(pattern, "${") && !s.notResource || match(globOf(pattern), resource)
	})
	return matched != s.notResource
}

// fenced reports whether a Deny statement denies what a statement allows to all
// but fixed callers.
func (p *Policy) fenced(allowed *statement, resource string) bool {
	return slices.ContainsFunc(p.statements, func(s statement) bool {
		return s.deny && s.principals.any && !s.notPrincipal && len(s.conditions) == 1 && s.conditions[0].fences() &&
			s.coversActions(allowed) && s.coversResources(allowed, resource)
	})
}

// coversActions reports whether a statement covers every action of another,
// judged by their patterns.
func (s *statement) coversActions(other *statement) bool {
	if s.notAction || other.notAction {
		return slices.Contains(s.actions, "*") && !s.notAction || slices.Equal(s.actions, other.actions) && s.notAction == other.notAction
	}
	return all(other.actions, func(action string) bool {
		return slices.ContainsFunc(s.actions, func(pattern string) bool {
			return pattern == "*" || strings.EqualFold(pattern, "secretsmanager:*") || match(globOf(strings.ToLower(pattern)), strings.ToLower(action))
		})
	})
}

// coversResources does the same for resources. A secret that is known is all
// that there is to cover.
func (s *statement) coversResources(other *statement, resource string) bool {
	if resource != "" {
		return s.concerns(resource)
	}
	return !s.notResource && (slices.Contains(s.resources, "*") || slices.Equal(s.resources, other.resources) && !other.notResource)
}

// restrictingKeys are the condition keys whose fixed values make a statement
// not public.
var restrictingKeys = []string{
	"aws:sourcearn", "aws:sourceaccount", "aws:sourcevpc", "aws:sourcevpce", "aws:sourceorgid", "aws:sourceowner",
	"aws:principalarn", "aws:principalaccount", "aws:principalorgid", "aws:userid", "aws:username",
	"aws:resourceorgid", "aws:sourcevpcarn", "aws:vpceorgid", "aws:vpceaccount", "kms:calleraccount",
}

// pathKeys hold paths of an organization, which are fixed if the organization
// is.
var pathKeys = []string{"aws:principalorgpaths", "aws:sourceorgpaths", "aws:vpceorgpaths"}

// restricts reports whether the condition holds the callers to fixed values.
func (c *condition) restricts() bool {
	if c.ifExists || c.set == "ForAllValues" {
		return false
	}
	switch c.operator {
	case "IpAddress":
		return c.ranges()
	case "StringEquals", "StringEqualsIgnoreCase":
		return c.fixed(false)
	case "StringLike", "ArnEquals", "ArnLike":
		return c.fixed(true)
	}
	return false
}

// fences reports whether the condition of a Deny spares fixed callers only. A
// request without the key is denied.
func (c *condition) fences() bool {
	if c.ifExists || c.set != "" {
		return false
	}
	switch c.operator {
	case "NotIpAddress":
		return c.ranges()
	case "StringNotEquals", "StringNotEqualsIgnoreCase":
		return c.fixed(false)
	case "StringNotLike", "ArnNotEquals", "ArnNotLike":
		return c.fixed(true)
	}
	return false
}

// ranges reports whether the values are address ranges of at least 8 bits.
func (c *condition) ranges() bool {
	return slices.Contains([]string{"aws:sourceip", "aws:vpcsourceip"}, c.key) && all(c.values, func(v string) bool {
		p, err := parseRange(v)
		return err == nil && p.Bits() >= 8
	})
}

// fixed reports whether the key identifies callers and its values have no
// wildcards, which only some operators support.
func (c *condition) fixed(wildcards bool) bool {
	if slices.Contains(pathKeys, c.key) {
		return all(c.values, func(v string) bool {
			org, _, _ := strings.Cut(v, "/")
			return strings.HasPrefix(org, "o-") && !(wildcards && strings.ContainsAny(org, "*?"))
		})
	}
	return slices.Contains(restrictingKeys, c.key) &&
		all(c.values, func(v string) bool { return !wildcards || !strings.ContainsAny(v, "*?") })
}
