// Package password makes the passwords of GetRandomPassword.
package password

import (
	"crypto/rand"
	"math/big"
	"slices"
	"strings"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/words"
)

// An Input is the input of GetRandomPassword.
type Input struct {
	Length             int // 0: 32
	ExcludeCharacters  string
	ExcludeNumbers     bool
	ExcludePunctuation bool
	ExcludeUppercase   bool
	ExcludeLowercase   bool
	IncludeSpace       bool
	RequireEach        *bool // nil: true
}

// The character types of GetRandomPassword.
const (
	lowercase   = "abcdefghijklmnopqrstuvwxyz"
	uppercase   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	numbers     = "0123456789"
	punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)

// The texts of InvalidParameterException.
var (
	errPasswordTooShort  = words.Error("Password length is too short based on the required types.")
	errAllExcluded       = words.Error("All characters have been excluded from selection.")
	errRequiredTypeEmpty = words.Error("All characters of the desired type have been excluded.")
)

// New makes a password from crypto/rand. Each allowed character is equally
// likely. If each type is required, New first chooses one character of each
// type, then the rest from all types, and shuffles them. If there is no room
// for both, a space counts as punctuation.
func New(in Input) (string, error) {
	length := in.Length
	if length == 0 {
		length = 32
	}
	required := in.RequireEach == nil || *in.RequireEach
	types, err := in.types(required)
	if err != nil {
		return "", err
	}
	all := strings.Join(types, "")
	if in.IncludeSpace && !in.ExcludePunctuation && length == len(types)-1 {
		types = slices.Delete(types, len(types)-2, len(types)-1)
	}
	if required && length < len(types) {
		return "", errPasswordTooShort
	}
	password := make([]byte, 0, length)
	if required {
		for _, t := range types {
			password = append(password, t[randomInt(len(t))])
		}
	}
	for len(password) < length {
		password = append(password, all[randomInt(len(all))])
	}
	for i := len(password) - 1; i > 0; i-- {
		j := randomInt(i + 1)
		password[i], password[j] = password[j], password[i]
	}
	return string(password), nil
}

// types returns the character types to choose from, without the excluded
// characters and without empty types.
func (in *Input) types(required bool) ([]string, error) {
	var types []string
	emptied := false
	for _, t := range []struct {
		chars   string
		exclude bool
	}{
		{lowercase, in.ExcludeLowercase},
		{uppercase, in.ExcludeUppercase},
		{numbers, in.ExcludeNumbers},
		{punctuation, in.ExcludePunctuation},
		{" ", !in.IncludeSpace},
	} {
		if t.exclude {
			continue
		}
		chars := strings.Map(func(r rune) rune {
			if strings.ContainsRune(in.ExcludeCharacters, r) {
				return -1
			}
			return r
		}, t.chars)
		if chars == "" {
			emptied = true
			continue
		}
		types = append(types, chars)
	}
	switch {
	case len(types) == 0:
		return nil, errAllExcluded
	case required && emptied:
		return nil, errRequiredTypeEmpty
	}
	return types, nil
}

// randomInt returns a uniform number below n.
func randomInt(n int) int {
	i, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic("password: " + err.Error()) // crypto/rand never fails
	}
	return int(i.Int64())
}
