package sqlcred

import (
	"context"
	"sync"
	"time"
)

const (
	// recheckPause is the time between two checks of the secret because of
	// logins that failed.
	recheckPause = 5 * time.Second

	// recheckTime bounds such a check.
	recheckTime = 5 * time.Second

	// hungAfter is how long a login is under way before the secret is checked: a
	// server that has moved may not answer at its old address.
	hungAfter = 3 * time.Second
)

// A recheck is a check of the secret that is under way, or was.
type recheck struct {
	mu   sync.Mutex    // guards the fields below
	last time.Time     // when the last one began
	done chan struct{} // closed when it has ended; nil: there was none
}

// moved checks the secret because a login failed, if it was not for a few
// seconds, and reports whether the secret names another server now than the
// login went to. It waits for the check as long as ctx lasts.
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

// begin runs check in the background if it is time for that. It returns what is
// closed when the check that began last has ended.
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

// check asks the service for the current version. A failure is the client's to
// log and to count.
func (c *Connector) check() {
	ctx, cancel := context.WithTimeout(c.closing, recheckTime)
	defer cancel()
	_ = c.client.Refresh(ctx, c.id)
}

// A server is where a login goes to.
type server struct {
	host, dbname string
	port         int
}

func (l Login) server() server { return server{l.Host, l.DBName, l.Port} }
