package dblogin

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Forms returns the spellings of a password that must not be shown: as it is;
// escaped for a URL's query, path and userinfo; quoted for a PostgreSQL keyword
// and for an SQL literal; and each of these quoted by Go (%q, %+q) or as JSON,
// once or twice.
//
// Of a long password they are the spellings of its beginning, which show that
// it is printed in whole or cut short.
func Forms(password string) []string {
	password = beginning(password)
	forms := newFormSet(
		password,
		url.QueryEscape(password),
		url.PathEscape(password),
		escapeParam(password),
		strings.TrimPrefix(url.UserPassword("", password).String(), ":"),
		escapeKeyword(password),
		strings.ReplaceAll(password, `'`, `''`),
		strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(password),
		strings.NewReplacer(`\`, `\\`, `'`, `\'`, `"`, `\"`).Replace(password),
	)
	for _, form := range forms.all {
		forms.add(percent.ReplaceAllStringFunc(form, strings.ToLower))
	}
	for range 2 {
		for _, form := range forms.all {
			forms.add(inner(strconv.Quote(form)), inner(strconv.QuoteToASCII(form)))
			forms.add(inner(quoteJSON(form)), inner(quoteHTML(form)))
		}
	}
	return forms.all
}

// maxLength is how much of a password is sought, in bytes.
const maxLength = 64

// beginning cuts a password short, between two characters.
func beginning(password string) string {
	if len(password) <= maxLength {
		return password
	}
	end := maxLength
	for end > maxLength-utf8.UTFMax && !utf8.RuneStart(password[end]) {
		end--
	}
	return password[:end]
}

// hexadecimal returns what %x and %X make of a password.
func hexadecimal(password string) []string {
	lower := hex.EncodeToString([]byte(beginning(password)))
	return []string{lower, strings.ToUpper(lower)}
}

// percent is a byte that is escaped for a URL.
var percent = regexp.MustCompile(`%[0-9A-F]{2}`)

// A formSet is a list without doubles.
type formSet struct {
	all  []string
	seen map[string]bool
}

func newFormSet(forms ...string) *formSet {
	s := &formSet{seen: make(map[string]bool)}
	s.add(forms...)
	return s
}

func (s *formSet) add(forms ...string) {
	for _, form := range forms {
		if form != "" && !s.seen[form] {
			s.seen[form] = true
			s.all = append(s.all, form)
		}
	}
}

// inner takes the quotes off.
func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// quoteJSON returns s as a JSON string, without the escapes for HTML.
func quoteJSON(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}

// quoteHTML returns s as a JSON string, with the escapes for HTML.
func quoteHTML(s string) string {
	b, _ := json.Marshal(s) // a string always encodes
	return string(b)
}

// minPiece is how long a piece of a password must be, in bytes, to be sought.
const minPiece = 5

// pieces returns the parts of a password between the characters at which
// parsers cut a data source name: one that was put in without escapes is
// quoted in parts, as in `invalid port ":part" after host`.
func pieces(password string) []string {
	parts := strings.FieldsFunc(password, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune(`@:/?#%&=;,'"\()[]`, r)
	})
	var long []string
	for _, part := range parts {
		if len(part) >= minPiece {
			long = append(long, part)
		}
	}
	return long
}

// replaceWord replaces word in text where it stands by itself: not within a
// run of letters and digits, escapes such as %3A and \n left aside.
func replaceWord(text, word, with string) string {
	var b strings.Builder
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			b.WriteString(text[from:])
			return b.String()
		}
		i += from
		if endsWord(text[:i]) && beginsWord(text[i+len(word):]) {
			b.WriteString(text[from:i] + with)
			from = i + len(word)
			continue
		}
		_, size := utf8.DecodeRuneInString(text[i:])
		b.WriteString(text[from : i+size])
		from = i + size
	}
}

// escapeEnd is an escape at the end of a text.
var escapeEnd = regexp.MustCompile(`(%[0-9A-Fa-f]{2}|\\[abfnrtv]|\\x[0-9a-f]{2}|\\u[0-9a-f]{4})$`)

func endsWord(before string) bool {
	r, _ := utf8.DecodeLastRuneInString(before)
	return !isWord(r) || escapeEnd.MatchString(before[max(0, len(before)-6):])
}

func beginsWord(after string) bool {
	r, _ := utf8.DecodeRuneInString(after)
	return !isWord(r)
}

func isWord(r rune) bool {
	return r == '_' || r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}
