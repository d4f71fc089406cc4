package rotate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// The character classes of GetRandomPassword.
const (
	lowercase   = "abcdefghijklmnopqrstuvwxyz"
	uppercase   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	numbers     = "0123456789"
	punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)

// DefaultExclude is the default of Password.ExcludeCharacters. AWS's rotation
// functions exclude the same characters: they have a meaning in connection
// strings and in quoted text.
const DefaultExclude = `/@"'\`

// ExcludeNone is the value of Password.ExcludeCharacters that excludes none.
const ExcludeNone = "\x00"

// A Password configures how new passwords are made. Its fields correspond to
// the parameters of GetRandomPassword of Secrets Manager. The zero Password
// makes passwords of 32 letters, digits and punctuation characters, with each
// class present, without the characters of DefaultExclude.
type Password struct {
	// Length is the number of characters, 1 to 4096. Zero means 32.
	Length int

	// ExcludeCharacters are not used. Empty means DefaultExclude; ExcludeNone
	// excludes none.
	ExcludeCharacters string

	// These exclude whole classes.
	ExcludeNumbers     bool
	ExcludePunctuation bool
	ExcludeUppercase   bool
	ExcludeLowercase   bool

	// IncludeSpace adds the space character. A password need not have one.
	IncludeSpace bool

	// AllowMissingTypes accepts passwords in which an included class does not
	// occur. It is the opposite of GetRandomPassword's RequireEachIncludedType,
	// which is true by default.
	AllowMissingTypes bool

	// FromService makes the password with GetRandomPassword. It is an error if the
	// Handler's API does not have that operation. By default passwords are made
	// locally, from crypto/rand.
	FromService bool
}

// Generate returns a new password made from crypto/rand. All passwords that the
// options allow are equally likely. Generate ignores FromService.
func (p Password) Generate() (string, error) {
	classes, err := p.classes()
	if err != nil {
		return "", err
	}
	alphabet := strings.Join(classes, "")
	if p.IncludeSpace && !strings.Contains(p.exclude(), " ") {
		alphabet += " "
	}
	if alphabet == "" {
		return "", errors.New("password: the options leave no characters")
	}
	buf := make([]byte, p.length())
	for {
		for i := range buf {
			buf[i] = alphabet[randomBelow(len(alphabet))]
		}
		// Drawing again, instead of repairing a password, keeps all passwords equally
		// likely.
		if s := string(buf); p.AllowMissingTypes || hasEach(s, classes) {
			return s, nil
		}
	}
}

func (p Password) length() int {
	if p.Length == 0 {
		return 32
	}
	return p.Length
}

func (p Password) exclude() string {
	if p.ExcludeCharacters == "" {
		return DefaultExclude
	}
	return p.ExcludeCharacters
}

// classes returns the included classes without the excluded characters.
func (p Password) classes() ([]string, error) {
	if n := p.length(); n < 1 || n > 4096 {
		return nil, fmt.Errorf("password: Length %d is not in 1..4096", n)
	}
	var classes []string
	for _, c := range []struct {
		name, chars string
		excluded    bool
	}{
		{"Lowercase", lowercase, p.ExcludeLowercase},
		{"Uppercase", uppercase, p.ExcludeUppercase},
		{"Numbers", numbers, p.ExcludeNumbers},
		{"Punctuation", punctuation, p.ExcludePunctuation},
	} {
		if c.excluded {
			continue
		}
		left := without(c.chars, p.exclude())
		if left == "" && !p.AllowMissingTypes {
			return nil, fmt.Errorf("password: ExcludeCharacters excludes a whole class; set Exclude%s too", c.name)
		}
		classes = append(classes, left)
	}
	if p.length() < len(classes) && !p.AllowMissingTypes {
		return nil, fmt.Errorf("password: Length %d is below the number of classes, %d", p.length(), len(classes))
	}
	return classes, nil
}

func without(s, excluded string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(excluded, r) {
			return -1
		}
		return r
	}, s)
}

func hasEach(s string, classes []string) bool {
	for _, c := range classes {
		if !strings.ContainsAny(s, c) {
			return false
		}
	}
	return true
}

// randomBelow returns a number in [0, n), n at most 256, each equally likely.
func randomBelow(n int) int {
	limit := 256 - 256%n
	var b [1]byte
	for {
		_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
		if int(b[0]) < limit {
			return int(b[0]) % n
		}
	}
}

// passwordAPI is the operation that FromService uses.
type passwordAPI interface {
	GetRandomPassword(context.Context, *secretsmanager.GetRandomPasswordInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetRandomPasswordOutput, error)
}

// fromService asks Secrets Manager for a password.
func (p Password) fromService(ctx context.Context, api any) (string, error) {
	a, ok := api.(passwordAPI)
	if !ok {
		return "", errors.New("password: FromService is set and the API has no GetRandomPassword")
	}
	in := &secretsmanager.GetRandomPasswordInput{
		PasswordLength:          aws.Int64(int64(p.length())),
		ExcludeNumbers:          aws.Bool(p.ExcludeNumbers),
		ExcludePunctuation:      aws.Bool(p.ExcludePunctuation),
		ExcludeUppercase:        aws.Bool(p.ExcludeUppercase),
		ExcludeLowercase:        aws.Bool(p.ExcludeLowercase),
		IncludeSpace:            aws.Bool(p.IncludeSpace),
		RequireEachIncludedType: aws.Bool(!p.AllowMissingTypes),
	}
	if ex := p.exclude(); ex != ExcludeNone {
		in.ExcludeCharacters = aws.String(ex)
	}
	out, err := a.GetRandomPassword(ctx, in)
	if err != nil {
		return "", apiError("GetRandomPassword", err)
	}
	if aws.ToString(out.RandomPassword) == "" {
		return "", errors.New("GetRandomPassword: empty answer")
	}
	return *out.RandomPassword, nil
}
