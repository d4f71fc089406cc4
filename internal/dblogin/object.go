package dblogin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// errNotObject stands for every decoding error, because encoding/json quotes
// what it could not decode.
var errNotObject = errors.New("the value is not a JSON object")

// An Object is the text of a JSON object and where its members are, so that
// one can be replaced and all others keep their bytes.
type Object struct {
	text    string
	members []member
	end     int // offset of the closing brace
}

// A member is one member of an object; text[start:end] is its value.
type member struct {
	name       string
	start, end int
}

// ParseObject reads a JSON object. The error does not quote it.
func ParseObject(text string) (Object, error) {
	o := Object{text: text}
	dec := json.NewDecoder(strings.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return Object{}, errNotObject
	}
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return Object{}, errNotObject
		}
		var raw json.RawMessage
		if dec.Decode(&raw) != nil {
			return Object{}, errNotObject
		}
		end := int(dec.InputOffset())
		o.members = append(o.members, member{name, end - len(raw), end})
	}
	if t, err := dec.Token(); err != nil || t != json.Delim('}') {
		return Object{}, errNotObject
	}
	o.end = int(dec.InputOffset()) - 1
	if _, err := dec.Token(); err != io.EOF {
		return Object{}, errNotObject
	}
	return o, nil
}

// Raw returns the text of the last member called name; readers in most
// languages take the last of several.
func (o Object) Raw(name string) (string, bool) {
	for i := len(o.members) - 1; i >= 0; i-- {
		if m := o.members[i]; m.name == name {
			return o.text[m.start:m.end], true
		}
	}
	return "", false
}

// String returns the string called name, and whether there is one. A null
// counts as absent.
func (o Object) String(name string) (string, bool, error) {
	raw, ok := o.Raw(name)
	if !ok || raw == "null" {
		return "", false, nil
	}
	var s string
	if json.Unmarshal([]byte(raw), &s) != nil {
		return "", false, fmt.Errorf("the field %q is not a string", name)
	}
	return s, true, nil
}

// Set returns the text of o with every member called name set to s, or with
// such a member added at the end. JSON can hold UTF-8 only, and encoding/json
// would store another string for anything else: that is an error, which names
// the field.
func (o Object) Set(name, s string) (string, error) {
	switch {
	case !utf8.ValidString(name):
		return "", errors.New("the field's name is not valid UTF-8")
	case !utf8.ValidString(s):
		return "", fmt.Errorf("the new value of the field %q is not valid UTF-8", name)
	}
	return o.set(name, s), nil
}

func (o Object) set(name, s string) string {
	var b strings.Builder
	at := 0
	for _, m := range o.members {
		if m.name == name {
			b.WriteString(o.text[at:m.start])
			b.WriteString(quoteJSON(s))
			at = m.end
		}
	}
	if at == 0 {
		at = o.end
		if n := len(o.members); n > 0 {
			at = o.members[n-1].end
		}
		b.WriteString(o.text[:at])
		if len(o.members) > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quoteJSON(name) + ":" + quoteJSON(s))
	}
	b.WriteString(o.text[at:])
	return b.String()
}
