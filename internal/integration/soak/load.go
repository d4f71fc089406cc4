package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	mrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// load is goroutines that query one pool, and counters of what they meet.
type load struct {
	db        *sql.DB
	connector driver.Connector

	queries, failedQueries   atomic.Int64
	connects, failedConnects atomic.Int64
	slowest                  atomic.Int64 // time.Duration of a Connect

	errs firstErrors

	mu       sync.Mutex      // guards underway
	underway *sync.WaitGroup // Connects since the last settle

	stop context.CancelFunc
	wait sync.WaitGroup
}

const (
	// pause is how long a goroutine rests between two queries, at most.
	pause = 10 * time.Millisecond
	// patience is how long a query may take, the connecting included.
	patience = 30 * time.Second
)

func newLoad(connector driver.Connector) *load {
	l := &load{connector: connector, underway: new(sync.WaitGroup)}
	l.db = sql.OpenDB(l)
	return l
}

// startLoad has workers goroutines query through the connector until close.
func startLoad(ctx context.Context, connector driver.Connector, workers int) *load {
	l := newLoad(connector)
	l.db.SetMaxIdleConns(50)
	l.db.SetConnMaxLifetime(50 * time.Millisecond)
	ctx, l.stop = context.WithCancel(ctx)
	for range workers {
		l.wait.Go(func() {
			for ctx.Err() == nil {
				l.query()
				_ = sleep(ctx, mrand.N(pause))
			}
		})
	}
	return l
}

// query does one query to its end. It is not cut short when the load ends: a
// query fails for reasons of its own only.
func (l *load) query() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	l.queries.Add(1)
	var one int
	if err := l.db.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
		l.failedQueries.Add(1)
		l.errs.add("query", err)
	}
}

// close lets the queries under way finish and closes the pool.
func (l *load) close() error {
	l.stop()
	l.wait.Wait()
	return l.db.Close()
}

// Connect counts what the connector under test does. The connection is that
// one's own.
func (l *load) Connect(ctx context.Context) (driver.Conn, error) {
	l.mu.Lock()
	underway := l.underway
	underway.Add(1)
	l.mu.Unlock()
	defer underway.Done()
	start := time.Now()
	conn, err := l.connector.Connect(ctx)
	took := int64(time.Since(start))
	for old := l.slowest.Load(); took > old && !l.slowest.CompareAndSwap(old, took); old = l.slowest.Load() {
	}
	l.connects.Add(1)
	if err != nil {
		l.failedConnects.Add(1)
		l.errs.add("connect", err)
	}
	return conn, err
}

// settle waits until every Connect that is under way has ended.
func (l *load) settle() {
	l.mu.Lock()
	underway := l.underway
	l.underway = new(sync.WaitGroup)
	l.mu.Unlock()
	underway.Wait()
}

// Driver implements driver.Connector.
func (l *load) Driver() driver.Driver { return l.connector.Driver() }

// firstErrors keeps the first error of each kind.
type firstErrors struct {
	mu    sync.Mutex // guards texts and kinds
	kinds map[string]bool
	texts []string
}

func (f *firstErrors) add(kind string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kinds[kind] {
		return
	}
	if f.kinds == nil {
		f.kinds = make(map[string]bool)
	}
	f.kinds[kind] = true
	f.texts = append(f.texts, kind+": "+err.Error())
}
