package secretconf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/internal/public"
)

// Options are the settings of a [Config]. A nil *Options and zero fields mean
// the defaults.
type Options struct {
	// Getenv looks up environment variables in tags, written $NAME or ${NAME}. It
	// is usually [os.LookupEnv]. If a variable is unset or empty, Bind returns an
	// error. By default tags must not contain variables.
	Getenv func(name string) (value string, ok bool)
}

// A Config is a T filled from secrets. It is safe for concurrent use by multiple
// goroutines and needs no closing. Make one with [Bind].
type Config[T any] struct {
	client *secrets.Client
	ids    []string
	refs   []*secrets.Ref[*secrets.Secret] // by the index in ids
	fields []field

	shown atomic.Pointer[snapshot[T]]

	turn chan struct{} // holds a value while somebody fills a struct

	err atomic.Pointer[error] // why the newest versions are not in use
}

// snapshot is a T and the versions that it was filled from. A nil version
// stands for a secret that does not exist.
type snapshot[T any] struct {
	value    *T
	versions []*secrets.Secret
	newer    []*secrets.Secret // versions that no T could be filled from; nil: there are none
	read     time.Time
}

// missingFor is how long a secret that does not exist is not requested again.
const missingFor = time.Minute

// Bind returns a Config of the secrets in the tags of T, which must be a
// struct. It makes no request. Its error names every invalid tag. The client
// must outlive the Config. After the client's Close, Get returns
// [secrets.ErrClosed].
func Bind[T any](client *secrets.Client, o *Options) (*Config[T], error) {
	var getenv func(string) (string, bool)
	if o != nil {
		getenv = o.Getenv
	}
	p := &parser{getenv: getenv}
	p.structure(reflect.TypeFor[T](), nil, "")
	if len(p.wrong) > 0 {
		return nil, &Error{Fields: p.wrong}
	}
	c := &Config[T]{client: client, ids: p.ids, fields: p.fields, turn: make(chan struct{}, 1)}
	for _, id := range c.ids {
		c.refs = append(c.refs, secrets.Bind[*secrets.Secret](client, id))
	}
	return c, nil
}

// Get returns the T of the current versions. All callers share it and must not
// modify it. A Get from memory takes some tens of nanoseconds for each secret.
// The first call fetches all secrets. It blocks as [secrets.Client.Get] does,
// and so does a call that finds a secret expired.
//
// The error is an [*Error] with every field that cannot be filled. Get returns
// it if no T could be filled yet, and if the service refuses to return a secret
// that is not optional. After the client's Close the error is
// [secrets.ErrClosed].
func (c *Config[T]) Get(ctx context.Context) (*T, error) {
	c.isMade()
	if s := c.shown.Load(); s != nil && (c.inMemory(s, s.versions) || s.newer != nil && c.inMemory(s, s.newer)) {
		return s.value, nil
	}
	return c.slow(ctx)
}

// isMade panics if c was not made by Bind.
func (c *Config[T]) isMade() {
	if c == nil || c.turn == nil {
		panic("secretconf: nil or zero Config; make one with secretconf.Bind")
	}
}

// Err returns why the newest versions of the secrets are not in use. It is nil
// if they are in use. Err reports the result of the last Get and does not
// block.
func (c *Config[T]) Err() error {
	if err := c.err.Load(); err != nil {
		return *err
	}
	return nil
}

// inMemory reports whether memory holds these versions.
func (c *Config[T]) inMemory(of *snapshot[T], versions []*secrets.Secret) bool {
	for i, ref := range c.refs {
		s, ok := ref.Peek()
		if s != versions[i] || !ok && time.Since(of.read) >= missingFor {
			return false
		}
	}
	return true
}

// slow reads every secret and fills a T if any has changed.
func (c *Config[T]) slow(ctx context.Context) (*T, error) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("secretconf: get: %w", ctx.Err())
	}
	defer func() { <-c.turn }()
	old := c.shown.Load()
	versions, err := c.read(ctx, old)
	if err != nil {
		return nil, err
	}
	now := &snapshot[T]{versions: versions, read: time.Now()}
	switch {
	case old != nil && same(old.versions, versions):
		now.value = old.value
		c.err.Store(nil)
	case old != nil && old.newer != nil && same(old.newer, versions):
		now.value, now.versions, now.newer = old.value, old.versions, versions
	default:
		if now.value, err = c.fill(versions); err == nil {
			c.err.Store(nil)
			break
		}
		c.err.Store(&err)
		if old == nil || lost(old.versions, versions) {
			return nil, err
		}
		now.value, now.versions, now.newer = old.value, old.versions, versions
	}
	c.shown.Store(now)
	return now.value, nil
}

