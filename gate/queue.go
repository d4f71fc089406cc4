package gate

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// refusalMemory is how long a refused version is kept from the server. After
// it one login is admitted to find out whether the server still refuses it.
const refusalMemory = 30 * time.Second

// maxRefusals bounds how many refused versions are remembered.
const maxRefusals = 64

// A refusal is what the gate knows of a version that the server refused.
type refusal struct {
	err    error     // the server's answer
	at     time.Time // when it was refused, or last admitted to be tried again
	stages []string  // the labels by which it was offered when it was refused
	n      int       // times that it was refused
	soon   bool      // it may be over in a moment: RefusedError.Transient
	wanted time.Time // when a prober last asked to offer it again

	unheard bool // its caller had left: the next prober is told in place of a login
}

// A pass is one login's way through a gate.
type pass struct {
	g       *Gate
	ctx     context.Context // of the caller; one that has left is not admitted
	version string
	stage   string
	ticket  uint64        // its place in the queue
	probe   bool          // offers the version although it was refused
	trial   bool          // admitted in spite of an earlier refusal: a success undoes it
	since   time.Time     // when it entered the queue
	began   time.Time     // when it was admitted
	decided chan struct{} // closed, with gate.mu held, when the login is admitted or barred
	barred  error         // set before decided is closed: the refusal that bars it
	stop    chan struct{} // closed, with gate.mu held, when a login with the same version was refused
	reason  error         // set before stop is closed: that refusal
	left    bool          // its caller has left; set by whoever calls leave
	cancel  func()        // ends the login's context; set before it begins

	soon   bool          // RefusedError.Transient of its refusal; set before leave
	asked  bool          // it has asked before sending its password; gate.mu guards it
	dials  bool          // it is held when it dials, so the verdict shows when it is over; likewise
	asking time.Time     // when it began to wait for its turn; likewise
	held   time.Duration // for how long it did; likewise
	judged bool          // the verdict is known; gate.mu guards it
	turn   chan struct{} // closed, with gate.mu held, when it becomes the sender; nil: it does not wait
}

// enter waits until a login with this version may begin. The error is a
// *RefusedError if the version was refused, now or while waiting, and else the
// context's or secrets.ErrClosed; a context that has ended begins no login. The caller
// must pass the result to leave once.
//
// With probe the version is admitted although it was refused, when the time has
// come for that, unless nobody has heard of the refusal yet.
func (g *Gate) enter(ctx context.Context, ticket uint64, version, stage string, probe bool) (*pass, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if probe {
		if err := g.awaitRetry(ctx, version, stage); err != nil {
			return nil, err
		}
	}
	p := &pass{
		g: g, ctx: ctx, version: version, stage: stage, ticket: ticket, probe: probe,
		since: time.Now(), decided: make(chan struct{}), stop: make(chan struct{}),
	}
	if r := g.queue(p); r != nil {
		return nil, barred(r)
	}
	var err error
	select {
	case <-p.decided:
	case <-ctx.Done():
		err = ctx.Err()
	case <-g.closing.Done():
		err = errClosed
	}
	if err != nil && g.withdraw(p) {
		return nil, err
	}
	if p.barred != nil {
		return nil, barred(p.barred)
	}
	if err = ctx.Err(); err != nil {
		g.leave(p, failed, nil)
		return nil, err
	}
	return p, nil
}

// awaitRetry bars a version that the server has refused, until it may be
// offered again. Where that is a moment, it waits.
func (g *Gate) awaitRetry(ctx context.Context, version, stage string) error {
	for {
		at, r := g.retryAt(version, stage)
		wait := time.Until(at)
		switch {
		case r == nil || r.unheard || !at.IsZero() && wait <= 0:
			return nil
		case at.IsZero() || wait > retryWait:
			return &RefusedError{Err: r.err, Barred: true, Next: at, paced: true}
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return &RefusedError{Err: r.err, Barred: true, Next: at, paced: true}
		case <-g.closing.Done():
			timer.Stop()
			return errClosed
		}
	}
}

