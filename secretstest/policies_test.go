package secretstest_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// The callers of the cases. Callers whose name ends in + may do everything by
// their own policies, the others nothing.
var callers = map[string]secretstest.Identity{
	"root":     {},
	"alice":    {ARN: "arn:aws:iam::123456789012:user/alice", Tags: map[string]string{"team": "blue"}},
	"path":     {ARN: "arn:aws:iam::123456789012:user/div/bob"},
	"session":  {ARN: "arn:aws:sts::123456789012:assumed-role/app/i-1", Tags: map[string]string{"team": "blue"}},
	"pathed":   {ARN: "arn:aws:sts::123456789012:assumed-role/app/i-1", Role: "arn:aws:iam::123456789012:role/ci/app"},
	"other":    {ARN: "arn:aws:sts::123456789012:assumed-role/ops/i-1"},
	"fed":      {ARN: "arn:aws:sts::123456789012:federated-user/fred"},
	"foreign":  {ARN: "arn:aws:iam::999999999999:user/carol"},
	"frole":    {ARN: "arn:aws:sts::999999999999:assumed-role/app/i-1"},
	"near":     {ARN: "arn:aws:iam::123456789012:user/alice", SourceIP: "10.1.2.3"},
	"far":      {ARN: "arn:aws:iam::123456789012:user/alice", SourceIP: "198.51.100.7"},
	"six":      {ARN: "arn:aws:iam::123456789012:user/alice", SourceIP: "2001:db8::7"},
	"endpoint": {ARN: "arn:aws:iam::123456789012:user/alice", Keys: map[string][]string{"aws:SourceVpce": {"vpce-1"}}},
	"keyed":    {ARN: "arn:aws:iam::123456789012:user/alice", Keys: map[string][]string{"aws:RequestedRegion": {"mars-1"}, "aws:SourceIp": {}}},
	"member":   {ARN: "arn:aws:iam::123456789012:user/alice", Keys: map[string][]string{"aws:PrincipalOrgID": {"o-1"}, "aws:PrincipalOrgPaths": {"o-1/r-1/ou-1/"}}},
}

// who returns a caller, whose own policies are the statements.
func who(name string, own []string) secretstest.Identity {
	base, all := strings.CutSuffix(name, "+")
	id, ok := callers[base]
	if !ok {
		panic("no caller " + name)
	}
	id.Allow = []string{}
	if all || base == "root" {
		id.Allow = nil
	}
	if own != nil {
		id.Policies = []string{document(own)}
	}
	return id
}

