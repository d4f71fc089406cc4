package secrets

import (
	"context"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/lease"
)

// A tally is the outcome of a read, which is counted once, when the read has
// ended.
type tally struct {
	id     string // what is read
	waited bool   // for the service
	stale  bool   // an expired version was served
}

// count counts a read.
func (c *cache) count(t tally, err error) {
	if t.waited {
		c.counts.misses.Add(1)
	}
	switch {
	case err != nil:
	case t.stale:
		c.counts.stale.Add(1)
	case !t.waited:
		c.counts.hits.add()
	}
}

// current returns the current version and its entry, from memory or from the
// service. It is the part of a read that is not a hit.
func (c *cache) current(ctx context.Context, id string) (*entry, *Secret, error) {
	t := tally{id: id}
	e, s, err := c.read(ctx, id, &t)
	c.count(t, err)
	return e, s, err
}

// read is current without counting.
func (c *cache) read(ctx context.Context, id string, t *tally) (*entry, *Secret, error) {
	if id == "" {
		return nil, nil, errNoID
	}
	for range 8 {
		e, s, refresh, err := c.serve(id, t)
		if err != nil || s != nil {
			return e, s, err
		}
		if refresh == nil {
			break
		}
		if e, s, err := c.await(ctx, e, refresh, t); err != nil || s != nil {
			return e, s, err
		}
	}
	t.waited, t.stale = true, false
	return c.fetchCold(ctx, id, t)
}

// serve answers a read from memory with a version or an error, if it can. If it
// returns a refresh channel, the reader waits for that. If it returns none of
// these, the read is cold.
func (c *cache) serve(id string, t *tally) (*entry, *Secret, <-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, nil, ErrClosed
	}
	c.snapshot.onReadLocked(c)
	e := c.knownLocked(id)
	if e == nil {
		return nil, nil, nil, c.rememberedLocked(question{id: id})
	}
	answer := c.readEntryLocked(e)
	switch answer {
	case lease.Cold:
		return nil, nil, nil, c.rememberedLocked(question{id: id})
	case lease.Wait:
		e.touch()
		return e, nil, c.scheduler.refreshes[e], nil
	}
	t.stale = answer == lease.ServeStale
	e.touch()
	return e, e.cur, nil, nil
}

// readEntryLocked tells e's lease of a read that is not a hit.
func (c *cache) readEntryLocked(e *entry) lease.Answer {
	var answer lease.Answer
	queued := e.lease.Refreshing()
	c.applyLocked(e, func(l *lease.Lease) lease.Report {
		answer = l.Read(&c.rules, c.moment())
		return lease.Report{}
	})
	if answer != lease.Wait {
		return answer
	}
	if !queued {
		c.hurryLocked()
		c.dispatchLocked(false)
	}
	if c.staleWait > 0 {
		return lease.Wait
	}
	c.applyLocked(e, func(l *lease.Lease) lease.Report {
		answer = l.Waited(&c.rules, c.now())
		return lease.Report{}
	})
	return answer
}

// await waits briefly for the refresh of an expired version, and then returns
// the old value. If it returns no version and no error, the read must start
// over.
func (c *cache) await(ctx context.Context, e *entry, refresh <-chan struct{}, t *tally) (*entry, *Secret, error) {
	t.waited = true
	waiting := c.waits(ctx, t.id)
	wait := time.NewTimer(c.staleWait)
	defer wait.Stop()
	event := (*lease.Lease).Waited
	select {
	case <-refresh:
	case <-wait.C:
	case <-ctx.Done():
		event = (*lease.Lease).Left
	case <-c.base.Done():
		return nil, nil, ErrClosed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	waiting.ended(e.past().call, ctx.Err())
	var answer lease.Answer
	c.applyLocked(e, func(l *lease.Lease) lease.Report {
		answer = event(l, &c.rules, c.now())
		return lease.Report{}
	})
	if answer == lease.Cold {
		return nil, nil, nil
	}
	t.stale = answer == lease.ServeStale
	return e, e.cur, nil
}

// peek returns the current version if it can be served from memory as it is.
func (c *cache) peek(id string) (*entry, *Secret) {
	if e, s := c.lookup(id); s != nil {
		return e, s
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil
	}
	e := c.knownLocked(id)
	if e == nil || !e.lease.Servable(&c.rules, c.now()) {
		return nil, nil
	}
	return e, e.cur
}

// fresh returns what is cached under id and not expired.
func (c *cache) fresh(id string) (*entry, *Secret, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.knownLocked(id)
	if e == nil || !e.lease.Fresh(&c.rules, c.now()) {
		return nil, nil, false
	}
	return e, e.cur, true
}

// rememberedLocked returns the failure of q that is still remembered.
func (c *cache) rememberedLocked(q question) error {
	err := c.negative.get(q, c.now())
	if err != nil {
		c.counts.negative.Add(1)
	}
	return err
}

// fetchCold reads a secret that is not cached. All callers share one request;
// each stops waiting when its own context ends.
func (c *cache) fetchCold(ctx context.Context, id string, t *tally) (*entry, *Secret, error) {
	type found struct {
		e        *entry
		s        *Secret
		restored bool
	}
	v, err := c.join(ctx, "current\x00"+id, func(ctx context.Context) (any, error) {
		if e, s := c.lookup(id); s != nil {
			return found{e: e, s: s}, nil // it was cached while this flight began
		}
		if e, s, ok := c.fresh(id); ok {
			return found{e: e, s: s}, nil
		}
		e, s, restored, err := c.readOrRestore(ctx, id, byRead, nil)
		return found{e, s, restored}, err
	})
	if err != nil {
		return nil, nil, err
	}
	f := v.(found)
	t.stale = f.restored
	return f.e, f.s, nil
}
