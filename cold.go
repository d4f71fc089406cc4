package secrets

import "context"

// readCold asks the service for a secret that is not cached, or too old. Where the
// answer is an older version than the one that is cached, and that may not be
// served, or is about a secret that has been replaced, or took so long to decode
// that it may not be served any more, a second one decides.
func (c *cache) readCold(ctx context.Context, id, how string, placed func(*entry)) (*entry, *Secret, error) {
	q, e, s, err := c.readOnce(ctx, id, how, placed)
	if err == errReplaced || err == nil && (c.outlived(e, q.ran) || c.doubted(e)) {
		_, e, s, err = c.readOnce(ctx, id, how, placed)
	}
	return e, s, err
}

// doubted reports whether e has a version that was seen to go back, and that may
// not be served until that is certain.
func (c *cache) doubted(e *entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.lease.Suspects() && !e.lease.Servable(&c.rules, c.now())
}

// outlived reports whether an answer took so long to decode that e may not be served
// any more. ran says that it was decoded.
func (c *cache) outlived(e *entry, ran bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return ran && !e.lease.Servable(&c.rules, c.now())
}

func (c *cache) readOnce(ctx context.Context, id, how string, placed func(*entry)) (*claim, *entry, *Secret, error) {
	q := c.claim(id, how)
	q.placed = placed
	defer c.release(q)
	s, err := c.fetcher.coldValue(ctx, id, Selector{})
	if err != nil {
		if ctx.Err() == nil {
			err = c.coldFailed(q, err)
		}
		if e, s, ok := c.fresh(id); ok {
			return q, e, s, nil // a later check has found it
		}
		return q, nil, nil, err
	}
	e, s, err := c.adopt(q, s, nil)
	return q, e, s, err
}

// coldFailed remembers a failure for a moment, and lets go of what is cached
// under the id if the answer means no. It returns the error for the reader.
func (c *cache) coldFailed(q *claim, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	if a := answerOf(err); a == gone || a == denied {
		if e := c.knownLocked(q.id); e != nil {
			c.noLocked(e, &q.check, q.id, err)
			return err
		}
		c.refuseLocked(q.n, &no{err: err, id: q.id})
		c.negative.addNo(question{id: q.id}, q.n, err, c.now())
		c.snapshot.refuseLocked(c, q.id, "")
		return err
	}
	err = c.tooOldErrorLocked(q.id, err)
	c.negative.add(question{id: q.id}, err, c.now())
	return err
}
