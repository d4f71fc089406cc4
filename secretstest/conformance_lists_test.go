package secretstest_test

import (
	"fmt"
	"slices"
	"time"
)

var describeFacts = []fact{
	{recorded, "DescribeSecret of an unknown secret", func(c *conf) {
		c.fails("DescribeSecret", m{"SecretId": c.name("none")}, "ResourceNotFoundException", notFoundText)
	}},
	{recorded, "DescribeSecret leaves out what a secret does not have", func(c *conf) {
		c.create("a", "v")
		out := c.ok("DescribeSecret", m{"SecretId": c.name("a")})
		c.has(out, "ARN", "Name", "CreatedDate", "LastChangedDate", "VersionIdsToStages")
		c.lacks(out, "Description", "KmsKeyId", "Tags", "DeletedDate", "LastAccessedDate", "LastRotatedDate",
			"NextRotationDate", "OwningService", "ReplicationStatus", "Type")
	}},
	{recorded, "before the first rotation RotationEnabled is absent, not false", func(c *conf) {
		c.create("a", "v")
		c.lacks(c.ok("DescribeSecret", m{"SecretId": c.name("a")}), "RotationEnabled", "RotationRules", "RotationLambdaARN")
	}},
	{recorded, "DescribeSecret of a secret that is to be deleted has DeletedDate", func(c *conf) {
		id := c.create("a", "v")["VersionId"].(string)
		c.ok("DeleteSecret", m{"SecretId": c.name("a")})
		c.has(c.ok("DescribeSecret", m{"SecretId": c.name("a")}), "DeletedDate")
		c.eq("stages", c.stages(c.name("a")), map[string][]string{id: {"AWSCURRENT"}})
	}},
	{recorded, "versions without labels are not described", func(c *conf) {
		first := c.create("a", "1")["VersionId"].(string)
		for range 2 {
			c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "2"})
		}
		all := c.stages(c.name("a"))
		c.eq("versions", len(all), 2)
		if all[first] != nil {
			c.differ("the first version is described")
		}
	}},
	{recorded, "ListSecretVersionIds has what there is to a version", func(c *conf) {
		id := c.create("a", "1")["VersionId"]
		list := c.ok("ListSecretVersionIds", m{"SecretId": c.name("a")})["Versions"].([]any)
		c.eq("versions", len(list), 1)
		v := list[0].(m)
		c.eq("VersionId", v["VersionId"], id)
		c.eq("VersionStages", v["VersionStages"], []any{"AWSCURRENT"})
		c.eq("KmsKeyIds", v["KmsKeyIds"], []any{"DefaultEncryptionKey"})
		c.has(v, "CreatedDate")
		c.lacks(v, "LastAccessedDate")
	}},
	{recorded, "ListSecretVersionIds has LastAccessedDate per version", func(c *conf) {
		_, current := two(c)
		c.ok("GetSecretValue", m{"SecretId": c.name("a")})
		for _, e := range c.ok("ListSecretVersionIds", m{"SecretId": c.name("a")})["Versions"].([]any) {
			v := e.(m)
			if _, read := v["LastAccessedDate"]; read != (v["VersionId"] == current) {
				c.differ("version %v: LastAccessedDate %v", v["VersionStages"], v["LastAccessedDate"])
			}
		}
	}},
	{recorded, "ListSecretVersionIds gives the full ARN when asked by name", func(c *conf) {
		arn := c.create("a", "1")["ARN"]
		out := c.ok("ListSecretVersionIds", m{"SecretId": c.name("a")})
		c.eq("ARN", out["ARN"], arn)
		c.eq("Name", out["Name"], c.name("a"))
	}},
	{recorded, "ListSecretVersionIds leaves out versions without labels", func(c *conf) {
		c.create("a", "1")
		for range 2 {
			c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "2"})
		}
		c.eq("versions", len(c.ok("ListSecretVersionIds", m{"SecretId": c.name("a")})["Versions"].([]any)), 2)
	}},
	{recorded, "with IncludeDeprecated they are there, without VersionStages", func(c *conf) {
		first := c.create("a", "1")["VersionId"]
		for range 2 {
			c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "2"})
		}
		list := c.ok("ListSecretVersionIds", m{"SecretId": c.name("a"), "IncludeDeprecated": true})["Versions"].([]any)
		c.eq("versions", len(list), 3)
		for _, e := range list {
			if v := e.(m); v["VersionId"] == first {
				c.lacks(v, "VersionStages")
			}
		}
	}},
	{recorded, "a version with only a custom label stays listed", func(c *conf) {
		c.create("a", "1")
		id := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "2", "VersionStages": []string{"blue"}})["VersionId"].(string)
		for range 2 {
			c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "3"})
		}
		c.eq("labels", c.stages(c.name("a"))[id], []string{"blue"})
	}},
	{documented, "ListSecretVersionIds is paged", func(c *conf) {
		two(c)
		seen := map[any]bool{}
		in := m{"SecretId": c.name("a"), "MaxResults": 1}
		for range 3 {
			out := c.ok("ListSecretVersionIds", in)
			for _, e := range out["Versions"].([]any) {
				seen[e.(m)["VersionId"]] = true
			}
			next, more := out["NextToken"]
			if !more {
				break
			}
			in["NextToken"] = next
		}
		c.eq("versions", len(seen), 2)
	}},
	{recorded, "at the end of ListSecretVersionIds there is no NextToken", func(c *conf) {
		two(c)
		c.lacks(c.ok("ListSecretVersionIds", m{"SecretId": c.name("a")}), "NextToken")
	}},
	{documented, "ListSecretVersionIds with a bad NextToken", func(c *conf) {
		c.create("a", "v")
		c.fails("ListSecretVersionIds", m{"SecretId": c.name("a"), "NextToken": "bogus"}, "InvalidNextTokenException", "")
	}},
	{documented, "ListSecretVersionIds of an unknown secret", func(c *conf) {
		c.fails("ListSecretVersionIds", m{"SecretId": c.name("none")}, "ResourceNotFoundException", notFoundText)
	}},
}

