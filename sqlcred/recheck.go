package sqlcred

import (
	"context"
	"sync"
	"time"
)

const (
	// recheckPause is the time between two checks of the secret that failed
	// logins cause.
	recheckPause = 5 * time.Second

	// recheckTime bounds such a check.
	recheckTime = 5 * time.Second

	// hungAfter is how long a login may be under way before the secret is
	// checked: a server that has moved may not answer at its old address.
	hungAfter = 3 * time.Second
)

// A recheck is the check of the secret that is under way, or the last one.
type recheck struct {
	mu   sync.Mutex    // guards the fields below
	last time.Time     // when the last one began
	done chan struct{} // closed when it has ended; nil if there was none
}

// moved checks the secret because a login failed, and reports whether the secret
// now names a different server than the login used. If a check began within the
// last few seconds, moved uses that one. It waits for the check until ctx ends.
func (c *Connector) moved(ctx context.Context, tried Login) bool {
	select {
	case <-c.recheck.begin(c.check):
	case <-ctx.Done():
	case <-c.closing.Done():
		return false
	}
	now, ok := c.ref.Peek()
	return ok && now.login.server() != tried.server()
}

// begin runs check in the background, unless the last check is too recent. The
// returned channel is closed when the latest check has ended.
func (r *recheck) begin(check func()) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done != nil && time.Since(r.last) < recheckPause {
		return r.done
	}
	r.last = time.Now()
	done := make(chan struct{})
	r.done = done
	go func() {
		defer close(done)
		check()
	}()
	return done
}

// check asks the service for the current version. The client logs and counts
// failures.
func (c *Connector) check() {
	ctx, cancel := context.WithTimeout(c.closing, recheckTime)
	defer cancel()
	_ = c.client.Refresh(ctx, c.id)
}

// A server is the destination of a login.
type server struct {
	host, dbname string
	port         int
}

func (l Login) server() server { return server{l.Host, l.DBName, l.Port} }
