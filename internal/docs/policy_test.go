package docs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	jsonBlock = regexp.MustCompile("(?s)```json\n(.*?)```")
	action    = regexp.MustCompile(`"((?:secretsmanager|kms):\w+)"`)
)

// actions returns the actions that a text names in quotes, without repetition.
func actions(text string) (all []string) {
	for _, m := range action.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// The policy of the example to copy allows what docs/permissions.md has for a
// reader and for a reader of many secrets, and that alone.
func TestServicePolicy(t *testing.T) {
	page, err := os.ReadFile(pages + "permissions.md")
	if err != nil {
		t.Fatal(err)
	}
	var want string
	for section := range strings.SplitSeq(string(page), "\n## ") {
		if strings.HasPrefix(section, "Reader\n") || strings.HasPrefix(section, "Reader of many secrets\n") {
			want += jsonBlock.FindString(section)
		}
	}
	policy, err := os.ReadFile(filepath.Join(root, "examples/service/deploy/policy.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(policy) {
		t.Error("the policy is not JSON")
	}
	if got, want := actions(string(policy)), actions(want); !slices.Equal(got, want) || len(want) != 3 {
		t.Errorf("the policy allows %q, the page %q", got, want)
	}
}
