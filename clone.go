package secrets

import "reflect"

// clonerOf returns a function that copies a T so that no map and no slice is
// shared with the original, nil where a plain copy does that. What pointers
// point to is shared.
func clonerOf[T any](t reflect.Type) func(*T) T {
	if !clones(t, map[reflect.Type]bool{}) {
		return nil
	}
	return func(v *T) T {
		var c T
		reflect.ValueOf(&c).Elem().Set(deepCopy(reflect.ValueOf(v).Elem()))
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
			if t.Field(i).IsExported() && clones(t.Field(i).Type, seen) {
				return true
			}
		}
	}
	return false
}

func deepCopy(v reflect.Value) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	switch v.Kind() {
	case reflect.Map:
		if v.IsNil() {
			break
		}
		c.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
		for it := v.MapRange(); it.Next(); {
			c.SetMapIndex(it.Key(), deepCopy(it.Value()))
		}
	case reflect.Slice:
		if v.IsNil() {
			break
		}
		c.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			c.Index(i).Set(deepCopy(v.Index(i)))
		}
	case reflect.Array:
		for i := range v.Len() {
			c.Index(i).Set(deepCopy(v.Index(i)))
		}
	case reflect.Interface:
		if !v.IsNil() {
			c.Set(deepCopy(v.Elem()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				c.Field(i).Set(deepCopy(v.Field(i)))
			}
		}
	}
	return c
}
