package secrets

import (
	"context"
	"crypto/cipher"
	"errors"
	"io/fs"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets/internal/snapshot"
)

const (
	snapshotEvery = time.Minute      // the shortest interval between two snapshots
	snapshotFirst = 5 * time.Second  // the delay of the first, so that it has all secrets of the start
	snapshotKnown = 10 * time.Second // how long the service counts as unreachable after a failure
)

// A keeper writes and reads a client's snapshot. A nil keeper does nothing.
type keeper struct {
	opts    Snapshot
	scope   snapshot.Scope
	timeout time.Duration // of a call of the store, or of Key
	oldest  time.Duration // MaxStale
	size    int
	timer   *time.Timer // writes; nil where nothing runs in the background

	io   sync.Mutex // held while the snapshot is read or written; guards the fields below
	aead cipher.AEAD
	kept []snapshot.Record // the records that were read, until the next snapshot is written
	read bool              // kept is up to date
	said string            // the last error that was reported; it is not repeated

	// Guarded by cache.mu.
	dirty       bool
	writing     bool
	writeAt     instant          // when the next may be written; 0: none was written yet
	unreachable instant          // the service counts as unreachable until then
	refused     snapshot.Refused // since the client was made
	distrusted  bool             // refused overflowed: no record of the snapshot is used
}

func newKeeper(c *Client, api API, o *Options) *keeper {
	if o == nil || o.Snapshot == nil {
		return nil
	}
	k := &keeper{opts: *o.Snapshot, timeout: o.fetchTimeout(), oldest: o.maxStale(), size: o.size(), refused: snapshot.Refused{}}
	k.aead = k.opts.AEAD
	k.scope.Account = k.opts.Account
	if sdk, ok := api.(*secretsmanager.Client); ok {
		k.scope.Region = sdk.Options().Region
	}
	if !c.rules.OnRead {
		k.timer = time.AfterFunc(time.Hour, c.writeSnapshot)
		k.timer.Stop()
	}
	return k
}

// changedLocked notes that a version was confirmed, changed or refused.
func (k *keeper) changedLocked(c *cache) {
	if k == nil || c.closed {
		return
	}
	if k.writeAt == 0 {
		k.writeAt = c.now().Add(snapshotFirst)
	}
	if !k.dirty && k.timer != nil {
		k.timer.Reset(max(0, k.writeAt.Sub(c.now())))
	}
	k.dirty = true
	k.onReadLocked(c)
}

// onReadLocked writes a snapshot that is due if nothing runs in the background.
func (k *keeper) onReadLocked(c *cache) {
	if k != nil && k.timer == nil && k.dirty && !k.writing && c.now() >= k.writeAt {
		k.writing = true
		go c.writeSnapshot()
	}
}

// reachedLocked notes that the service answered.
func (k *keeper) reachedLocked() {
	if k != nil {
		k.unreachable = 0
	}
}

// refuseLocked notes a definite error for an id and for the secret that was
// cached under it.
func (k *keeper) refuseLocked(c *cache, names ...string) {
	if k == nil {
		return
	}
	for _, name := range names {
		if name != "" {
			k.refused[name] = struct{}{}
		}
	}
	if len(k.refused) > 4*k.size+1024 {
		k.refused, k.distrusted = snapshot.Refused{}, true
	}
	k.changedLocked(c)
}

// allowLocked notes that the service returned s for an id.
func (k *keeper) allowLocked(id string, s *Secret) {
	if k == nil || len(k.refused) == 0 {
		return
	}
	for _, name := range [...]string{id, s.v.arn, s.v.name, s.identity(id).Key} {
		delete(k.refused, name)
	}
}

// writeSnapshot writes the cached versions, and those records of the last
// snapshot that are not cached.
func (c *cache) writeSnapshot() {
	if !c.enter() {
		return
	}
	defer c.wg.Done()
	k := c.snapshot
	k.io.Lock()
	defer k.io.Unlock()
	k.load(c.base, c)
	c.mu.Lock()
	plain := k.collectLocked(c)
	k.dirty, k.writeAt = false, c.now().Add(snapshotEvery)
	c.mu.Unlock()
	err := k.write(c.base, plain)
	c.mu.Lock()
	k.writing = false
	if err != nil && c.base.Err() == nil {
		k.changedLocked(c) // to be tried again
	}
	c.mu.Unlock()
	k.complain(c, "write", err)
}

// lastLocked returns the function that writes the last snapshot after the
// client was closed.
func (k *keeper) lastLocked(c *cache) func() {
	if k == nil {
		return func() {}
	}
	if k.timer != nil {
		k.timer.Stop()
	}
	if !k.dirty {
		return func() {}
	}
	cached, refused, distrusted := k.recordsLocked(c), k.refused, k.distrusted
	return func() {
		k.io.Lock()
		defer k.io.Unlock()
		k.load(context.Background(), c)
		err := k.write(context.Background(), k.merge(cached, refused, distrusted))
		k.complain(c, "write at Close", err)
	}
}

// collectLocked returns the records of the next snapshot. The caller has loaded
// the last one.
func (k *keeper) collectLocked(c *cache) []snapshot.Record {
	return k.merge(k.recordsLocked(c), k.refused, k.distrusted)
}

func (k *keeper) merge(cached []snapshot.Record, refused snapshot.Refused, distrusted bool) []snapshot.Record {
	last := k.kept
	if distrusted {
		last = nil
	}
	return snapshot.Merge(cached, last, refused, time.Now().Add(-k.oldest), k.size)
}

// recordsLocked returns what is cached, as records.
func (k *keeper) recordsLocked(c *cache) []snapshot.Record {
	var list []snapshot.Record
	now, wall := c.now(), time.Now()
	for _, e := range c.lru.Values() {
		s := e.cur
		if s == nil || s.v.arn == "" || s.v.unnamed {
			continue // its secret cannot be identified
		}
		list = append(list, snapshot.Record{
			ARN: s.v.arn, Name: s.v.name, Version: s.v.id, IDs: e.namesLocked(), Stages: *s.v.stages, Created: s.v.created,
			Confirmed: wall.Add(-now.Sub(e.lease.Confirmed())).UnixNano(), Binary: s.v.binary, Value: *s.v.value,
		})
	}
	return list
}

// write seals records and stores them. The caller holds k.io.
func (k *keeper) write(ctx context.Context, records []snapshot.Record) error {
	a, err := k.key(ctx)
	if err != nil {
		return err
	}
	_, err = guarded(ctx, k.timeout, func(ctx context.Context) (struct{}, error) {
		s := &snapshot.Snapshot{Scope: k.scope, Written: time.Now().UnixNano(), Records: records}
		return struct{}{}, k.opts.Store.WriteSnapshot(ctx, snapshot.Seal(a, s))
	})
	k.kept, k.read = nil, false
	return err
}

// load reads the snapshot if that has not been done yet. The caller holds k.io.
func (k *keeper) load(ctx context.Context, c *cache) {
	if k.read {
		return
	}
	a, err := k.key(ctx)
	if err == nil {
		k.kept, err = k.open(ctx, a)
	}
	if ctx.Err() != nil {
		return
	}
	k.read = err == nil || errors.Is(err, fs.ErrNotExist) || isRefusal(err)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	k.complain(c, "read", err)
}

// isRefusal reports whether reading the snapshot again would give the same error.
func isRefusal(err error) bool {
	for _, r := range [...]error{snapshot.ErrFormat, snapshot.ErrTooBig, snapshot.ErrScope, snapshot.ErrFuture, snapshot.ErrSealed, snapshot.ErrContent} {
		if err == r {
			return true
		}
	}
	return false
}

func (k *keeper) open(ctx context.Context, a cipher.AEAD) ([]snapshot.Record, error) {
	return guarded(ctx, k.timeout, func(ctx context.Context) ([]snapshot.Record, error) {
		data, err := k.opts.Store.ReadSnapshot(ctx)
		if err != nil {
			return nil, err
		}
		s, err := snapshot.Open(a, data, k.scope, time.Now())
		if err != nil {
			return nil, err
		}
		return s.Records, nil
	})
}

// key returns the AEAD. The caller holds k.io.
func (k *keeper) key(ctx context.Context) (cipher.AEAD, error) {
	if k.aead != nil {
		return k.aead, nil
	}
	a, err := guarded(ctx, k.timeout, k.opts.Key)
	if err == nil && a == nil {
		err = errors.New("Options.Snapshot.Key returned no AEAD")
	}
	if err == nil {
		k.aead = a
	}
	return a, err
}

// complain emits the event for an error of the snapshot, unless it equals the
// previous one. The caller holds k.io.
func (k *keeper) complain(c *cache, operation string, err error) {
	said := ""
	if err != nil {
		said = operation + err.Error()
	}
	if err != nil && said != k.said {
		c.events.add(Event{Kind: EventSnapshotFailed, Operation: operation, Class: ClassOther, Err: err})
	}
	k.said = said
}

// guarded calls foreign code, which may panic, end its goroutine or ignore its
// context. It abandons a call that ignores its context.
func guarded[T any](ctx context.Context, timeout time.Duration, fn func(context.Context) (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	done := make(chan result, 1)
	go func() {
		r := result{err: errCallEnded}
		defer func() {
			if p := recover(); p != nil {
				r = result{err: panicError(p)}
			}
			done <- r
		}()
		r.v, r.err = fn(ctx)
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
		return *new(T), ctx.Err()
	}
}
