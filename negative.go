package secrets

import (
	"errors"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// A negativeCache remembers failures for a moment, so that reads of a secret
// that does not exist do not become as many requests. It is bounded.
type negativeCache struct {
	failures *simplelru.LRU[question, *failure]
}

// A question is what a failure belongs to.
type question struct {
	id  string
	sel Selector
}

// A failure is a remembered error.
type failure struct {
	err   error
	since instant
	until instant
	n     int // how often in a row
}

const (
	minNegative = time.Second
	maxNegative = 10 * time.Second
)

func newNegativeCache(size int) negativeCache {
	failures, _ := simplelru.NewLRU[question, *failure](size, nil)
	return negativeCache{failures}
}

// add remembers err for a time that grows with each repetition. The end of a
// context says nothing about the secret and is not remembered.
func (n negativeCache) add(q question, err error, now instant) {
	if isContextError(err) || errors.Is(err, ErrClosed) {
		return
	}
	f, ok := n.failures.Get(q)
	if !ok {
		f = &failure{}
		n.failures.Add(q, f)
	}
	f.err, f.since = err, now
	f.until = now.Add(min(maxNegative, minNegative<<min(f.n, 10)))
	f.n++
}

// get returns the failure that still stands for q.
func (n negativeCache) get(q question, now instant) error {
	f, ok := n.failures.Get(q)
	if !ok || now >= f.until || now < f.since {
		return nil
	}
	return f.err
}

func (n negativeCache) remove(q question) { n.failures.Remove(q) }

func (n negativeCache) clear() { n.failures.Purge() }
