package dbtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
)

// A Shared is a server that the tests of a package share: it is started when
// it is first needed, and stopped by [Run]. Tests that run at the same time
// tell their databases, users and tables apart by name, and count refused
// logins by user. It is safe for concurrent use by multiple goroutines.
type Shared struct {
	start   startFunc
	options *dbserver.Options

	once   sync.Once
	server *dbserver.Server // nil after a failed start
	err    error            // of the start
}

// shared are all that there are, for Run. Package variables make them, before
// any test runs.
var shared []*Shared

// SharedPostgres returns a PostgreSQL for the package variable of a test. It
// is not started yet.
func SharedPostgres(o *dbserver.Options) *Shared { return newShared(dbserver.Postgres, o) }

// SharedMariaDB is like [SharedPostgres], for a MariaDB.
func SharedMariaDB(o *dbserver.Options) *Shared { return newShared(dbserver.MariaDB, o) }

// SharedRedis is like [SharedPostgres], for a Redis.
func SharedRedis(o *dbserver.Options) *Shared { return newShared(dbserver.Redis, o) }

func newShared(start startFunc, o *dbserver.Options) *Shared {
	s := &Shared{start: start, options: o}
	shared = append(shared, s)
	return s
}

// Server returns the server and starts it if no test has yet. If it is not
// installed the test is skipped; where the environment variable CI is set it
// fails instead, as it does if the server does not start.
func (s *Shared) Server(t testing.TB) *dbserver.Server {
	t.Helper()
	s.once.Do(func() { s.server, s.err = s.start(context.Background(), s.options) })
	check(t, s.err)
	return s.server
}

// stop stops the server if it was started.
func (s *Shared) stop() error {
	if s.server == nil {
		return nil
	}
	return s.server.Stop()
}

// Run runs the tests of a package, stops the servers that they share, and
// returns the status to exit with. TestMain calls it.
func Run(m *testing.M) int {
	code := m.Run()
	var errs []error
	for _, s := range shared {
		errs = append(errs, s.stop())
	}
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
