package signing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// The defaults of [Options].
const (
	DefaultLead   = 15 * time.Minute
	DefaultMaxAge = 5 * time.Minute
)

// askEvery is how often the service is asked for keys that are not known, at
// most: their ids come from whoever sends a signature.
const askEvery = 10 * time.Second

var (
	// ErrUnknownKey says that no key that verifies has the given id.
	ErrUnknownKey = errors.New("signing: the key is unknown")

	// ErrSignature says that a signature does not match its message and key.
	ErrSignature = errors.New("signing: the signature does not match")
)

// Options are the settings of [Keys]. A nil *Options and zero fields mean the
// defaults. [New] copies them.
type Options struct {
	// Lead is how long a new version exists before it signs. It must be longer
	// than the time that verifiers need to learn of the version: the TTL of their
	// clients plus, if they read the JWKS document, MaxAge. The default is
	// [DefaultLead]; negative means none.
	Lead time.Duration

	// Grace is how long a key still verifies after its version has lost its last
	// staging label, in a process that saw the key before. The default is zero.
	Grace time.Duration

	// MaxAge is how long readers of the JWKS document may cache it. The default is
	// [DefaultMaxAge].
	MaxAge time.Duration
}

// Keys are the keys in the versions of a secret. They are safe for concurrent
// use by multiple goroutines and need no closing. Make them with [New].
type Keys struct {
	id     string
	client *secrets.Client
	ref    *secrets.Ref[*Key]
	o      Options
	last   atomic.Pointer[Key] // the one that signed last
	asking chan struct{}       // holds a value while a call asks for unknown keys

	mu      sync.Mutex           // guards the fields below
	since   map[string]time.Time // by version id: since when it counts as known, of those that were current
	listed  map[string]*Key      // by version id: those that had a label
	retired map[string]retired
	asked   time.Time // when the service was last asked for unknown keys
}

// retired is a key whose version has lost its last label.
type retired struct {
	key *Key
	at  time.Time
}

// New returns the keys in the secret with the given name or ARN. It makes no
// request. o may be nil. The client must outlive the keys. After the client's
// Close their methods return [secrets.ErrClosed].
func New(client *secrets.Client, secretID string, o *Options) *Keys {
	k := &Keys{id: secretID, client: client, asking: make(chan struct{}, 1), since: map[string]time.Time{}, retired: map[string]retired{}}
	if o != nil {
		k.o = *o
	}
	if k.o.Lead == 0 {
		k.o.Lead = DefaultLead
	}
	if k.o.MaxAge <= 0 {
		k.o.MaxAge = DefaultMaxAge
	}
	k.ref = secrets.BindFunc(client, secretID, decode)
	return k
}

// isMade panics if k was not made by New.
func (k *Keys) isMade() {
	if k == nil || k.ref == nil {
		panic("signing: nil or zero Keys; make them with signing.New")
	}
}

// Sign signs a message with the key that [Keys.Signer] returns. It returns the
// key's id and the signature.
func (k *Keys) Sign(ctx context.Context, message []byte) (keyID string, signature []byte, err error) {
	key, err := k.Signer(ctx)
	if err != nil {
		return "", nil, err
	}
	return key.id, key.Sign(message), nil
}

// Verify verifies the signature of a message by the key with the given id. It
// returns [ErrUnknownKey], [ErrSignature], or the error from reading the
// secret.
func (k *Keys) Verify(ctx context.Context, keyID string, message, signature []byte) error {
	key, err := k.Key(ctx, keyID)
	switch {
	case err != nil:
		return err
	case !key.Verify(message, signature):
		return ErrSignature
	}
	return nil
}

// Signer returns the key to sign with now. This is the key of the current
// version or, if that is newer than Options.Lead, the key that signed before.
// Signer blocks and fails as [secrets.Ref.Get] does.
func (k *Keys) Signer(ctx context.Context) (*Key, error) {
	k.isMade()
	key, err := k.ref.Get(ctx)
	if err != nil {
		return nil, err
	}
	if !k.hasLead(key) {
		key = k.before(ctx, key)
	}
	k.last.Store(key)
	return key, nil
}

