package secretstest_test

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// operations are the names of all operations.
var operations = []string{
	"BatchGetSecretValue", "CancelRotateSecret", "CreateSecret", "DeleteResourcePolicy", "DeleteSecret", "DescribeSecret",
	"GetRandomPassword", "GetResourcePolicy", "GetSecretValue", "ListSecretVersionIds", "ListSecrets", "PutResourcePolicy",
	"PutSecretValue", "RemoveRegionsFromReplication", "ReplicateSecretToRegions", "RestoreSecret", "RotateSecret",
	"StopReplicationToReplica", "TagResource", "UntagResource", "UpdateSecret", "UpdateSecretVersionStage", "ValidateResourcePolicy",
}

// bodies are the seeds: one valid body for each operation, and typical mistakes
// of clients.
var bodies = []string{
	`{}`, ``, `null`, `[]`, `"a"`, `7`, `{"SecretId":`, "\x00\xff", `{"SecretId":null}`, `{"SecretId":{}}`, `{"SecretId":"a","SecretId":["b"]}`,
	`{"SecretId":"a"}`, `{"SecretId":"arn:aws:secretsmanager:us-east-1:123456789012:secret:a"}`, `{"SecretId":"arn:"}`, `{"SecretId":"arn:::::::"}`,
	`{"SecretIdList":["a","none","arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf"]}`,
	`{"SecretIdList":[null,""]}`, `{"Filters":[{"Key":"all","Values":["!a"]}],"MaxResults":1}`, `{"Filters":[null]}`, `{"Filters":[{}]}`,
	`{"NextToken":"AAAA","MaxResults":1}`, `{"SortBy":"name","SortOrder":"desc","IncludePlannedDeletion":true}`,
	`{"Name":"b","ClientRequestToken":"11111111-2222-3333-4444-555555555555","SecretString":"v","Tags":[{"Key":"k","Value":"v"}]}`,
	`{"Name":"c","ClientRequestToken":"11111111-2222-3333-4444-555555555555","SecretBinary":"AAE=","AddReplicaRegions":[{"Region":"eu-west-1"}]}`,
	`{"SecretId":"a","ClientRequestToken":"11111111-2222-3333-4444-555555555556","SecretString":"v","VersionStages":["AWSPENDING","x"]}`,
	`{"SecretId":"a","VersionStage":"AWSCURRENT","MoveToVersionId":"11111111-2222-3333-4444-555555555555"}`,
	`{"SecretId":"a","RecoveryWindowInDays":7}`, `{"SecretId":"a","RecoveryWindowInDays":9223372036854775807}`,
	`{"SecretId":"a","ForceDeleteWithoutRecovery":true}`, `{"SecretId":"none","ForceDeleteWithoutRecovery":true}`,
	`{"PasswordLength":4096,"ExcludeCharacters":"abc\ud800","IncludeSpace":true}`, `{"PasswordLength":1e3}`,
	`{"SecretId":"a","ResourcePolicy":"{\"Statement\":{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\"}}"}`,
	`{"SecretId":"a","AddReplicaRegions":[{"Region":"eu-west-1"},{"Region":"us-east-1"},{"Region":"eu-west-1"}]}`,
	`{"SecretId":"a","RemoveReplicaRegions":["eu-west-1","mars-1"]}`,
	`{"SecretId":"a","ClientRequestToken":"11111111-2222-3333-4444-555555555557","RotationLambdaARN":"arn:x","RotationRules":{"ScheduleExpression":"cron(0 0 29 2 ? *)","Duration":"24h"}}`,
	`{"SecretId":"a","ClientRequestToken":"11111111-2222-3333-4444-555555555558","RotationRules":{"AutomaticallyAfterDays":1000},"RotateImmediately":false}`,
	`{"SecretId":"a","Tags":[null,{"Key":"k"}]}`, `{"SecretId":"a","TagKeys":["k",null]}`, `{"SecretId":"a\ud800","VersionId":"\u0000"}`,
}

// FuzzHandler sends any body for any target, several times in a row, to a
// server with a replicated and rotated secret. The handler must never panic,
// and never respond with an internal error.
func FuzzHandler(f *testing.F) {
	for _, b := range bodies {
		for i := range operations {
			f.Add(uint8(i), "", "", []byte(b), []byte(bodies[(i*7)%len(bodies)]))
		}
	}
	f.Add(uint8(255), "DynamoDB_20120810.ListTables", "AWS4-HMAC-SHA256 Credential=a/20200101/us-east-1/secretsmanager/aws4_request", []byte(`{}`), []byte(`{}`))
	f.Add(uint8(255), "secretsmanager.", "AWS4- Credential=//", []byte(`{}`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, op uint8, target, auth string, first, second []byte) {
		srv := secretstest.NewServer(&secretstest.Options{
			Secrets: secretstest.Secrets{"a": `{"password":"v"}`}, AnyFunction: true, Ledger: -1})
		defer srv.Close()
		if int(op) < len(operations) {
			target = "secretsmanager." + operations[op]
		}
		for _, body := range [][]byte{first, second, first} {
			send(t, srv, target, auth, body)
		}
		// These must work after any requests.
		for _, op := range []string{"ListSecrets", "DescribeSecret", "ListSecretVersionIds", "GetSecretValue"} {
			send(t, srv, "secretsmanager."+op, "", []byte(`{"SecretId":"a"}`))
		}
	})
}

func send(t *testing.T, srv *secretstest.Server, target, auth string, body []byte) {
	t.Helper()
	r := httptest.NewRequest("POST", "/", strings.NewReader(string(body)))
	r.Header.Set("X-Amz-Target", target)
	if auth != "" {
		r.Header.Set("Authorization", auth)
	}
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, r)
	if w.Code != 200 && w.Code/100 != 4 {
		t.Errorf("%s: got status %d", target, w.Code)
	}
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Errorf("%s: the answer is no JSON object: %v", target, err)
	}
	if _, ok := out["__type"].(string); ok != (w.Code != 200) {
		t.Errorf("%s: got status %d with %q", target, w.Code, w.Body)
	}
	if !utf8.Valid(w.Body.Bytes()) {
		t.Errorf("%s: the answer is not UTF-8: %q", target, w.Body)
	}
}

func TestFuzzHandlerKnowsEveryOperation(t *testing.T) {
	if len(operations) != 23 || !slices.IsSorted(operations) {
		t.Errorf("got %d operations, want 23 in order", len(operations))
	}
}
