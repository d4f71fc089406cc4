package password

import (
	"fmt"
	"strings"
	"testing"
)

func TestRandomPassword(t *testing.T) {
	no := false
	all := lowercase + uppercase + numbers + punctuation
	tests := []struct {
		name     string
		in       Input
		length   int
		alphabet string
		each     []string // one of each must be there
	}{
		{"defaults", Input{}, 32, all, []string{lowercase, uppercase, numbers, punctuation}},
		{"as short as the types allow", Input{Length: 4}, 4, all, []string{lowercase, uppercase, numbers, punctuation}},
		{"the space is a type", Input{Length: 5, IncludeSpace: true}, 5, all + " ", []string{lowercase, uppercase, numbers, punctuation, " "}},
		{"a space instead of punctuation", Input{Length: 4, IncludeSpace: true}, 4, lowercase + uppercase + numbers + " ", []string{lowercase, uppercase, numbers, " "}},
		{"a space instead of punctuation, fewer types", Input{Length: 2, IncludeSpace: true, ExcludeNumbers: true, ExcludeUppercase: true}, 2, lowercase + " ", []string{lowercase, " "}},
		{"a space, and no type required", Input{Length: 4, IncludeSpace: true, RequireEach: &no}, 4, all + " ", nil},
		{"longest", Input{Length: 4096}, 4096, all, []string{lowercase, uppercase, numbers, punctuation}},
		{"without lower case", Input{ExcludeLowercase: true}, 32, uppercase + numbers + punctuation, []string{uppercase, numbers, punctuation}},
		{"without upper case", Input{ExcludeUppercase: true}, 32, lowercase + numbers + punctuation, []string{lowercase, numbers, punctuation}},
		{"without numbers", Input{ExcludeNumbers: true}, 32, lowercase + uppercase + punctuation, []string{lowercase, uppercase, punctuation}},
		{"without punctuation", Input{ExcludePunctuation: true}, 32, lowercase + uppercase + numbers, []string{lowercase, uppercase, numbers}},
		{"without characters", Input{ExcludeCharacters: `abc123"'\é`}, 32, strings.NewReplacer("a", "", "b", "", "c", "", "1", "", "2", "", "3", "", `"`, "", "'", "", `\`, "").Replace(all), nil},
		{"shorter than the types, none required", Input{Length: 1, RequireEach: &no}, 1, all, nil},
		{"an emptied type that is not required", Input{ExcludeCharacters: numbers, RequireEach: &no}, 32, lowercase + uppercase + punctuation, nil},
		{"one character only", Input{Length: 8, ExcludeLowercase: true, ExcludeUppercase: true, ExcludePunctuation: true, ExcludeCharacters: "012345678"}, 8, "9", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for range 50 {
				got, err := New(test.in)
				if err != nil {
					t.Fatal(err)
				}
				if len(got) != test.length {
					t.Fatalf("length: got %d, want %d", len(got), test.length)
				}
				if i := strings.IndexFunc(got, func(r rune) bool { return !strings.ContainsRune(test.alphabet, r) }); i >= 0 {
					t.Fatalf("character %q is not in the alphabet", got[i])
				}
				for _, set := range test.each {
					if !strings.ContainsAny(got, set) {
						t.Fatalf("no character of %q", set)
					}
				}
			}
		})
	}
}

func TestRandomPasswordErrors(t *testing.T) {
	no := false
	tests := []struct {
		name string
		in   Input
		want string
	}{
		{"shorter than the types", Input{Length: 3}, "Password length is too short based on the required types."},
		{"shorter than the types with the space", Input{Length: 3, IncludeSpace: true}, "Password length is too short based on the required types."},
		{"the space and no punctuation that it could be", Input{Length: 3, IncludeSpace: true, ExcludePunctuation: true}, "Password length is too short based on the required types."},
		{"long enough for fewer types", Input{Length: 3, ExcludeNumbers: true}, "<nil>"},
		{"no type left", Input{ExcludeLowercase: true, ExcludeUppercase: true, ExcludeNumbers: true, ExcludePunctuation: true}, "All characters have been excluded from selection."},
		{"no character left", Input{ExcludeCharacters: lowercase + uppercase + numbers + punctuation, RequireEach: &no}, "All characters have been excluded from selection."},
		{"a required type emptied", Input{ExcludeCharacters: numbers}, "All characters of the desired type have been excluded."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(test.in)
			if got := fmt.Sprint(err); got != test.want {
				t.Errorf("got error %q, want %q", got, test.want)
			}
		})
	}
}

// Every character is as likely as any other, wherever it stands: each count is
// within six standard deviations of the mean.
func TestRandomPasswordHasNoBias(t *testing.T) {
	no := false
	const n = 4096 * 25
	counts := make(map[rune]int)
	for range n / 4096 {
		p, err := New(Input{Length: 4096, RequireEach: &no})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p {
			counts[r]++
		}
	}
	if got, want := len(counts), 94; got != want {
		t.Errorf("characters: got %d, want %d", got, want)
	}
	const mean = n / 94
	for r, c := range counts {
		if d := c - mean; d*d > 36*mean {
			t.Errorf("%q: got %d times, want about %d", r, c, mean)
		}
	}
}