// mine returns the filters that leave only the fact's own secrets, and others.
func mine(c *conf, more ...m) []m {
	return append([]m{{"Key": "name", "Values": []string{c.prefix}}}, more...)
}

// library makes the secrets that the facts about filters search.
func library(c *conf) {
	c.ok("CreateSecret", m{"Name": c.name("one"), "SecretString": "v", "Description": "an secret of the first kind",
		"Tags": []m{{"Key": "Team", "Value": "Payments"}}})
	c.ok("CreateSecret", m{"Name": c.name("AppBeta"), "SecretString": "v", "Description": "asecret"})
	c.ok("CreateSecret", m{"Name": c.name("three"), "SecretString": "v",
		"Tags": []m{{"Key": "team", "Value": "search"}, {"Key": "stage", "Value": "Payments"}}})
}

// found is a fact about the results of a filter in the library.
func found(from source, name, key string, values []string, want ...string) fact {
	return fact{from, name, func(c *conf) {
		library(c)
		out := c.ok("ListSecrets", m{"Filters": mine(c, m{"Key": key, "Values": values})})
		full := []string{}
		for _, w := range want {
			full = append(full, c.name(w))
		}
		c.eq("found", names(out), full)
	}}
}

var listFacts = []fact{
	{recorded, "no secrets: an empty list, not none", func(c *conf) {
		a := c.raw("ListSecrets", `{"Filters":[{"Key":"name","Values":["`+c.prefix+`"]}]}`)
		c.eq("SecretList", a.body["SecretList"], []any{})
	}},
	{recorded, "a list's entry has SecretVersionsToStages", func(c *conf) {
		id := c.create("a", "v")["VersionId"].(string)
		e := c.ok("ListSecrets", m{"Filters": mine(c)})["SecretList"].([]any)[0].(m)
		c.eq("SecretVersionsToStages", e["SecretVersionsToStages"], m{id: []any{"AWSCURRENT"}})
		c.has(e, "ARN", "Name", "CreatedDate", "LastChangedDate")
		c.lacks(e, "Tags", "Description", "DeletedDate")
	}},
	{recorded, "lists are sorted by creation unless told otherwise", func(c *conf) {
		for _, n := range []string{"b", "c", "a"} {
			c.create(n, "v")
		}
		c.eq("names", names(c.ok("ListSecrets", m{"Filters": mine(c)})), []string{c.name("b"), c.name("c"), c.name("a")})
		c.eq("descending", names(c.ok("ListSecrets", m{"Filters": mine(c), "SortOrder": "desc"})), []string{c.name("a"), c.name("c"), c.name("b")})
	}},
	{documented, "lists sorted by name", func(c *conf) {
		for _, n := range []string{"b", "c", "a"} {
			c.create(n, "v")
		}
		c.eq("ascending", names(c.ok("ListSecrets", m{"Filters": mine(c), "SortBy": "name", "SortOrder": "asc"})), []string{c.name("a"), c.name("b"), c.name("c")})
		c.eq("descending", names(c.ok("ListSecrets", m{"Filters": mine(c), "SortBy": "name", "SortOrder": "desc"})), []string{c.name("c"), c.name("b"), c.name("a")})
	}},
	{documented, "lists sorted by last change", func(c *conf) {
		for _, n := range []string{"b", "c", "a"} {
			c.create(n, "v")
		}
		time.Sleep(5 * time.Millisecond) // times are told in milliseconds
		c.ok("UpdateSecret", m{"SecretId": c.name("b"), "Description": "changed"})
		got := names(c.ok("ListSecrets", m{"Filters": mine(c), "SortBy": "last-changed-date", "SortOrder": "desc"}))
		c.eq("last changed", got[:1], []string{c.name("b")})
	}},
	{documented, "ListSecrets is paged, each secret once", func(c *conf) {
		for i := range 7 {
			c.create(fmt.Sprint(i), "v")
		}
		var all []string
		in := m{"Filters": mine(c), "MaxResults": 3}
		for range 7 {
			out := c.ok("ListSecrets", in)
			all = append(all, names(out)...)
			next, more := out["NextToken"]
			if !more {
				break
			}
			in["NextToken"] = next
		}
		want := []string{}
		for i := range 7 {
			want = append(want, c.name(fmt.Sprint(i)))
		}
		c.eq("names", all, want)
	}},
	{documented, "ListSecrets with a bad NextToken", func(c *conf) {
		c.fails("ListSecrets", m{"NextToken": "bogus"}, "InvalidNextTokenException", "")
	}},
	{documented, "secrets to be deleted are listed only if asked for", func(c *conf) {
		c.create("a", "v")
		c.create("b", "v")
		c.ok("DeleteSecret", m{"SecretId": c.name("a")})
		c.eq("without", names(c.ok("ListSecrets", m{"Filters": mine(c)})), []string{c.name("b")})
		c.eq("with", names(c.ok("ListSecrets", m{"Filters": mine(c), "IncludePlannedDeletion": true})), []string{c.name("a"), c.name("b")})
	}},
	{guessed, "a filter without a key is refused", func(c *conf) {
		c.rawFails("ListSecrets", `{"Filters":[{"Values":["a"]}]}`, "InvalidParameterException", "Invalid filter key")
	}},
	{guessed, "a filter without values is refused", func(c *conf) {
		c.rawFails("ListSecrets", `{"Filters":[{"Key":"description"}]}`, "InvalidParameterException", "Invalid filter values for key: description")
	}},
	{recorded, "an unknown filter key is refused", func(c *conf) {
		c.fails("ListSecrets", m{"Filters": []m{{"Key": "invalid", "Values": []string{"a"}}}}, "ValidationException",
			"1 validation error detected: Value 'invalid' at 'filters.1.member.key' failed to satisfy constraint: "+
				"Member must satisfy enum value set: [all, name, tag-key, description, tag-value]")
	}},
	{recorded, "filters must all match", func(c *conf) {
		library(c)
		out := c.ok("ListSecrets", m{"Filters": mine(c, m{"Key": "tag-key", "Values": []string{"team"}}, m{"Key": "tag-value", "Values": []string{"Pay"}})})
		c.eq("found", names(out), []string{c.name("three")})
	}},
	{recorded, "filter name is a case-sensitive prefix", func(c *conf) {
		library(c)
		c.eq("prefix", names(c.ok("ListSecrets", m{"Filters": []m{{"Key": "name", "Values": []string{c.name("App")}}}})), []string{c.name("AppBeta")})
		c.eq("other case", names(c.ok("ListSecrets", m{"Filters": []m{{"Key": "name", "Values": []string{c.name("app")}}}})), []string{})
	}},
	{recorded, "values of a filter are alternatives", func(c *conf) {
		library(c)
		out := c.ok("ListSecrets", m{"Filters": []m{{"Key": "name", "Values": []string{c.name("one"), c.name("three")}}}})
		c.eq("found", names(out), []string{c.name("one"), c.name("three")})
	}},
	found(recorded, "filter tag-key is a case-sensitive prefix", "tag-key", []string{"Te"}, "one"),
	found(recorded, "filter tag-value is a case-sensitive prefix", "tag-value", []string{"Pay"}, "one", "three"),
	found(guessed, "filter tag-value in another case", "tag-value", []string{"pay"}),
	found(recorded, "an exclamation mark negates", "tag-key", []string{"!stage"}, "one", "AppBeta"),
	found(recorded, "filter description matches the beginnings of words", "description", []string{"fir"}, "one"),
	found(guessed, "filter description ignores case", "description", []string{"FIRST"}, "one"),
	found(recorded, "filter description wants every word", "description", []string{"a secret"}, "one"),
	found(recorded, "filter description not inside words", "description", []string{"ecret"}),
	found(recorded, "filter all finds parts of CamelCase", "all", []string{"beta"}, "AppBeta"),
	found(guessed, "filter all finds tags", "all", []string{"search"}, "three"),
	found(recorded, "filter all finds descriptions", "all", []string{"kind"}, "one"),
	found(guessed, "filter all not inside words", "all", []string{"eta"}),
	found(recorded, "filter primary-region finds replicated secrets only", "primary-region", []string{"us-"}),
	found(documented, "filter owning-service finds managed secrets only", "owning-service", []string{"rds"}),
}

