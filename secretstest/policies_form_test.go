package secretstest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// malformedCases are policies, of which those with want are refused.
var malformedCases = []struct {
	name, policy string
	refused      bool
}{
	{"a good one", document([]string{st("Allow")}), false},
	{"a Sid", document([]string{st("Allow", `"Sid":"Read1"`)}), false},
	{"a Sid with a space", document([]string{st("Allow", `"Sid":"Read it"`)}), true},
	{"a Sid with a hyphen", document([]string{st("Allow", `"Sid":"Read-it"`)}), true},
	{"a date", document([]string{st("Deny", when("DateLessThan", "aws:CurrentTime", "2024-01-01T00:00:00Z"))}), false},
	{"seconds for a date", document([]string{st("Deny", when("DateLessThan", "aws:EpochTime", "1715769000"))}), false},
	{"no date", document([]string{st("Deny", when("DateLessThan", "aws:CurrentTime", "tomorrow"))}), true},
	{"a month that isn't", document([]string{st("Deny", when("DateLessThan", "aws:CurrentTime", "2024-13-01"))}), true},
	{"a range", document([]string{st("Deny", when("IpAddress", "aws:SourceIp", "10.0.0.0/8"))}), false},
	{"no range", document([]string{st("Deny", when("IpAddress", "aws:SourceIp", "10.0.0.0/33"))}), true},
	{"no address", document([]string{st("Deny", when("NotIpAddress", "aws:SourceIp", "everywhere"))}), true},
	{"a bool", document([]string{st("Deny", when("Bool", "aws:SecureTransport", "False"))}), false},
	{"no bool", document([]string{st("Deny", when("Bool", "aws:SecureTransport", "no"))}), true},
	{"a bool of no letters", document([]string{st("Deny", when("BoolIfExists", "aws:SecureTransport", ""))}), true},
	{"no null", document([]string{st("Deny", when("Null", "aws:SecureTransport", "maybe"))}), true},
	{"a number", document([]string{st("Deny", when("NumericLessThan", "secretsmanager:RecoveryWindowInDays", "7"))}), false},
	{"no number", document([]string{st("Deny", when("NumericLessThan", "secretsmanager:RecoveryWindowInDays", "seven"))}), true},
	{"no base64", document([]string{st("Deny", when("BinaryEquals", "aws:userid", "?"))}), true},
	{"no values", document([]string{st("Deny", `"Condition":{"StringEquals":{"aws:userid":[]}}`)}), true},
	{"another service's action", document([]string{st("Allow", `"Action":"s3:GetObject"`)}), true},
	{"another service's action beside it", document([]string{st("Allow", `"Action":["secretsmanager:GetSecretValue","kms:Decrypt"]`)}), true},
	{"another service's action left out", document([]string{st("Deny", `"NotAction":"s3:GetObject"`)}), true},
	{"every action", document([]string{st("Allow", `"Action":"*"`)}), false},
	{"actions in another case", document([]string{st("Allow", `"Action":"SecretsManager:Get*"`)}), false},
	{"an unknown key", document([]string{st("Deny", when("StringEquals", "aws:NoSuchKey", "x"))}), false},
	{"a principal of China", document([]string{st("Allow", byARN("arn:aws-cn:iam::123456789012:root"))}), false},
}

const elsewhere = `"Resource":"arn:aws:secretsmanager:us-east-1:123456789012:secret:t-??????"`

