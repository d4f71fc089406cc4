// Package jsonshape compares a JSON document with the Go type that it is decoded
// into, where the type asks for that by the tag secret: a field marked required
// must be there, and a struct marked strict takes no key that it does not have.
// It names fields of the type only, never what the document holds.
package jsonshape

import (
	"bytes"
	"encoding"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// A Fault is the first difference between a document and its type.
type Fault struct {
	Field   string       // the JSON path of the field that is missing, or of the struct with the key; "" is the whole
	Type    reflect.Type // of that
	Unknown bool         // there is a key that the struct does not have
	Near    string       // the field whose name the key is close to, "" if there is none or several are
}

// A Shape is what a type asks for. A nil Shape asks for nothing.
type Shape struct {
	t      reflect.Type
	strict bool
	fields []field // nil: no struct
	elem   *Shape  // of slices, arrays and maps
	isMap  bool
}

type field struct {
	name     string
	required bool
	shape    *Shape // nil: nothing in it is compared
	t        reflect.Type
}

// Of returns the shape of a type, nil if nothing in it has such a tag.
func Of(t reflect.Type) *Shape {
	c := compiler{}
	s := c.shape(t)
	if !slices.ContainsFunc(c.all(), (*Shape).asks) {
		return nil
	}
	return s
}

func (s *Shape) asks() bool {
	return s.strict || slices.ContainsFunc(s.fields, func(f field) bool { return f.required })
}

// compiler holds the shapes of the types that it has met: types may be recursive.
type compiler map[reflect.Type]*Shape

func (c compiler) all() (shapes []*Shape) {
	for _, s := range c {
		if s != nil {
			shapes = append(shapes, s)
		}
	}
	return shapes
}

// shape returns the shape of t, nil for a type without parts, or one that decodes
// itself.
func (c compiler) shape(t reflect.Type) *Shape {
	for t.Kind() == reflect.Pointer && !decodesItself(t) {
		t = t.Elem()
	}
	if s, ok := c[t]; ok {
		return s
	}
	if decodesItself(t) {
		return nil
	}
	s := &Shape{t: t}
	switch t.Kind() {
	case reflect.Struct:
		c[t] = s
		c.structure(s, t, map[reflect.Type]bool{})
	case reflect.Slice, reflect.Array, reflect.Map:
		c[t] = s
		s.isMap = t.Kind() == reflect.Map
		s.elem = c.shape(t.Elem())
	default:
		return nil
	}
	return s
}

// structure adds the fields of a struct, and those of structs embedded in it: the
// outermost of a name counts, as in encoding/json.
func (c compiler) structure(s *Shape, t reflect.Type, seen map[reflect.Type]bool) {
	if seen[t] {
		return
	}
	seen[t] = true
	var embedded []reflect.Type
	for i := range t.NumField() {
		f := t.Field(i)
		options := strings.Split(f.Tag.Get("secret"), ",")
		if f.Name == "_" {
			s.strict = s.strict || slices.Contains(options, "strict")
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if inner, ok := embeds(f); ok && name == "" {
			embedded = append(embedded, inner)
			continue
		}
		if !f.IsExported() || f.Tag.Get("json") == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		if !slices.ContainsFunc(s.fields, func(g field) bool { return g.name == name }) {
			s.fields = append(s.fields, field{name, slices.Contains(options, "required"), c.shape(f.Type), f.Type})
		}
	}
	for _, inner := range embedded {
		c.structure(s, inner, seen)
	}
}

// embeds returns the struct whose fields a field lends to the one that it is in.
func embeds(f reflect.StructField) (reflect.Type, bool) {
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t, f.Anonymous && t.Kind() == reflect.Struct && !decodesItself(t)
}

func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// Check returns what data lacks, or has too much, nil if it is as s asks. The
// document is one that encoding/json has decoded into the type.
func (s *Shape) Check(data []byte) *Fault { return s.check(data, "") }

func (s *Shape) check(data []byte, path string) *Fault {
	switch {
	case s == nil || Kind(data) == "null":
		return nil
	case s.fields == nil && !s.strict:
		return s.checkElems(data, path)
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(data, &object) != nil {
		return nil
	}
	unknown := s.unknown(object)
	for _, f := range s.fields {
		raw, ok := f.in(object)
		if f.required && (!ok || Kind(raw) == "null") {
			fault := &Fault{Field: join(path, f.name), Type: f.t}
			if slices.ContainsFunc(unknown, func(key string) bool { return near(key, f.name) }) {
				fault.Near = f.name
			}
			return fault
		}
		if fault := f.shape.check(raw, join(path, f.name)); ok && fault != nil {
			return fault
		}
	}
	if s.strict && len(unknown) > 0 {
		return &Fault{Field: path, Type: s.t, Unknown: true, Near: s.nearest(unknown[0])}
	}
	return nil
}

// checkElems checks the elements of a slice, an array or a map.
func (s *Shape) checkElems(data []byte, path string) *Fault {
	if s.elem == nil {
		return nil
	}
	var elems []json.RawMessage
	if s.isMap {
		var object map[string]json.RawMessage
		if json.Unmarshal(data, &object) != nil {
			return nil
		}
		for _, key := range slices.Sorted(maps.Keys(object)) {
			elems = append(elems, object[key])
		}
	} else if json.Unmarshal(data, &elems) != nil {
		return nil
	}
	for _, raw := range elems {
		if fault := s.elem.check(raw, path); fault != nil {
			return fault
		}
	}
	return nil
}

// in returns the field's part of an object. As in encoding/json the case of
// letters does not count.
func (f *field) in(object map[string]json.RawMessage) (json.RawMessage, bool) {
	if raw, ok := object[f.name]; ok {
		return raw, true
	}
	for key, raw := range object {
		if strings.EqualFold(key, f.name) {
			return raw, true
		}
	}
	return nil, false
}

// unknown returns the keys of an object that s does not have, in order.
func (s *Shape) unknown(object map[string]json.RawMessage) (keys []string) {
	for key := range object {
		if !slices.ContainsFunc(s.fields, func(f field) bool { return strings.EqualFold(f.name, key) }) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// nearest returns the one field that key is close to, "" if there is none or
// there are several.
func (s *Shape) nearest(key string) (found string) {
	for _, f := range s.fields {
		if near(key, f.name) {
			if found != "" {
				return ""
			}
			found = f.name
		}
	}
	return found
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// near reports whether a and b differ by a slip or two: in letters, or in what
// separates words.
func near(a, b string) bool {
	a, b = plain(a), plain(b)
	return len(a) <= 64 && len(b) <= 64 && distance(a, b) <= min(2, len(b)/3)
}

// plain returns a name without case and separators.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == ' ' || r == '.' {
			return -1
		}
		return r
	}, strings.ToLower(name))
}

// distance returns how many letters have to be added, left out, replaced, or
// swapped with the next.
func distance(a, b string) int {
	before, last, row := []int(nil), []int(nil), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}

// Kind returns what JSON calls the value in data: string, number, bool, null,
// array or object, "" where it is none.
func Kind(data []byte) string {
	data = bytes.TrimLeft(data, " \t\r\n")
	if len(data) == 0 {
		return ""
	}
	switch data[0] {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "bool"
	case 'n':
		return "null"
	}
	if data[0] == '-' || '0' <= data[0] && data[0] <= '9' {
		return "number"
	}
	return ""
}

// Found returns the words for what was found where a value does not fit, by what
// json.UnmarshalTypeError.Value says, which may quote a number.
func Found(value string) string {
	kind, number, _ := strings.Cut(value, " ")
	switch kind {
	case "string", "bool", "null", "array", "object":
		return "a JSON " + kind
	case "number":
		if number != "" {
			return "a JSON number that does not fit"
		}
		return "a JSON number"
	}
	return ""
}

// Reason says what a fault is, after the name of its field.
func (f *Fault) Reason() string {
	switch {
	case !f.Unknown && f.Near != "":
		return "it is required and missing (a JSON key is nearly the same: is it misspelled?)"
	case !f.Unknown:
		return "it is required and missing"
	case f.Near != "":
		return "there is a JSON key that the type does not have (is \"" + f.Near + "\" misspelled?)"
	}
	return "there is a JSON key that the type does not have"
}
