package secrets

import (
	"errors"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// A negativeCache remembers failures for a short time, so that repeated reads
// of a secret that does not exist do not each cause a request. Its size is
// bounded.
type negativeCache struct {
	failures *simplelru.LRU[question, *failure]
}

// A question is the key of a remembered failure.
type question struct {
	id  string
	sel Selector
}

// A failure is a remembered error.
type failure struct {
	err   error
	since instant
	until instant
	n     int    // failures in a row
	no    uint64 // the number of the check that got a definite error; 0: the error is not definite
}

const (
	minNegative = time.Second
	maxNegative = 10 * time.Second
)

func newNegativeCache(size int) negativeCache {
	failures, _ := simplelru.NewLRU[question, *failure](size, nil)
	return negativeCache{failures}
}

// add remembers err for a time that grows with each repetition. It does not
// remember the end of a context, which says nothing about the secret.
func (n negativeCache) add(q question, err error, now instant) {
	if answerOf(err) == canceled || errors.Is(err, ErrClosed) {
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

// addNo is add for a definite error of a check.
func (n negativeCache) addNo(q question, check uint64, err error, now instant) {
	n.add(q, err, now)
	if f, ok := n.failures.Peek(q); ok {
		f.no = check
	}
}

// no returns the number of the last check that got a definite error. It returns
// 0 if none is remembered.
func (n negativeCache) no(q question) uint64 {
	if f, ok := n.failures.Peek(q); ok {
		return f.no
	}
	return 0
}

// get returns the failure of q that is still remembered.
func (n negativeCache) get(q question, now instant) error {
	f, ok := n.failures.Get(q)
	if !ok || now >= f.until || now < f.since {
		return nil
	}
	return f.err
}

func (n negativeCache) remove(q question) { n.failures.Remove(q) }

func (n negativeCache) clear() { n.failures.Purge() }
