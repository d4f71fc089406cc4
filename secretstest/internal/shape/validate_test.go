package shape

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// bodyOf decodes a request's body as the server does.
func bodyOf(t *testing.T, body string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	var in map[string]any
	if err := d.Decode(&in); err != nil {
		t.Fatalf("test's own body %q: %v", body, err)
	}
	return in
}

// quoted returns n times a character as a JSON string.
func quoted(n int, c string) string { return `"` + strings.Repeat(c, n) + `"` }

func TestValidateInput(t *testing.T) {
	const (
		one = "1 validation error detected: "
		two = "2 validation errors detected: "
	)
	tests := []struct {
		name, op, body string
		want           string // "": no violation; a trailing … allows anything after it
	}{
		{"nothing broken", "GetSecretValue", `{"SecretId":"a"}`, ""},
		{"unknown members are ignored", "GetSecretValue", `{"SecretId":"a","Colour":7}`, ""},
		{"unknown operations have no constraints", "Frobnicate", `{}`, ""},
		{"required", "GetSecretValue", `{}`,
			one + "Value null at 'secretId' failed to satisfy constraint: Member must not be null"},
		{"null counts as absent", "GetSecretValue", `{"SecretId":null}`,
			one + "Value null at 'secretId' failed to satisfy constraint: Member must not be null"},
		{"an optional null is fine", "GetSecretValue", `{"SecretId":"a","VersionId":null}`, ""},
		{"too short", "GetSecretValue", `{"SecretId":""}`,
			one + "Value '' at 'secretId' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"too long", "GetSecretValue", `{"SecretId":` + quoted(2049, "a") + `}`,
			one + "Value '" + strings.Repeat("a", 2049) + "' at 'secretId' failed to satisfy constraint: Member must have length less than or equal to 2048"},
		{"length counts characters", "GetSecretValue", `{"SecretId":` + quoted(2048, "é") + `}`, ""},
		{"all violations in one message", "CreateSecret", `{"Name":` + quoted(513, "n") + `,"ClientRequestToken":"short"}`,
			two + "Value '" + strings.Repeat("n", 513) + "' at 'name' failed to satisfy constraint: Member must have length less than or equal to 512; " +
				"Value 'short' at 'clientRequestToken' failed to satisfy constraint: Member must have length greater than or equal to 32"},
		{"a name may have 512 characters", "CreateSecret", `{"Name":` + quoted(512, "n") + `}`, ""},
		{"a value is not repeated", "CreateSecret", `{"Name":"n","SecretString":""}`,
			one + "Value '***sensitive***' at 'secretString' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"a value may have 65,536 bytes", "CreateSecret", `{"Name":"n","SecretString":` + quoted(65536, "v") + `}`, ""},
		{"a value may not have more", "CreateSecret", `{"Name":"n","SecretString":` + quoted(65537, "v") + `}`,
			one + "Value '***sensitive***' at 'secretString' failed to satisfy constraint: Member must have length less than or equal to 65536"},
		{"bytes, not characters", "CreateSecret", `{"Name":"n","SecretString":` + quoted(32769, "é") + `}`,
			one + "Value '***sensitive***' at 'secretString'…"},
		{"binary counts decoded bytes", "PutSecretValue", `{"SecretId":"n","SecretBinary":"` + strings.Repeat("AAAA", 21845) + `AA=="}`,
			""},
		{"binary too long", "PutSecretValue", `{"SecretId":"n","SecretBinary":"` + strings.Repeat("AAAA", 21846) + `"}`,
			one + "Value '***sensitive***' at 'secretBinary' failed to satisfy constraint: Member must have length less than or equal to 65536"},
		{"binary empty", "PutSecretValue", `{"SecretId":"n","SecretBinary":""}`,
			one + "Value '***sensitive***' at 'secretBinary'…"},
		{"rotation token is not repeated", "PutSecretValue", `{"SecretId":"n","RotationToken":"hunter2"}`,
			one + "Value '***sensitive***' at 'rotationToken' failed to satisfy constraint: Member must have length greater than or equal to 36"},
		{"rotation token's pattern", "PutSecretValue", `{"SecretId":"n","RotationToken":` + quoted(36, "_") + `}`,
			one + `Value '***sensitive***' at 'rotationToken' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9\-]+$`},
		{"no more than 20 stages", "PutSecretValue", `{"SecretId":"n","VersionStages":[` + strings.Repeat(`"s",`, 20) + `"s"]}`,
			one + "Value '[" + strings.Repeat("s, ", 20) + "s]' at 'versionStages' failed to satisfy constraint: Member must have length less than or equal to 20"},
		{"an empty list of stages", "PutSecretValue", `{"SecretId":"n","VersionStages":[]}`,
			one + "Value '[]' at 'versionStages' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"elements are reported under the list", "PutSecretValue", `{"SecretId":"n","VersionStages":["a",""]}`,
			one + "Value '[a, ]' at 'versionStages' failed to satisfy constraint: Member must satisfy constraint: " +
				"[Member must have length less than or equal to 256, Member must have length greater than or equal to 1, Member must not be null]"},
		{"null elements", "UntagResource", `{"SecretId":"n","TagKeys":[null]}`,
			one + "Value '[null]' at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint…"},
		{"number too small", "ListSecrets", `{"MaxResults":0}`,
			one + "Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"number too big", "ListSecrets", `{"MaxResults":101}`,
			one + "Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100"},
		{"a batch has 20 at most", "BatchGetSecretValue", `{"MaxResults":21}`,
			one + "Value '21' at 'maxResults'…"},
		{"recovery window is not in the model", "DeleteSecret", `{"SecretId":"n","RecoveryWindowInDays":5000}`, ""},
		{"a filter's key", "ListSecrets", `{"Filters":[{"Key":"name","Values":["a"]},{"Key":"invalid","Values":["foo"]}]}`,
			one + "Value 'invalid' at 'filters.2.member.key' failed to satisfy constraint: Member must satisfy enum value set: [all, name, tag-key, description, tag-value]"},
		{"newer filter keys", "ListSecrets", `{"Filters":[{"Key":"primary-region","Values":["a"]},{"Key":"owning-service","Values":["a"]}]}`, ""},
		{"a filter's values", "BatchGetSecretValue", `{"Filters":[{"Key":"name","Values":["a#b"]}]}`,
			one + "Value '[a#b]' at 'filters.1.member.values' failed to satisfy constraint: Member must satisfy constraint: " +
				"[Member must have length less than or equal to 512, Member must have length greater than or equal to 0, " +
				`Member must satisfy regular expression pattern: ^\!?[a-zA-Z0-9 :_@\/\+\=\.\-\!]*$, Member must not be null]`},
		{"no more than 10 filters", "ListSecrets", `{"Filters":[` + strings.Repeat(`{"Key":"name","Values":["a"]},`, 10) + `{"Key":"name","Values":["a"]}]}`,
			one + "Value '[Filter(key=name, values=[a])…"},
		{"sort order", "ListSecrets", `{"SortOrder":"up"}`,
			one + "Value 'up' at 'sortOrder' failed to satisfy constraint: Member must satisfy enum value set: [asc, desc]"},
		{"sort by", "ListSecrets", `{"SortBy":"size"}`,
			one + "Value 'size' at 'sortBy' failed to satisfy constraint: Member must satisfy enum value set: [created-date, last-accessed-date, last-changed-date, name]"},
		{"a tag's key", "CreateSecret", `{"Name":"n","Tags":[{"Key":"","Value":""}]}`,
			one + "Value '' at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"a tag's value", "TagResource", `{"SecretId":"n","Tags":[{"Key":"k","Value":` + quoted(257, "v") + `}]}`,
			one + "Value '" + strings.Repeat("v", 257) + "' at 'tags.1.member.value'…"},
		{"tags are required", "TagResource", `{"SecretId":"n"}`,
			one + "Value null at 'tags' failed to satisfy constraint: Member must not be null"},
		{"a region's pattern", "ReplicateSecretToRegions", `{"SecretId":"n","AddReplicaRegions":[{"Region":"mars"}]}`,
			one + `Value 'mars' at 'addReplicaRegions.1.member.region' failed to satisfy constraint: Member must satisfy regular expression pattern: ^([a-z]+-)+\d+$`},
		{"a region to remove", "RemoveRegionsFromReplication", `{"SecretId":"n","RemoveReplicaRegions":["us-east-1","x"]}`,
			one + `Value '[us-east-1, x]' at 'removeReplicaRegions'…`},
		{"no regions", "ReplicateSecretToRegions", `{"SecretId":"n","AddReplicaRegions":[]}`,
			one + "Value '[]' at 'addReplicaRegions' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"days between rotations", "RotateSecret", `{"SecretId":"n","RotationRules":{"AutomaticallyAfterDays":1001}}`,
			one + "Value '1001' at 'rotationRules.automaticallyAfterDays' failed to satisfy constraint: Member must have value less than or equal to 1000"},
		{"a window's duration", "RotateSecret", `{"SecretId":"n","RotationRules":{"Duration":"3d"}}`,
			one + "Value '3d' at 'rotationRules.duration' failed to satisfy constraint: Member must satisfy regular expression pattern: [0-9]+h"},
		{"a schedule's characters", "RotateSecret", `{"SecretId":"n","RotationRules":{"ScheduleExpression":"rate(1 day);"}}`,
			one + `Value 'rate(1 day);' at 'rotationRules.scheduleExpression' failed to satisfy constraint: Member must satisfy regular expression pattern: [0-9A-Za-z\(\)#\?\*\-\/, ]+`},
		{"a policy's length", "PutResourcePolicy", `{"SecretId":"n","ResourcePolicy":` + quoted(20481, "p") + `}`,
			one + "Value '" + strings.Repeat("p", 20481) + "' at 'resourcePolicy' failed to satisfy constraint: Member must have length less than or equal to 20480"},
		{"password length", "GetRandomPassword", `{"PasswordLength":4097}`,
			one + "Value '4097' at 'passwordLength'…"},
		{"description", "UpdateSecret", `{"SecretId":"n","Description":` + quoted(2049, "d") + `}`,
			one + "Value '" + strings.Repeat("d", 2049) + "' at 'description'…"},
		{"version stage", "UpdateSecretVersionStage", `{"SecretId":"n","VersionStage":""}`,
			one + "Value '' at 'versionStage'…"},
		{"version id", "GetSecretValue", `{"SecretId":"n","VersionId":"v1"}`,
			one + "Value 'v1' at 'versionId' failed to satisfy constraint: Member must have length greater than or equal to 32"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := bodyOf(t, test.body)
			if err := CheckTypes(test.op, in); err != nil {
				t.Fatalf("CheckTypes: %v", err)
			}
			got := Validate(test.op, in)
			prefix, open := strings.CutSuffix(test.want, "…")
			if got != test.want && !(open && strings.HasPrefix(got, prefix)) {
				t.Errorf("Validate:\n got %.600q\nwant %.600q", got, test.want)
			}
		})
	}
}

