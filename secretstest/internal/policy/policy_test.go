package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	testAccount = "123456789012"
	testSecret  = "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-credentials-AbCdEf"
	alice       = "arn:aws:iam::123456789012:user/alice"
	bob         = "arn:aws:iam::123456789012:user/bob"
)

// caller returns a caller as the server describes it.
func caller(arn string) Caller {
	c := Caller{ARN: arn, UserID: "AIDA1"}
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		c.Account = parts[4]
		if name, ok := strings.CutPrefix(parts[5], "assumed-role/"); ok {
			role, session, _ := strings.Cut(name, "/")
			c.Role, c.UserID = "arn:aws:iam::"+c.Account+":role/"+role, "AROA1:"+session
		}
	}
	return c
}

// onePolicy returns a policy with one statement that allows Alice
// GetSecretValue on everything. The given members replace those of the
// statement.
func onePolicy(members ...string) string {
	s := map[string]string{
		"Effect": `"Allow"`, "Principal": `{"AWS":"` + alice + `"}`,
		"Action": `"secretsmanager:GetSecretValue"`, "Resource": `"*"`,
	}
	for _, m := range members {
		name, value, _ := strings.Cut(m, "=")
		if base := strings.TrimPrefix(name, "Not"); base != name {
			delete(s, base)
		}
		s[name] = value
		if value == "" {
			delete(s, name)
		}
	}
	var parts []string
	for name, value := range s {
		parts = append(parts, fmt.Sprintf("%q:%s", name, value))
	}
	slices.Sort(parts)
	return `{"Version":"2012-10-17","Statement":[{` + strings.Join(parts, ",") + `}]}`
}

func TestParsePolicyErrors(t *testing.T) {
	const (
		syntax    = "This resource policy contains a syntax error."
		principal = "This resource policy contains an unsupported principal."
		service   = "This resource policy contains an invalid service principal."
	)
	tests := []struct{ name, doc, want string }{
		{"complete", onePolicy(), "<nil>"},
		{"one statement without a list", `{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}`, "<nil>"},
		{"the older version", `{"Version":"2008-10-17","Id":"x","Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}`, "<nil>"},
		{"empty", "", syntax},
		{"not JSON", "some policy", syntax},
		{"not an object", "[]", syntax},
		{"null", "null", syntax},
		{"something after it", onePolicy() + "x", syntax},
		{"another version", strings.Replace(onePolicy(), "2012", "2019", 1), syntax},
		{"unknown element", strings.Replace(onePolicy(), `"Version"`, `"Colour":"red","Version"`, 1), syntax},
		{"no statement", `{"Version":"2012-10-17"}`, syntax},
		{"no statements", `{"Version":"2012-10-17","Statement":[]}`, syntax},
		{"statement is a string", `{"Statement":"x"}`, syntax},
		{"an effect that isn't", onePolicy(`Effect="AllowSomething"`), syntax},
		{"no effect", onePolicy(`Effect=`), syntax},
		{"no principal", onePolicy(`Principal=`), syntax},
		{"no action", onePolicy(`Action=`), syntax},
		{"no resource", onePolicy(`Resource=`), syntax},
		{"action and its opposite", strings.Replace(onePolicy(), `"Action"`, `"NotAction":"secretsmanager:x","Action"`, 1), syntax},
		{"unknown element of a statement", onePolicy(`Unknown="*"`), syntax},
		{"Sid is a number", onePolicy(`Sid=7`), syntax},
		{"two statements of one Sid", `{"Statement":[{"Sid":"a","Effect":"Deny","Principal":"*","Action":"*","Resource":"*"},` +
			`{"Sid":"a","Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}`, syntax},
		{"action without a service", onePolicy(`Action="GetSecretValue"`), syntax},
		{"empty list of actions", onePolicy(`Action=[]`), syntax},
		{"resource is no ARN", onePolicy(`Resource="prod/db"`), syntax},
		{"principal is a string", onePolicy(`Principal="123456789012"`), syntax},
		{"unknown kind of principal", onePolicy(`Principal={"Martian":"x"}`), principal},
		{"principal is no identity", onePolicy(`Principal={"AWS":"bob"}`), principal},
		{"wildcard within a principal", onePolicy(`Principal={"AWS":"arn:aws:iam::123456789012:user/*"}`), principal},
		{"principal is a secret", onePolicy(`Principal={"AWS":"` + testSecret + `"}`), principal},
		{"a role", onePolicy(`Principal={"AWS":"arn:aws:iam::123456789012:role/a/b/c"}`), "<nil>"},
		{"a session", onePolicy(`Principal={"AWS":"arn:aws:sts::123456789012:assumed-role/r/s"}`), "<nil>"},
		{"an identity's unique id", onePolicy(`Principal={"AWS":"AIDACKCEVSQ6C2EXAMPLE"}`), "<nil>"},
		{"a service", onePolicy(`Principal={"Service":"lambda.amazonaws.com"}`), "<nil>"},
		{"no service", onePolicy(`Principal={"Service":"lambda"}`), service},
		{"condition is a string", onePolicy(`Condition="x"`), syntax},
		{"unknown operator", onePolicy(`Condition={"StringIsh":{"a:b":"c"}}`), syntax},
		{"unknown set operator", onePolicy(`Condition={"ForSomeValues:StringEquals":{"a:b":"c"}}`), syntax},
		{"NullIfExists", onePolicy(`Condition={"NullIfExists":{"a:b":"true"}}`), syntax},
		{"condition's value is an object", onePolicy(`Condition={"StringEquals":{"a:b":{}}}`), syntax},
		{"condition's values are scalars", onePolicy(`Condition={"StringEquals":{"a:b":[1,true,"x"]}}`), "<nil>"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse(test.doc)
			if got := fmt.Sprint(err); got != test.want {
				t.Errorf("Parse(%s): got %q, want %q", test.doc, got, test.want)
			}
		})
	}
}

