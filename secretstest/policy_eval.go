package secretstest

import (
	"slices"
	"strings"
)

// A request is what a policy decides about. The keys are condition keys in
// lower case, as in "secretsmanager:versionstage" or
// "secretsmanager:resourcetag/team".
type request struct {
	principalARN string
	account      string
	action       string // with its service, as in "secretsmanager:GetSecretValue"
	resource     string // the secret's full ARN
	keys         map[string][]string
}

// A decision is what a policy says about a request.
type decision int

const (
	implicitDeny decision = iota // no statement applies
	explicitDeny                 // a Deny statement applies, whatever else does
	allow                        // an Allow statement applies and no Deny
)

// decide evaluates the policy. A resource is matched as it is written: the ARN
// of a secret without its six characters matches no secret, unless it ends in
// a wildcard.
func (p *policy) decide(r request) decision {
	d := implicitDeny
	for i := range p.statements {
		s := &p.statements[i]
		if !s.applies(&r, p.variables) {
			continue
		}
		if s.deny {
			return explicitDeny
		}
		d = allow
	}
	return d
}

func (s *statement) applies(r *request, variables bool) bool {
	if s.principals.match(r) == s.notPrincipal || !s.matchAction(r.action) {
		return false
	}
	matched := slices.ContainsFunc(s.resources, func(resource string) bool {
		return like(r, variables, r.resource, resource)
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

func (p *principals) match(r *request) bool {
	return p.any ||
		slices.ContainsFunc(p.aws, r.isPrincipal) ||
		slices.Contains(p.service, r.principalARN) ||
		slices.Contains(p.federated, r.principalARN) ||
		slices.Contains(p.canonical, r.principalARN)
}

// isPrincipal reports whether the caller is an AWS principal of a policy. An
// account, or its root, stands for everybody in it; a role for its sessions.
func (r *request) isPrincipal(principal string) bool {
	if principal == r.account || principal == r.principalARN {
		return true
	}
	parts := strings.SplitN(principal, ":", 6)
	if len(parts) != 6 || parts[4] != r.account {
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
	return strings.HasPrefix(r.principalARN, parts[0]+":"+parts[1]+":sts::"+r.account+":assumed-role/"+role+"/")
}

// A glob is a pattern in which the runes anyRun and anyOne are wildcards.
type glob []rune

const (
	anyRun rune = -1 // *
	anyOne rune = -2 // ?
)

// globOf makes a glob of a pattern with the wildcards * and ?.
func globOf(pattern string) glob {
	g := make(glob, 0, len(pattern))
	for _, c := range pattern {
		switch c {
		case '*':
			c = anyRun
		case '?':
			c = anyOne
		}
		g = append(g, c)
	}
	return g
}

// literal returns a glob without wildcards as a string.
func (g glob) literal() string { return string(g) }

// expand makes a glob of a policy's text. Variables, as in ${aws:username} and
// ${aws:username, 'nobody'}, are replaced by the request's value, in which no
// character is a wildcard; ${*}, ${?} and ${$} are those characters. It
// reports false for a variable that the request has no single value of.
func (r *request) expand(text string, variables, wildcards bool) (glob, bool) {
	plain := func(s string) glob {
		if wildcards {
			return globOf(s)
		}
		return glob(s)
	}
	if !variables {
		return plain(text), true
	}
	var g glob
	for {
		before, rest, found := strings.Cut(text, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			return append(g, plain(text)...), true
		}
		value, ok := r.variable(name)
		if !ok {
			return nil, false
		}
		g = append(append(g, plain(before)...), []rune(value)...)
		text = after
	}
}

// variable returns the value of a policy variable.
func (r *request) variable(name string) (string, bool) {
	if name == "*" || name == "?" || name == "$" {
		return name, true
	}
	key, fallback, hasFallback := strings.Cut(name, ",")
	if have := r.values(strings.ToLower(strings.TrimSpace(key))); len(have) == 1 {
		return have[0], true
	}
	return strings.Trim(strings.TrimSpace(fallback), "'"), hasFallback
}

// match reports whether the glob matches the whole of s. It takes time in
// proportion to the product of their lengths at most.
func match(g glob, s string) bool {
	text := []rune(s)
	i, j := 0, 0
	star, mark := -1, 0 // the last * and how far it reached
	for j < len(text) {
		switch {
		case i < len(g) && g[i] == anyRun:
			star, mark = i, j
			i++
		case i < len(g) && (g[i] == anyOne || g[i] == text[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(g) && g[i] == anyRun {
		i++
	}
	return i == len(g)
}