func TestEveryOperationHasConstraints(t *testing.T) {
	if got, want := len(operationInputs), 23; got != want {
		t.Errorf("operations: got %d, want %d", got, want)
	}
	for op, s := range operationInputs {
		for _, m := range s.members {
			if m.name == "SecretId" && m.required == (op == "ValidateResourcePolicy") {
				t.Errorf("%s: SecretId required: got %t", op, m.required)
			}
		}
	}
}

func TestCheckTypes(t *testing.T) {
	tests := []struct {
		name, op, body, want string
	}{
		{"right types", "ListSecrets", `{"MaxResults":5,"IncludePlannedDeletion":true,"Filters":[{"Key":"name","Values":["a"]}]}`, "<nil>"},
		{"null", "ListSecrets", `{"MaxResults":null,"Filters":null}`, "<nil>"},
		{"unknown member", "ListSecrets", `{"Colour":{"a":[1]}}`, "<nil>"},
		{"number for string", "GetSecretValue", `{"SecretId":7}`, "NUMBER_VALUE can not be converted to a String"},
		{"true for string", "GetSecretValue", `{"SecretId":true}`, "TRUE_VALUE can not be converted to a String"},
		{"string for number", "ListSecrets", `{"MaxResults":"5"}`, "STRING_VALUE can not be converted to an Integer"},
		{"fraction for number", "ListSecrets", `{"MaxResults":5.5}`, "NUMBER_VALUE can not be converted to an Integer"},
		{"huge number", "ListSecrets", `{"MaxResults":1e400}`, "NUMBER_VALUE can not be converted to an Integer"},
		{"string for boolean", "DeleteSecret", `{"SecretId":"a","ForceDeleteWithoutRecovery":"true"}`, "STRING_VALUE can not be converted to a Boolean"},
		{"number for boolean", "DeleteSecret", `{"SecretId":"a","ForceDeleteWithoutRecovery":1}`, "NUMBER_VALUE can not be converted to a Boolean"},
		{"number for blob", "CreateSecret", `{"Name":"a","SecretBinary":1}`, "NUMBER_VALUE can not be converted to a Blob"},
		{"broken base64", "CreateSecret", `{"Name":"a","SecretBinary":"!hunter2!"}`, "Invalid base64 in blob"},
		{"map for string", "GetSecretValue", `{"SecretId":{}}`, "Start of structure or map found where not expected."},
		{"list for string", "GetSecretValue", `{"SecretId":[]}`, "Start of list found where not expected"},
		{"string for list", "UntagResource", `{"SecretId":"a","TagKeys":"k"}`, "Unexpected field type"},
		{"string for structure", "RotateSecret", `{"SecretId":"a","RotationRules":"daily"}`, "Unexpected field type"},
		{"inside a list", "UntagResource", `{"SecretId":"a","TagKeys":["k",1]}`, "NUMBER_VALUE can not be converted to a String"},
		{"inside a structure", "CreateSecret", `{"Name":"a","Tags":[{"Key":1}]}`, "NUMBER_VALUE can not be converted to a String"},
		{"null in a list", "CreateSecret", `{"Name":"a","Tags":[null]}`, "<nil>"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := fmt.Sprint(CheckTypes(test.op, bodyOf(t, test.body))); got != test.want {
				t.Errorf("CheckTypes: got %q, want %q", got, test.want)
			}
		})
	}
}
