// Package dbtest gives tests database servers: one for a test alone, or one
// that the tests of a package share.
package dbtest

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
)

// Postgres starts a PostgreSQL that is stopped when the test and its subtests
// end. If PostgreSQL is not installed the test is skipped; where the
// environment variable CI is set it fails instead.
func Postgres(t testing.TB, o *dbserver.Options) *dbserver.Server {
	t.Helper()
	return own(t, dbserver.Postgres, o)
}

// MariaDB is like [Postgres], for a MariaDB.
func MariaDB(t testing.TB, o *dbserver.Options) *dbserver.Server {
	t.Helper()
	return own(t, dbserver.MariaDB, o)
}

// Redis is like [Postgres], for a Redis.
func Redis(t testing.TB, o *dbserver.Options) *dbserver.Server {
	t.Helper()
	return own(t, dbserver.Redis, o)
}

// A startFunc is one of package dbserver.
type startFunc func(context.Context, *dbserver.Options) (*dbserver.Server, error)

func own(t testing.TB, start startFunc, o *dbserver.Options) *dbserver.Server {
	t.Helper()
	s, err := start(t.Context(), o)
	check(t, err)
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// check ends a test whose server did not start.
func check(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, dbserver.ErrNotInstalled) && os.Getenv("CI") == "" {
		t.Skipf("LEFT OUT: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// PgBouncer is like [Postgres], for a PgBouncer in front of one.
func PgBouncer(t testing.TB, behind *dbserver.Server, o *dbserver.BouncerOptions) *dbserver.Bouncer {
	t.Helper()
	b, err := dbserver.PgBouncer(t.Context(), behind, o)
	check(t, err)
	t.Cleanup(func() {
		if err := b.Stop(); err != nil {
			t.Error(err)
		}
	})
	return b
}
