package secrets

import (
	"context"
	"log/slog"
	"sync"
)

// loggingMutex is a mutex whose holder may log: the records are handed to the
// logger after Unlock. A log handler is somebody else's code; it may block, and
// it may read secrets.
type loggingMutex struct {
	mu      sync.Mutex
	log     *slog.Logger
	records []record // guarded by mu
}

type record struct {
	level slog.Level
	msg   string
	args  []any
}

func (m *loggingMutex) Lock() { m.mu.Lock() }

func (m *loggingMutex) Unlock() {
	records := m.records
	m.records = nil
	m.mu.Unlock()
	for _, r := range records {
		m.log.Log(context.Background(), r.level, r.msg, r.args...)
	}
}

// logLocked logs once the mutex is free.
func (m *loggingMutex) logLocked(level slog.Level, msg string, args ...any) {
	m.records = append(m.records, record{level, msg, args})
}
