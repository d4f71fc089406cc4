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
	db        *sql.DB
	connector driver.Connector

	counters
}

const (
	// pause is how long a goroutine rests between two queries, at most.
	pause = 10 * time.Millisecond
	// patience is how long a query may take, the connecting included.
	patience = 30 * time.Second
)

func newLoad(connector driver.Connector) *load {
	l := &load{connector: connector}
	l.db = sql.OpenDB(l)
	return l
}

// startLoad has workers goroutines query through the connector until close.
func startLoad(ctx context.Context, connector driver.Connector, workers int) *load {
	l := newLoad(connector)
	l.db.SetMaxIdleConns(50)
	l.db.SetConnMaxLifetime(50 * time.Millisecond)
	l.run(ctx, workers, l.query)
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
func (l *load) Connect(ctx context.Context) (conn driver.Conn, err error) {
	l.connect(func() error {
		conn, err = l.connector.Connect(ctx)
		return err
	})
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