var batchFacts = []fact{
	{recorded, "BatchGetSecretValue answers what there is and errors for the rest", func(c *conf) {
		c.create("a", "v")
		out := c.ok("BatchGetSecretValue", m{"SecretIdList": []string{c.name("a"), c.name("none")}})
		values := out["SecretValues"].([]any)
		c.eq("values", len(values), 1)
		v := values[0].(m)
		c.eq("SecretString", v["SecretString"], "v")
		c.eq("Name", v["Name"], c.name("a"))
		c.eq("VersionStages", v["VersionStages"], []any{"AWSCURRENT"})
		c.has(v, "ARN", "VersionId", "CreatedDate")
		c.eq("Errors", out["Errors"], []any{m{"SecretId": c.name("none"), "ErrorCode": "ResourceNotFoundException", "Message": notFoundText}})
	}},
	{documented, "BatchGetSecretValue gives AWSCURRENT only", func(c *conf) {
		two(c)
		v := c.ok("BatchGetSecretValue", m{"SecretIdList": []string{c.name("a")}})["SecretValues"].([]any)[0].(m)
		c.eq("SecretString", v["SecretString"], "2")
	}},
	{documented, "BatchGetSecretValue takes ARNs", func(c *conf) {
		arn := c.create("a", "v")["ARN"]
		c.eq("values", len(c.ok("BatchGetSecretValue", m{"SecretIdList": []any{arn}})["SecretValues"].([]any)), 1)
	}},
	{documented, "BatchGetSecretValue by filter", func(c *conf) {
		c.create("a", "v")
		c.create("b", "w")
		list := c.ok("BatchGetSecretValue", m{"Filters": mine(c)})["SecretValues"].([]any)
		var got []string
		for _, e := range list {
			got = append(got, e.(m)["SecretString"].(string))
		}
		slices.Sort(got)
		c.eq("values", got, []string{"v", "w"})
	}},
	{guessed, "BatchGetSecretValue by filter is paged", func(c *conf) {
		for i := range 3 {
			c.create(fmt.Sprint(i), fmt.Sprint(i))
		}
		seen := map[any]bool{}
		in := m{"Filters": mine(c), "MaxResults": 2}
		for range 3 {
			out := c.ok("BatchGetSecretValue", in)
			for _, e := range out["SecretValues"].([]any) {
				seen[e.(m)["SecretString"]] = true
			}
			next, more := out["NextToken"]
			if !more {
				break
			}
			in["NextToken"] = next
		}
		c.eq("values", len(seen), 3)
	}},
	{recorded, "BatchGetSecretValue with ids and filters is refused", func(c *conf) {
		c.create("a", "v")
		c.fails("BatchGetSecretValue", m{"SecretIdList": []string{c.name("a")}, "Filters": mine(c)}, "InvalidParameterException",
			"Either 'SecretIdList' or 'Filters' must be provided, but not both.")
	}},
	{recorded, "BatchGetSecretValue with neither is refused", func(c *conf) {
		c.fails("BatchGetSecretValue", m{}, "InvalidParameterException", "")
	}},
	{model, "BatchGetSecretValue takes 20 ids and no more", func(c *conf) {
		ids := make([]string, 20)
		for i := range ids {
			ids[i] = c.name(fmt.Sprint(i))
		}
		c.eq("errors", len(c.ok("BatchGetSecretValue", m{"SecretIdList": ids})["Errors"].([]any)), 20)
		c.fails("BatchGetSecretValue", m{"SecretIdList": append(ids, "x")}, "ValidationException", "1 validation error detected: …")
	}},
	{recorded, "BatchGetSecretValue of a secret that is to be deleted is one of its errors", func(c *conf) {
		c.create("a", "v")
		c.ok("DeleteSecret", m{"SecretId": c.name("a")})
		list, _ := c.ok("BatchGetSecretValue", m{"SecretIdList": []string{c.name("a")}})["Errors"].([]any)
		if len(list) != 1 || list[0].(m)["ErrorCode"] != "InvalidRequestException" {
			c.differ("Errors: got %v", list)
			return
		}
		c.eq("message", list[0].(m)["Message"], "You tried to perform the operation on a secret that's currently marked deleted.")
	}},
}

