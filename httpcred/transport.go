package httpcred

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// A Transport is an [http.RoundTripper] that sends requests with a credential.
// It is safe for concurrent use by multiple goroutines. Make one with [New].
type Transport struct {
	id    string
	base  http.RoundTripper
	round func(*http.Request) (*http.Response, error)
}

// New returns a Transport that puts the secret of ref into requests. The
// function set does this: [Bearer], [Basic], the result of [Header], or the
// program's own function, for instance one that signs the request. It is called
// once for each time that a request is sent, with a copy of the request. It may
// change the copy, except for the body. If it returns an error, nothing is sent
// and the caller gets that error. o may be nil.
//
// The client that ref belongs to must outlive the Transport. After the client's
// Close, requests fail with [secrets.ErrClosed].
func New[T any](ref *secrets.Ref[T], set func(*http.Request, T) error, o *Options) *Transport {
	if set == nil {
		panic("httpcred: New: set is nil; use Bearer, Basic, Header, or a function of your own")
	}
	s := &source[T]{Options: o.withDefaults(), set: set}
	s.ref.Store(ref.WithTry(s.try()))
	return &Transport{id: ref.ID(), base: s.Base, round: s.round}
}

// RoundTrip sends a request with the credential. It blocks as the base
// transport does, and while it reads the secret if that is not cached. If
// reading the secret fails, it returns the error of [secrets.Ref.Get]. Errors
// of the base transport are returned unchanged.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t == nil || t.round == nil {
		panic("httpcred: nil or zero Transport; make one with httpcred.New")
	}
	return t.round(r)
}

// CloseIdleConnections closes the idle connections of the base transport.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// String returns the type and the secret's id.
func (t *Transport) String() string { return fmt.Sprintf("httpcred.Transport(%q)", t.id) }

// Format writes what [Transport.String] returns, for every verb.
func (t *Transport) Format(f fmt.State, _ rune) { io.WriteString(f, t.String()) }

const (
	// patience is how long a request waits for another request that offers
	// versions.
	patience = 10 * time.Second

	// recheck is for how long the previous version is used in place of a
	// rejected current one before that is offered again.
	recheck = time.Minute
)

// source is the part of a Transport that depends on the type of the secret.
type source[T any] struct {
	Options
	set func(*http.Request, T) error
	ref atomic.Pointer[secrets.Ref[T]]

	// fellBack is when the previous version began to be used, or the current
	// one was last offered in spite of that, in nanoseconds since 1970. 0: the
	// previous version is not in use.
	fellBack atomic.Int64
}

var (
	errNoReplay  = errors.New("httpcred: the request may not be sent again")
	errNoVerdict = errors.New("httpcred: the response says nothing about the credential")
)

func (s *source[T]) round(r *http.Request) (*http.Response, error) {
	if !stayed(r) {
		return s.Base.RoundTrip(r)
	}
	ref, fresh := s.handle(r)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	x := &exchange[T]{s: s, r: r, leave: cancel}
	defer x.close()
	if err := s.permit(ref.ID(), r.URL); err != nil {
		return nil, err
	}
	x.startWaiting()
	resp, err := secrets.TryOffer(ctx, ref, x.offer)
	if fresh {
		s.ref.Store(ref)
	}
	switch {
	case err == nil:
		return resp, nil
	case r.Context().Err() != nil:
		return nil, err
	case x.answer != nil && !x.failed:
		return x.take(), nil
	case x.sent || errors.Is(err, secrets.ErrClosed):
		return nil, err
	case ctx.Err() != nil || errors.As(err, new(*secrets.RejectedError)):
		return x.direct(ref)
	}
	return nil, err
}

// handle returns the handle to use. While the previous version is in use, it
// sometimes returns a new handle, which does not know of that and so tries the
// current version.
func (s *source[T]) handle(r *http.Request) (ref *secrets.Ref[T], fresh bool) {
	ref = s.ref.Load()
	since := s.fellBack.Load()
	now := time.Now().UnixNano()
	if since == 0 || now-since < int64(recheck) || !replayable(r) || !s.fellBack.CompareAndSwap(since, now) {
		return ref, false
	}
	return ref.WithTry(s.try()), true
}

// accepted notes the label of a version that the server accepted.
func (s *source[T]) accepted(stage string) {
	switch {
	case stage != secrets.Previous:
		if s.fellBack.Load() != 0 {
			s.fellBack.Store(0)
		}
	case s.fellBack.Load() == 0:
		s.fellBack.CompareAndSwap(0, time.Now().UnixNano())
	}
}
