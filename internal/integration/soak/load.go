package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync"
	"time"
)

// load is goroutines that query one pool, and counters of what they meet.
type load struct {
	pool      queryPool
	connector driver.Connector

	counters
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
	l := &load{connector: connector, pool: new(sqlPool)}
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
	l.run(ctx, workers, l.query)
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
func (l *load) Connect(ctx context.Context) (conn driver.Conn, err error) {
	ended := l.connect()
	conn, err = l.connector.Connect(ctx)
	ended(err)
	return conn, err
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