var passwordFacts = []fact{
	{documented, "a random password has 32 characters", func(c *conf) {
		c.eq("length", len(c.ok("GetRandomPassword", m{})["RandomPassword"].(string)), 32)
	}},
	{documented, "a random password is as long as asked for", func(c *conf) {
		for _, n := range []int{4, 5, 100, 4096} {
			c.eq("length", len(c.ok("GetRandomPassword", m{"PasswordLength": n})["RandomPassword"].(string)), n)
		}
	}},
	{documented, "a random password has each type", func(c *conf) {
		p := c.ok("GetRandomPassword", m{"PasswordLength": 4})["RandomPassword"].(string)
		types := map[bool]int{}
		for _, r := range p {
			types[r >= 'a' && r <= 'z']++
		}
		c.eq("lower-case letters of four characters", types[true], 1)
	}},
	{documented, "excluded types are not in a random password", func(c *conf) {
		p := c.ok("GetRandomPassword", m{"PasswordLength": 1000, "ExcludeNumbers": true, "ExcludePunctuation": true, "ExcludeUppercase": true})["RandomPassword"].(string)
		if i := slices.IndexFunc([]byte(p), func(b byte) bool { return b < 'a' || b > 'z' }); i >= 0 {
			c.differ("character %q", p[i])
		}
	}},
	{documented, "excluded characters are not in a random password", func(c *conf) {
		p := c.ok("GetRandomPassword", m{"PasswordLength": 4000, "ExcludeCharacters": "abcXYZ0189!]^\\"})["RandomPassword"].(string)
		for _, r := range "abcXYZ0189!]^\\" {
			if slices.Contains([]rune(p), r) {
				c.differ("character %q", r)
			}
		}
	}},
	{documented, "the space is in a random password only if asked for", func(c *conf) {
		p := c.ok("GetRandomPassword", m{"PasswordLength": 4096})["RandomPassword"].(string)
		q := c.ok("GetRandomPassword", m{"PasswordLength": 5, "IncludeSpace": true})["RandomPassword"].(string)
		c.eq("without", slices.Contains([]byte(p), ' '), false)
		c.eq("with", slices.Contains([]byte(q), ' '), true)
	}},
	{recorded, "a random password too short for its types is refused", func(c *conf) {
		c.fails("GetRandomPassword", m{"PasswordLength": 3}, "InvalidParameterException", "Password length is too short based on the required types.")
	}},
	{documented, "a random password need not have each type", func(c *conf) {
		c.eq("length", len(c.ok("GetRandomPassword", m{"PasswordLength": 1, "RequireEachIncludedType": false})["RandomPassword"].(string)), 1)
	}},
	{guessed, "a random password of nothing is refused", func(c *conf) {
		c.fails("GetRandomPassword", m{"ExcludeNumbers": true, "ExcludePunctuation": true, "ExcludeUppercase": true, "ExcludeLowercase": true},
			"InvalidParameterException", "All characters have been excluded from selection.")
	}},
	{documented, "two random passwords differ", func(c *conf) {
		if a, b := c.ok("GetRandomPassword", m{})["RandomPassword"], c.ok("GetRandomPassword", m{})["RandomPassword"]; a == b {
			c.differ("got the same twice")
		}
	}},
}