// retryAt returns the refusal because of which a prober's login is a retry, and
// when it may begin; the zero time: not in the foreseeable future. The refusal
// is nil if it is none.
func (g *Gate) retryAt(version, stage string) (time.Time, *refusal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.refused[version]
	if g.max == 0 || r == nil || !r.retry(stage) {
		return time.Time{}, nil
	}
	now := time.Now()
	if r.soon && awaited(stage) {
		return later(r.at.Add(r.transient()), now), new(*r)
	}
	if !awaited(stage) && now.Sub(r.at) < r.slow() {
		return time.Time{}, new(*r)
	}
	at, ok := g.retries.at(now)
	if !ok {
		return time.Time{}, new(*r)
	}
	at = later(at, r.at.Add(retryPace))
	r.wanted = now
	if g.goesFirstLocked(r, now) {
		at = later(at, now).Add(retryPace)
	}
	return later(at, now), new(*r)
}

// nextRetry returns when a version may be offered again that was just refused;
// the zero time: not in the foreseeable future.
func (g *Gate) nextRetry(p *pass) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.refused[p.version]
	if g.max == 0 || r == nil || !awaited(p.stage) {
		return time.Time{}
	}
	if r.soon {
		return r.at.Add(r.transient())
	}
	at, ok := g.retries.at(time.Now())
	if !ok {
		return time.Time{}
	}
	return later(at, r.at.Add(retryPace))
}

// goesFirstLocked reports whether another version has waited longer than r's to
// be offered again.
func (g *Gate) goesFirstLocked(r *refusal, now time.Time) bool {
	for _, o := range g.refused {
		if o.at.Before(r.at) && now.Sub(o.wanted) < 2*retryPace {
			return true
		}
	}
	return false
}

// awaited reports whether versions with a label are likely to be accepted in
// future: the database is what has to come back, or to follow.
func awaited(stage string) bool { return stage == secrets.Current || stage == secrets.Pending }

// retry reports whether a login with a label says nothing new of the version.
// That it is pending says nothing new of one that was refused as the current.
func (r *refusal) retry(stage string) bool {
	return !awaited(stage) || slices.Contains(r.stages, stage) ||
		stage == secrets.Pending && slices.Contains(r.stages, secrets.Current)
}

// slow returns for how long a version is not offered that is not awaited.
func (r *refusal) slow() time.Duration { return min(slowestRetry, slowRetry<<min(r.n-1, 4)) }

// transient returns for how long a version is not offered whose refusal may be
// over in a moment.
func (r *refusal) transient() time.Duration { return min(retryPace, time.Second<<min(r.n-1, 4)) }

// queue puts p in its place, and admits whoever is next. It returns the
// refusal if p's version is barred.
func (g *Gate) queue(p *pass) error {
	limit := g.limit()
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.barredLocked(p); r != nil {
		return r.err
	}
	byTicket := func(o *pass, ticket uint64) int { return cmp.Compare(o.ticket, ticket) }
	i, _ := slices.BinarySearchFunc(g.waiting, p.ticket, byTicket)
	g.waiting = slices.Insert(g.waiting, i, p)
	g.admitLocked(limit)
	return nil
}

// limit is how many logins may be under way now.
func (g *Gate) limit() int {
	if g.max > 1 && g.rotating() {
		return 1
	}
	return g.max
}

// barredLocked returns the refusal that keeps p from the server, or nil. When
// the refusal has grown old, p is the one that tries the version again.
func (g *Gate) barredLocked(p *pass) *refusal {
	r := g.refused[p.version]
	switch {
	case r == nil:
		return nil
	case p.probe && r.unheard && time.Since(r.at) < refusalMemory:
		r.unheard = false
		return r
	case p.probe:
	case time.Since(r.at) >= refusalMemory:
		r.at = time.Now()
	default:
		return r
	}
	return nil
}

