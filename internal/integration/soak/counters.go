package main

import (
	"context"
	mrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// counters count what goroutines meet that use one pool of connections.
type counters struct {
	queries, failedQueries   atomic.Int64
	connects, failedConnects atomic.Int64
	slowest                  atomic.Int64 // time.Duration of a connect

	errs firstErrors

	mu       sync.Mutex      // guards underway
	underway *sync.WaitGroup // connects since the last settle; nil: there were none

	stop context.CancelFunc
	wait sync.WaitGroup
}

// run has workers goroutines call use, with pauses, until stop.
func (c *counters) run(ctx context.Context, workers int, use func()) {
	ctx, c.stop = context.WithCancel(ctx)
	for range workers {
		c.wait.Go(func() {
			for ctx.Err() == nil {
				use()
				_ = sleep(ctx, mrand.N(pause))
			}
		})
	}
}

// connect counts a connect that begins, and one that ends when the function it
// returns is called.
func (c *counters) connect() (ended func(error)) {
	c.mu.Lock()
	if c.underway == nil {
		c.underway = new(sync.WaitGroup)
	}
	underway := c.underway
	underway.Add(1)
	c.mu.Unlock()
	start := time.Now()
	return func(err error) {
		defer underway.Done()
		took := int64(time.Since(start))
		for old := c.slowest.Load(); took > old && !c.slowest.CompareAndSwap(old, took); old = c.slowest.Load() {
		}
		c.connects.Add(1)
		if err != nil {
			c.failedConnects.Add(1)
			c.errs.add("connect", err)
		}
	}
}

// settle waits until every connect that is under way has ended.
func (c *counters) settle() {
	c.mu.Lock()
	underway := c.underway
	c.underway = nil
	c.mu.Unlock()
	if underway != nil {
		underway.Wait()
	}
}

// fill puts the figures into a report.
func (c *counters) fill(rep *report) {
	rep.queries, rep.failedQueries = c.queries.Load(), c.failedQueries.Load()
	rep.connects, rep.failedConnects = c.connects.Load(), c.failedConnects.Load()
	rep.slowestConnect = time.Duration(c.slowest.Load())
	rep.errs = c.errs.texts
}
