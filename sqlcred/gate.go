package sqlcred

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// refusalMemory is how long a refused version is kept from the server. After
// it one login is let through to see whether the server still refuses it.
const refusalMemory = 30 * time.Second

// A gate lets few logins through at a time, in the order they come, and sees
// to it that a version of the secret that the server has refused is not
// offered again by those who were about to. It is safe for concurrent use by
// multiple goroutines.
type gate struct {
	max      int         // logins under way at a time; 0: any number
	rotating func() bool // whether to let one through at a time; must not block

	tickets atomic.Uint64

	mu       sync.Mutex          // guards the fields below; nothing is called and nobody waited for while it is held
	underWay []*passage          // logins let through that are not over
	waiting  []*passage          // first come first, by ticket
	refused  map[string]*refusal // by version id
}

// A refusal is what the gate knows of a version that the server refused.
type refusal struct {
	err error     // what the driver returned
	at  time.Time // when it was refused, or last let through to be tried again
}

// A passage is one login's way through a gate.
type passage struct {
	version string
	ticket  uint64        // its place in the queue
	probe   bool          // offers the version although it was refused
	trial   bool          // let through in spite of an earlier refusal: a success undoes it
	decided chan struct{} // closed, with gate.mu held, when the login is let through or turned away
	turned  error         // set before decided is closed: the refusal that turned it away
	stop    chan struct{} // closed, with gate.mu held, when a login with the same version was refused
	reason  error         // set before stop is closed: that refusal
}

// A turnedAway error says that a login did not take place because the server
// has just refused another one with the same version.
type turnedAway struct{ refusal error }

func (e *turnedAway) Error() string { return e.refusal.Error() }
func (e *turnedAway) Unwrap() error { return e.refusal }

// ticket returns a new place at the end of the queue. Who is turned away and
// comes again with another version, with the same ticket, does not lose it.
func (g *gate) ticket() uint64 { return g.tickets.Add(1) }

// enter waits until a login with this version may begin. The error is a
// *turnedAway if the version was refused, now or while waiting, and else the
// context's. A passage that enter returns must be given to leave once.
//
// With probe the version is let through whether it was refused or not.
func (g *gate) enter(ctx context.Context, ticket uint64, version string, probe bool) (*passage, error) {
	p := &passage{
		version: version,
		ticket:  ticket,
		probe:   probe,
		decided: make(chan struct{}),
		stop:    make(chan struct{}),
	}
	limit := g.limit()
	g.mu.Lock()
	if r := g.barredLocked(p); r != nil {
		g.mu.Unlock()
		return nil, &turnedAway{r.err}
	}
	i, _ := slices.BinarySearchFunc(g.waiting, ticket, func(o *passage, ticket uint64) int { return cmp.Compare(o.ticket, ticket) })
	g.waiting = slices.Insert(g.waiting, i, p)
	g.admitLocked(limit)
	g.mu.Unlock()

	select {
	case <-p.decided:
	case <-ctx.Done():
		if g.withdraw(p) {
			return nil, ctx.Err()
		}
	}
	if p.turned != nil {
		return nil, &turnedAway{p.turned}
	}
	return p, nil
}

// limit is how many logins may be under way now.
func (g *gate) limit() int {
	if g.max > 1 && g.rotating() {
		return 1
	}
	return g.max
}

// barredLocked returns the refusal that keeps p from the server, or nil. When
// the refusal has grown old, p is the one that tries the version again.
func (g *gate) barredLocked(p *passage) *refusal {
	r := g.refused[p.version]
	switch {
	case r == nil:
		return nil
	case p.probe:
	case time.Since(r.at) >= refusalMemory:
		r.at = time.Now()
	default:
		return r
	}
	return nil
}

// admitLocked lets through who is next while there is room.
func (g *gate) admitLocked(limit int) {
	n := 0
	for n < len(g.waiting) && (limit == 0 || len(g.underWay) < limit) {
		p := g.waiting[n]
		p.trial = g.refused[p.version] != nil
		g.underWay = append(g.underWay, p)
		close(p.decided)
		n++
	}
	g.waiting = slices.Delete(g.waiting, 0, n)
}

// withdraw takes p out of the queue. It reports false if p is not there: it
// was let through or turned away.
func (g *gate) withdraw(p *passage) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, p)
	if i < 0 {
		return false
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	return true
}

// leave ends a login. refused is the driver's error if the server refused the
// version; ok tells that the login succeeded. It is neither when the login
// failed otherwise.
func (g *gate) leave(p *passage, ok bool, refused error) {
	limit := g.limit()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.underWay = slices.DeleteFunc(g.underWay, func(o *passage) bool { return o == p })
	switch {
	case refused != nil:
		g.refuseLocked(p.version, refused)
	case ok && p.trial:
		// Only a login that began after the refusal undoes it: an earlier
		// one may have got in before the server's password changed.
		delete(g.refused, p.version)
	}
	g.admitLocked(limit)
}

// refuseLocked remembers a refusal, stops the logins with that version that
// are under way, and turns away those that wait; but not a prober, which knows.
func (g *gate) refuseLocked(version string, err error) {
	now := time.Now()
	for v, r := range g.refused {
		if now.Sub(r.at) >= refusalMemory {
			delete(g.refused, v)
		}
	}
	if g.refused == nil {
		g.refused = make(map[string]*refusal)
	}
	g.refused[version] = &refusal{err, now}
	for _, p := range g.underWay {
		if p.version == version && p.reason == nil && !p.probe {
			p.reason = err
			close(p.stop)
		}
	}
	g.waiting = slices.DeleteFunc(g.waiting, func(p *passage) bool {
		if p.version != version || p.probe {
			return false
		}
		p.turned = err
		close(p.decided)
		return true
	})
}
