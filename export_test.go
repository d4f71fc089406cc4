package secrets

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/lease"
)

// In tests every application of an event is followed by a check whether
// everything that hits read agrees with the lease.
func init() {
	agree = func(c *cache, e *entry) {
		if msg := disagreement(c, e); msg != "" {
			panic("secrets: " + msg)
		}
	}
}

func disagreement(c *cache, e *entry) string {
	l := &e.lease
	due := l.Due(&c.rules)
	fast := e.fast.Load()
	switch {
	case (fast != nil) != l.Shown():
		return fmt.Sprintf("lease shown %t, pointer set %t", l.Shown(), fast != nil)
	case fast != nil && fast != e.cur:
		return "a version is shown that is not the current one"
	case (e.cur != nil) != l.HasValue():
		return fmt.Sprintf("lease has a value %t, entry has one %t", l.HasValue(), e.cur != nil)
	case e.cur != nil && e.cur.v.id != l.Version():
		return "lease and entry have different versions"
	case (e.place >= 0) != (due != lease.Never):
		return fmt.Sprintf("due at %d, in the heap %t", due, e.place >= 0)
	case e.place >= 0 && c.scheduler.due.entries[e.place] != e:
		return "another entry is at its place in the heap"
	case (c.scheduler.refreshes[e] != nil) != l.Refreshing():
		return fmt.Sprintf("refreshing %t, refresh %t", l.Refreshing(), c.scheduler.refreshes[e] != nil)
	case (e.flags.Load()&isStale != 0) != l.Stale():
		return fmt.Sprintf("lease stale %t, hits counted so %t", l.Stale(), !l.Stale())
	case l.Gone() && e.id != "":
		return "a lease that is gone has a name"
	}
	for _, id := range e.namesLocked() {
		if v, ok := c.index.Load(id); !ok || v.(*entry) != e {
			return fmt.Sprintf("the index does not know %q", id)
		}
	}
	if e.listed() != nil && !l.Shown() {
		return "a list of versions is shown and the lease is not"
	}
	return ""
}

// A TestClock disagrees with package time as the clocks of a process do that was
// suspended, or restored from a snapshot, or whose clock was set.
type TestClock struct{ wall, ran atomic.Int64 }

// Jump moves what time it is, and for how long the client has run.
func (k *TestClock) Jump(wall, ran time.Duration) {
	k.wall.Add(int64(wall))
	k.ran.Add(int64(ran))
}

// UseClock makes a client that was just made measure time by k.
func (c *Client) UseClock(k *TestClock) {
	c.clock.wall = func() time.Time { return time.Now().Add(time.Duration(k.wall.Load())) }
	c.clock.ran = func() time.Duration { return time.Since(c.clock.start) + time.Duration(k.ran.Load()) }
}
