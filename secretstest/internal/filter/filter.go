// Package filter decides which secrets pass the filters of ListSecrets and
// BatchGetSecretValue.
package filter

import (
	"strings"
	"unicode"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/words"
)

// A Secret holds the fields that the filters of ListSecrets and
// BatchGetSecretValue use.
type Secret struct {
	Name          string
	Description   string
	Tags          []Tag
	PrimaryRegion string
	OwningService string
	Replicated    bool
}

// A Tag is a tag of a secret.
type Tag struct{ Key, Value string }

// A Filter is one filter of ListSecrets or BatchGetSecretValue.
type Filter struct {
	Key    string
	Values []string
}

// Check returns the text of an InvalidParameterException for a filter
// that lacks its key or its values, neither of which the model requires.
func Check(fs []Filter) error {
	for _, f := range fs {
		if f.Key == "" {
			return words.Error("Invalid filter key")
		}
		if len(f.Values) == 0 {
			return words.Error("Invalid filter values for key: " + f.Key)
		}
	}
	return nil
}

// Match reports whether a secret passes every filter. A filter passes
// if one of its values does; a value that begins with an exclamation mark
// passes if the rest of it does not.
func Match(fs []Filter, s Secret) bool {
	for _, f := range fs {
		if !f.match(&s) {
			return false
		}
	}
	return true
}

func (f *Filter) match(s *Secret) bool {
	if f.Key == "primary-region" && !s.Replicated {
		return false
	}
	for _, v := range f.Values {
		rest, negated := strings.CutPrefix(v, "!")
		if f.matchValue(rest, s) != negated {
			return true
		}
	}
	return false
}

func (f *Filter) matchValue(v string, s *Secret) bool {
	switch f.Key {
	case "name":
		return strings.HasPrefix(s.Name, v)
	case "description":
		return matchWords(v, s.Description)
	case "tag-key":
		for _, t := range s.Tags {
			if strings.HasPrefix(t.Key, v) {
				return true
			}
		}
	case "tag-value":
		for _, t := range s.Tags {
			if strings.HasPrefix(t.Value, v) {
				return true
			}
		}
	case "primary-region":
		return strings.HasPrefix(s.PrimaryRegion, v)
	case "owning-service":
		return s.OwningService != "" && strings.HasPrefix(s.OwningService, v)
	case "all":
		return matchWords(v, s.attributes()...)
	}
	return false
}

// attributes returns the fields that the filter "all" searches.
func (s *Secret) attributes() []string {
	a := []string{s.Name, s.Description, s.OwningService}
	if s.Replicated {
		a = append(a, s.PrimaryRegion)
	}
	for _, t := range s.Tags {
		a = append(a, t.Key, t.Value)
	}
	return a
}

// matchWords reports whether every word of a filter's value is, in any case,
// the prefix of some word of the attributes. A value without words matches
// nothing.
func matchWords(value string, attributes ...string) bool {
	wanted := wordsOf(value)
	if len(wanted) == 0 {
		return false
	}
	var have []string
	for _, a := range attributes {
		have = append(have, wordsOf(a)...)
	}
	for _, w := range wanted {
		found := false
		for _, h := range have {
			found = found || strings.HasPrefix(h, w)
		}
		if !found {
			return false
		}
	}
	return true
}

// wordsOf splits a text at spaces and /-_+=.@, and where CamelCase begins a new
// word: "COMPANYthings" is "compan" and "ythings". The words are in lower case.
func wordsOf(text string) []string {
	var all []string
	for _, field := range strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune("/-_+=.@", r)
	}) {
		rs := []rune(field)
		start := 0
		for i := 1; i < len(rs); i++ {
			if unicode.IsUpper(rs[i]) && (unicode.IsLower(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1])) {
				all = append(all, strings.ToLower(string(rs[start:i])))
				start = i
			}
		}
		all = append(all, strings.ToLower(string(rs[start:])))
	}
	return all
}
