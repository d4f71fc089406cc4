package secrets

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/seed-74dc7b3e/secrets/internal/jsonshape"
	"github.com/seed-74dc7b3e/secrets/internal/public"
)

// A kind decodes secrets into a T and copies the result for readers.
type kind[T any] struct {
	decode func(*Secret) (T, *DecodeError)
	clone  func(*T) T // nil: a plain copy shares nothing mutable
	always bool       // Get returns the newest version even if this type does not accept it

	shape *jsonshape.Shape // what the tags of T require of the JSON; nil: nothing
}

var kinds sync.Map // reflect.Type of T → *kind[T], of types without a function

// kindOf returns the kind of T: raw text, bytes, *Secret or JSON.
func kindOf[T any]() *kind[T] {
	t := reflect.TypeFor[T]()
	if k, ok := kinds.Load(t); ok {
		return k.(*kind[T])
	}
	k := &kind[T]{clone: clonerOf[T](t)}
	switch {
	case t == reflect.TypeFor[*Secret]():
		k.always = true
		k.decode = func(s *Secret) (v T, _ *DecodeError) { return any(s).(T), nil }
	case t == reflect.TypeFor[Secret]():
		k.always = true
		k.decode = func(s *Secret) (v T, _ *DecodeError) { return any(*s).(T), nil }
	case rawText(t):
		k.always = t == reflect.TypeFor[string]()
		k.decode = k.text
	case t == reflect.TypeFor[[]byte]():
		k.always = true
		k.decode = func(s *Secret) (v T, _ *DecodeError) { return any(s.Bytes()).(T), nil }
	default:
		k.decode = k.json
		k.shape = jsonshape.Of(t)
	}
	actual, _ := kinds.LoadOrStore(t, k)
	return actual.(*kind[T])
}

// rawText reports whether t is a string type without an UnmarshalJSON method.
func rawText(t reflect.Type) bool {
	return t.Kind() == reflect.String && !reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]())
}

// kindFunc returns the kind of a function.
func kindFunc[T any](decode func(*Secret) (T, error)) *kind[T] {
	k := &kind[T]{clone: clonerOf[T](reflect.TypeFor[T]())}
	k.decode = func(s *Secret) (v T, de *DecodeError) {
		defer k.recover(s, &de)
		v, err := decode(s)
		if err != nil {
			de = k.undecodable(s, public.After("the BindFunc function refused it", err))
			de.is = func(target error) bool { return errors.Is(err, target) }
			return v, de
		}
		return v, k.validate(s, &v)
	}
	return k
}

func (k *kind[T]) text(s *Secret) (v T, de *DecodeError) {
	if s.IsBinary() {
		return v, k.undecodable(s, "the value is binary, not text")
	}
	reflect.ValueOf(&v).Elem().SetString(*s.v.value)
	defer k.recover(s, &de)
	return v, k.validate(s, &v)
}

func (k *kind[T]) json(s *Secret) (v T, de *DecodeError) {
	defer k.recover(s, &de)
	data := []byte(*s.v.value)
	if string(bytes.TrimSpace(data)) == "null" {
		return v, k.undecodable(s, "the value is JSON null")
	}
	if err := json.Unmarshal(data, &v); err != nil {
		var zero T
		return zero, k.explain(s, data, err)
	}
	if fault := k.shape.Check(data); fault != nil {
		var zero T
		return zero, k.faulty(s, fault)
	}
	return v, k.validate(s, &v)
}

// validate asks the Validate method of T or *T, if there is one.
func (k *kind[T]) validate(s *Secret, v *T) *DecodeError {
	type validator interface{ Validate() error }
	val, ok := any(*v).(validator)
	if !ok {
		val, ok = any(v).(validator)
	}
	if !ok {
		return nil
	}
	if err := val.Validate(); err != nil {
		de := k.undecodable(s, public.After("its Validate method refused it", err))
		de.is = func(target error) bool { return errors.Is(err, target) }
		return de
	}
	return nil
}

// recover turns a panic of the user's code into an error. The panic's value is
// not shown, because it may contain the secret value.
func (k *kind[T]) recover(s *Secret, de **DecodeError) {
	if p := recover(); p != nil {
		*de = k.undecodable(s, fmt.Sprintf("decoding or validating the value panicked (with a %T)", p))
	}
}

func (k *kind[T]) undecodable(s *Secret, reason string) *DecodeError {
	return &DecodeError{SecretID: s.v.name, VersionID: s.v.id, Type: reflect.TypeFor[T]().String(), reason: reason}
}

// faulty returns the error for JSON that lacks a field or has an extra one.
func (k *kind[T]) faulty(s *Secret, fault *jsonshape.Fault) *DecodeError {
	de := k.undecodable(s, fault.Reason())
	de.Field, de.Type = fault.Field, fault.Type.String()
	return de
}

// explain says where in the JSON the decoder failed and what kind of value it
// found there. It does not include the decoder's error, which quotes the value.
func (k *kind[T]) explain(s *Secret, data []byte, err error) *DecodeError {
	const unfit = "the value does not fit"
	de := k.undecodable(s, unfit)
	var syntax *json.SyntaxError
	var fit *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		de.reason = "the value is not valid JSON"
		de.Offset = max(syntax.Offset, 1)
		return de
	case errors.As(err, &fit) && declaredField[T](fit.Field) != "":
		de.Field = declaredField[T](fit.Field)
		de.found = jsonshape.Found(fit.Value)
		if fit.Type != nil {
			de.Type = fit.Type.String()
		}
	default:
		path, t, raw := locate(reflect.TypeFor[T](), data)
		if path != "" {
			de.Field = path
			de.Type = t.String()
		}
		de.found = jsonshape.Found(jsonshape.Kind(raw))
	}
	de.reason = public.After(unfit, err)
	return de
}

// locate finds the field of t at which data does not decode. It is needed if
// the decoder's error, which then came from a field's own method, does not name
// the field. It also returns the JSON of that field, or data if it finds none.
func locate(t reflect.Type, data []byte) (string, reflect.Type, []byte) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var fields map[string]json.RawMessage
	if t.Kind() != reflect.Struct || reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) ||
		json.Unmarshal(data, &fields) != nil {
		return "", nil, data
	}
	for _, f := range reflect.VisibleFields(t) {
		if !f.IsExported() || f.Anonymous {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		for key, raw := range fields {
			if !strings.EqualFold(key, name) || json.Unmarshal(raw, reflect.New(f.Type).Interface()) == nil {
				continue
			}
			if path, ft, inner := locate(f.Type, raw); path != "" {
				return name + "." + path, ft, inner
			}
			return name, f.Type, raw
		}
	}
	return "", nil, data
}
