package secrets

import "github.com/seed-74dc7b3e/secrets/internal/lease"

// adopt stores s, the answer to q, in the entry of its secret. It returns that
// entry and the version that the entry then has. ck is the check of the entry
// that q was asked for; it is nil if there was none.
func (c *cache) adopt(q *claim, s *Secret, ck *checked) (*entry, *Secret, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.refusedLocked(q, s); err != nil {
		return nil, nil, err
	}
	e, placed := c.placeLocked(q, s)
	c.negative.remove(question{id: q.id})
	c.outdated.removeLocked(q.id, s.v.name, s.v.arn)
	c.snapshot.allowLocked(q.id, s)
	switch {
	case !placed && e != nil:
		return e, c.servedLocked(e, s), nil
	case !placed:
		return nil, nil, errReplaced
	case q.placed != nil:
		q.placed(e)
	}
	switch {
	case ck != nil && ck.e == e:
	case q.e == e:
		ck = &checked{Check: q.check, e: e, claim: q}
	default:
		ck = &checked{Check: lease.BeginUnknown(q.n), e: e, claim: q}
	}
	return c.observeLocked(e, ck, s, true)
}

// refusedLocked returns why the answer s to q may not be taken.
func (c *cache) refusedLocked(q *claim, s *Secret) error {
	if c.closed {
		return ErrClosed
	}
	return q.refuses(s)
}

// servedLocked returns the version for a read that was answered with s. That is
// e's version, or s if e has no version or one that is too old.
func (c *cache) servedLocked(e *entry, s *Secret) *Secret {
	if e.lease.Servable(&c.rules, c.now()) {
		return e.cur
	}
	return s
}

// observeLocked tells e's lease that a check found the version s to be current.
// If the lease decides to adopt it, every type decodes it first, without the
// lock. Types that cannot decode it keep their version.
func (c *cache) observeLocked(e *entry, ck *checked, s *Secret, fetched bool) (*entry, *Secret, error) {
	rep := c.applyLocked(e, func(l *lease.Lease) lease.Report {
		return l.Observed(&c.rules, c.moment(), &ck.Check, observationOf(e, s, fetched))
	})
	if rep.Step == lease.Prepare {
		slots := e.slotsLocked()
		c.mu.Unlock()
		ran := false
		for _, sl := range slots {
			ran = sl.prepare(c, e, s) || ran // runs the user's code
		}
		c.mu.Lock()
		ck.claim.ran = ran
		old := e.cur
		rep = c.applyLocked(e, func(l *lease.Lease) lease.Report {
			rep := l.Prepared(&c.rules, c.moment(), &ck.Check, observationOf(e, s, fetched).Older)
			if rep.Adopted {
				e.settleLocked(s)
			}
			return rep
		})
		if rep.Adopted {
			c.adoptedLocked(e, old, ck.claim.how)
		}
	}
	if err := c.refusedLocked(ck.claim, s); err != nil {
		return nil, nil, err
	}
	if rep.Behind && !ck.Cold() {
		return nil, nil, errBehind
	}
	c.answeredLocked(e, rep, ck)
	if rep.Adopted {
		e.announceLocked()
	}
	return e, c.servedLocked(e, s), nil
}

func observationOf(e *entry, s *Secret, fetched bool) lease.Observation {
	o := lease.Observation{Version: s.v.id, Fetched: fetched, Replica: s.v.replica}
	if e.cur != nil {
		o.Same = e.cur.sameValue(s)
		o.Older = s.v.created != 0 && s.v.created < e.cur.v.created
	}
	return o
}

// answeredLocked applies the consequences of an answer: labels, counters, and
// the retries of other failing secrets, for which the outage may be over.
func (c *cache) answeredLocked(e *entry, rep lease.Report, ck *checked) {
	if !rep.Answered || c.closed {
		return
	}
	if !ck.Cold() {
		c.counts.refreshes.Add(1)
	}
	if rep.Confirmed || rep.Adopted {
		if e.cold != nil {
			e.cold.suspect = ""
		}
		c.labelsLocked(e, ck)
		c.remindLocked(e)
		c.projectLocked(e)
		c.snapshot.changedLocked(c)
	}
	if rep.Recovered > 0 {
		c.recoveredLocked(e, rep)
	}
	now, described := c.now(), ck.desc != nil
	last := c.lastSuccess
	if described {
		last = c.lastDescribed
	}
	if c.lastFailure > last {
		for f := range c.failing {
			c.applyLocked(f, func(l *lease.Lease) lease.Report {
				l.Answering(&c.rules, c.moment(), last, described, len(c.failing))
				return lease.Report{}
			})
		}
	}
	c.lastSuccess, c.unanswered = now, 0
	if described {
		c.lastDescribed = now
	}
	c.snapshot.reachedLocked()
}
