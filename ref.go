package secrets

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"
)

// A Ref is a handle of one secret, read as one type. Reading through a Ref is
// the fastest way to read, and the Ref stores what [Try] learns about a
// rotation. Create it once with [Bind] or [BindFunc] and keep it for as long as
// the program reads the secret. It is safe for concurrent use by multiple
// goroutines and needs no Close.
type Ref[T any] struct {
	c     *Client
	slot  atomic.Pointer[typedSlot[T]]
	clone func(*T) T
	kind  *kind[T]
	bound bool // the slot belongs to this handle alone
	id    string

	try trial[T]

	mu sync.Mutex // guards the making of a bound slot
}

// Bind returns a handle that reads the secret id as a T. It makes no request.
// It panics if c is nil or was not returned by [New].
//
// If T is string, the value is the secret's text, unchanged. If T is []byte, it
// is a copy of the value, text or binary. If T is *Secret, it is the version
// itself. Any other T, such as a struct, a pointer to a struct, or a map, is
// decoded by encoding/json. If T or *T has a method Validate() error, it is
// called before a version is adopted; it must not call the client.
//
// An error of Validate is hidden, because it may quote the value. If an error
// in its chain has a method PublicError() string, the text that this method
// returns is shown in the [*DecodeError], and so in logs, in Status and by
// [Load]. The same holds for the errors of UnmarshalJSON and UnmarshalText
// methods and of [BindFunc].
//
// By default a misspelled JSON key leaves its field zero. Two tags change that:
//
//	type Login struct {
//		_        struct{} `secret:"strict"`                     // no other keys
//		Username string   `json:"username" secret:"required"`   // there, and not null
//		Password string   `json:"password" secret:"required"`
//	}
//
// If the JSON of a version lacks a required field, or has a key that a strict
// struct does not have, the version does not decode. The tags also apply in
// nested structs, and are checked once for each version. The strict tag applies
// to its own struct only: a nested struct needs its own. The tags do not apply
// to types that have methods to decode themselves, or to BindFunc.
//
// All readers share what a T points to and must not change it. Maps and slices
// are copied at every read, unless they are behind a pointer. If copying costs
// too much, bind a pointer type.
//
// A new version that does not decode, or that Validate refuses, is not adopted
// for T. Readers keep the last good version, and the failure is logged and
// counted. If there is no good version, reads return the failure as a
// *DecodeError. Handles of strings, bytes and *Secret always return the newest
// version.
func Bind[T any](c *Client, id string) *Ref[T] {
	return newRef(c, id, kindOf[T](), false)
}

// BindFunc is like [Bind], with a function that decodes a version into a T. The
// function is called once for each version, and once more if [Try] used the
// version before it became current. It must not call the client. It refuses a
// version by returning an error or by panicking. The error is not shown,
// because it may quote the value, but errors.Is finds it. If the error has a
// method PublicError, the text that this method returns is shown: see Bind.
func BindFunc[T any](c *Client, id string, decode func(*Secret) (T, error)) *Ref[T] {
	if decode == nil {
		panic("secrets: BindFunc: decode is nil")
	}
	return newRef(c, id, kindFunc(decode), true)
}

func newRef[T any](c *Client, id string, k *kind[T], bound bool) *Ref[T] {
	c.made()
	return &Ref[T]{c: c, id: id, kind: k, clone: k.clone, bound: bound}
}

// Get returns the current version. It blocks and fails as [Client.Get] does. A
// read of a secret in use takes a few nanoseconds.
func (r *Ref[T]) Get(ctx context.Context) (T, error) {
	p, err := r.get(ctx) // never nil: with a branch here Get would be too large to be inlined
	return *p, err
}

// get returns the value to copy, and the zero value with an error. Get does
// nothing else, so that the copy into the caller's variable is the only one.
func (r *Ref[T]) get(ctx context.Context) (*T, error) {
	if r == nil {
		r.made()
	}
	if sl := r.slot.Load(); sl != nil && r.clone == nil {
		if h := sl.shown.Load(); h != nil {
			n := &r.c.counts.hits
			if sl.noted.Load() != slotRead {
				n = sl.hits(&r.c.cache)
			}
			n.addAt(uintptr(unsafe.Pointer(&r)))
			return &h.value, nil
		}
	}
	h, err := r.decodedCurrent(ctx)
	if err != nil {
		return new(T), err
	}
	v := r.own(h)
	return &v, nil
}

// slow finds the slot and returns the value in it.
func (r *Ref[T]) slow(ctx context.Context) (*decoded[T], error) {
	for try := 0; ; try++ {
		e, s, err := r.fresh(ctx)
		if err != nil {
			return nil, err
		}
		h, err := r.slotIn(e).value(ctx, &r.c.cache, e, s)
		if try == 2 || !r.c.ended(e) {
			return h, err
		}
		// The secret was replaced or refused while it was being decoded.
	}
}

// fresh returns the entry and its current version.
func (r *Ref[T]) fresh(ctx context.Context) (*entry, *Secret, error) {
	if e, s := r.c.lookup(r.id); s != nil {
		r.c.hitsOf(e).add()
		return e, s, nil
	}
	return r.c.current(ctx, r.id)
}

// slotIn returns the handle's slot in e.
func (r *Ref[T]) slotIn(e *entry) *typedSlot[T] {
	if !r.bound {
		sl := slotOf(&r.c.cache, e, r.kind)
		r.slot.Store(sl)
		return sl
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	sl := bind(&r.c.cache, e, r.slot.Load(), r.kind)
	r.slot.Store(sl)
	return sl
}

// ID returns the id that was passed to [Bind] or [BindFunc].
func (r *Ref[T]) ID() string { return r.id }

// String returns the secret's id and the type.
func (r *Ref[T]) String() string {
	return fmt.Sprintf("secrets.Ref[%v](%q)", reflect.TypeFor[T](), r.id)
}

// Format writes what [Ref.String] returns, for every verb.
func (r *Ref[T]) Format(f fmt.State, _ rune) { io.WriteString(f, r.String()) }

// LogValue returns what [Ref.String] returns.
func (r *Ref[T]) LogValue() slog.Value { return slog.StringValue(r.String()) }
