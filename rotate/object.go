package rotate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// errNotObject stands for every decoding error, because encoding/json quotes
// what it could not decode.
var errNotObject = errors.New("the value is not a JSON object")

// An object is the text of a JSON object and where its members are, so that
// one can be replaced and all others keep their bytes.
type object struct {
	text    string
	members []member
	end     int // offset of the closing brace
}

// A member is one member of an object; text[start:end] is its value.
type member struct {
	name       string
	start, end int
}

func parseObject(text string) (object, error) {
	o := object{text: text}
	dec := json.NewDecoder(strings.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return object{}, errNotObject
	}
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return object{}, errNotObject
		}
		var raw json.RawMessage
		if dec.Decode(&raw) != nil {
			return object{}, errNotObject
		}
		end := int(dec.InputOffset())
		o.members = append(o.members, member{name, end - len(raw), end})
	}
	if t, err := dec.Token(); err != nil || t != json.Delim('}') {
		return object{}, errNotObject
	}
	o.end = int(dec.InputOffset()) - 1
	if _, err := dec.Token(); err != io.EOF {
		return object{}, errNotObject
	}
	return o, nil
}

// raw returns the text of the last member called name; readers in most
// languages take the last of several.
func (o object) raw(name string) (string, bool) {
	for i := len(o.members) - 1; i >= 0; i-- {
		if m := o.members[i]; m.name == name {
			return o.text[m.start:m.end], true
		}
	}
	return "", false
}

// string returns the string called name. A null counts as absent.
func (o object) string(name string) (string, bool, error) {
	raw, ok := o.raw(name)
	if !ok || raw == "null" {
		return "", false, nil
	}
	var s string
	if json.Unmarshal([]byte(raw), &s) != nil {
		return "", false, fmt.Errorf("the field %q is not a string", name)
	}
	return s, true, nil
}

// set returns the text of o with every member called name set to s.
func (o object) set(name, s string) string {
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

// quoteJSON returns s as a JSON string, without the escapes for HTML.
func quoteJSON(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}
