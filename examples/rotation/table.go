package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// counts are the numbers in a line of the table.
type counts struct {
	queries, failedQueries int
	failedConnects         int
	wrongLogins, apiCalls  int
	slowestConnect         time.Duration
	firstError             error // of a query
}

// add adds the counts of another line.
func (c *counts) add(o counts) {
	c.queries += o.queries
	c.failedQueries += o.failedQueries
	c.failedConnects += o.failedConnects
	c.wrongLogins += o.wrongLogins
	c.apiCalls += o.apiCalls
	c.slowestConnect = max(c.slowestConnect, o.slowestConnect)
	if c.firstError == nil {
		c.firstError = o.firstError
	}
}

// counters are the counts of the next line. They are safe for concurrent use by
// multiple goroutines.
type counters struct {
	mu  sync.Mutex // guards now
	now counts
}

func (c *counters) query(err error) {
	line := counts{queries: 1}
	if err != nil {
		line.failedQueries, line.firstError = 1, err
	}
	c.add(line)
}

func (c *counters) connect(took time.Duration, err error) {
	line := counts{slowestConnect: took}
	if err != nil {
		line.failedConnects = 1
	}
	c.add(line)
}

func (c *counters) add(line counts) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now.add(line)
}

// take returns the counts since its last call.
func (c *counters) take() counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	line := c.now
	c.now = counts{}
	return line
}

// A table prints counts and sums them up.
type table struct {
	out io.Writer
	sum counts
}

const (
	names  = "%8s %7s %8s %15s %16s %13s %10s %16s\n"
	values = "%8d %7s %8d %15d %16d %13d %10d %16s\n"
)

func (t *table) header() {
	fmt.Fprintf(t.out, names, "rotation", "window", "queries", "failed queries", "failed connects", "wrong logins", "API calls", "slowest connect")
}

func (t *table) line(n int, window time.Duration, c counts) {
	t.sum.add(c)
	fmt.Fprintf(t.out, values, n, ms(window), c.queries, c.failedQueries, c.failedConnects, c.wrongLogins, c.apiCalls, ms(c.slowestConnect))
}

func (t *table) totals(rotations int) {
	c := t.sum
	fmt.Fprintf(t.out, "rotations %d, queries %d, failed queries %d, failed connects %d, wrong logins %d, API calls %d, slowest connect %s\n",
		rotations, c.queries, c.failedQueries, c.failedConnects, c.wrongLogins, c.apiCalls, ms(c.slowestConnect))
}

func ms(d time.Duration) string { return d.Round(time.Millisecond).String() }
