package secrets

import (
	"fmt"
	"reflect"
)

// made panics if New did not make c. That is a programming error, and not every
// method can return an error. Hits do not call it.
func (c *Client) made() {
	switch {
	case c == nil:
		panic("secrets: the *Client is nil; make one with secrets.New, and check its error")
	case c.base == nil:
		panic("secrets: zero Client; make one with secrets.New")
	}
}

// made is [Client.made] for handles.
func (r *Ref[T]) made() {
	if !r.isMade() {
		panic("secrets: nil or zero Ref; make one with secrets.Bind or secrets.BindFunc")
	}
}

func (r *Ref[T]) isMade() bool { return r != nil && r.c != nil }

// version returns the contents of a Secret.
func (s *Secret) version() *version {
	if s == nil || s.v == nil {
		panic("secrets: nil or zero Secret, which holds no version: check the error of the read that returned it")
	}
	return s.v
}

// checkHandles returns an error for the first handle that is nil, or was not
// made by Bind or BindFunc.
func checkHandles(op string, handles []Handle) error {
	for i, h := range handles {
		if h == nil || !h.isMade() {
			return fmt.Errorf("secrets: %s: handle %d of %d is nil or a zero Ref; make it with secrets.Bind or secrets.BindFunc", op, i+1, len(handles))
		}
	}
	return nil
}

// isNil reports whether an API is nil or holds a nil pointer, func, map, slice
// or chan.
func isNil(api API) bool {
	if api == nil {
		return true
	}
	switch v := reflect.ValueOf(api); v.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Slice, reflect.Chan:
		return v.IsNil()
	}
	return false
}