// admitLocked admits the next in the queue while there is room, in the order of
// their tickets. Callers whose context has ended are passed over: they withdraw
// by themselves.
func (g *Gate) admitLocked(limit int) {
	now := time.Now()
	for i := 0; i < len(g.waiting) && !g.closed; {
		p := g.waiting[i]
		if p.ctx.Err() != nil {
			i++
			continue
		}
		at, ok := g.pace.next(now, p.since, len(g.underWay), len(g.waiting), limit)
		if !ok {
			return
		}
		if at.After(now) {
			g.admitAtLocked(at.Sub(now))
			return
		}
		g.waiting = slices.Delete(g.waiting, i, i+1)
		g.admitOneLocked(p, now)
	}
	if len(g.waiting) == 0 {
		g.pace.empty()
	}
}

func (g *Gate) admitOneLocked(p *pass, now time.Time) {
	if r := g.refused[p.version]; r != nil {
		p.trial = true
		if r.retry(p.stage) && !r.soon {
			g.retries.begin(now)
		}
	}
	g.pace.begin(now, len(g.underWay))
	p.began = now
	g.underWay = append(g.underWay, p)
	close(p.decided)
}

// admitAtLocked has the queue looked at again after a time.
func (g *Gate) admitAtLocked(wait time.Duration) {
	if g.timer != nil {
		g.timer.Stop()
	}
	g.timer = time.AfterFunc(wait, func() {
		limit := g.limit()
		g.mu.Lock()
		defer g.mu.Unlock()
		g.admitLocked(limit)
	})
}

// withdraw takes p out of the queue. It reports false if p is not there: it
// was admitted or barred.
func (g *Gate) withdraw(p *pass) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, p)
	if i < 0 {
		return false
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	return true
}

// A verdict is how a login ended.
type verdict uint8

const (
	failed   verdict = iota // the server said nothing of the password
	accepted                // it accepted the version
	refused                 // it refused the version
)

// leave ends a login. err is the server's answer if it refused the version.
func (g *Gate) leave(p *pass, v verdict, err error) {
	limit := g.limit()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.underWay = slices.DeleteFunc(g.underWay, func(o *pass) bool { return o == p })
	if v != failed {
		g.pace.verdict(time.Since(p.began)-p.held, p.asked)
	}
	switch {
	case v == refused:
		g.refuseLocked(p, err, p.left)
	case v == accepted && p.trial:
		// Only a login that began after the refusal undoes it: an earlier
		// one may have got in before the server's password changed.
		delete(g.refused, p.version)
	}
	g.judgedLocked(p)
	g.admitLocked(limit)
}

// refuse remembers a refusal that became known after the login had left.
func (g *Gate) refuse(p *pass, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuseLocked(p, err, true)
}

// refuseLocked remembers a refusal, stops the logins with that version that
// are under way, and bars those that wait. A prober offers the version although
// it was refused, so it goes on. unheard says that the caller of the refused login
// has left.
func (g *Gate) refuseLocked(p *pass, err error, unheard bool) {
	g.noteLocked(p, err, unheard)
	for _, o := range g.underWay {
		if o.version == p.version && o.reason == nil && !o.probe {
			o.reason = err
			close(o.stop)
		}
	}
	g.waiting = slices.DeleteFunc(g.waiting, func(o *pass) bool {
		if o.version != p.version || o.probe {
			return false
		}
		o.barred = err
		close(o.decided)
		return true
	})
}

func (g *Gate) noteLocked(p *pass, err error, unheard bool) {
	r := g.refused[p.version]
	if r == nil {
		g.forgetLocked()
		if g.refused == nil {
			g.refused = make(map[string]*refusal)
		}
		r = new(refusal)
		g.refused[p.version] = r
	}
	r.err, r.at, r.unheard, r.soon = err, time.Now(), unheard, p.soon
	g.pace.refused = r.at
	r.n++
	if !slices.Contains(r.stages, p.stage) {
		r.stages = append(r.stages, p.stage)
	}
}

// forgetLocked makes room for one more refusal: the oldest is forgotten.
func (g *Gate) forgetLocked() {
	if len(g.refused) < maxRefusals {
		return
	}
	var oldest string
	for version, r := range g.refused {
		if o := g.refused[oldest]; o == nil || r.at.Before(o.at) {
			oldest = version
		}
	}
	delete(g.refused, oldest)
}
