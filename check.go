package secrets

import (
	"context"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/identity"
	"github.com/seed-74dc7b3e/secrets/internal/lease"
)

// leaseRules returns the settings of all leases.
func leaseRules(o *Options) lease.Rules {
	return lease.Rules{
		TTL:           o.ttl(),
		MaxStale:      o.maxStale(),
		MinBackoff:    o.minBackoff(),
		MaxBackoff:    o.maxBackoff(),
		FetchAtLeast:  fetchAtLeast,
		DescribeAgain: time.Hour,
		SecondCheck:   2 * time.Second,
		RotationCheck: 2 * time.Second,
		RotationKept:  time.Minute,
		Recovered:     time.Minute,
		OnRead:        o.onRead(),
	}
}

// fetchAtLeast is how often the value itself is asked for, however often
// DescribeSecret says that nothing changed: it decrypts nothing, so it cannot
// see that a permission or a key went away.
const fetchAtLeast = time.Hour

// refresh runs e's own refresh, which the scheduler has queued.
func (c *cache) refresh(e *entry) {
	// The lease's failure is the result: nobody waits for the error.
	c.check(c.base, e, "", byCheck, (*lease.Lease).BeginRefresh, true)
}

// check asks the service whether e's version is still current, adopts the one
// that is, and brings what Versions returns up to date. quick leaves out the
// SDK's own retries. id is the name that the secret is asked for by, "" the one
// that last worked.
func (c *cache) check(ctx context.Context, e *entry, id, how string, begin beginFunc, quick bool) (*checked, error) {
	ck, err := c.checkCurrent(ctx, e, id, how, begin, quick)
	if err == nil {
		c.updateList(ctx, e, ck)
	}
	return ck, err
}

type beginFunc = func(*lease.Lease, *lease.Rules, lease.Time, uint64) lease.Check

// A checked is a check under way, and what it found.
type checked struct {
	lease.Check
	e      *entry
	claim  *claim
	quick  bool
	flight flight       // for those who are told of calls
	desc   *description // what DescribeSecret said, nil: it was not asked or said nothing of labels
	alone  bool         // DescribeSecret has nothing to say: what GetSecretValue answers stands
}

// labels returns the labels that the check saw, nil if it saw none.
func (ck *checked) labels() labels {
	if ck.desc == nil {
		return nil
	}
	return ck.desc.labels
}

// checkCurrent is check without what Versions returns.
func (c *cache) checkCurrent(ctx context.Context, e *entry, id, how string, begin beginFunc, quick bool) (*checked, error) {
	ck := &checked{e: e, quick: quick, claim: &claim{how: how}}
	c.mu.Lock()
	c.checks++
	ck.Check = begin(&e.lease, &c.rules, c.now(), c.checks)
	if id == "" {
		id = e.id
	}
	ck.claim.id, ck.claim.n = id, ck.N
	c.asked[ck.claim] = struct{}{}
	closed, gone := c.closed, e.lease.Gone()
	c.mu.Unlock()
	ctx = c.withFlight(ctx, &ck.flight)
	defer c.endCheck(ck)
	switch {
	case closed:
		return ck, ErrClosed
	case gone:
		return ck, errGone
	}
	return ck, c.ask(ctx, ck)
}

// endCheck ends ck, whatever became of it.
func (c *cache) endCheck(ck *checked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.asked, ck.claim)
	if call := ck.flight.call.Load(); call != 0 && !ck.e.lease.Gone() {
		ck.e.growPast().call = call
	}
	last := c.inServiceLocked(ck.e)
	rep := c.applyLocked(ck.e, func(l *lease.Lease) lease.Report { return l.End(&c.rules, c.moment(), &ck.Check) })
	if rep.TooOld {
		c.tooOldLocked(ck.e, last)
	}
}

// ask asks DescribeSecret first, which decrypts nothing, and fetches the value
// if it changed or was not fetched for an hour.
func (c *cache) ask(ctx context.Context, ck *checked) error {
	if ck.Describe && c.fetcher.describes() {
		done, err := c.describe(ctx, ck)
		if done {
			return err
		}
	}
	s, err := c.fetcher.value(ctx, ck.claim.id, Selector{}, ck.quick)
	switch {
	case err == nil:
		_, _, err = c.adopt(ck.claim, s, ck)
		return err
	case c.meansNo(ctx, ck, err):
		c.refused(ck, err)
		return err
	}
	return c.failed(ctx, ck, err, false)
}

