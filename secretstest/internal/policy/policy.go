// Package policy parses IAM policies, of secrets and of identities, and decides
// requests by them.
package policy

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"strings"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/words"
)

// A Policy is a parsed resource policy. It is immutable and safe for
// concurrent use by multiple goroutines.
type Policy struct {
	variables  bool // ${...} is expanded: Version is 2012-10-17
	statements []statement
}

// A statement is one statement of a policy.
type statement struct {
	sid          string
	deny         bool
	principals   principals
	notPrincipal bool
	identity     bool // of an identity's own policy, which has no principals
	actions      []string
	notAction    bool
	resources    []string
	notResource  bool
	conditions   []condition
}

// Principals are the principals of a statement, by type.
type principals struct {
	any       bool // "*"
	aws       []string
	service   []string
	federated []string
	canonical []string
}

// The texts of MalformedPolicyDocumentException.
var (
	errPolicySyntax    = words.Error("This resource policy contains a syntax error.")
	errPolicyPrincipal = words.Error("This resource policy contains an unsupported principal.")
	errPolicyService   = words.Error("This resource policy contains an invalid service principal.")
)

// Parse parses the policy of a secret. The error's text is that of the
// service's MalformedPolicyDocumentException. Parse checks only the syntax of a
// principal, not whether it exists. The actions must be the service's own.
func Parse(doc string) (*Policy, error) { return parse(doc, false) }

// ParseIdentity parses a policy of a user or a role. It has no principals, and
// may be about the actions of any service.
func ParseIdentity(doc string) (*Policy, error) { return parse(doc, true) }

func parse(doc string, identity bool) (*Policy, error) {
	var top map[string]any
	d := json.NewDecoder(strings.NewReader(doc))
	d.UseNumber()
	if err := d.Decode(&top); err != nil || top == nil {
		return nil, errPolicySyntax
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errPolicySyntax
	}
	p := new(Policy)
	for key, value := range top {
		switch key {
		case "Version":
			p.variables = value == "2012-10-17"
			if !p.variables && value != "2008-10-17" {
				return nil, errPolicySyntax
			}
		case "Id":
			if _, ok := value.(string); !ok {
				return nil, errPolicySyntax
			}
		case "Statement":
		default:
			return nil, errPolicySyntax
		}
	}
	if err := p.parseStatements(top["Statement"], identity); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Policy) parseStatements(value any, identity bool) error {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	if len(list) == 0 {
		return errPolicySyntax
	}
	sids := make(map[string]bool)
	for _, e := range list {
		m, ok := e.(map[string]any)
		if !ok {
			return errPolicySyntax
		}
		s, err := parseStatement(m, identity)
		if err != nil {
			return err
		}
		if s.sid != "" && sids[s.sid] {
			return errPolicySyntax
		}
		sids[s.sid] = true
		p.statements = append(p.statements, s)
	}
	return nil
}

func parseStatement(m map[string]any, identity bool) (s statement, err error) {
	if m["Effect"] == nil || !oneOf(m, "Action", "NotAction") || !oneOf(m, "Resource", "NotResource") ||
		oneOf(m, "Principal", "NotPrincipal") == identity || identity && m["Principal"] != nil {
		return s, errPolicySyntax
	}
	s.identity = identity
	for key, value := range m {
		if err := s.parseElement(key, value); err != nil {
			return s, err
		}
	}
	if !identity && !all(s.actions, ownAction) {
		return s, errPolicySyntax
	}
	return s, nil
}

// oneOf reports whether exactly one of two elements exists.
func oneOf(m map[string]any, a, b string) bool { return (m[a] == nil) != (m[b] == nil) }

// ownAction reports whether an action can be one of Secrets Manager's.
func ownAction(action string) bool {
	service, _, _ := strings.Cut(action, ":")
	return action == "*" || strings.EqualFold(service, "secretsmanager")
}

func (s *statement) parseElement(key string, value any) (err error) {
	ok := true
	switch key {
	case "Sid":
		s.sid, ok = value.(string)
		ok = ok && sidPattern.MatchString(s.sid)
	case "Effect":
		s.deny = value == "Deny"
		ok = s.deny || value == "Allow"
	case "Principal", "NotPrincipal":
		s.notPrincipal = key == "NotPrincipal"
		s.principals, err = parsePrincipals(value)
	case "Action", "NotAction":
		s.notAction = key == "NotAction"
		s.actions, ok = stringOrList(value)
		ok = ok && all(s.actions, actionPattern.MatchString)
	case "Resource", "NotResource":
		s.notResource = key == "NotResource"
		s.resources, ok = stringOrList(value)
		ok = ok && all(s.resources, func(r string) bool { return r == "*" || strings.HasPrefix(r, "arn:") })
	case "Condition":
		s.conditions, ok = parseConditions(value)
	default:
		ok = false
	}
	if !ok {
		return errPolicySyntax
	}
	return err
}

var (
	actionPattern = regexp.MustCompile(`^(\*|[a-zA-Z0-9-]+:[a-zA-Z0-9*?]+)$`)
	sidPattern    = regexp.MustCompile(`^[A-Za-z0-9]*$`)
	// An account, its root, or one of its identities; no wildcard may hide in it.
	principalPattern = regexp.MustCompile(`^(\d{12}|arn:aws[a-z-]*:(iam|sts)::\d{12}:` +
		`(root|(user|role|assumed-role|federated-user)/[^*?]+)|A[A-Z]{3}[A-Z0-9]{12,124})$`)
	servicePattern = regexp.MustCompile(`^[a-z0-9.-]+\.amazonaws\.com(\.cn)?$`)
)

func parsePrincipals(value any) (p principals, err error) {
	if value == "*" {
		return principals{any: true}, nil
	}
	m, ok := value.(map[string]any)
	if !ok || len(m) == 0 {
		return p, errPolicySyntax
	}
	for kind, value := range m {
		list, ok := stringOrList(value)
		if !ok {
			return p, errPolicySyntax
		}
		switch kind {
		case "AWS":
			for _, s := range list {
				p.any = p.any || s == "*"
				if s != "*" && !principalPattern.MatchString(s) {
					return p, errPolicyPrincipal
				}
			}
			p.aws = list
		case "Service":
			if !all(list, servicePattern.MatchString) {
				return p, errPolicyService
			}
			p.service = list
		case "Federated":
			p.federated = list
		case "CanonicalUser":
			p.canonical = list
		default:
			return p, errPolicyPrincipal
		}
	}
	return p, nil
}

// stringOrList parses a string or a list of strings.
func stringOrList(value any) ([]string, bool) {
	switch value := value.(type) {
	case string:
		return []string{value}, true
	case []any:
		list := make([]string, len(value))
		for i, e := range value {
			s, ok := e.(string)
			if !ok {
				return nil, false
			}
			list[i] = s
		}
		return list, len(list) > 0
	}
	return nil, false
}

// scalars is stringOrList for the values of a condition, which may be numbers
// and booleans too.
func scalars(value any) ([]string, bool) {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	texts := make([]string, len(list))
	for i, e := range list {
		switch e := e.(type) {
		case string:
			texts[i] = e
		case json.Number, bool:
			b, err := json.Marshal(e)
			if err != nil {
				return nil, false
			}
			texts[i] = string(bytes.TrimSpace(b))
		default:
			return nil, false
		}
	}
	return texts, true
}

func all(list []string, ok func(string) bool) bool {
	for _, s := range list {
		if !ok(s) {
			return false
		}
	}
	return true
}
