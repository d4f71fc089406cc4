package gate

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// refusalMemory is how long the gate holds back a refused version. After that it
// admits one login to find out whether the server still refuses the version.
const refusalMemory = 30 * time.Second

// maxRefusals is the maximum number of refused versions that are remembered.
const maxRefusals = 64

// A refusal describes a version that the server refused.
type refusal struct {
	err    error     // the server's answer
	at     time.Time // when the version was refused, or last admitted to be tried again
	stages []string  // the labels under which the version was refused
	n      int       // number of refusals
	soon   bool      // the refusal may soon be over: RefusedError.Transient
	wanted time.Time // when a prober last asked to offer the version again

	unheard bool // the caller had left: the next prober gets this refusal instead of a login
}

// A pass is one login's way through a gate.
type pass struct {
	g       *Gate
	ctx     context.Context // the caller's; not admitted after it has ended
	version string
	stage   string
	ticket  uint64        // its place in the queue
	probe   bool          // offers the version although it was refused
	trial   bool          // admitted despite an earlier refusal, which a success removes
	since   time.Time     // when it entered the queue
	began   time.Time     // when it was admitted
	decided chan struct{} // closed, with gate.mu held, when the login is admitted or barred
	barred  error         // set before decided is closed: the refusal that bars it
	stop    chan struct{} // closed, with gate.mu held, when a login with the same version was refused
	reason  error         // set before stop is closed: that refusal
	left    bool          // the caller has left; set by the goroutine that calls leave
	cancel  func()        // ends the login's context; set before it begins

	soon   bool          // RefusedError.Transient of the refusal; set before leave
	asked  bool          // the login asked before it sent its password; gate.mu guards it
	dials  bool          // the login is held when it dials, so its verdict is known when it is over; likewise
	asking time.Time     // when it began to wait for its turn; likewise
	held   time.Duration // how long it waited for its turn; likewise
	judged bool          // the verdict is known; gate.mu guards it
	turn   chan struct{} // closed, with gate.mu held, when the login becomes the sender; nil if it does not wait
}

// enter waits until a login with this version may begin. It returns a
// *RefusedError if the server has refused the version, before or while enter
// waits, secrets.ErrClosed after Close, or the error of ctx. No login begins after
// ctx has ended. The caller must pass the result to leave once.
//
// With probe, enter admits a refused version when it is time for a retry. If no
// caller has received the refusal yet, enter returns it instead.
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

// awaitRetry returns a *RefusedError if the server has refused the version and it
// may not be offered again yet. If the retry is due within retryWait, it waits
// for that.
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

// retryAt returns the refusal that makes a prober's login a retry, and when the
// login may begin. The zero time means not in the foreseeable future. The refusal
// is nil if the login is not a retry.
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

// nextRetry returns when a version that was just refused may be offered again.
// The zero time means not in the foreseeable future.
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

// awaited reports whether the server is likely to accept versions with the label
// stage in future, once the database is repaired or a rotation goes on.
func awaited(stage string) bool { return stage == secrets.Current || stage == secrets.Pending }

// retry reports whether a login under the label stage merely repeats an earlier
// one. A version that was refused as the current one is not new as a pending one.
func (r *refusal) retry(stage string) bool {
	return !awaited(stage) || slices.Contains(r.stages, stage) ||
		stage == secrets.Pending && slices.Contains(r.stages, secrets.Current)
}

// slow returns for how long a version is held back that is not awaited.
func (r *refusal) slow() time.Duration { return min(slowestRetry, slowRetry<<min(r.n-1, 4)) }

// transient returns for how long a version is held back after a refusal that may
// soon be over.
func (r *refusal) transient() time.Duration { return min(retryPace, time.Second<<min(r.n-1, 4)) }

// queue puts p in its place and admits the next logins. If p's version is barred,
// it returns the refusal instead.
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

// barredLocked returns the refusal that bars p, or nil. If the refusal is old, p
// becomes the login that tries the version again.
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

// admitLocked admits waiting logins while there is room, in the order of their
// tickets. It skips callers whose context has ended; they withdraw by themselves.
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

// admitAtLocked calls admitLocked again after wait.
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

// withdraw removes p from the queue. It reports false if p is no longer there,
// because it was admitted or barred.
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
	failed   verdict = iota // there is no verdict on the password
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
		// Only a login that began after the refusal removes it. An earlier one
		// may have succeeded before the server's password changed.
		delete(g.refused, p.version)
	}
	g.judgedLocked(p)
	g.admitLocked(limit)
}

// refuse records a refusal that arrived after the login had left the gate.
func (g *Gate) refuse(p *pass, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuseLocked(p, err, true)
}

// refuseLocked records a refusal, stops the logins with that version that are
// under way, and bars those that wait. Probers go on, because they offer the
// version although it was refused. unheard says that the caller of the refused
// login has left.
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

// forgetLocked makes room for one more refusal by removing the oldest.
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
