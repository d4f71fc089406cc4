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

// A Ref is a handle of one secret, read as one type. It makes reading as fast
// as it gets, and it is where [Try] keeps what it learnt of a rotation. Make
// one with [Bind] or [BindFunc] and keep it: for as long as the program reads
// the secret. It is safe for concurrent use by multiple goroutines and needs
// no closing.
type Ref[T any] struct {
	c     *Client
	slot  atomic.Pointer[typedSlot[T]]
	clone func(*T) T
	kind  *kind[T]
	bound bool // the slot is this handle's own
	id    string

	try trial[T]

	mu sync.Mutex // guards the making of a bound slot
}

// Bind returns a handle that reads the secret id as a T. It makes no request. It
// panics if c is nil or was not made by [New].
//
// A string is the text of the secret, as it is; a []byte is a copy of the
// value, text or binary; a *Secret is the version itself; any other T is what
// encoding/json makes of the value, of structs, pointers to structs and maps
// for instance. If T or *T has a method Validate() error it is asked before a
// version is adopted; it must not call the client. What it returns is hidden, as
// it may quote the value, unless it declares itself fit to be shown: an error in
// its chain with a method PublicError() string has that text shown in the
// [*DecodeError], and so in logs, in [Status] and by [Load]. The same goes for the
// errors of UnmarshalJSON and UnmarshalText methods and of [BindFunc].
//
// A JSON key that is misspelled leaves its field zero, unless the type asks for
// more by tags:
//
//	type Login struct {
//		_        struct{} `secret:"strict"`                     // no other keys
//		Username string   `json:"username" secret:"required"`   // there, and not null
//		Password string   `json:"password" secret:"required"`
//	}
//
// A version whose JSON lacks a required field, or has a key that a strict struct
// does not, does not decode. The tags count in nested structs too, and are looked
// at once for each version. A struct is strict by itself: those in it are not,
// unless they say so. Types with methods of their own to decode themselves, and
// BindFunc, are left alone.
//
// What a T points to is shared by all its readers and must not be changed.
// Maps and slices are copied at every read, unless they lie behind a pointer,
// so bind a pointer type where that costs too much.
//
// A new version that does not decode, or that Validate refuses, is not adopted
// for T: its readers keep the last version that did, and the failure is logged
// and counted. Only if there is none is it returned, as a [*DecodeError].
// Strings, bytes and *Secret always get the newest version.
func Bind[T any](c *Client, id string) *Ref[T] {
	return newRef(c, id, kindOf[T](), false)
}

// BindFunc is [Bind] with a function that makes the T of a version. The
// function is called once for each version, and once more for one that [Try] came
// upon before it was current. It must not call the client, and may
// return an error or panic to refuse the version. Its error is not shown, since
// it may quote the value, but errors.Is finds it, and what its method PublicError
// returns is shown, see Bind.
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

// Get returns the current version. It blocks, and fails, as [Client.Get] does;
// a secret that is in use costs a few nanoseconds.
func (r *Ref[T]) Get(ctx context.Context) (T, error) {
	p, err := r.get(ctx) // never nil: with a branch here Get would be too large to be inlined
	return *p, err
}

// get returns the value to copy, the zero value with an error. That Get is all
// but this makes the copy into the caller's variable the only one.
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

// slow finds the slot, and the value in it.
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

// slotIn returns the handle's slot, as a slot of e.
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

// ID returns the id that the handle was bound with.
func (r *Ref[T]) ID() string { return r.id }

// String returns the secret's id and the type.
func (r *Ref[T]) String() string {
	return fmt.Sprintf("secrets.Ref[%v](%q)", reflect.TypeFor[T](), r.id)
}

// Format writes what [Ref.String] returns, whatever the verb.
func (r *Ref[T]) Format(f fmt.State, _ rune) { io.WriteString(f, r.String()) }

// LogValue returns what [Ref.String] returns.
func (r *Ref[T]) LogValue() slog.Value { return slog.StringValue(r.String()) }
