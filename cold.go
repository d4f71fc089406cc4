package secrets

import "context"

// readCold asks the service for a secret that is not cached, or is too old. It
// asks a second time, and that answer decides, in three cases: the answer is
// older than the cached version, which may not be served; the answer is about a
// secret that has been replaced; or decoding took so long that the answer may
// no longer be served.
func (c *cache) readCold(ctx context.Context, id, how string, placed func(*entry)) (*entry, *Secret, error) {
	q, e, s, err := c.readOnce(ctx, id, how, placed)
	if err == errReplaced || err == nil && (c.outlived(e, q.ran) || c.doubted(e)) {
		_, e, s, err = c.readOnce(ctx, id, how, placed)
	}
	return e, s, err
}

// doubted reports whether a check showed that e went back to an older version,
// which may not be served until a second check confirms it.
func (c *cache) doubted(e *entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.lease.Suspects() && !e.lease.Servable(&c.rules, c.now())
}

// outlived reports whether decoding an answer took so long that e may no longer
// be served. ran says that the answer was decoded.
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

// coldFailed remembers a failure for a moment. If the error is definite, it
// also drops what is cached under the id. It returns the error for the reader.
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
