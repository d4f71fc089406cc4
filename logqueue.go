package secrets

import (
	"context"
	"log/slog"
	"sync"
)

// A logQueue takes records where a lock is held or others wait, and hands them
// to the logger where neither is so. A log handler is somebody else's code: it
// may block, and it may read secrets. It is safe for concurrent use.
type logQueue struct {
	log *slog.Logger

	mu      sync.Mutex // guards records
	records []record
}

type record struct {
	level slog.Level
	msg   string
	args  []any
}

// add queues a record, for the next flush.
func (q *logQueue) add(level slog.Level, msg string, args ...any) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.records = append(q.records, record{level, msg, args})
}

// flush hands over what is queued. The caller holds no lock, and no flight that
// somebody waits for is its own.
func (q *logQueue) flush() {
	for _, r := range q.take() {
		q.log.Log(context.Background(), r.level, r.msg, r.args...)
	}
}

// flushBehind is flush in a goroutine of its own, for those who may not wait for
// a log handler. No goroutine is begun where nothing is queued.
func (q *logQueue) flushBehind() {
	q.mu.Lock()
	n := len(q.records)
	q.mu.Unlock()
	if n > 0 {
		go q.flush()
	}
}

func (q *logQueue) take() []record {
	q.mu.Lock()
	defer q.mu.Unlock()
	records := q.records
	q.records = nil
	return records
}
