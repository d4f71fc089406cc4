package secrets

import (
	"context"
	"slices"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/lease"
	"github.com/seed-74dc7b3e/secrets/internal/snapshot"
)

// readOrRestore is readCold that returns a value of the snapshot if the service
// is unreachable.
func (c *cache) readOrRestore(ctx context.Context, id, how string, placed func(*entry)) (e *entry, s *Secret, restored bool, err error) {
	if c.snapshot == nil {
		e, s, err = c.readCold(ctx, id, how, placed)
		return e, s, false, err
	}
	if c.knownUnreachable() {
		if e, s := c.restore(ctx, id, placed); s != nil {
			return e, s, true, nil
		}
	}
	type answer struct {
		e   *entry
		s   *Secret
		err error
	}
	if !c.enter() {
		return nil, nil, false, ErrClosed
	}
	asking, cancel := context.WithCancel(context.WithoutCancel(ctx)) // the read may return before the request ends
	unlink := context.AfterFunc(c.base, cancel)
	done := make(chan answer, 1)
	awaited, over := c.whileAwaited(placed)
	defer over()
	go func() {
		defer c.wg.Done()
		defer cancel()
		defer unlink()
		e, s, err := c.readCold(asking, id, how, awaited)
		done <- answer{e, s, err}
	}()
	var late <-chan time.Time
	if wait := c.snapshot.opts.wait(); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		late = timer.C
	}
	for {
		select {
		case a := <-done:
			if a.err != nil && outOfReach(a.err) {
				if e, s := c.restore(ctx, id, placed); s != nil {
					return e, s, true, nil
				}
			}
			return a.e, a.s, false, a.err
		case <-late:
			late = nil
			if e, s := c.restore(ctx, id, placed); s != nil {
				return e, s, true, nil
			}
		case <-ctx.Done():
			cancel()
			return nil, nil, false, ctx.Err()
		}
	}
}

// whileAwaited returns a version of placed that does nothing after over was
// called.
func (c *cache) whileAwaited(placed func(*entry)) (awaited func(*entry), over func()) {
	ended := false // guarded by cache.mu
	awaited = func(e *entry) {
		if placed != nil && !ended {
			placed(e)
		}
	}
	return awaited, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		ended = true
	}
}

// restoreAfter reports whether a secret that could not be prefetched was
// restored.
func (c *cache) restoreAfter(ctx context.Context, id string, err error, placed func(*entry)) bool {
	if c.snapshot == nil || ctx.Err() != nil || !outOfReach(err) {
		return false
	}
	_, s := c.restore(ctx, id, placed)
	return s != nil
}

// outOfReach reports whether an error means that the service was unreachable.
// The caller's context has not ended, so a timeout is the request's.
func outOfReach(err error) bool {
	a := answerOf(err)
	return (a == transient || a == canceled) && err != ErrClosed && err != errReplaced && err != errNoID
}

// knownUnreachable reports whether the service was unreachable a moment ago and
// has not answered since.
func (c *cache) knownUnreachable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now() < c.snapshot.unreachable
}

// restore returns a secret from the snapshot, if it is there and may be served.
func (c *cache) restore(ctx context.Context, id string, placed func(*entry)) (*entry, *Secret) {
	r := c.recordOf(ctx, id)
	if r == nil {
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.snapshot
	if c.closed || k.distrusted || k.refused.Has(r) || has(k.refused, id) {
		return nil, nil
	}
	s := secretOf(r)
	if e := c.knownLocked(id); e != nil && e.lease.Servable(&c.rules, c.now()) {
		return e, e.cur // it was cached in the meantime
	}
	there, _ := c.lru.Peek(s.identity(id).Space())
	for _, e := range [...]*entry{c.knownLocked(id), there} {
		if e != nil && (e.cur != nil || e.lease.Settled() != 0 || e.secret().Key != r.Key()) {
			return nil, nil // the cache knows more than the snapshot
		}
	}
	c.checks++
	e, ok := c.placeLocked(&claim{id: id, n: c.checks}, s)
	if !ok || !c.restoreLocked(e, s, r) {
		return nil, nil
	}
	if placed != nil {
		placed(e)
	}
	k.unreachable = c.now().Add(snapshotKnown)
	ev := c.aboutLocked(e)
	ev.Kind, ev.Since = EventRestored, time.Unix(0, r.Confirmed).UTC()
	c.events.add(ev)
	return e, s
}

// restoreLocked makes s the version of e, which has none.
func (c *cache) restoreLocked(e *entry, s *Secret, r *snapshot.Record) bool {
	age := max(0, time.Since(time.Unix(0, r.Confirmed)))
	ok := false
	c.applyLocked(e, func(l *lease.Lease) lease.Report {
		m := c.moment()
		if ok = l.Restore(&c.rules, m, s.v.id, m.Now-instant(age)); ok {
			e.settleLocked(s)
		}
		return lease.Report{}
	})
	if !ok {
		if !e.lease.Held() {
			c.removeLocked(e)
		}
		return false
	}
	e.touch()
	e.announceLocked()
	return true
}

func has(f snapshot.Refused, id string) bool { _, ok := f[id]; return ok }

// recordOf returns the snapshot's record of the secret that id names. It
// returns nil if there is none, or if the record is too old.
func (c *cache) recordOf(ctx context.Context, id string) *snapshot.Record {
	k := c.snapshot
	k.io.Lock()
	defer k.io.Unlock()
	k.load(ctx, c)
	latest := time.Now().Add(snapshot.Skew).UnixNano()
	for _, exact := range [...]bool{true, false} { // first by the ids that it was read by, then by its name
		for i := range k.kept {
			r := &k.kept[i]
			if exact && !slices.Contains(r.IDs, id) || !r.Names(id, k.scope) || r.Confirmed > latest {
				continue
			}
			found := *r
			return &found
		}
	}
	return nil
}

// secretOf returns the version in a record.
func secretOf(r *snapshot.Record) *Secret {
	value := r.Value
	return &Secret{&version{name: r.Name, arn: r.ARN, id: r.Version, value: &value, stages: internStages(r.Stages), created: r.Created, binary: r.Binary}}
}
