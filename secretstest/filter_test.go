package secretstest

import (
	"fmt"
	"slices"
	"testing"
)

func TestMatchFilters(t *testing.T) {
	f := func(key string, values ...string) filter { return filter{key, values} }
	app := secretView{
		Name: "prod/AppBeta", Description: "an secret for the payments team",
		Tags: map[string]string{"Team": "Payments", "env": "production"},
	}
	replicated := secretView{Name: "r", PrimaryRegion: "us-east-1", Replicated: true}
	tests := []struct {
		name    string
		filters []filter
		secret  secretView
		want    bool
	}{
		{"no filters", nil, app, true},
		{"name is a prefix", []filter{f("name", "prod/App")}, app, true},
		{"name is not a word", []filter{f("name", "App")}, app, false},
		{"name is case-sensitive", []filter{f("name", "Prod")}, app, false},
		{"name takes the value whole", []filter{f("name", "prod AppBeta")}, app, false},
		{"values are alternatives", []filter{f("name", "dev", "prod")}, app, true},
		{"filters must all match", []filter{f("name", "prod"), f("tag-key", "Owner")}, app, false},
		{"filters all matching", []filter{f("name", "prod"), f("tag-key", "Team")}, app, true},
		{"the same key twice", []filter{f("description", "payments"), f("description", "team")}, app, true},
		{"negated", []filter{f("name", "!prod")}, app, false},
		{"negated otherwise", []filter{f("name", "!dev")}, app, true},
		{"a negated value is an alternative", []filter{f("name", "prod", "!prod/App")}, app, true},
		{"tag-key is a prefix", []filter{f("tag-key", "Te")}, app, true},
		{"tag-key is case-sensitive", []filter{f("tag-key", "team")}, app, false},
		{"tag-value is a prefix", []filter{f("tag-value", "prod")}, app, true},
		{"tag-value is case-sensitive", []filter{f("tag-value", "payments")}, app, false},
		{"negated tag without tags", []filter{f("tag-key", "!Team")}, replicated, true},
		{"negated tag", []filter{f("tag-key", "!Team")}, app, false},
		{"description matches prefixes of words", []filter{f("description", "pay")}, app, true},
		{"description ignores case", []filter{f("description", "PAY")}, app, true},
		{"description not inside words", []filter{f("description", "ments")}, app, false},
		{"description wants every word", []filter{f("description", "payments squad")}, app, false},
		{"'a secret' finds 'an secret'", []filter{f("description", "a secret")}, app, true},
		{"'a secret' does not find 'asecret'", []filter{f("description", "a secret")}, secretView{Description: "asecret"}, false},
		{"all finds the name", []filter{f("all", "beta")}, app, true},
		{"all finds the description", []filter{f("all", "team")}, app, true},
		{"all finds tags' keys", []filter{f("all", "ENV")}, app, true},
		{"all finds tags' values", []filter{f("all", "production")}, app, true},
		{"all not inside words", []filter{f("all", "eta")}, app, false},
		{"all with an unknown word", []filter{f("all", "SomeBeta")}, app, false},
		{"a separator is no word", []filter{f("all", "+")}, secretView{Name: "a+b"}, false},
		{"primary-region", []filter{f("primary-region", "us-")}, replicated, true},
		{"primary-region elsewhere", []filter{f("primary-region", "eu-")}, replicated, false},
		{"primary-region finds replicated secrets only", []filter{f("primary-region", "us-")}, secretView{PrimaryRegion: "us-east-1"}, false},
		{"and so does its negation", []filter{f("primary-region", "!eu-")}, secretView{PrimaryRegion: "us-east-1"}, false},
		{"owning-service", []filter{f("owning-service", "rds")}, secretView{OwningService: "rds"}, true},
		{"no owning-service", []filter{f("owning-service", "rds")}, app, false},
		{"no values", []filter{f("name")}, app, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := matchFilters(test.filters, test.secret); got != test.want {
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
		if got := words(test.text); !slices.Equal(got, test.want) {
			t.Errorf("words(%q): got %q, want %q", test.text, got, test.want)
		}
	}
}

func TestCheckFilters(t *testing.T) {
	tests := []struct {
		name    string
		filters []filter
		want    string
	}{
		{"complete", []filter{{"name", []string{"a"}}}, "<nil>"},
		{"without key", []filter{{"name", []string{"a"}}, {"", []string{"a"}}}, "Invalid filter key"},
		{"without values", []filter{{"description", nil}}, "Invalid filter values for key: description"},
	}
	for _, test := range tests {
		if got := fmt.Sprint(checkFilters(test.filters)); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
