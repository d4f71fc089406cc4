package policy

import (
	"slices"
	"strings"
)

// A Request is what a policy decides about. The keys are condition keys in
// lower case, as in "secretsmanager:versionstage" or
// "secretsmanager:resourcetag/team".
type Request struct {
	PrincipalARN string
	Account      string
	Action       string // with its service, as in "secretsmanager:GetSecretValue"
	Resource     string // the secret's full ARN
	Keys         map[string][]string
}

// A Decision is what a policy says about a request.
type Decision int

const (
	ImplicitDeny Decision = iota // no statement applies
	ExplicitDeny                 // a Deny statement applies, whatever else does
	Allow                        // an Allow statement applies and no Deny
)

// Decide evaluates the policy. A resource is matched as it is written: the ARN
// of a secret without its six characters matches no secret, unless it ends in
// a wildcard.
func (p *Policy) Decide(r Request) Decision {
	d := ImplicitDeny
	for i := range p.statements {
		s := &p.statements[i]
		if !s.applies(&r, p.variables) {
			continue
		}
		if s.deny {
			return ExplicitDeny
		}
		d = Allow
	}
	return d
}

func (s *statement) applies(r *Request, variables bool) bool {
	if s.principals.match(r) == s.notPrincipal || !s.matchAction(r.Action) {
		return false
	}
	matched := slices.ContainsFunc(s.resources, func(resource string) bool {
		return like(r, variables, r.Resource, resource)
	})
	if matched == s.notResource {
		return false
	}
	for i := range s.conditions {
		if !s.conditions[i].holds(r, variables) {
			return false
		}
	}
	return true
}

// matchAction reports whether the statement is about an action, whose name is
// not case-sensitive.
func (s *statement) matchAction(action string) bool {
	matched := slices.ContainsFunc(s.actions, func(pattern string) bool {
		return match(globOf(strings.ToLower(pattern)), strings.ToLower(action))
	})
	return matched != s.notAction
}

func (p *principals) match(r *Request) bool {
	return p.any ||
		slices.ContainsFunc(p.aws, r.isPrincipal) ||
		slices.Contains(p.service, r.PrincipalARN) ||
		slices.Contains(p.federated, r.PrincipalARN) ||
		slices.Contains(p.canonical, r.PrincipalARN)
}

// isPrincipal reports whether the caller is an AWS principal of a policy. An
// account, or its root, stands for everybody in it; a role for its sessions.
func (r *Request) isPrincipal(principal string) bool {
	if principal == r.Account || principal == r.PrincipalARN {
		return true
	}
	parts := strings.SplitN(principal, ":", 6)
	if len(parts) != 6 || parts[4] != r.Account {
		return false
	}
	if parts[5] == "root" {
		return true
	}
	role, ok := strings.CutPrefix(parts[5], "role/")
	if !ok {
		return false
	}
	role = role[strings.LastIndexByte(role, '/')+1:] // a session's ARN lacks the path
	return strings.HasPrefix(r.PrincipalARN, parts[0]+":"+parts[1]+":sts::"+r.Account+":assumed-role/"+role+"/")
}