// same reports whether two lists have the same versions.
func same(a, b []*secrets.Secret) bool {
	return slices.EqualFunc(a, b, func(a, b *secrets.Secret) bool {
		return a == b || a != nil && b != nil && a.ARN() == b.ARN() && a.VersionID() == b.VersionID() && bytes.Equal(a.Bytes(), b.Bytes())
	})
}

// lost reports whether a secret that existed no longer exists.
func lost(old, now []*secrets.Secret) bool {
	for i := range old {
		if old[i] != nil && now[i] == nil {
			return true
		}
	}
	return false
}

// read returns the current version of every secret, or nil for a secret that
// does not exist.
func (c *Config[T]) read(ctx context.Context, old *snapshot[T]) ([]*secrets.Secret, error) {
	if old == nil {
		// A secret that failed is read again below, from the cache.
		if err := c.client.Prefetch(ctx, c.ids...); err != nil && !errors.As(err, new(*secrets.PrefetchError)) {
			return nil, err
		}
	}
	versions := make([]*secrets.Secret, len(c.ids))
	var e Error
	for i, ref := range c.refs {
		s, err := ref.Get(ctx)
		if err == secrets.ErrClosed {
			return nil, err
		}
		// If the secret was missing before, an outage changes nothing.
		missing := errors.As(err, new(*types.ResourceNotFoundException)) || old != nil && old.versions[i] == nil && ctx.Err() == nil
		for _, f := range c.fields {
			if f.secret == i && err != nil && !(f.optional && missing) {
				e.Fields = append(e.Fields, FieldError{Field: f.name, SecretID: c.ids[i], Err: err})
			}
		}
		versions[i] = s
	}
	if e.Fields != nil {
		return nil, &e
	}
	return versions, nil
}

// fill makes a T of versions.
func (c *Config[T]) fill(versions []*secrets.Secret) (value *T, err error) {
	defer func() {
		if p := recover(); p != nil { // the panic value may contain a secret value
			value, err = nil, &Error{Fields: []FieldError{{Err: fmt.Errorf("filling or validating it panicked (with a %T)", p)}}}
		}
	}()
	value = new(T)
	var e Error
	root := reflect.ValueOf(value).Elem()
	for _, f := range c.fields {
		s := versions[f.secret]
		if s == nil {
			continue
		}
		if why := f.set(root, s); why != nil {
			e.Fields = append(e.Fields, FieldError{Field: f.name, SecretID: c.ids[f.secret], VersionID: s.VersionID(), Err: why})
		}
	}
	if e.Fields != nil {
		return nil, &e
	}
	if v, ok := any(value).(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return nil, &Error{invalid: func(target error) bool { return errors.Is(err, target) }, reason: public.Text(err)}
		}
	}
	return value, nil
}

// Watch yields the current T, and a new one whenever a secret has changed. It
// blocks in between. If a T cannot be filled, Watch yields the error once and
// continues with the next change. The sequence ends without an error when ctx
// ends, and with [secrets.ErrClosed] when the client is closed.
func (c *Config[T]) Watch(ctx context.Context) iter.Seq2[*T, error] {
	c.isMade()
	return func(yield func(*T, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var watching sync.WaitGroup
		defer watching.Wait()
		defer cancel()
		changed := make(chan struct{}, 1)
		for _, ref := range c.refs {
			watching.Go(func() {
				for range ref.Watch(ctx) {
					select {
					case changed <- struct{}{}:
					default:
					}
				}
			})
		}
		var last *T
		var said string
		for {
			value, err := c.Get(ctx)
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				err = c.Err()
			}
			switch {
			case value != nil && value != last:
				if last, said = value, ""; !yield(value, nil) {
					return
				}
			case err != nil && err.Error() != said:
				if said = err.Error(); !yield(nil, err) || err == secrets.ErrClosed {
					return
				}
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

// String returns the type and the ids of the secrets.
func (c *Config[T]) String() string {
	return fmt.Sprintf("secretconf.Config[%v](%q)", reflect.TypeFor[T](), c.ids)
}

// Format writes what [Config.String] returns, for every verb.
func (c *Config[T]) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }
