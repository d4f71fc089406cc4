package secrets

import (
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// A tooOldError is a failed read for which there was a value, but one too old
// to be served. It wraps the reason why the service was unavailable.
type tooOldError struct {
	since time.Time // when the service last confirmed the value
	err   error
}

func (e *tooOldError) Error() string {
	return "the cached value is too old to be served (last confirmed " + e.since.UTC().Format(time.RFC3339) +
		", see Options.MaxStale), and the service is unavailable: " + e.err.Error()
}

func (e *tooOldError) Unwrap() error { return e.err }

// outdated remembers, by id, when a value that became too old was last
// confirmed. The value's entry is already gone. The size is bounded.
type outdated struct {
	since *simplelru.LRU[string, time.Time]
}

// addLocked remembers a value under the ids that it was read by.
func (o *outdated) addLocked(size int, since time.Time, ids ...string) {
	if o.since == nil {
		o.since, _ = simplelru.NewLRU[string, time.Time](size+len(ids), nil)
	}
	for _, id := range ids {
		if id != "" {
			o.since.Add(id, since)
		}
	}
}

// removeLocked removes ids, because there is a newer value.
func (o *outdated) removeLocked(ids ...string) {
	for _, id := range ids {
		if o.since != nil {
			o.since.Remove(id)
		}
	}
}

// sinceLocked returns when the value that became too old was last confirmed. It
// returns the zero time if there was none.
func (o *outdated) sinceLocked(id string) time.Time {
	if o.since == nil {
		return time.Time{}
	}
	since, _ := o.since.Get(id)
	return since
}

// tooOldErrorLocked returns the error of a read of id that failed with err. If
// there was a value that is too old, the error says when it was last confirmed.
func (c *cache) tooOldErrorLocked(id string, err error) error {
	if a := answerOf(err); a == gone || a == denied || err == ErrClosed {
		return err
	}
	since := c.outdated.sinceLocked(id)
	if e := c.knownLocked(id); e != nil && e.cur != nil && !e.lease.Servable(&c.rules, c.now()) {
		since = c.wall(e.lease.Confirmed())
	}
	if since.IsZero() {
		return err
	}
	return &tooOldError{since, err}
}
