package secrets

import "github.com/seed-74dc7b3e/secrets/internal/lease"

// adopt takes s, the answer to q, to the entry of the secret that it is about,
// and returns that and the version that it now has. ck is the check of the entry
// that q was asked for, nil if there was none.
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

// servedLocked returns what a read is served that was answered with s: e's
// version, unless it has none or it is too old.
func (c *cache) servedLocked(e *entry, s *Secret) *Secret {
	if e.lease.Servable(&c.rules, c.now()) {
		return e.cur
	}
	return s
}

// observeLocked tells e's lease of the version that a check found to be current,
// and adopts it if the lease decides so, after every type has decoded it, with
// the lock free. Types for which it does not decode keep what they have.
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

// answeredLocked sees to what follows from an answer: labels, counters, and
// the others that fail, for whom it may be over.
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