// before returns the key that signs until current does: the one that signed last
// if its version still has a label, else that of the previous version, and
// current if there is none.
func (k *Keys) before(ctx context.Context, current *Key) *Key {
	if last := k.last.Load(); last != nil && last.id != current.id {
		versions, err := k.ref.Versions(ctx)
		if err != nil || slices.ContainsFunc(versions, func(v secrets.Version[*Key]) bool { return v.ID == last.id }) {
			return last
		}
	}
	previous, err := k.ref.Version(ctx, secrets.Stage(secrets.Previous))
	if err != nil {
		return current
	}
	return previous.Value
}

// maxSince bounds how many versions that were current are remembered.
const maxSince = 64

// hasLead reports whether the current version has existed for Options.Lead. The
// first version that the process sees counts from its creation, later ones from
// when they are first seen. A version that was current before needs no lead.
func (k *Keys) hasLead(current *Key) bool {
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	since, known := k.since[current.id]
	if !known {
		since = now
		if len(k.since) == 0 {
			since = current.created
		}
		if len(k.since) >= maxSince {
			clear(k.since)
		}
		k.since[current.id] = since
	}
	return k.o.Lead < 0 || now.Sub(since) >= k.o.Lead
}

// Key returns the key with an id, for verification. If the id is unknown, Key
// asks the service, at most once in ten seconds, and blocks until the service
// answers or ctx ends. If there is no such key, it returns [ErrUnknownKey].
func (k *Keys) Key(ctx context.Context, id string) (*Key, error) {
	k.isMade()
	all, err := k.all(ctx)
	if key := all[id]; key != nil || err != nil {
		return key, err
	}
	if !isVersionID(id) {
		return nil, ErrUnknownKey
	}
	return k.ask(ctx, id)
}

// all returns every key that verifies, by its id.
func (k *Keys) all(ctx context.Context) (map[string]*Key, error) {
	k.isMade()
	versions, err := k.ref.Versions(ctx)
	if err != nil {
		return nil, err
	}
	all := make(map[string]*Key, len(versions)+1)
	for _, v := range versions {
		all[v.ID] = v.Value
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	for id, key := range k.listed {
		if all[id] == nil {
			k.retired[id] = retired{key, now}
		}
	}
	k.listed = make(map[string]*Key, len(all))
	for id, key := range all {
		k.listed[id] = key
		delete(k.retired, id)
	}
	for id, r := range k.retired {
		if now.Sub(r.at) >= k.o.Grace {
			delete(k.retired, id)
			continue
		}
		all[id] = r.key
	}
	return all, nil
}

// ask asks the service for an unknown key. Only one call at a time asks; the
// calls that waited for it then check whether it found their keys.
func (k *Keys) ask(ctx context.Context, id string) (*Key, error) {
	select {
	case k.asking <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-k.asking }()
	may := k.mayAsk()
	if may {
		if err := k.client.Refresh(ctx, k.id); err != nil {
			return nil, fmt.Errorf("%w, and the service cannot be asked for newer keys: %w", ErrUnknownKey, err)
		}
	}
	all, err := k.all(ctx)
	if key := all[id]; key != nil || err != nil {
		return key, err
	}
	if may { // a list that could not be brought up to date may lack it
		if v, err := k.ref.Version(ctx, secrets.VersionID(id)); err == nil && len(v.Stages) > 0 {
			return v.Value, nil
		}
	}
	return nil, ErrUnknownKey
}

func (k *Keys) mayAsk() bool {
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.asked.IsZero() && now.Sub(k.asked) < askEvery {
		return false
	}
	k.asked = now
	return true
}

// isVersionID reports whether id can be a version id. No request is made for
// other ids.
func isVersionID(id string) bool {
	for _, c := range []byte(id) {
		if c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return len(id) >= 32 && len(id) <= 64
}

// String returns the type and the secret's id.
func (k *Keys) String() string { return fmt.Sprintf("signing.Keys(%q)", k.id) }

// Format writes what [Keys.String] returns, for every verb.
func (k *Keys) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }
