package sim

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"runtime"
	"sync"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// A Session is one client, from New to Close.
type Session struct {
	n       int
	client  *secrets.Client
	opened  time.Duration
	closing time.Duration // when Close was called, or never
	closed  time.Duration // when it returned, or never

	mu      sync.Mutex // guards handles
	handles map[int]any
}

const never = 1<<63 - 1 // ns

// open begins a session.
func (w *World) open() *Session {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &Session{n: len(w.sessions), opened: w.now(), closing: never, closed: never, handles: map[int]any{}}
	o := w.plan.Client
	opts := &secrets.Options{
		TTL: o.TTL, MaxStale: o.MaxStale, StaleWait: o.StaleWait, FetchTimeout: o.FetchTimeout, Size: o.Size,
		Refresh: secrets.RefreshAhead, Logger: slog.New(slog.DiscardHandler),
	}
	if o.Replica {
		opts.Replicas = []string{string(Replica)}
		if o.FetchTimeout > 0 {
			opts.RegionTimeout = o.FetchTimeout / 3
		}
	}
	if o.OnRead {
		opts.Refresh = secrets.RefreshOnRead
	}
	if o.LogReads {
		opts.Logger = slog.New(&readingHandler{s: s, id: w.plan.Secrets[0].Name})
	}
	c, err := secrets.New(w.api(s.n), opts)
	if err != nil {
		panic(err)
	}
	s.client = c
	w.sessions = append(w.sessions, s)
	return s
}

// close closes the session's client.
func (w *World) close(s *Session) {
	w.mu.Lock()
	s.closing = w.now()
	w.mu.Unlock()
	s.client.Close()
	w.mu.Lock()
	s.closed = w.now()
	w.mu.Unlock()
}

// handle returns what a session's event reads by, made at its first use.
func handle[T any](s *Session, event int, make func() T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.handles[event]; ok {
		return h.(T)
	}
	h := make()
	s.handles[event] = h
	return h
}

// A readingHandler reads a secret while it handles a record.
type readingHandler struct {
	s  *Session
	id string
}

func (h *readingHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h *readingHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *readingHandler) WithGroup(string) slog.Handler            { return h }

func (h *readingHandler) Handle(ctx context.Context, _ slog.Record) error {
	if h.s.client != nil {
		h.s.client.Get(ctx, h.id)
	}
	return nil
}

// A payload is what a secret is decoded into.
type payload struct {
	Token  string        `json:"token"`
	Flavor Flavor        `json:"flavor"`
	Wait   time.Duration `json:"validate"`
}

var errInvalid = errors.New("invalid")

// Validate is slow, refuses or panics, as the version's flavor has it.
func (p *payload) Validate() error {
	time.Sleep(p.Wait)
	switch p.Flavor {
	case Invalid:
		return errInvalid
	case Panics:
		panic("Validate panics")
	}
	return nil
}

var tokens = regexp.MustCompile(`"token":"([^"]*)"`)

// tokenIn returns the token in a value, "" if there is none.
func tokenIn(text string) string {
	if m := tokens.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// decodeFunc is the decoder of BindFunc handles.
func decodeFunc(s *secrets.Secret) (*payload, error) {
	text, _ := s.Text()
	p := &payload{Token: tokenIn(text)}
	switch {
	case flavorIn(text, Exits):
		runtime.Goexit()
	case flavorIn(text, Malformed), flavorIn(text, Invalid), flavorIn(text, Panics):
		return nil, errInvalid
	}
	return p, nil
}

var flavors = regexp.MustCompile(`"flavor":"([^"]*)"`)

func flavorIn(text string, f Flavor) bool {
	m := flavors.FindStringSubmatch(text)
	return m == nil && f == Malformed || m != nil && m[1] == string(f)
}

// suits reports whether a group of readers adopts versions of v's flavor.
func suits(g Group, v *Version) bool {
	switch g {
	case Raw, Other:
		return true
	case JSON:
		return v.flavor == Good || v.flavor == Exits
	}
	return v.flavor == Good
}

// A Group is a group of readers that one adoption concerns: within it no read
// is older than another before it.
type Group int

const (
	Raw   Group = iota // what always adopts
	JSON               // what decodes into a payload
	Func               // a BindFunc handle
	Other              // what has no order: other stages, uses of Try
)

func groupOf(k ReadKind) Group {
	switch k {
	case ReadGet, ReadText, ReadRef, ReadVersions:
		return Raw
	case ReadJSON, ReadRefJSON, ReadWatch:
		return JSON
	case ReadFunc:
		return Func
	}
	return Other
}