// describe asks DescribeSecret, and reports whether that was enough.
func (c *cache) describe(ctx context.Context, ck *checked) (done bool, err error) {
	d, err := c.fetcher.describe(ctx, ck.claim.id, ck.quick)
	switch {
	case err != nil && !c.withoutDescribe(ck, err):
		return true, c.failed(ctx, ck, err, true)
	case err != nil || d.deleted || d.labels == nil:
		ck.alone = true
		return false, nil
	}
	current := d.labels[Current]
	if current == "" {
		return true, c.failed(ctx, ck, errNoCurrent, false)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if d.arn != "" && identity.Of(d.arn, d.name, "").Key != ck.e.secret().Key {
		return false, nil // another secret: its value will say more
	}
	ck.desc = d
	c.describedPastLocked(ck.e, d)
	rep := c.applyLocked(ck.e, func(l *lease.Lease) lease.Report {
		return l.Described(&c.rules, c.moment(), &ck.Check, c.describedLocked(d))
	})
	c.answeredLocked(ck.e, rep, ck)
	if rep.Step == lease.Done {
		return true, nil
	}
	if known := ck.e.coldState().versions.valueLocked(current, c.now()); known != nil && !ck.Fetch {
		_, _, err := c.observeLocked(ck.e, ck, known.withStages(d.labels.of(current)), false)
		return true, err
	}
	return false, nil
}

// describedLocked returns what the lease wants to know of a description.
func (c *cache) describedLocked(d *description) lease.Description {
	ld := lease.Description{Current: d.labels[Current], Pending: d.labels.outstanding()}
	if d.rotation.planned() {
		now := c.now()
		ld.Windowed = true
		ld.Opens = now.Add(time.Until(d.rotation.opens()))
		ld.Closes = now.Add(time.Until(d.rotation.next))
	}
	return ld
}

// withoutDescribe reports whether a failed DescribeSecret leaves it to
// GetSecretValue to answer.
func (c *cache) withoutDescribe(ck *checked, err error) bool {
	switch answerOf(err) {
	case missing:
		if c.fetcher.describing.lose() {
			c.events.add(Event{Kind: EventUnavailable, Secret: ck.claim.id, Operation: opDescribe, Class: ClassOf(err), Err: err})
		}
		return true
	case gone:
		return true
	case denied:
		c.mu.Lock()
		defer c.mu.Unlock()
		first := false
		c.applyLocked(ck.e, func(l *lease.Lease) lease.Report {
			first = l.DescribeDenied(&c.rules, c.now())
			return lease.Report{}
		})
		if first {
			c.events.add(Event{Kind: EventUnavailable, Secret: ck.claim.id, Operation: opDescribe, Class: ClassDenied, Err: err})
		}
		return true
	}
	return false
}

// meansNo reports whether err, of GetSecretValue for AWSCURRENT, says that the
// secret is deleted or access to it denied, rather than that it could not be
// asked for or that a label is missing.
func (c *cache) meansNo(ctx context.Context, ck *checked, err error) bool {
	switch answerOf(err) {
	case denied:
		return true
	case gone:
	default:
		return false
	}
	if ck.desc != nil {
		return false
	}
	if ck.alone || !ck.Describe || !c.fetcher.describes() {
		return true
	}
	d, err := c.fetcher.describe(ctx, ck.claim.id, ck.quick)
	if err != nil {
		// Not there either, or not to be asked: the answer stands.
		a := answerOf(err)
		return a == gone || a == denied || a == missing
	}
	return d.deleted || d.labels == nil
}

// failed notes a check that found nothing out. A check that its caller gave up
// says nothing of the service.
func (c *cache) failed(ctx context.Context, ck *checked, err error, describe bool) error {
	if ctx.Err() != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	rep := c.applyLocked(ck.e, func(l *lease.Lease) lease.Report {
		return l.Failed(&c.rules, c.moment(), &ck.Check, describe)
	})
	if rep.Failed && rep.Failures == 1 {
		c.lastFailure = c.now()
	}
	if rep.Failed {
		c.failureLocked(ck.e, rep, err)
	}
	return err
}

// refused takes a secret out of the cache because the service said no.
func (c *cache) refused(ck *checked, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noLocked(ck.e, &ck.Check, ck.claim.id, err)
}

// noLocked applies an answer to the id that means no, and remembers it. By its
// other names the secret is asked for again: it may have been deleted and
// recreated. It reports whether the answer stands.
func (c *cache) noLocked(e *entry, ck *lease.Check, id string, err error) bool {
	names, key, told := e.namesLocked(), e.secret().Key, c.aboutLocked(e)
	rep := c.applyLocked(e, func(l *lease.Lease) lease.Report { return l.No(ck) })
	if !rep.No || c.closed {
		return false
	}
	c.negative.addNo(question{id: id}, ck.N, err, c.now())
	c.refuseLocked(ck.N, &no{err, id, key}, names...)
	c.counts.denials.Add(1)
	told.Kind, told.Secret, told.Class, told.Err = EventDropped, id, ClassOf(err), err
	c.events.add(told)
	return true
}

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
	c.answeredLocked(e, rep, ck)
	if rep.Adopted {
		e.announceLocked()
	}
	return e, c.servedLocked(e, s), nil
}

func observationOf(e *entry, s *Secret, fetched bool) lease.Observation {
	o := lease.Observation{Version: s.v.id, Fetched: fetched}
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
	}
	if rep.Recovered > 0 {
		c.recoveredLocked(e, rep)
	}
	now := c.now()
	if c.lastFailure > c.lastSuccess {
		for f := range c.failing {
			c.applyLocked(f, func(l *lease.Lease) lease.Report {
				l.Answering(&c.rules, c.moment(), c.lastSuccess)
				return lease.Report{}
			})
		}
	}
	c.lastSuccess = now
}
