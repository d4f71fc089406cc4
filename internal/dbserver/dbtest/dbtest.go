// Package dbtest gives a test a database server for as long as it runs.
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
	return serve(t, dbserver.Postgres, o)
}

// MariaDB is like [Postgres], for a MariaDB.
func MariaDB(t testing.TB, o *dbserver.Options) *dbserver.Server {
	t.Helper()
	return serve(t, dbserver.MariaDB, o)
}

func serve(t testing.TB, start func(context.Context, *dbserver.Options) (*dbserver.Server, error), o *dbserver.Options) *dbserver.Server {
	t.Helper()
	s, err := start(t.Context(), o)
	if errors.Is(err, dbserver.ErrNotInstalled) && os.Getenv("CI") == "" {
		t.Skipf("LEFT OUT: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}
