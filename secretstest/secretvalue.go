package secretstest

import (
	"encoding/base64"
	"slices"
	"time"
	"unicode/utf8"
)

// A secretValue is the answer to GetSecretValue, and an entry of the answer to
// BatchGetSecretValue.
type secretValue struct {
	ARN           string
	Name          string
	VersionID     string
	Value         value
	VersionStages []string
	CreatedDate   time.Time
}

// MarshalJSON implements json.Marshaler.
func (a *secretValue) MarshalJSON() ([]byte, error) { return a.appendJSON(nil), nil }

// appendJSON appends the value as JSON. It makes reads fast.
func (a *secretValue) appendJSON(b []byte) []byte {
	b = slices.Grow(b, 512)
	b = appendString(append(b, `{"ARN":`...), a.ARN)
	b = appendString(append(b, `,"Name":`...), a.Name)
	b = appendString(append(b, `,"VersionId":`...), a.VersionID)
	if a.Value.text != nil {
		b = appendString(append(b, `,"SecretString":`...), *a.Value.text)
	}
	if a.Value.binary != nil {
		b = append(b, `,"SecretBinary":"`...)
		b = append(base64.StdEncoding.AppendEncode(b, a.Value.binary), '"')
	}
	b = append(b, `,"VersionStages":[`...)
	for i, s := range a.VersionStages {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	b = appendEpoch(append(b, `],"CreatedDate":`...), a.CreatedDate)
	return append(b, '}')
}

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	mark := len(b)
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			return append(b[:mark], marshal(s)...)
		case c < 0x20 || c == '"' || c == '\\':
			b = appendEscape(append(b, s[start:i]...), c)
			start = i + 1
		}
	}
	return append(append(b, s[start:]...), '"')
}

// appendEscape appends a character that a JSON string can't hold as it is.
func appendEscape(b []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

func valueOf(s *secret, v *version) *secretValue {
	return &secretValue{
		ARN:           s.arn,
		Name:          s.name,
		VersionID:     v.id,
		Value:         v.value,
		VersionStages: slices.Clone(v.stages),
		CreatedDate:   v.created,
	}
}
