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
	pool      queryPool
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
	// lifetime is how long a connection is used.
	lifetime = 50 * time.Millisecond
	// patience is how long a query may take, the connecting included.
	patience = 30 * time.Second
)

// newLoad opens the client's pool, which uses a connection for as long as keep;
// zero means for one query.
func newLoad(ctx context.Context, connector driver.Connector, keep time.Duration) (*load, error) {
	l := &load{connector: connector, pool: new(sqlPool), underway: new(sync.WaitGroup)}
	if p, ok := connector.(queryPool); ok {
		l.pool = p
	}
	return l, l.pool.open(ctx, l, keep)
}

// startLoad has workers goroutines query through the connector until close.
func startLoad(ctx context.Context, connector driver.Connector, workers int) (*load, error) {
	l, err := newLoad(ctx, connector, lifetime)
	if err != nil {
		return nil, err
	}
	ctx, l.stop = context.WithCancel(ctx)
	for range workers {
		l.wait.Go(func() {
			for ctx.Err() == nil {
				l.query()
				_ = sleep(ctx, mrand.N(pause))
			}
		})
	}
	return l, nil
}

// query does one query to its end. It is not cut short when the load ends: a
// query fails for reasons of its own only.
func (l *load) query() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	l.queries.Add(1)
	if err := l.pool.ask(ctx); err != nil {
		l.failedQueries.Add(1)
		l.errs.add("query", err)
	}
}

// close lets the queries under way finish and closes the pool.
func (l *load) close() error {
	l.stop()
	l.wait.Wait()
	return l.pool.close()
}

// sqlPool is database/sql.
type sqlPool struct{ db *sql.DB }

func (p *sqlPool) open(_ context.Context, l *load, keep time.Duration) error {
	p.db = sql.OpenDB(l)
	if keep == 0 {
		p.db.SetMaxIdleConns(-1)
		return nil
	}
	p.db.SetMaxIdleConns(50)
	p.db.SetConnMaxLifetime(keep)
	return nil
}

func (p *sqlPool) ask(ctx context.Context) error {
	var one int
	return p.db.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}

func (p *sqlPool) close() error { return p.db.Close() }

// Connect counts what the connector under test does. The connection is that
// one's own.
func (l *load) Connect(ctx context.Context) (driver.Conn, error) {
	ended := l.connect()
	conn, err := l.connector.Connect(ctx)
	ended(err)
	return conn, err
}

// connect counts a connect that begins, and one that ends when the function it
// returns is called.
func (l *load) connect() (ended func(error)) {
	l.mu.Lock()
	underway := l.underway
	underway.Add(1)
	l.mu.Unlock()
	start := time.Now()
	return func(err error) {
		defer underway.Done()
		took := int64(time.Since(start))
		for old := l.slowest.Load(); took > old && !l.slowest.CompareAndSwap(old, took); old = l.slowest.Load() {
		}
		l.connects.Add(1)
		if err != nil {
			l.failedConnects.Add(1)
			l.errs.add("connect", err)
		}
	}
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
