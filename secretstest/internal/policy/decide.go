package policy

import (
	"slices"
	"strings"
)

// A Caller is who makes a request.
type Caller struct {
	ARN     string // of a user, a role session, a root user; or a service's name
	Account string
	Role    string // the ARN of a session's role, with its path if that is known
	UserID  string // aws:userid, as in "AROAEXAMPLE:session"
}

// A Request is a request that a policy decides on. The keys are condition keys
// in lower case, such as "secretsmanager:versionstage" or
// "secretsmanager:resourcetag/team".
type Request struct {
	Caller   Caller
	Action   string // with its service, as in "secretsmanager:GetSecretValue"
	Resource string // the secret's full ARN
	Keys     map[string][]string
}

// A Decision is the decision of a policy on a request.
type Decision int

const (
	ImplicitDeny Decision = iota // no statement applies
	ExplicitDeny                 // a Deny statement applies, whatever else does
	Delegate                     // the caller's account may allow it, and has to
	Allow                        // an Allow statement applies and no Deny
)

// Decide evaluates the policy. A resource is matched as it is written: the ARN
// of a secret without its six characters matches no secret, unless it ends in
// a wildcard.
func (p *Policy) Decide(r Request) Decision {
	d := ImplicitDeny
	for i := range p.statements {
		s := &p.statements[i]
		by := s.appliesTo(&r)
		if by == nobody || !s.applies(&r, p.variables) {
			continue
		}
		switch {
		case s.deny:
			return ExplicitDeny
		case by == account:
			d = max(d, Delegate)
		default:
			d = Allow
		}
	}
	return d
}

// A naming says how a statement's principals name a caller.
type naming int

const (
	nobody  naming = iota // not at all
	account               // as one of an account, which then decides itself
	itself                // by its own name, as a session of its role, or as anybody
)

// appliesTo says how a statement names a caller.
func (s *statement) appliesTo(r *Request) naming {
	switch {
	case s.identity:
		return itself
	case s.notPrincipal:
		if s.principals.excepts(r) {
			return nobody
		}
		return itself
	}
	return s.principals.names(r)
}

func (s *statement) applies(r *Request, variables bool) bool {
	if !s.matchAction(r.Action) {
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

// names says how principals name a caller. A role names each of its sessions.
// An account, or its root user, delegates to the account's own policies, except
// for the root user itself.
func (p *principals) names(r *Request) naming {
	c := &r.Caller
	n := nobody
	switch {
	case p.any, slices.Contains(p.aws, c.ARN), slices.ContainsFunc(p.aws, c.isSessionOf), slices.ContainsFunc(p.aws, c.hasID),
		slices.Contains(p.service, c.ARN), slices.Contains(p.federated, c.ARN), slices.Contains(p.canonical, c.ARN):
		n = itself
	case slices.ContainsFunc(p.aws, c.isIn):
		n = account
		if strings.HasSuffix(c.ARN, ":root") {
			n = itself
		}
	}
	return n
}

// excepts reports whether a NotPrincipal leaves a caller out. It must name the
// caller itself: neither a role nor an account stands for the sessions and the
// users that it has.
func (p *principals) excepts(r *Request) bool {
	c := &r.Caller
	return p.any || slices.Contains(p.aws, c.ARN) || slices.ContainsFunc(p.aws, c.hasID) ||
		strings.HasSuffix(c.ARN, ":root") && slices.ContainsFunc(p.aws, c.isIn) ||
		slices.Contains(p.service, c.ARN) || slices.Contains(p.federated, c.ARN) || slices.Contains(p.canonical, c.ARN)
}

// isIn reports whether a principal is the caller's account or its root user.
func (c *Caller) isIn(principal string) bool {
	if principal == c.Account {
		return true
	}
	parts := strings.SplitN(principal, ":", 6)
	return len(parts) == 6 && parts[4] == c.Account && parts[5] == "root"
}

// isSessionOf reports whether the caller is a session of a role. A session's
// ARN lacks the path of its role; paths are compared if the caller's is known.
func (c *Caller) isSessionOf(principal string) bool {
	if c.Role == "" || !strings.Contains(principal, ":role/") {
		return false
	}
	if principal == c.Role {
		return true
	}
	head, path, _ := strings.Cut(principal, ":role/")
	known, name, _ := strings.Cut(c.Role, ":role/")
	return head == known && path[strings.LastIndexByte(path, '/')+1:] == name
}

// hasID reports whether a principal is the unique id of the caller or of its
// role.
func (c *Caller) hasID(principal string) bool {
	id, _, _ := strings.Cut(c.UserID, ":")
	return id != "" && (principal == id || principal == c.UserID)
}
