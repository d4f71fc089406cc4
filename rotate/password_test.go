package rotate_test

import (
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/rotate"
)

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
	punct  = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)

func TestPassword(t *testing.T) {
	for _, tt := range []struct {
		name    string
		p       rotate.Password
		length  int
		classes []string // each must occur
		only    string   // nothing else may
	}{
		{"default", rotate.Password{}, 32, []string{lower, upper, digits, punct}, without(lower+upper+digits+punct, `/@"'\`)},
		{"all", rotate.Password{Length: 4, ExcludeCharacters: rotate.ExcludeNone}, 4, []string{lower, upper, digits, punct}, lower + upper + digits + punct},
		{"digits", rotate.Password{Length: 6, ExcludeLowercase: true, ExcludeUppercase: true, ExcludePunctuation: true}, 6, []string{digits}, digits},
		{"no digits", rotate.Password{ExcludeNumbers: true, IncludeSpace: true, Length: 128}, 128, []string{lower, upper, punct}, lower + upper + punct + " "},
		{"longest", rotate.Password{Length: 4096}, 4096, []string{lower, upper, digits, punct}, without(lower+upper+digits+punct, `/@"'\`)},
		{"one of a class", rotate.Password{Length: 8, ExcludeCharacters: digits[1:] + "é"}, 8, []string{lower, upper, "0", punct}, lower + upper + "0" + punct},
		{"missing types", rotate.Password{Length: 1, AllowMissingTypes: true}, 1, nil, lower + upper + digits + punct},
		{"excluded class", rotate.Password{ExcludeCharacters: digits, AllowMissingTypes: true}, 32, nil, lower + upper + punct},
	} {
		for range 50 {
			s, err := tt.p.Generate()
			if err != nil || len(s) != tt.length {
				t.Fatalf("%s: got %d characters, error %v, want %d", tt.name, len(s), err, tt.length)
			}
			for _, c := range tt.classes {
				if !strings.ContainsAny(s, c) {
					t.Errorf("%s: none of %q in %q", tt.name, c, s)
				}
			}
			if left := without(s, tt.only); left != "" {
				t.Errorf("%s: %q should not be in %q", tt.name, left, s)
			}
		}
	}
}

func TestPasswordErrors(t *testing.T) {
	for _, tt := range []struct {
		p    rotate.Password
		want string
	}{
		{rotate.Password{Length: -1}, "Length"},
		{rotate.Password{Length: 4097}, "Length"},
		{rotate.Password{Length: 3}, "Length"},
		{rotate.Password{ExcludeCharacters: digits}, "ExcludeNumbers"},
		{rotate.Password{ExcludeLowercase: true, ExcludeUppercase: true, ExcludeNumbers: true, ExcludePunctuation: true}, "no characters"},
		{rotate.Password{ExcludeCharacters: lower + upper + digits + punct + " ", IncludeSpace: true, AllowMissingTypes: true}, "no characters"},
	} {
		if s, err := tt.p.Generate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %q, error %v, want one about %s", tt.p, s, err, tt.want)
		}
	}
}

// TestPasswordUniform counts characters: with a biased choice, as by a
// remainder of a byte, the first 256 % 85 characters would come up a third
// more often than the others.
func TestPasswordUniform(t *testing.T) {
	counts := make(map[rune]int)
	p := rotate.Password{Length: 4096, ExcludeCharacters: `/@"'\` + "abcd"} // 85 characters
	const rounds = 200
	for range rounds {
		s, err := p.Generate()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range s {
			counts[r]++
		}
	}
	if len(counts) != 85 {
		t.Fatalf("got %d different characters, want 85", len(counts))
	}
	mean := float64(rounds*4096) / 85
	for r, n := range counts {
		if d := float64(n)/mean - 1; d < -0.1 || d > 0.1 { // 9.8 standard deviations
			t.Errorf("%q came up %d times, want about %.0f", r, n, mean)
		}
	}
}

func without(s, chars string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(chars, r) {
			return -1
		}
		return r
	}, s)
}
