package filter

import (
	"fmt"
	"slices"
	"testing"
)

func TestMatchFilters(t *testing.T) {
	f := func(key string, values ...string) Filter { return Filter{key, values} }
	app := Secret{
		Name: "prod/AppBeta", Description: "an secret for the payments team",
		Tags: []Tag{{"Team", "Payments"}, {"env", "production"}},
	}
	replicated := Secret{Name: "r", PrimaryRegion: "us-east-1", Replicated: true}
	tests := []struct {
		name    string
		filters []Filter
		secret  Secret
		want    bool
	}{
		{"no filters", nil, app, true},
		{"name is a prefix", []Filter{f("name", "prod/App")}, app, true},
		{"name is not a word", []Filter{f("name", "App")}, app, false},
		{"name is case-sensitive", []Filter{f("name", "Prod")}, app, false},
		{"name takes the value whole", []Filter{f("name", "prod AppBeta")}, app, false},
		{"values are alternatives", []Filter{f("name", "dev", "prod")}, app, true},
		{"filters must all match", []Filter{f("name", "prod"), f("tag-key", "Owner")}, app, false},
		{"filters all matching", []Filter{f("name", "prod"), f("tag-key", "Team")}, app, true},
		{"the same key twice", []Filter{f("description", "payments"), f("description", "team")}, app, true},
		{"negated", []Filter{f("name", "!prod")}, app, false},
		{"negated otherwise", []Filter{f("name", "!dev")}, app, true},
		{"a negated value is an alternative", []Filter{f("name", "prod", "!prod/App")}, app, true},
		{"tag-key is a prefix", []Filter{f("tag-key", "Te")}, app, true},
		{"tag-key is case-sensitive", []Filter{f("tag-key", "team")}, app, false},
		{"tag-value is a prefix", []Filter{f("tag-value", "prod")}, app, true},
		{"tag-value is case-sensitive", []Filter{f("tag-value", "payments")}, app, false},
		{"negated tag without tags", []Filter{f("tag-key", "!Team")}, replicated, true},
		{"negated tag", []Filter{f("tag-key", "!Team")}, app, false},
		{"description matches prefixes of words", []Filter{f("description", "pay")}, app, true},
		{"description ignores case", []Filter{f("description", "PAY")}, app, true},
		{"description not inside words", []Filter{f("description", "ments")}, app, false},
		{"description wants every word", []Filter{f("description", "payments squad")}, app, false},
		{"'a secret' finds 'an secret'", []Filter{f("description", "a secret")}, app, true},
		{"'a secret' does not find 'asecret'", []Filter{f("description", "a secret")}, Secret{Description: "asecret"}, false},
		{"all finds the name", []Filter{f("all", "beta")}, app, true},
		{"all finds the description", []Filter{f("all", "team")}, app, true},
		{"all finds tags' keys", []Filter{f("all", "ENV")}, app, true},
		{"all finds tags' values", []Filter{f("all", "production")}, app, true},
		{"all not inside words", []Filter{f("all", "eta")}, app, false},
		{"all with an unknown word", []Filter{f("all", "SomeBeta")}, app, false},
		{"a separator is no word", []Filter{f("all", "+")}, Secret{Name: "a+b"}, false},
		{"primary-region", []Filter{f("primary-region", "us-")}, replicated, true},
		{"primary-region elsewhere", []Filter{f("primary-region", "eu-")}, replicated, false},
		{"primary-region finds replicated secrets only", []Filter{f("primary-region", "us-")}, Secret{PrimaryRegion: "us-east-1"}, false},
		{"and so does its negation", []Filter{f("primary-region", "!eu-")}, Secret{PrimaryRegion: "us-east-1"}, false},
		{"owning-service", []Filter{f("owning-service", "rds")}, Secret{OwningService: "rds"}, true},
		{"no owning-service", []Filter{f("owning-service", "rds")}, app, false},
		{"no values", []Filter{f("name")}, app, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := Match(test.filters, test.secret); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

func TestWords(t *testing.T) {
	tests := []struct {
		text string
		want []string
	}{
		{"", nil},
		{"one", []string{"one"}},
		{"a/b-c_d+e=f.g@h i", []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"}},
		{"SecretOne", []string{"secret", "one"}},
		{"secretOne", []string{"secret", "one"}},
		{"COMPANY", []string{"company"}},
		{"COMPANYthings", []string{"compan", "ythings"}},
		{"SecretFTag", []string{"secret", "f", "tag"}},
		{"prod/AppBeta/a1b2c3", []string{"prod", "app", "beta", "a1b2c3"}},
	}
	for _, test := range tests {
		if got := wordsOf(test.text); !slices.Equal(got, test.want) {
			t.Errorf("wordsOf(%q): got %q, want %q", test.text, got, test.want)
		}
	}
}

func TestCheckFilters(t *testing.T) {
	tests := []struct {
		name    string
		filters []Filter
		want    string
	}{
		{"complete", []Filter{{"name", []string{"a"}}}, "<nil>"},
		{"without key", []Filter{{"name", []string{"a"}}, {"", []string{"a"}}}, "Invalid filter key"},
		{"without values", []Filter{{"description", nil}}, "Invalid filter values for key: description"},
	}
	for _, test := range tests {
		if got := fmt.Sprint(Check(test.filters)); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