// publicCases are policies, of which some are too public for BlockPublicPolicy.
var publicCases = []struct {
	name    string
	policy  []string
	blocked bool
}{
	{"everybody", []string{st("Allow")}, true},
	{"an organization", []string{st("Allow", when("StringEquals", "aws:PrincipalOrgID", "o-1"))}, false},
	{"a path of an organization", []string{st("Allow", when("ForAnyValue:StringEquals", "aws:PrincipalOrgPaths", "o-1/r-1/ou-1/"))}, false},
	{"paths of an organization", []string{st("Allow", when("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", "o-1/r-1/*"))}, false},
	{"paths of any organization", []string{st("Allow", when("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", "o-*/r-1/*"))}, true},
	{"all paths", []string{st("Allow", when("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", "*"))}, true},
	{"no path but one", []string{st("Allow", when("ForAllValues:StringEquals", "aws:PrincipalOrgPaths", "o-1/r-1/"))}, true},
	{"denied outside the account", []string{st("Allow"), st("Deny", when("StringNotEquals", "aws:PrincipalAccount", "123456789012"))}, false},
	{"denied outside the account, whatever the action", []string{st("Allow"), st("Deny", action("*"), when("StringNotEquals", "aws:PrincipalAccount", "123456789012"))}, false},
	{"denied outside the account, another action", []string{st("Allow"), st("Deny", action("PutSecretValue"), when("StringNotEquals", "aws:PrincipalAccount", "123456789012"))}, true},
	{"denied outside the account, another secret", []string{st("Allow"), st("Deny", elsewhere, when("StringNotEquals", "aws:PrincipalAccount", "123456789012"))}, true},
	{"denied outside the account if that is known", []string{st("Allow"), st("Deny", when("StringNotEqualsIfExists", "aws:PrincipalAccount", "123456789012"))}, true},
	{"denied outside the account and elsewhere", []string{st("Allow"), st("Deny", `"Condition":{"StringNotEquals":{"aws:PrincipalAccount":"123456789012","aws:SourceVpc":"v"}}`)}, true},
	{"denied outside the organization", []string{st("Allow"), st("Deny", when("StringNotEquals", "aws:PrincipalOrgID", "o-1"))}, false},
	{"denied to all but a role", []string{st("Allow"), st("Deny", when("ArnNotEquals", "aws:PrincipalArn", appRole))}, false},
	{"denied to all but a pattern", []string{st("Allow"), st("Deny", when("ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::*:role/*"))}, true},
	{"denied outside a range", []string{st("Allow"), st("Deny", when("NotIpAddress", "aws:SourceIp", "10.0.0.0/8"))}, false},
	{"denied without encryption", []string{st("Allow"), st("Deny", when("Bool", "aws:SecureTransport", "false"))}, true},
	{"another secret", []string{st("Allow", elsewhere)}, false},
	{"all but another secret", []string{st("Allow", `"NotResource":"arn:aws:secretsmanager:us-east-1:123456789012:secret:t-*"`)}, true},
	{"this secret by a pattern", []string{st("Allow", `"Resource":"arn:aws:secretsmanager:*:*:secret:s-??????"`)}, true},
}

func TestValidateReportsUnknownKeys(t *testing.T) {
	srv := secretstest.New(t, nil)
	c := &conf{sdk: srv.Client()}
	for key, want := range map[string]bool{"aws:NoSuchKey": false, "secretsmanager:Versionstage": true, "secretsmanager:NoSuch": false,
		"aws:PrincipalTag/x": true, "aws:PrincipalTag": false, "AWS:username": true, "username": false} {
		doc := document([]string{st("Deny", when("StringEquals", key, "x"))})
		out := c.ok("ValidateResourcePolicy", m{"ResourcePolicy": doc})
		if got := out["PolicyValidationPassed"]; got != want {
			t.Errorf("%s: got passed %v, want %t", key, got, want)
		}
		list, _ := out["ValidationErrors"].([]any)
		if !want && (len(list) != 1 || !strings.Contains(list[0].(m)["ErrorMessage"].(string), key)) {
			t.Errorf("%s: got %v, want an error that names it", key, list)
		}
	}
}

func TestSourceIPOfConnection(t *testing.T) {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"s": "v"}, SourceIP: "10.1.2.3", TB: t})
	putPolicy(t, srv, "s", document([]string{st("Deny", when("NotIpAddress", "aws:SourceIp", "10.0.0.0/8"))}))
	if err := read(t, srv.Client(), "s", ""); err != nil {
		t.Errorf("in process: %v", err)
	}
	over := newConf(srv.URL(), "us-east-1")
	over.fails("GetSecretValue", m{"SecretId": "s"}, "AccessDeniedException", "")
	for _, d := range over.differences {
		t.Error(d)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestBadIdentityPolicyFails(t *testing.T) {
	srv := secretstest.NewServer(nil)
	defer srv.Close()
	defer func() {
		if r, _ := recover().(string); !strings.Contains(r, "policy 1: This resource policy contains a syntax error.") {
			t.Errorf("got panic %q", r)
		}
	}()
	srv.AddIdentity(secretstest.Identity{Policies: []string{document([]string{st("Allow")})}})
}