func mustParse(t *testing.T, doc string) *Policy {
	t.Helper()
	p, err := Parse(doc)
	if err != nil {
		t.Fatalf("Parse(%s): %v", doc, err)
	}
	return p
}

func TestPublic(t *testing.T) {
	tests := []struct {
		name, doc string
		want      bool
	}{
		{"one user", onePolicy(), false},
		{"everybody", onePolicy(`Principal="*"`), true},
		{"every AWS principal", onePolicy(`Principal={"AWS":"*"}`), true},
		{"one of them everybody", onePolicy(`Principal={"AWS":["123456789012","*"]}`), true},
		{"everybody denied", onePolicy(`Principal="*"`, `Effect="Deny"`), false},
		{"everybody but one", onePolicy(`NotPrincipal={"AWS":"123456789012"}`), true},
		{"a service", onePolicy(`Principal={"Service":"lambda.amazonaws.com"}`), false},
		{"one account", onePolicy(`Principal="*"`, `Condition={"StringEquals":{"aws:PrincipalAccount":"123456789012"}}`), false},
		{"one organization", onePolicy(`Principal="*"`, `Condition={"StringEquals":{"aws:PrincipalOrgID":"o-abc"}}`), false},
		{"one VPC endpoint", onePolicy(`Principal="*"`, `Condition={"StringEquals":{"aws:SourceVpce":"vpce-1"}}`), false},
		{"one source ARN", onePolicy(`Principal="*"`, `Condition={"ArnLike":{"aws:SourceArn":"arn:aws:s3:::b"}}`), false},
		{"source ARNs by wildcard", onePolicy(`Principal="*"`, `Condition={"ArnLike":{"aws:SourceArn":"arn:aws:s3:::*"}}`), true},
		{"if the key exists", onePolicy(`Principal="*"`, `Condition={"StringEqualsIfExists":{"aws:SourceVpc":"vpc-1"}}`), true},
		{"all but one VPC", onePolicy(`Principal="*"`, `Condition={"StringNotEquals":{"aws:SourceVpc":"vpc-1"}}`), true},
		{"a key that tells nobody apart", onePolicy(`Principal="*"`, `Condition={"StringEquals":{"secretsmanager:VersionStage":"AWSCURRENT"}}`), true},
		{"an address range", onePolicy(`Principal="*"`, `Condition={"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`), false},
		{"too wide a range", onePolicy(`Principal="*"`, `Condition={"IpAddress":{"aws:SourceIp":["10.0.0.0/8","0.0.0.0/0"]}}`), true},
		{"encryption alone", onePolicy(`Principal="*"`, `Condition={"Bool":{"aws:SecureTransport":"true"}}`), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := mustParse(t, test.doc).Public(""); got != test.want {
				t.Errorf("public: got %t, want %t of %s", got, test.want, test.doc)
			}
		})
	}
}

