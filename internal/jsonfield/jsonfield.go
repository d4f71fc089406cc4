// Package jsonfield says which of a type's fields the path of an error of
// encoding/json leads through.
package jsonfield

import (
	"reflect"
	"strings"
)

// Declared returns the part of a path that a type declares, with dots between the
// names, each as it is declared. A path is the Field of a *json.UnmarshalTypeError:
// since Go 1.27 that has the indices of lists and the keys of maps in it too. Keys
// come from the JSON, which is secret here, so they are left out, as are indices.
// Where a path leads on through what the type does not know, it ends.
func Declared(t reflect.Type, path string) string {
	return strings.Join(declared(t, strings.Split(path, ".")), ".")
}

func declared(t reflect.Type, path []string) []string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if len(path) == 0 {
		return nil
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		// Before Go 1.27 elements had no place in a path.
		with, without := declared(t.Elem(), path[1:]), declared(t.Elem(), path)
		if len(with) > len(without) {
			return with
		}
		return without
	case reflect.Struct:
		if name, inner, ok := field(t, path[0]); ok {
			return append([]string{name}, declared(inner, path[1:])...)
		}
	}
	return nil
}

// field finds a field by its name in JSON, which encoding/json matches without
// regard to case, or an embedded struct by its name in Go.
func field(t reflect.Type, segment string) (name string, _ reflect.Type, ok bool) {
	for _, f := range reflect.VisibleFields(t) {
		if !f.IsExported() && !f.Anonymous {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		if strings.EqualFold(name, segment) {
			return name, f.Type, true
		}
	}
	return "", nil, false
}