func document(statements []string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// Statements about GetSecretValue and everybody, unless members say otherwise:
// st("Deny", `"Action":"..."`).
func st(effect string, members ...string) string {
	all := map[string]string{"Principal": `"Principal":"*"`, "Action": `"Action":"secretsmanager:GetSecretValue"`, "Resource": `"Resource":"*"`}
	for _, m := range members {
		name := strings.Trim(m[:strings.IndexByte(m, ':')], `"`)
		all[strings.TrimPrefix(name, "Not")] = m
	}
	parts := []string{fmt.Sprintf(`"Effect":%q`, effect)}
	for _, name := range []string{"Sid", "Principal", "Action", "Resource", "Condition"} {
		if m := all[name]; m != "" && !strings.HasSuffix(m, ":") {
			parts = append(parts, m)
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func byARN(principal string) string { return `"Principal":{"AWS":"` + principal + `"}` }
func butARNs(principal ...string) string {
	return `"NotPrincipal":{"AWS":["` + strings.Join(principal, `","`) + `"]}`
}
func action(name string) string { return `"Action":"secretsmanager:` + name + `"` }
func when(operator, key, value string) string {
	return fmt.Sprintf(`"Condition":{%q:{%q:%q}}`, operator, key, value)
}

// own is a statement of an identity's own policy.
func own(effect string, members ...string) []string {
	return []string{st(effect, append([]string{`"Principal":`}, members...)...)}
}

// A policyCase is a call and the decision of the policies. A refusal names the
// kind of policy; the prefix deny- means an explicit denial.
type policyCase struct {
	name   string
	caller string
	policy []string // statements of the secret's
	own    []string // statements of the caller's
	op     string   // GetSecretValue
	in     m        // beside SecretId
	want   string   // "", "identity", "resource", "deny-identity" or "deny-resource"
}

const (
	alice   = "arn:aws:iam::123456789012:user/alice"
	appRole = "arn:aws:iam::123456789012:role/app"
	appSess = "arn:aws:sts::123456789012:assumed-role/app/i-1"
	account = "arn:aws:iam::123456789012:root"
)

var onlyRole = []string{st("Deny", action("*"), when("ArnNotEquals", "aws:PrincipalArn", appRole))}

var principalCases = []policyCase{
	{name: "anybody in the account", caller: "alice", policy: []string{st("Allow")}},
	{name: "a user by ARN", caller: "alice", policy: []string{st("Allow", byARN(alice))}},
	{name: "another user", caller: "path", policy: []string{st("Allow", byARN(alice))}, want: "identity"},
	{name: "a user with a path", caller: "path", policy: []string{st("Allow", byARN("arn:aws:iam::123456789012:user/div/bob"))}},
	{name: "a role", caller: "session", policy: []string{st("Allow", byARN(appRole))}},
	{name: "a session", caller: "session", policy: []string{st("Allow", byARN(appSess))}},
	{name: "another role", caller: "other", policy: []string{st("Allow", byARN(appRole))}, want: "identity"},
	{name: "a role with a path that is not told", caller: "session", policy: []string{st("Allow", byARN("arn:aws:iam::123456789012:role/ci/app"))}},
	{name: "a role with that path", caller: "pathed", policy: []string{st("Allow", byARN("arn:aws:iam::123456789012:role/ci/app"))}},
	{name: "a role with another path", caller: "pathed", policy: []string{st("Allow", byARN("arn:aws:iam::123456789012:role/cd/app"))}, want: "identity"},
	{name: "a role of another account", caller: "frole", policy: []string{st("Allow", byARN(appRole))}, want: "resource"},
	{name: "a federated user", caller: "fed", policy: []string{st("Allow", byARN("arn:aws:sts::123456789012:federated-user/fred"))}},
	{name: "the account delegates", caller: "alice", policy: []string{st("Allow", byARN("123456789012"))}, want: "identity"},
	{name: "its root delegates", caller: "alice", policy: []string{st("Allow", byARN(account))}, want: "identity"},
	{name: "the account delegates to sessions", caller: "session", policy: []string{st("Allow", byARN(account))}, want: "identity"},
	{name: "delegated and allowed", caller: "alice", policy: []string{st("Allow", byARN(account))}, own: own("Allow")},
	{name: "delegated, and another action allowed", caller: "alice", policy: []string{st("Allow", byARN(account))}, own: own("Allow", action("DescribeSecret")), want: "identity"},
	{name: "the root user itself", caller: "root", policy: []string{st("Allow", byARN(account))}},
	{name: "account and user", caller: "alice", policy: []string{st("Allow", byARN(account)), st("Allow", byARN(alice))}},
	{name: "another account", caller: "foreign+", policy: []string{st("Allow", byARN("999999999999"), action("DescribeSecret"))}, op: "DescribeSecret"},
	{name: "another account without a policy of its own", caller: "foreign", policy: []string{st("Allow", byARN("999999999999"), action("DescribeSecret"))}, op: "DescribeSecret", want: "identity"},
	{name: "another account's user, named, without a policy of its own", caller: "foreign", policy: []string{st("Allow", byARN("arn:aws:iam::999999999999:user/carol"), action("DescribeSecret"))}, op: "DescribeSecret", want: "identity"},
	{name: "another account's user that is not named", caller: "foreign+", policy: []string{st("Allow", byARN(account), action("DescribeSecret"))}, op: "DescribeSecret", want: "resource"},
	{name: "another account's session", caller: "frole+", policy: []string{st("Allow", byARN("arn:aws:iam::999999999999:role/app"), action("DescribeSecret"))}, op: "DescribeSecret"},
	{name: "the account denied", caller: "alice+", policy: []string{st("Deny", byARN(account))}, want: "deny-resource"},
	{name: "a role denied", caller: "session+", policy: []string{st("Deny", byARN(appRole))}, want: "deny-resource"},
	{name: "another role denied", caller: "other+", policy: []string{st("Deny", byARN(appRole))}},
	{name: "all but a user, the user", caller: "alice+", policy: []string{st("Deny", butARNs(alice, account))}},
	{name: "all but a user, another", caller: "path+", policy: []string{st("Deny", butARNs(alice, account))}, want: "deny-resource"},
	{name: "all but a role, its session", caller: "session+", policy: []string{st("Deny", butARNs(appRole, account))}, want: "deny-resource"},
	{name: "all but a role and its session", caller: "session+", policy: []string{st("Deny", butARNs(appRole, appSess, account))}},
	{name: "all but the account, a user", caller: "alice+", policy: []string{st("Deny", butARNs(account))}, want: "deny-resource"},
	{name: "all but the account, the root user", caller: "root", policy: []string{st("Deny", butARNs(account))}},
	{name: "no policy", caller: "alice+"},
	{name: "no policy anywhere", caller: "alice", want: "identity"},
}

var principalArnCases = []policyCase{
	{name: "only this role, its session", caller: "session+", policy: onlyRole},
	{name: "only this role, another", caller: "other+", policy: onlyRole, want: "deny-resource"},
	{name: "only this role, a user", caller: "alice+", policy: onlyRole, want: "deny-resource"},
	{name: "only this role, by strings", caller: "session+", policy: []string{st("Deny", when("StringNotEquals", "aws:PrincipalArn", appRole))}},
	{name: "only this role, by a pattern", caller: "session+", policy: []string{st("Deny", when("ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::*:role/a*"))}},
	{name: "this role allowed", caller: "session", policy: []string{st("Allow", when("ArnEquals", "aws:PrincipalArn", appRole))}},
	{name: "the session's ARN is not the principal's", caller: "session", policy: []string{st("Allow", when("ArnEquals", "aws:PrincipalArn", appSess))}, want: "identity"},
	{name: "the session's ARN denied", caller: "session+", policy: []string{st("Deny", when("ArnEquals", "aws:PrincipalArn", appSess))}},
	{name: "the role's path", caller: "pathed", policy: []string{st("Allow", when("ArnEquals", "aws:PrincipalArn", "arn:aws:iam::123456789012:role/ci/app"))}},
	{name: "a user's ARN", caller: "alice", policy: []string{st("Allow", when("ArnEquals", "aws:PrincipalArn", alice))}},
	{name: "only this user, the root user", caller: "root", policy: []string{st("Deny", when("ArnNotEquals", "aws:PrincipalArn", alice))}, want: "deny-resource"},
	{name: "another account's role", caller: "frole+", policy: []string{st("Allow", action("DescribeSecret"), when("ArnEquals", "aws:PrincipalArn", "arn:aws:iam::999999999999:role/app"))}, op: "DescribeSecret"},
}

var (
	unlessNear     = []string{st("Deny", action("*"), when("NotIpAddress", "aws:SourceIp", "10.0.0.0/8"))}
	unlessEndpoint = []string{st("Deny", when("StringNotEquals", "aws:SourceVpce", "vpce-1"))}
)

var addressCases = []policyCase{
	{name: "unless from a range, from there", caller: "near+", policy: unlessNear},
	{name: "unless from a range, from elsewhere", caller: "far+", policy: unlessNear, want: "deny-resource"},
	{name: "unless from a range, by IPv6", caller: "six+", policy: unlessNear, want: "deny-resource"},
	{name: "unless from a range, in process", caller: "alice+", policy: unlessNear, want: "deny-resource"},
	{name: "unless from loopback, in process", caller: "alice+", policy: []string{st("Deny", when("NotIpAddress", "aws:SourceIp", "127.0.0.0/8"))}},
	{name: "from a range", caller: "near", policy: []string{st("Allow", when("IpAddress", "aws:SourceIp", "10.1.0.0/16"))}},
	{name: "from an address", caller: "near", policy: []string{st("Allow", when("IpAddress", "aws:SourceIp", "10.1.2.3"))}},
	{name: "from another address", caller: "far", policy: []string{st("Allow", when("IpAddress", "aws:SourceIp", "10.1.2.3"))}, want: "identity"},
	{name: "from a range of IPv6", caller: "six", policy: []string{st("Allow", when("IpAddress", "aws:SourceIp", "2001:db8::/32"))}},
	{name: "an endpoint", caller: "endpoint+", policy: unlessEndpoint},
	{name: "no endpoint", caller: "near+", policy: unlessEndpoint, want: "deny-resource"},
	{name: "through an endpoint there is no address", caller: "endpoint+", policy: unlessNear, want: "deny-resource"},
	{name: "an own policy on addresses", caller: "far", own: own("Allow", when("IpAddress", "aws:SourceIp", "10.0.0.0/8")), want: "identity"},
	{name: "an own policy on addresses, from there", caller: "near", own: own("Allow", when("IpAddress", "aws:SourceIp", "10.0.0.0/8"))},
}

// denied returns a case of a Deny that must bite, and one of the same that must
// not.
func denied(op string, in m, operator, key, value string) []policyCase {
	return []policyCase{{name: fmt.Sprint(op, " ", in, ": ", operator, " ", key, " ", value), caller: "alice+", op: op, in: in, want: "deny-resource",
		policy: []string{st("Deny", action(op), when(operator, key, value))}}}
}

func spared(op string, in m, operator, key, value string) []policyCase {
	c := denied(op, in, operator, key, value)
	c[0].name, c[0].want = "not "+c[0].name, ""
	return c
}

var keyCases = slices.Concat(
	denied("DeleteSecret", m{"RecoveryWindowInDays": 7}, "NumericLessThan", "secretsmanager:RecoveryWindowInDays", "10"),
	spared("DeleteSecret", m{"RecoveryWindowInDays": 10}, "NumericLessThan", "secretsmanager:RecoveryWindowInDays", "10"),
	spared("DeleteSecret", m{}, "NumericLessThan", "secretsmanager:RecoveryWindowInDays", "10"),
	denied("DeleteSecret", m{}, "NumericEquals", "secretsmanager:RecoveryWindowInDays", "30"),
	denied("DeleteSecret", m{"ForceDeleteWithoutRecovery": true}, "Bool", "secretsmanager:ForceDeleteWithoutRecovery", "true"),
	spared("DeleteSecret", m{"RecoveryWindowInDays": 7}, "Bool", "secretsmanager:ForceDeleteWithoutRecovery", "true"),
	denied("DeleteSecret", m{}, "Bool", "secretsmanager:ForceDeleteWithoutRecovery", "false"),
	denied("ReplicateSecretToRegions", m{"AddReplicaRegions": []m{{"Region": "eu-west-1"}}}, "ForAnyValue:StringEquals", "secretsmanager:AddReplicaRegions", "eu-west-1"),
	denied("ReplicateSecretToRegions", m{"AddReplicaRegions": []m{{"Region": "eu-west-1"}}}, "ForAnyValue:StringNotEquals", "secretsmanager:AddReplicaRegions", "eu-north-1"),
	spared("ReplicateSecretToRegions", m{"AddReplicaRegions": []m{{"Region": "eu-north-1"}}}, "ForAnyValue:StringNotEquals", "secretsmanager:AddReplicaRegions", "eu-north-1"),
	denied("ReplicateSecretToRegions", m{"AddReplicaRegions": []m{{"Region": "eu-west-1"}}, "ForceOverwriteReplicaSecret": true}, "Bool", "secretsmanager:ForceOverwriteReplicaSecret", "true"),
	spared("ReplicateSecretToRegions", m{"AddReplicaRegions": []m{{"Region": "eu-west-1"}}}, "Bool", "secretsmanager:ForceOverwriteReplicaSecret", "true"),
	denied("RotateSecret", m{"RotationLambdaARN": walkLambda, "RotationRules": m{"AutomaticallyAfterDays": 1}}, "Bool", "secretsmanager:ModifyRotationRules", "true"),
	spared("RotateSecret", m{"RotationLambdaARN": walkLambda}, "Bool", "secretsmanager:ModifyRotationRules", "true"),
	denied("RotateSecret", m{"RotationLambdaARN": walkLambda}, "ArnNotEquals", "secretsmanager:RotationLambdaARN", noFunction),
	denied("RotateSecret", m{"RotationLambdaARN": walkLambda}, "Bool", "secretsmanager:RotateImmediately", "true"),
	spared("RotateSecret", m{"RotationLambdaARN": walkLambda, "RotateImmediately": false}, "Bool", "secretsmanager:RotateImmediately", "true"),
	denied("DescribeSecret", m{}, "StringEquals", "secretsmanager:SecretPrimaryRegion", "us-east-1"),
	spared("DescribeSecret", m{}, "StringNotEquals", "secretsmanager:SecretPrimaryRegion", "us-east-1"),
	denied("CancelRotateSecret", m{}, "ArnLike", "secretsmanager:resource/AllowRotationLambdaArn", "arn:aws:lambda:*:*:function:rotate-*"),
	denied("PutSecretValue", m{"SecretString": "w"}, "Null", "secretsmanager:resource/AllowRotationLambdaArn", "false"),
	denied("PutResourcePolicy", m{"ResourcePolicy": somePolicy}, "Bool", "secretsmanager:BlockPublicPolicy", "false"),
	spared("PutResourcePolicy", m{"ResourcePolicy": somePolicy, "BlockPublicPolicy": true}, "Bool", "secretsmanager:BlockPublicPolicy", "false"),
	denied("UpdateSecret", m{"KmsKeyId": "key-1"}, "StringEquals", "secretsmanager:KmsKeyId", "key-1"),
	denied("UpdateSecret", m{"KmsKeyId": "key-1"}, "ArnLike", "secretsmanager:KmsKeyArn", "arn:aws:kms:us-east-1:123456789012:key/key-1"),
	denied("UpdateSecret", m{"KmsKeyId": "alias/k"}, "StringEquals", "secretsmanager:KmsKeyArn", "arn:aws:kms:us-east-1:123456789012:alias/k"),
	denied("UpdateSecret", m{"Description": "d"}, "StringEquals", "secretsmanager:Description", "d"),
	denied("UpdateSecret", m{"Type": "partner"}, "StringEquals", "secretsmanager:Type", "partner"),
	denied("GetSecretValue", m{}, "StringEquals", "secretsmanager:VersionStage", "AWSCURRENT"),
	denied("GetSecretValue", m{"VersionStage": "AWSPENDING"}, "StringEquals", "secretsmanager:VersionStage", "AWSPENDING"),
	spared("GetSecretValue", m{}, "StringEquals", "secretsmanager:VersionStage", "AWSPENDING"),
	denied("GetSecretValue", m{"VersionId": unknownID}, "StringEquals", "secretsmanager:VersionId", unknownID),
	denied("PutSecretValue", m{"SecretString": "w", "VersionStages": []string{"a", "b"}}, "ForAnyValue:StringEquals", "secretsmanager:VersionStage", "b"),
	denied("UpdateSecretVersionStage", m{"VersionStage": "x", "MoveToVersionId": unknownID}, "StringEquals", "secretsmanager:VersionStage", "x"),
	denied("GetSecretValue", m{}, "StringLike", "secretsmanager:Name", "s*"),
	denied("GetSecretValue", m{}, "ArnLike", "secretsmanager:SecretId", "arn:aws:secretsmanager:*:*:secret:s-??????"),
	denied("TagResource", m{"Tags": []m{{"Key": "team", "Value": "red"}}}, "ForAnyValue:StringEquals", "aws:TagKeys", "team"),
	denied("TagResource", m{"Tags": []m{{"Key": "team", "Value": "red"}}}, "StringEquals", "aws:RequestTag/team", "red"),
	spared("TagResource", m{"Tags": []m{{"Key": "team", "Value": "red"}}}, "StringEquals", "aws:RequestTag/team", "blue"),
	denied("UntagResource", m{"TagKeys": []string{"owner"}}, "ForAnyValue:StringEquals", "aws:TagKeys", "owner"),
	spared("UntagResource", m{"TagKeys": []string{"owner"}}, "ForAnyValue:StringEquals", "aws:TagKeys", "team"),
	denied("GetSecretValue", m{}, "StringEquals", "secretsmanager:ResourceTag/owner", "me"),
	denied("GetSecretValue", m{}, "StringEquals", "aws:ResourceTag/owner", "me"),
	denied("ListSecretVersionIds", m{}, "StringEquals", "aws:ResourceTag/Owner", "me"),
)

// global returns a case of a key that all requests of a caller have.
func global(caller, operator, key, value, want string) policyCase {
	return policyCase{name: strings.Join([]string{caller, operator, key, value}, " "), caller: caller + "+", want: want,
		policy: []string{st("Deny", when(operator, key, value))}}
}

var globalCases = []policyCase{
	global("alice", "StringEquals", "aws:username", "alice", "deny-resource"),
	global("path", "StringEquals", "aws:username", "bob", "deny-resource"),
	global("session", "Null", "aws:username", "true", "deny-resource"),
	global("root", "Null", "aws:username", "false", ""),
	global("alice", "StringLike", "aws:userid", "AIDA*", "deny-resource"),
	global("session", "StringLike", "aws:userid", "AROA*:i-1", "deny-resource"),
	global("session", "StringLike", "aws:userid", "AROA*:i-2", ""),
	global("root", "StringEquals", "aws:userid", "123456789012", "deny-resource"),
	global("alice", "StringEquals", "aws:PrincipalType", "User", "deny-resource"),
	global("session", "StringEquals", "aws:PrincipalType", "AssumedRole", "deny-resource"),
	global("root", "StringEquals", "aws:PrincipalType", "Account", "deny-resource"),
	global("fed", "StringEquals", "aws:PrincipalType", "FederatedUser", "deny-resource"),
	global("alice", "StringEquals", "aws:PrincipalAccount", "123456789012", "deny-resource"),
	global("alice", "StringEquals", "aws:ResourceAccount", "123456789012", "deny-resource"),
	global("alice", "StringNotEquals", "aws:ResourceAccount", "123456789012", ""),
	global("session", "DateGreaterThan", "aws:TokenIssueTime", "2020-01-01T00:00:00Z", "deny-resource"),
	global("alice", "Null", "aws:TokenIssueTime", "true", "deny-resource"),
	global("alice", "Bool", "aws:ViaAWSService", "false", "deny-resource"),
	global("alice", "Bool", "aws:ViaAWSService", "true", ""),
	global("alice", "Bool", "aws:PrincipalIsAWSService", "false", "deny-resource"),
	global("alice", "Bool", "aws:SecureTransport", "false", ""),
	global("alice", "Bool", "aws:SecureTransport", "true", "deny-resource"),
	global("alice", "StringEquals", "aws:PrincipalTag/team", "blue", "deny-resource"),
	global("session", "StringNotEquals", "aws:PrincipalTag/team", "blue", ""),
	global("other", "StringNotEquals", "aws:PrincipalTag/team", "blue", "deny-resource"),
	global("alice", "StringEquals", "aws:PrincipalTag/Team", "blue", "deny-resource"),
	global("alice", "StringEquals", "aws:RequestedRegion", "us-east-1", "deny-resource"),
	global("alice", "DateGreaterThan", "aws:CurrentTime", "2020-01-01T00:00:00Z", "deny-resource"),
	global("alice", "NumericGreaterThan", "aws:EpochTime", "1000", "deny-resource"),
	global("endpoint", "StringEquals", "aws:SourceVpce", "vpce-1", "deny-resource"),
	global("endpoint", "Null", "aws:SourceIp", "true", "deny-resource"),
	global("member", "StringNotEquals", "aws:PrincipalOrgID", "o-1", ""),
	global("alice", "StringNotEquals", "aws:PrincipalOrgID", "o-1", "deny-resource"),
	global("member", "ForAnyValue:StringLike", "aws:PrincipalOrgPaths", "o-1/r-1/*", "deny-resource"),
	global("keyed", "StringEquals", "aws:RequestedRegion", "mars-1", "deny-resource"),
	global("keyed", "Null", "aws:SourceIp", "true", "deny-resource"),
	global("alice", "StringEquals", "aws:NoSuchKey", "x", ""),
	global("alice", "StringLike", "secretsmanager:NoSuchKey", "*", ""),
	{name: "a tag of the caller in the resource", caller: "alice", policy: []string{st("Allow", `"Resource":"arn:aws:secretsmanager:*:*:secret:s*"`, when("StringEquals", "aws:PrincipalTag/team", "${aws:PrincipalTag/team}"))}},
}

var ownCases = []policyCase{
	{name: "own: allowed", caller: "alice", own: own("Allow")},
	{name: "own: by a pattern", caller: "alice", own: own("Allow", action("Get*"))},
	{name: "own: everything", caller: "alice", own: own("Allow", `"Action":"*"`)},
	{name: "own: another service's action", caller: "alice", own: own("Allow", `"Action":"s3:*"`), want: "identity"},
	{name: "own: the secret", caller: "alice", own: own("Allow", `"Resource":"%ARN%"`)},
	{name: "own: another secret", caller: "alice", own: own("Allow", `"Resource":"arn:aws:secretsmanager:us-east-1:123456789012:secret:t-??????"`), want: "identity"},
	{name: "own: an ARN without its end", caller: "alice", own: own("Allow", `"Resource":"arn:aws:secretsmanager:us-east-1:123456789012:secret:s"`), want: "identity"},
	{name: "own: by prefix", caller: "alice", own: own("Allow", `"Resource":"arn:aws:secretsmanager:us-east-1:123456789012:secret:s-*"`)},
	{name: "own: all but an action", caller: "alice", own: own("Allow", `"NotAction":"secretsmanager:Delete*"`)},
	{name: "own: all but this secret", caller: "alice", own: own("Allow", `"NotResource":"%ARN%"`), want: "identity"},
	{name: "own: denied", caller: "alice", own: append(own("Allow"), own("Deny", action("*"))...), want: "deny-identity"},
	{name: "own: denied, and the secret allows", caller: "alice", policy: []string{st("Allow", byARN(alice))}, own: own("Deny"), want: "deny-identity"},
	{name: "own: by the secret's tag", caller: "alice", own: own("Allow", when("StringEquals", "secretsmanager:ResourceTag/owner", "me"))},
	{name: "own: by another tag", caller: "alice", own: own("Allow", when("StringEquals", "aws:ResourceTag/owner", "you")), want: "identity"},
	{name: "own: by the caller's tag", caller: "alice", own: own("Allow", when("StringEquals", "aws:PrincipalTag/team", "blue"))},
	{name: "own: by the caller's name", caller: "path", own: own("Allow", when("StringEquals", "aws:username", "bob"))},
	{name: "own: only AWSCURRENT", caller: "alice", own: own("Allow", when("StringEquals", "secretsmanager:VersionStage", "AWSCURRENT")), in: m{"VersionStage": "AWSPREVIOUS"}, want: "identity"},
	{name: "own: the secret denies", caller: "alice", own: own("Allow"), policy: []string{st("Deny")}, want: "deny-resource"},
	{name: "own: a session", caller: "session", own: own("Allow")},
	{name: "own: another account", caller: "foreign", own: own("Allow", action("*")), policy: []string{st("Allow", byARN("999999999999"), action("DescribeSecret"))}, op: "DescribeSecret"},
	{name: "own: listing", caller: "alice", own: own("Allow", action("ListSecrets")), op: "ListSecrets"},
	{name: "own: listing one secret is not listing", caller: "alice", own: own("Allow", action("ListSecrets"), `"Resource":"%ARN%"`), op: "ListSecrets", want: "identity"},
}

const walkLambda = "arn:aws:lambda:us-east-1:123456789012:function:walk"

// policyCases are the cases of all tables.
func policyCases() []policyCase {
	return slices.Concat(principalCases, principalArnCases, addressCases, keyCases, globalCases, ownCases)
}

func TestPolicyCasesAreEnough(t *testing.T) {
	if n := len(policyCases()) + len(malformedCases) + len(publicCases); n < 150 {
		t.Errorf("cases: got %d, want at least 150", n)
	} else {
		t.Logf("%d cases", n)
	}
}

// decisionFacts are the policy cases as facts: calls decided by IAM's documented
// rules, policies refused and policies blocked.
var decisionFacts = func() (all []fact) {
	for _, test := range policyCases() {
		all = append(all, fakeFact(documented, "policy: "+test.name, func(c *conf) {
			c.eq("refusal", test.outcome(c.fake), test.want)
		}))
	}
	for _, test := range malformedCases {
		all = append(all, fakeFact(documented, "policy with "+test.name, func(c *conf) {
			c.create("a", "v")
			for _, op := range []string{"PutResourcePolicy", "ValidateResourcePolicy"} {
				_, e := c.call(op, m{"SecretId": c.name("a"), "ResourcePolicy": test.policy})
				if got := e != nil && e.code == "MalformedPolicyDocumentException"; got != test.refused || e != nil && !got {
					c.differ("%s: got %v, want refused %t", op, e, test.refused)
				}
			}
		}))
	}
	for _, test := range publicCases {
		all = append(all, fakeFact(documented, "policy for "+test.name, func(c *conf) {
			c.fake.Put("s", "v")
			_, e := c.call("PutResourcePolicy", m{"SecretId": "s", "ResourcePolicy": document(test.policy), "BlockPublicPolicy": true})
			if got := e != nil && e.code == "PublicPolicyException"; got != test.blocked || e != nil && !got {
				c.differ("got %v, want blocked %t", e, test.blocked)
			}
		}))
	}
	return all
}()

// outcome makes the call of a case and returns the kind of policy that refused
// it. Only policies may refuse it with AccessDeniedException.
func (test policyCase) outcome(srv *secretstest.Server) string {
	srv.Put("s", "v")
	srv.SetRotation("s", nil, nil)
	arn := srv.ARN("s")
	root := &conf{sdk: srv.Client()}
	root.ok("TagResource", m{"SecretId": "s", "Tags": []m{{"Key": "owner", "Value": "me"}}})
	if test.policy != nil {
		root.ok("PutResourcePolicy", m{"SecretId": "s", "ResourcePolicy": strings.ReplaceAll(document(test.policy), "%ARN%", arn)})
	}
	var statements []string
	for _, s := range test.own {
		statements = append(statements, strings.ReplaceAll(s, "%ARN%", arn))
	}
	c := &conf{sdk: srv.ClientFor(who(test.caller, statements))}
	op, in := cmp.Or(test.op, "GetSecretValue"), m{}
	for name, v := range test.in {
		in[name] = v
	}
	if op != "ListSecrets" {
		in["SecretId"] = arn
	}
	_, e := c.call(op, in)
	if e == nil || e.code != "AccessDeniedException" || strings.Contains(e.message, "Lambda") {
		return ""
	}
	return refusal(e.message)
}

// refusal returns the kind of policy that refused a call, from the error
// message.
func refusal(message string) string {
	switch {
	case strings.Contains(message, "explicit deny in an identity-based"):
		return "deny-identity"
	case strings.Contains(message, "explicit deny in a resource-based"):
		return "deny-resource"
	case strings.Contains(message, "no identity-based policy"):
		return "identity"
	case strings.Contains(message, "no resource-based policy"):
		return "resource"
	}
	return message
}