func TestValidationErrors(t *testing.T) {
	const (
		broad   = "This resource policy grants broad access to your secret."
		lockout = "Your requested changes will not allow you to manage this secret in the future."
	)
	tests := []struct {
		name, doc string
		want      []string
	}{
		{"nothing", onePolicy(), nil},
		{"broad access", onePolicy(`Principal="*"`), []string{broad}},
		{"lockout", onePolicy(`Principal="*"`, `Effect="Deny"`, `Action="secretsmanager:*"`), []string{lockout}},
		{"denied with a condition", onePolicy(`Principal="*"`, `Effect="Deny"`, `Action="*"`, `Condition={"Bool":{"aws:SecureTransport":"false"}}`), nil},
		{"one user denied", onePolicy(`Principal={"AWS":"`+bob+`"}`, `Effect="Deny"`, `Action="*"`), nil},
		{"denied to read", onePolicy(`Principal="*"`, `Effect="Deny"`), nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, e := range mustParse(t, test.doc).Problems("") {
				if e.CheckName == "" {
					t.Error("a check without a name")
				}
				got = append(got, e.ErrorMessage)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// The account may read everything, and Bob not that one secret. A resource is
// matched as it is written: without the secret's six last characters, or a
// wildcard for them, a statement is about no secret.
func TestDecideAccountAllowedAndOneUserDenied(t *testing.T) {
	doc := func(resource string) string {
		return `{"Version": "2012-10-17", "Statement": [
			{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
			 "Action": "secretsmanager:GetSecretValue", "Resource": "*"},
			{"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::123456789012:user/bob"},
			 "Action": "secretsmanager:GetSecretValue", "Resource": "` + resource + `"}]}`
	}
	const partial = "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-credentials"
	tests := []struct {
		name, resource, principal, secret string
		want                              Decision
	}{
		{"another user", testSecret, alice, testSecret, Delegate},
		{"the account itself", testSecret, "arn:aws:iam::123456789012:root", testSecret, Allow},
		{"Bob", testSecret, bob, testSecret, ExplicitDeny},
		{"Bob by wildcards", partial + "-??????", bob, testSecret, ExplicitDeny},
		{"Bob by prefix", partial + "*", bob, testSecret, ExplicitDeny},
		{"Bob by an ARN without its end", partial, bob, testSecret, Delegate},
		{"Bob and another secret", testSecret, bob, strings.Replace(testSecret, "prod", "dev", 1), Delegate},
		{"another account", testSecret, "arn:aws:iam::999999999999:user/carol", testSecret, ImplicitDeny},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := mustParse(t, doc(test.resource)).Decide(Request{
				Caller: caller(test.principal),
				Action: "secretsmanager:GetSecretValue", Resource: test.secret,
			})
			if got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestDecide(t *testing.T) {
	const session = "arn:aws:sts::123456789012:assumed-role/deploy/s1"
	tests := []struct {
		name      string
		members   []string
		principal string // "": alice
		action    string // "": secretsmanager:GetSecretValue
		want      Decision
	}{
		{"everybody", []string{`Principal="*"`}, "", "", Allow},
		{"every AWS principal", []string{`Principal={"AWS":"*"}`}, "", "", Allow},
		{"account", []string{`Principal={"AWS":"123456789012"}`}, "", "", Delegate},
		{"Alice", nil, "", "", Allow},
		{"root", []string{`Principal={"AWS":"arn:aws:iam::123456789012:root"}`}, "", "", Delegate},
		{"the root user", []string{`Principal={"AWS":"123456789012"}`}, "arn:aws:iam::123456789012:root", "", Allow},
		{"other account", []string{`Principal={"AWS":"999999999999"}`}, "", "", ImplicitDeny},
		{"user", []string{`Principal={"AWS":"` + alice + `"}`}, "", "", Allow},
		{"other user", []string{`Principal={"AWS":"` + bob + `"}`}, "", "", ImplicitDeny},
		{"one of several", []string{`Principal={"AWS":["` + bob + `","` + alice + `"]}`}, "", "", Allow},
		{"session of a role", []string{`Principal={"AWS":"arn:aws:iam::123456789012:role/deploy"}`}, session, "", Allow},
		{"session of a role with a path", []string{`Principal={"AWS":"arn:aws:iam::123456789012:role/ci/deploy"}`}, session, "", Allow},
		{"session of another role", []string{`Principal={"AWS":"arn:aws:iam::123456789012:role/dep"}`}, session, "", ImplicitDeny},
		{"that session", []string{`Principal={"AWS":"` + session + `"}`}, session, "", Allow},
		{"service", []string{`Principal={"Service":"lambda.amazonaws.com"}`}, "lambda.amazonaws.com", "", Allow},
		{"a service is no user", []string{`Principal={"Service":"lambda.amazonaws.com"}`}, "", "", ImplicitDeny},
		{"everybody but Bob", []string{`NotPrincipal={"AWS":"` + bob + `"}`, `Effect="Deny"`}, "", "", ExplicitDeny},
		{"but Bob", []string{`NotPrincipal={"AWS":"` + bob + `"}`, `Effect="Deny"`}, bob, "", ImplicitDeny},
		{"action by wildcard", []string{`Action="secretsmanager:Get*"`}, "", "", Allow},
		{"every action", []string{`Action="*"`}, "", "", Allow},
		{"action ignores case", []string{`Action="SecretsManager:getsecretvalue"`}, "", "", Allow},
		{"other action", []string{`Action="secretsmanager:Put*"`}, "", "", ImplicitDeny},
		{"one character", []string{`Action="secretsmanager:GetSecretValu?"`}, "", "", Allow},
		{"one of several actions", []string{`Action=["secretsmanager:PutSecretValue","secretsmanager:GetSecretValue"]`}, "", "", Allow},
		{"all but an action", []string{`NotAction="secretsmanager:GetSecretValue"`}, "", "", ImplicitDeny},
		{"all but another action", []string{`NotAction="secretsmanager:DeleteSecret"`}, "", "", Allow},
		{"resource", []string{`Resource="` + testSecret + `"`}, "", "", Allow},
		{"other resource", []string{`Resource="arn:aws:secretsmanager:*:*:secret:dev/*"`}, "", "", ImplicitDeny},
		{"resource is case-sensitive", []string{`Resource="arn:aws:secretsmanager:*:*:secret:PROD/*"`}, "", "", ImplicitDeny},
		{"all but a resource", []string{`NotResource="` + testSecret + `"`}, "", "", ImplicitDeny},
		{"all but another resource", []string{`NotResource="arn:aws:secretsmanager:*:*:secret:dev/*"`}, "", "", Allow},
		{"variable in a resource", []string{`Resource="arn:aws:secretsmanager:*:*:secret:${aws:PrincipalTag/stage}/*"`}, "", "", Allow},
		{"variable without a value", []string{`Resource="arn:aws:secretsmanager:*:*:secret:${aws:PrincipalTag/none}*"`}, "", "", ImplicitDeny},
		{"variable with a default", []string{`Resource="arn:aws:secretsmanager:*:*:secret:${aws:PrincipalTag/none, 'prod'}/*"`}, "", "", Allow},
		{"a variable's wildcards are none", []string{`Resource="arn:${aws:PrincipalTag/star}"`}, "", "", ImplicitDeny},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := Request{
				Caller: caller(alice), Action: "secretsmanager:GetSecretValue", Resource: testSecret,
				Keys: map[string][]string{"aws:principaltag/stage": {"prod"}, "aws:principaltag/star": {"*"}},
			}
			if test.principal != "" {
				r.Caller = caller(test.principal)
			}
			if test.action != "" {
				r.Action = test.action
			}
			doc := onePolicy(test.members...)
			if got := mustParse(t, doc).Decide(r); got != test.want {
				t.Errorf("got %d, want %d of %s", got, test.want, doc)
			}
		})
	}
}

func TestDenyComesFirst(t *testing.T) {
	const (
		allowing = `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`
		denying  = `{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}`
	)
	r := Request{Caller: caller(alice), Action: "secretsmanager:GetSecretValue", Resource: testSecret}
	for _, doc := range []string{
		`{"Statement":[` + allowing + `,` + denying + `]}`,
		`{"Statement":[` + denying + `,` + allowing + `]}`,
	} {
		if got := mustParse(t, doc).Decide(r); got != ExplicitDeny {
			t.Errorf("got %d, want %d of %s", got, ExplicitDeny, doc)
		}
	}
}

func TestConditions(t *testing.T) {
	keys := map[string][]string{
		"secretsmanager:versionstage":               {"AWSPENDING"},
		"secretsmanager:resourcetag/team":           {"Payments"},
		"secretsmanager:recoverywindowindays":       {"10"},
		"secretsmanager:forcedeletewithoutrecovery": {"false"},
		"aws:principalarn":                          {alice},
		"aws:username":                              {"alice"},
		"aws:sourceip":                              {"10.1.2.3"},
		"aws:currenttime":                           {"2024-05-15T10:30:00Z"},
		"aws:tagkeys":                               {"team", "stage"},
		"binary":                                    {"aHVudGVyMg=="},
	}
	tests := []struct {
		condition string
		want      bool
	}{
		{`{"StringEquals":{"secretsmanager:VersionStage":"AWSPENDING"}}`, true},
		{`{"StringEquals":{"secretsmanager:VersionStage":"AWSCURRENT"}}`, false},
		{`{"StringEquals":{"secretsmanager:VersionStage":["AWSCURRENT","AWSPENDING"]}}`, true},
		{`{"StringEquals":{"SECRETSMANAGER:versionstage":"AWSPENDING"}}`, true},
		{`{"StringEquals":{"secretsmanager:VersionStage":"awspending"}}`, false},
		{`{"StringEquals":{"secretsmanager:VersionStage":"AWS*"}}`, false},
		{`{"StringEquals":{"aws:PrincipalArn":"arn:aws:iam::123456789012:user/${aws:username}"}}`, true},
		{`{"StringEquals":{"absent":"x"}}`, false},
		{`{"StringEqualsIfExists":{"absent":"x"}}`, true},
		{`{"StringEqualsIfExists":{"secretsmanager:VersionStage":"x"}}`, false},
		{`{"StringNotEquals":{"secretsmanager:VersionStage":"AWSCURRENT"}}`, true},
		{`{"StringNotEquals":{"secretsmanager:VersionStage":["AWSCURRENT","AWSPENDING"]}}`, false},
		{`{"StringNotEquals":{"absent":"x"}}`, true},
		{`{"StringEqualsIgnoreCase":{"secretsmanager:ResourceTag/team":"PAYMENTS"}}`, true},
		{`{"StringNotEqualsIgnoreCase":{"secretsmanager:ResourceTag/team":"PAYMENTS"}}`, false},
		{`{"StringLike":{"secretsmanager:VersionStage":"AWS*"}}`, true},
		{`{"StringLike":{"secretsmanager:VersionStage":"AWS"}}`, false},
		{`{"StringLike":{"secretsmanager:VersionStage":"${*}"}}`, false},
		{`{"StringNotLike":{"secretsmanager:VersionStage":"AWS?ENDING"}}`, false},
		{`{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::123456789012:user/*"}}`, true},
		{`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/alice"}}`, true},
		{`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/*"}}`, false},
		{`{"ArnLike":{"aws:PrincipalArn":"arn:*:alice"}}`, false},
		{`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::123456789012:user/${aws:username}"}}`, true},
		{`{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/*"}}`, true},
		{`{"Bool":{"secretsmanager:ForceDeleteWithoutRecovery":"false"}}`, true},
		{`{"Bool":{"secretsmanager:ForceDeleteWithoutRecovery":true}}`, false},
		{`{"BinaryEquals":{"binary":"aHVudGVyMg=="}}`, true},
		{`{"Null":{"absent":"true"}}`, true},
		{`{"Null":{"absent":false}}`, false},
		{`{"Null":{"aws:PrincipalArn":"false"}}`, true},
		{`{"NumericEquals":{"secretsmanager:RecoveryWindowInDays":10}}`, true},
		{`{"NumericNotEquals":{"secretsmanager:RecoveryWindowInDays":"10.0"}}`, false},
		{`{"NumericLessThan":{"secretsmanager:RecoveryWindowInDays":"10"}}`, false},
		{`{"NumericLessThanEquals":{"secretsmanager:RecoveryWindowInDays":"10"}}`, true},
		{`{"NumericGreaterThan":{"secretsmanager:RecoveryWindowInDays":"7"}}`, true},
		{`{"NumericGreaterThanEquals":{"secretsmanager:RecoveryWindowInDays":"11"}}`, false},
		{`{"DateGreaterThan":{"aws:CurrentTime":"2024-01-01T00:00:00Z"}}`, true},
		{`{"DateLessThan":{"aws:CurrentTime":"2024-05-15"}}`, false},
		{`{"DateEquals":{"aws:CurrentTime":"1715769000"}}`, true},
		{`{"DateNotEquals":{"aws:CurrentTime":"2024"}}`, true},
		{`{"DateGreaterThan":{"aws:EpochTime":"2000-01-01T00:00:00Z"}}`, true},
		{`{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, true},
		{`{"IpAddress":{"aws:SourceIp":"10.1.2.3"}}`, true},
		{`{"IpAddress":{"aws:SourceIp":"2001:db8::/32"}}`, false},
		{`{"NotIpAddress":{"aws:SourceIp":["10.0.0.0/8","192.0.2.0/24"]}}`, false},
		{`{"ForAnyValue:StringEquals":{"aws:TagKeys":["team","other"]}}`, true},
		{`{"ForAnyValue:StringEquals":{"aws:TagKeys":["other"]}}`, false},
		{`{"ForAnyValue:StringEquals":{"absent":["other"]}}`, false},
		{`{"ForAllValues:StringEquals":{"aws:TagKeys":["team","stage","other"]}}`, true},
		{`{"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}`, false},
		{`{"ForAllValues:StringEquals":{"absent":["team"]}}`, true},
		{`{"ForAllValues:StringNotEquals":{"aws:TagKeys":["other"]}}`, true},
		{`{"ForAnyValue:StringNotEquals":{"aws:TagKeys":["team"]}}`, true},
		{`{"ForAnyValue:StringNotEquals":{"absent":["team"]}}`, false},
		{`{"StringEquals":{"secretsmanager:VersionStage":"AWSPENDING","aws:username":"bob"}}`, false},
		{`{"StringEquals":{"aws:username":"alice"},"Bool":{"secretsmanager:ForceDeleteWithoutRecovery":"true"}}`, false},
	}
	for _, test := range tests {
		t.Run(test.condition, func(t *testing.T) {
			p := mustParse(t, onePolicy("Condition="+test.condition))
			got := p.Decide(Request{Caller: caller(alice),
				Action: "secretsmanager:GetSecretValue", Resource: testSecret, Keys: keys}) == Allow
			if got != test.want {
				t.Errorf("holds: got %t, want %t", got, test.want)
			}
		})
	}
}

// The older version of the policy language knows no variables.
func TestVariablesNeedTheNewVersion(t *testing.T) {
	doc := onePolicy(`Condition={"StringEquals":{"aws:username":"${aws:username}"}}`)
	r := Request{Caller: caller(alice), Action: "secretsmanager:GetSecretValue",
		Resource: testSecret, Keys: map[string][]string{"aws:username": {"alice"}}}
	if got := mustParse(t, doc).Decide(r); got != Allow {
		t.Errorf("2012-10-17: got %d, want %d", got, Allow)
	}
	old := strings.Replace(doc, "2012-10-17", "2008-10-17", 1)
	if got := mustParse(t, old).Decide(r); got != ImplicitDeny {
		t.Errorf("2008-10-17: got %d, want %d", got, ImplicitDeny)
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"**", "abc", true},
		{"a*c", "abbbc", true},
		{"a*c", "abbbcd", false},
		{"*b*d", "abcbcd", true},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"?", "é", true},
		{strings.Repeat("a*", 30) + "b", strings.Repeat("a", 200), false}, // no exponential time
	}
	for _, test := range tests {
		if got := match(globOf(test.pattern), test.text); got != test.want {
			t.Errorf("match(%q, %q): got %t, want %t", test.pattern, test.text, got, test.want)
		}
	}
}
