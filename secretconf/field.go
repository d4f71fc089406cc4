package secretconf

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/internal/jsonshape"
	"github.com/seed-74dc7b3e/secrets/internal/public"
)

// A field is one field of a T that a secret fills.
type field struct {
	name     string   // as the program writes it
	index    []int    // for reflect
	secret   int      // index of the secret
	path     []string // of the JSON field; nil: the whole secret
	optional bool
}

var (
	errNotText = errors.New("the secret is binary, not text")
	errNotJSON = errors.New("the secret is not a JSON object")
	errNoField = errors.New("the secret's JSON has no such field")
	errNoFit   = errors.New("the value does not fit (not shown)")
)

// parser reads the tags of a struct.
type parser struct {
	getenv func(string) (string, bool)
	ids    []string
	fields []field
	wrong  []FieldError
}

func (p *parser) fail(name, id string, format string, args ...any) {
	p.wrong = append(p.wrong, FieldError{Field: name, SecretID: id, Err: fmt.Errorf(format, args...)})
}

func (p *parser) structure(t reflect.Type, index []int, prefix string) {
	if t.Kind() != reflect.Struct {
		p.fail(prefix, "", "%v is not a struct", t)
		return
	}
	before := len(p.fields) + len(p.wrong)
	for i := range t.NumField() {
		f := t.Field(i)
		at, name := append(slices.Clone(index), i), prefix+f.Name
		tag, tagged := f.Tag.Lookup("secret")
		switch {
		case tagged && !f.IsExported():
			p.fail(name, "", "it has a tag and is not exported")
		case tagged:
			p.tag(name, at, f, tag)
		case f.Type.Kind() == reflect.Struct && (f.IsExported() || f.Anonymous) && tags(f.Type):
			p.structure(f.Type, at, name+".")
		}
	}
	if index == nil && len(p.fields)+len(p.wrong) == before {
		p.fail("", "", "%v has no field with the tag secret", t)
	}
}

// tags reports whether a struct, or one in it, has a tag.
func tags(t reflect.Type) bool {
	for i := range t.NumField() {
		f := t.Field(i)
		if _, ok := f.Tag.Lookup("secret"); ok || f.Type.Kind() == reflect.Struct && tags(f.Type) {
			return true
		}
	}
	return false
}

func (p *parser) tag(name string, index []int, sf reflect.StructField, tag string) {
	parts := strings.Split(tag, ",")
	id, ok := p.expand(name, parts[0])
	if !ok {
		return
	}
	f := field{name: name, index: index}
	for _, option := range parts[1:] {
		path, isPath := strings.CutPrefix(option, "json=")
		switch {
		case option == "optional":
			f.optional = true
		case isPath && path != "" && !slices.Contains(strings.Split(path, "."), ""):
			f.path = strings.Split(path, ".")
		default:
			p.fail(name, id, "the tag's option %q is unknown: the options are json=path and optional", option)
			return
		}
	}
	switch sf.Type.Kind() {
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		p.fail(name, id, "no secret can be read as a %v", sf.Type)
		return
	}
	if f.secret = slices.Index(p.ids, id); f.secret < 0 {
		f.secret = len(p.ids)
		p.ids = append(p.ids, id)
	}
	p.fields = append(p.fields, f)
}

// expand puts environment variables into the name of a secret.
func (p *parser) expand(name, id string) (string, bool) {
	if strings.Contains(id, "$") && p.getenv == nil {
		p.fail(name, id, "the tag names an environment variable, which Options.Getenv does not allow")
		return "", false
	}
	ok := true
	if p.getenv != nil {
		id = os.Expand(id, func(v string) string {
			value, set := p.getenv(v)
			if !set || value == "" {
				p.fail(name, "", "the environment variable %q is not set", v)
				ok = false
			}
			return value
		})
	}
	if ok && id == "" {
		p.fail(name, "", "the tag names no secret")
		ok = false
	}
	return id, ok
}

// set fills the field. Errors never are a decoder's, which quote the value.
func (f *field) set(root reflect.Value, s *secrets.Secret) error {
	v := at(root, f.index)
	value := s.Bytes()
	if f.path != nil {
		raw, err := f.pick(value)
		if err != nil || raw == nil {
			return err
		}
		return fit(raw, v)
	}
	text, isText := v.Addr().Interface().(encoding.TextUnmarshaler)
	switch {
	case v.Type() == reflect.TypeFor[*secrets.Secret]():
		v.Set(reflect.ValueOf(s))
	case isText:
		if s.IsBinary() {
			return errNotText
		}
		if text.UnmarshalText(value) != nil {
			return errNoFit
		}
	case v.Kind() == reflect.String:
		if s.IsBinary() {
			return errNotText
		}
		v.SetString(string(value))
	case v.Type() == reflect.TypeFor[[]byte]():
		v.SetBytes(value)
	default:
		if string(bytes.TrimSpace(value)) == "null" {
			return errNoFit
		}
		return fit(value, v)
	}
	return nil
}

// fit decodes raw into v. As with secrets.Bind the tags of a struct may ask for
// fields that are there, and for no others.
func fit(raw []byte, v reflect.Value) error {
	if err := json.Unmarshal(raw, v.Addr().Interface()); err != nil {
		reason := fmt.Sprintf("the value does not fit %v (not shown)", v.Type())
		if found := jsonshape.Found(jsonshape.Kind(raw)); found != "" {
			reason = fmt.Sprintf("the value does not fit %v: found %s", v.Type(), found)
		}
		return errors.New(public.After(reason, err))
	}
	if fault := jsonshape.Of(v.Type()).Check(raw); fault != nil {
		if fault.Field != "" {
			return fmt.Errorf("JSON field %q: %s", fault.Field, fault.Reason())
		}
		return errors.New(fault.Reason())
	}
	return nil
}

// pick returns the JSON of the field that path names, or nil if an optional
// field is missing.
func (f *field) pick(value []byte) (json.RawMessage, error) {
	raw := json.RawMessage(value)
	for _, name := range f.path {
		var fields map[string]json.RawMessage
		if json.Unmarshal(raw, &fields) != nil || fields == nil {
			return nil, errNotJSON
		}
		var ok bool
		if raw, ok = fields[name]; !ok {
			if f.optional {
				return nil, nil
			}
			return nil, errNoField
		}
	}
	return raw, nil
}

// at returns the field of a struct, or of a struct in it.
func at(v reflect.Value, index []int) reflect.Value {
	for _, i := range index {
		v = v.Field(i)
	}
	return v
}
