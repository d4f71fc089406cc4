package rediscred

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// refusalMemory is how long a refused version is kept from the server. After
// it one login is admitted to find out whether the server still refuses it.
const refusalMemory = 5 * time.Second

// A gate lets few passwords at a time be on their way to a server without its
// verdict, in the order they come, and keeps callers from sending one that the
// server has refused. It is safe for concurrent use by multiple goroutines.
//
// Its rules: no more than max admissions are under way; a version is refused by
// the server no more often than once per refusalMemory, max admissions and
// prober; every admission ends with one call of leave; a caller whose context
// has ended is not admitted.
type gate struct {
	max     int
	tickets atomic.Uint64

	mu       sync.Mutex // guards the fields below; held for no I/O and no callback
	underWay int
	waiting  []*admission        // by ticket
	refused  map[string]*refusal // by version id
	closed   bool                // no login is admitted any more
}

// A refusal is what the gate knows of a version that the server refused.
type refusal struct {
	err     error     // what the server said
	at      time.Time // when it was refused, or last admitted to be tried again
	unheard bool      // its caller had left: the next prober is told in place of a login
}

// An admission is one login's way through a gate.
type admission struct {
	ctx     context.Context // of the caller; one that has left is not admitted
	version string
	ticket  uint64        // its place in the queue
	probe   bool          // offers the version although it was refused
	trial   bool          // admitted in spite of an earlier refusal: a success undoes it
	decided chan struct{} // closed, with gate.mu held, when the login is admitted or barred
	barred  error         // set before decided is closed: the refusal that bars it
}

// A barredError says that a login did not take place because the server has
// just refused another one with the same version.
type barredError struct{ refusal error }

func (e *barredError) Error() string { return e.refusal.Error() }
func (e *barredError) Unwrap() error { return e.refusal }

// NotOffered reports that the server did not see the login: see secrets.Rejected.
func (e *barredError) NotOffered() bool { return true }

// ticket returns a new place at the end of the queue. A caller who is barred
// and returns with another version and the same ticket keeps that place.
func (g *gate) ticket() uint64 { return g.tickets.Add(1) }

// enter waits until a login with this version may begin. The error is a
// *barredError if the version was refused, now or while waiting, and else the
// context's. The caller must pass the admission to leave once.
//
// With probe the version is admitted whether it was refused or not, unless
// nobody has heard of the refusal yet.
func (g *gate) enter(ctx context.Context, ticket uint64, version string, probe bool) (*admission, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p := &admission{ctx: ctx, version: version, ticket: ticket, probe: probe, decided: make(chan struct{})}
	if r := g.queue(p); r != nil {
		return nil, &barredError{r}
	}
	select {
	case <-p.decided:
	case <-ctx.Done():
		if g.withdraw(p) {
			return nil, ctx.Err()
		}
		<-p.decided
	}
	if p.barred != nil {
		return nil, &barredError{p.barred}
	}
	if err := ctx.Err(); err != nil {
		g.leave(p, false, nil, false)
		return nil, err
	}
	return p, nil
}

// queue puts p in its place, and admits whoever is next. It returns the
// refusal if p's version is barred.
func (g *gate) queue(p *admission) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.barredLocked(p); r != nil {
		return r.err
	}
	byTicket := func(o *admission, ticket uint64) int { return cmp.Compare(o.ticket, ticket) }
	i, _ := slices.BinarySearchFunc(g.waiting, p.ticket, byTicket)
	g.waiting = slices.Insert(g.waiting, i, p)
	g.admitLocked()
	return nil
}

// barredLocked returns the refusal that keeps p from the server, or nil. When
// the refusal has grown old, p is the one that tries the version again.
func (g *gate) barredLocked(p *admission) *refusal {
	r := g.refused[p.version]
	switch {
	case r == nil:
	case p.probe && (!r.unheard || time.Since(r.at) >= refusalMemory):
	case p.probe:
		r.unheard = false
		return r
	case time.Since(r.at) >= refusalMemory:
		r.at = time.Now()
	default:
		return r
	}
	return nil
}

// admitLocked admits the next in the queue while there is room. Callers whose
// context has ended are passed over: they withdraw by themselves.
func (g *gate) admitLocked() {
	g.waiting = slices.DeleteFunc(g.waiting, func(p *admission) bool {
		if g.closed || g.underWay >= g.max || p.ctx.Err() != nil {
			return false
		}
		p.trial = g.refused[p.version] != nil
		g.underWay++
		close(p.decided)
		return true
	})
}

// close admits no login from now on. Those who wait do so until their context
// ends.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

// withdraw takes p out of the queue. It reports false if p is not there: it
// was admitted or barred.
func (g *gate) withdraw(p *admission) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, p)
	if i < 0 {
		return false
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	return true
}

// leave ends a login. refused is what the server said if it refused the
// version, ok tells that the login succeeded; it is neither when the login
// failed otherwise. left tells that the login's caller did not wait.
func (g *gate) leave(p *admission, ok bool, refused error, left bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.underWay--
	switch {
	case refused != nil:
		g.refuseLocked(p.version, refused, left)
	case ok && p.trial:
		// Only a login that began after the refusal undoes it: an earlier
		// one may have got in before the server's password changed.
		delete(g.refused, p.version)
	}
	g.admitLocked()
}

// refuseLocked remembers a refusal and bars those who wait with that version.
// A prober offers the version although it was refused, so it goes on waiting.
func (g *gate) refuseLocked(version string, err error, unheard bool) {
	now := time.Now()
	for v, r := range g.refused {
		if now.Sub(r.at) >= refusalMemory {
			delete(g.refused, v)
		}
	}
	if g.refused == nil {
		g.refused = make(map[string]*refusal)
	}
	g.refused[version] = &refusal{err, now, unheard}
	g.waiting = slices.DeleteFunc(g.waiting, func(p *admission) bool {
		if p.version != version || p.probe {
			return false
		}
		p.barred = err
		close(p.decided)
		return true
	})
}
