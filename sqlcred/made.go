package sqlcred

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

const (
	// keepUnused is how long a driver's connector is kept after the last login
	// with it, if its version is not current. The time grows fourfold each time
	// open has to be called for that version again.
	keepUnused = time.Minute

	// maxDoubled limits this growth to ten doublings, about 17 hours.
	maxDoubled = 10

	// maxOpens is the number of versions whose calls of open are counted.
	maxOpens = 64
)

// A made is a driver's connector that open made from one version of the secret.
type made struct {
	login     Login // passed to open
	connector driver.Connector
	hold      holding // how it waits before it sends a password

	uses int       // logins under way; connectors.mu guards it
	last time.Time // when the last login began or ended; likewise
}

// is reports whether m was made from the same login and its connections would
// not be retired from the start.
func (m *made) is(l Login, current string) bool {
	return m.login.VersionID == l.VersionID && m.login.plain() == l.plain() &&
		!retired(m.login.VersionID, m.login.opened, current)
}

func (m *made) close() error {
	if closer, ok := m.connector.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// connectors are the driver's connectors that are open. They are safe for
// concurrent use by multiple goroutines.
type connectors struct {
	mu     sync.Mutex     // guards the fields below; held for no I/O and no callback
	all    []*made        // oldest first
	opens  map[string]int // calls of open, by version id
	closed bool
}

// acquire returns the connector made from l, or nil if there is none. The caller
// must pass it to release.
func (c *connectors) acquire(l Login, current string) *made {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.acquireLocked(l, current)
}

func (c *connectors) acquireLocked(l Login, current string) *made {
	for _, m := range slices.Backward(c.all) {
		if m.is(l, current) {
			m.uses++
			m.last = time.Now()
			return m
		}
	}
	return nil
}

func (c *connectors) release(m *made) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m.uses--
	m.last = time.Now()
}

// add keeps m and acquires it. If another connector with the same login has been
// added in the meantime, add acquires that one and closes m. If Close was called,
// add closes m and returns nil.
func (c *connectors) add(m *made, current string) *made {
	c.mu.Lock()
	kept := c.acquireLocked(m.login, current)
	closed := c.closed
	if kept == nil && !closed {
		m.uses, m.last = 1, time.Now()
		c.all = append(c.all, m)
		c.countLocked(m.login.VersionID)
		kept = m
	}
	c.mu.Unlock()
	if kept != m {
		_ = m.close() // nobody has used it
	}
	if closed {
		return nil
	}
	return kept
}

func (c *connectors) countLocked(version string) {
	if c.opens == nil || len(c.opens) >= maxOpens {
		c.opens = map[string]int{}
	}
	c.opens[version]++
}

// keepLocked returns for how long m is kept unused.
func (c *connectors) keepLocked(m *made) time.Duration {
	return keepUnused << min(maxDoubled, max(0, 2*(c.opens[m.login.VersionID]-1)))
}

// sweep closes the connectors that are no longer needed: no login is under way,
// none began or ended recently, and the version is not current. If the current
// version is unknown, sweep closes nothing.
func (c *connectors) sweep(current string) {
	if current == "" {
		return
	}
	c.mu.Lock()
	var unused []*made
	newer := false // the current version's newest connector has been seen
	for i := len(c.all) - 1; i >= 0; i-- {
		m := c.all[i]
		needed := m.login.VersionID == current && !newer
		newer = newer || needed
		if !needed && m.uses == 0 && time.Since(m.last) >= c.keepLocked(m) {
			unused = append(unused, m)
			c.all = slices.Delete(c.all, i, i+1)
		}
	}
	c.mu.Unlock()
	for _, m := range unused {
		_ = m.close() // there is nobody to tell
	}
}

// passwords returns the passwords of all open connectors.
func (c *connectors) passwords() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, m := range c.all {
		all = append(all, m.login.Password())
	}
	return all
}

// close closes all connectors. A connector added later is closed at once.
func (c *connectors) close() error {
	c.mu.Lock()
	all := c.all
	c.all = nil
	c.closed = true
	c.mu.Unlock()
	var errs []error
	for _, m := range all {
		errs = append(errs, m.close())
	}
	return errors.Join(errs...)
}

// acquire returns the driver's connector for v. It calls open if there is none.
func (c *Connector) acquire(v *version) (*made, error) {
	current := c.currentVersion()
	c.made.sweep(current)
	l := v.login
	if m := c.made.acquire(l, current); m != nil {
		return m, nil
	}
	l.opened = current
	opened, err := c.open(l)
	if err == nil && opened == nil {
		err = errors.New("it returned neither a connector nor an error")
	}
	if err != nil {
		return nil, fmt.Errorf("sqlcred: open for %q: %w", c.id, err)
	}
	hooked, hold := holdingOf(opened)
	m := c.made.add(&made{login: l, connector: hooked, hold: hold}, current)
	if m == nil {
		return nil, c.closedError()
	}
	d := m.connector.Driver()
	c.driver.Store(&d)
	return m, nil
}

func (c *Connector) closedError() error {
	return fmt.Errorf("sqlcred: connect with %q: %w", c.id, secrets.ErrClosed)
}
