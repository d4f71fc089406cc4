package secrets

import (
	"context"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/fresh"
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
		HintJitter:    o.eventJitter(),
		HintGap:       4 * time.Second,
		OnRead:        o.onRead(),
	}
}

// fetchAtLeast is how often the value itself is fetched even if DescribeSecret
// says that nothing changed. DescribeSecret does not decrypt, so it does not
// show that a permission or a key was lost.
const fetchAtLeast = time.Hour

// refresh runs e's own refresh, which the scheduler has queued.
func (c *cache) refresh(e *entry) {
	// The lease's failure is the result: nobody waits for the error.
	c.check(c.base, e, "", byCheck, (*lease.Lease).BeginRefresh, true)
}

// check asks the service whether e's version is still current, adopts the
// current version, and updates what Versions returns. If quick is set, the SDK
// does not retry. id is the id to ask by; "" means the one that last worked.
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
	flight flight       // for EventCall and EventWait
	desc   *description // what DescribeSecret said, nil: it was not asked or returned no labels
	home   bool         // a replica lags: only the home region is asked, whose answer is final
	alone  bool         // DescribeSecret is of no use here: the answer of GetSecretValue is final
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
	asking := &struct {
		checked
		claim
	}{checked{e: e, quick: quick}, claim{how: how}}
	ck := &asking.checked
	ck.claim = &asking.claim
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
	if ck.Urgent {
		ctx = fresh.With(ctx)
	}
	return ck, c.ask(ctx, ck)
}

// endCheck ends ck, whatever its result.
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
	if ck.claim.heard != nil && !c.closed {
		c.heardLocked(ck.claim.heard)
	}
}

// ask asks DescribeSecret first, which decrypts nothing, and fetches the value
// if it changed or was not fetched for an hour.
func (c *cache) ask(ctx context.Context, ck *checked) error {
	if ck.Describe && c.fetcher.describes(ck.claim.id) {
		done, err := c.describe(ctx, ck)
		if done {
			return err
		}
	}
	for {
		s, err := c.valueFor(ctx, ck)
		if err == nil {
			if _, _, err = c.adopt(ck.claim, s, ck); err != errBehind {
				return err
			}
			ck.home = true
			continue
		}
		if c.meansNo(ctx, ck, err) {
			c.refused(ck, err)
			return err
		}
		return c.failed(ctx, ck, err, false)
	}
}

// valueFor asks for the value of the current version.
func (c *cache) valueFor(ctx context.Context, ck *checked) (*Secret, error) {
	if ck.home {
		return c.fetcher.homeValue(ctx, ck.claim.id, Selector{}, ck.quick)
	}
	return c.fetcher.value(ctx, ck.claim.id, Selector{}, ck.quick)
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
		return false, nil // another secret: fetch its value
	}
	ck.e.coldState().versions.caughtUpLocked(d, c.now(), c.rules.MaxStale)
	ck.desc = d
	c.describedPastLocked(ck.e, d)
	rep := c.applyLocked(ck.e, func(l *lease.Lease) lease.Report {
		return l.Described(&c.rules, c.moment(), &ck.Check, c.describedLocked(d))
	})
	c.answeredLocked(ck.e, rep, ck)
	switch {
	case rep.Behind:
		return ck.askHome()
	case rep.Step == lease.Done:
		return true, nil
	}
	if known := ck.e.coldState().versions.valueLocked(current, c.now()); known != nil && !ck.Fetch {
		known = known.withStages(d.labels.of(current))
		known.v.replica = d.replica
		_, _, err := c.observeLocked(ck.e, ck, known, false)
		if err == errBehind {
			return ck.askHome()
		}
		return true, err
	}
	return false, nil
}

// askHome continues a check that was answered by a lagging replica: the home
// region, whose answer is final, decides.
func (ck *checked) askHome() (done bool, err error) {
	ck.desc, ck.home = nil, true
	return false, nil
}

// describedLocked converts a description to what the lease needs of it.
func (c *cache) describedLocked(d *description) lease.Description {
	ld := lease.Description{Current: d.labels[Current], Pending: d.labels.outstanding(), Replica: d.replica}
	if d.rotation.planned() {
		now, today := c.now(), c.clock.now()
		ld.Windowed = true
		ld.Opens = now.Add(d.rotation.opens().Sub(today))
		ld.Closes = now.Add(d.rotation.next.Sub(today))
	}
	return ld
}

// withoutDescribe reports whether GetSecretValue is to answer a check for which
// DescribeSecret failed.
func (c *cache) withoutDescribe(ck *checked, err error) bool {
	switch answerOf(err) {
	case missing:
		if c.fetcher.loseDescribe(ck.claim.id) {
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
	return replicaAnswer(err) != answerOf(err) // GetSecretValue may still return the value
}

// meansNo reports whether err, of GetSecretValue for AWSCURRENT, means that the
// secret is deleted or access to it is denied. It returns false if the service
// was unavailable or only a label is missing.
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
	if ck.alone || !ck.Describe || !c.fetcher.describes(ck.claim.id) {
		return true
	}
	d, err := c.fetcher.describe(ctx, ck.claim.id, ck.quick)
	if err != nil {
		// DescribeSecret does not find it either, or is unavailable: the error is final.
		a := answerOf(err)
		return a == gone || a == denied || a == missing
	}
	return d.deleted || d.labels == nil
}

// failed notes a check that had no result. If the caller gave the check up, it
// says nothing about the service, and is not noted.
func (c *cache) failed(ctx context.Context, ck *checked, err error, describe bool) error {
	if ctx.Err() != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	c.unanswered++
	crowd := lease.Crowd(len(c.failing), c.unanswered)
	rep := c.applyLocked(ck.e, func(l *lease.Lease) lease.Report {
		return l.Failed(&c.rules, c.moment(), &ck.Check, describe, crowd)
	})
	if rep.Failed && rep.Failures == 1 {
		c.lastFailure = c.now()
	}
	if rep.Failed {
		c.failureLocked(ck.e, rep, err)
	}
	return err
}

// refused removes a secret from the cache because of a definite error.
func (c *cache) refused(ck *checked, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noLocked(ck.e, &ck.Check, ck.claim.id, err)
}

// noLocked applies a definite error for id to e, and remembers it. Reads by e's
// other ids ask the service again, because the secret may have been deleted and
// recreated. noLocked reports whether the error takes effect.
func (c *cache) noLocked(e *entry, ck *lease.Check, id string, err error) bool {
	names, key, told := e.namesLocked(), e.secret().Key, c.aboutLocked(e)
	rep := c.applyLocked(e, func(l *lease.Lease) lease.Report { return l.No(ck) })
	if !rep.No || c.closed {
		return false
	}
	c.negative.addNo(question{id: id}, ck.N, err, c.now())
	c.snapshot.refuseLocked(c, id, key)
	c.refuseLocked(ck.N, &no{err, id, key}, names...)
	c.counts.denials.Add(1)
	told.Kind, told.Secret, told.Class, told.Err = EventDropped, id, ClassOf(err), err
	c.events.add(told)
	return true
}
