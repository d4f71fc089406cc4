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

// Problems returns what ValidateResourcePolicy objects to in a policy
// whose syntax is right: that it is public, and that it locks everybody out of
// managing it. The service documents the checks, not their names.
func (p *Policy) Problems() []Problem {
	var problems []Problem
	if p.Public() {
		problems = append(problems, Problem{"PublicPolicyCheck",
			"This resource policy grants broad access to your secret."})
	}
	if p.locksOut() {
		problems = append(problems, Problem{"LockoutCheck",
			"Your requested changes will not allow you to manage this secret in the future."})
	}
	return problems
}

// locksOut reports whether a statement denies everybody, without conditions,
// to change the policy.
func (p *Policy) locksOut() bool {
	for i := range p.statements {
		s := &p.statements[i]
		if s.deny && s.principals.any && !s.notPrincipal && len(s.conditions) == 0 &&
			s.matchAction("secretsmanager:PutResourcePolicy") {
			return true
		}
	}
	return false
}

// Public reports whether a statement allows something to everybody. A
// condition makes it not public if it holds one of the keys that tell callers
// apart to fixed values: an exact source ARN, account, VPC, organization or
// principal, or an address range of at least 8 bits.
func (p *Policy) Public() bool {
	for i := range p.statements {
		s := &p.statements[i]
		if s.deny || s.notPrincipal == s.principals.any {
			continue
		}
		restricted := false
		for _, c := range s.conditions {
			restricted = restricted || c.restricts()
		}
		if !restricted {
			return true
		}
	}
	return false
}

// restrictingKeys are the condition keys whose fixed values make a statement
// not public.
var restrictingKeys = []string{
	"aws:sourcearn", "aws:sourceaccount", "aws:sourcevpc", "aws:sourcevpce", "aws:sourceorgid", "aws:sourceowner",
	"aws:principalarn", "aws:principalaccount", "aws:principalorgid", "aws:userid", "aws:username",
	"kms:calleraccount",
}

// restricts reports whether the condition holds the callers to fixed values.
func (c *condition) restricts() bool {
	if c.ifExists || c.set == "ForAllValues" || len(c.values) == 0 {
		return false
	}
	switch c.operator {
	case "IpAddress":
		return c.key == "aws:sourceip" && all(c.values, func(v string) bool {
			p, err := parseRange(v)
			return err == nil && p.Bits() >= 8
		})
	case "StringEquals", "StringEqualsIgnoreCase":
		return slices.Contains(restrictingKeys, c.key)
	case "StringLike", "ArnEquals", "ArnLike":
		return slices.Contains(restrictingKeys, c.key) &&
			all(c.values, func(v string) bool { return !strings.ContainsAny(v, "*?") })
	}
	return false
}
