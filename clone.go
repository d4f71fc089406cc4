package secrets

import (
	"reflect"
	"unsafe"
)

// clonerOf returns a function that copies a T without sharing maps and slices
// with the original. It returns nil if a plain copy is enough. The copies share
// what pointers point to.
func clonerOf[T any](t reflect.Type) func(*T) T {
	if !clones(t, map[reflect.Type]bool{}) {
		return nil
	}
	return func(v *T) T {
		c := *v
		unshare(reflect.ValueOf(&c).Elem())
		return c
	}
}

// clones reports whether a value of type t holds a map or slice directly.
func clones(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Map, reflect.Slice:
		return true
	case reflect.Interface:
		return true // JSON puts maps and slices there
	case reflect.Array:
		return clones(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if clones(t.Field(i).Type, seen) {
				return true
			}
		}
	}
	return false
}

// unshare replaces the maps and slices in v, which must be settable, by copies.
func unshare(v reflect.Value) {
	switch v.Kind() {
	case reflect.Map:
		if v.IsNil() {
			break
		}
		c := reflect.MakeMapWithSize(v.Type(), v.Len())
		for it := v.MapRange(); it.Next(); {
			c.SetMapIndex(it.Key(), unshared(it.Value()))
		}
		v.Set(c)
	case reflect.Slice:
		if v.IsNil() {
			break
		}
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(c, v)
		v.Set(c)
		unshareElems(v)
	case reflect.Array:
		unshareElems(v)
	case reflect.Interface:
		if !v.IsNil() {
			v.Set(unshared(v.Elem()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			unshare(settable(v.Field(i)))
		}
	}
}

// settable returns a field in a form that can be set. This includes unexported
// fields, which a type's own decoder may have filled.
func settable(field reflect.Value) reflect.Value {
	if field.CanSet() {
		return field
	}
	return reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem()
}

// unshareElems does it for the elements of a slice or array, if they are of a
// kind that may hold something.
func unshareElems(v reflect.Value) {
	switch v.Type().Elem().Kind() {
	case reflect.Map, reflect.Slice, reflect.Interface, reflect.Array, reflect.Struct:
		for i := range v.Len() {
			unshare(v.Index(i))
		}
	}
}

// unshared returns a copy of v that can be set and shares nothing with it.
func unshared(v reflect.Value) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	unshare(c)
	return c
}
