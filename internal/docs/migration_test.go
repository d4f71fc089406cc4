package docs_test

import (
	"testing"
	"testing/synctest"

	"github.com/seed-74dc7b3e/secrets/internal/migration"
)

// What changes for a program that comes from AWS's caching client.
func TestMigration(t *testing.T) {
	table := migration.Table(func(play func()) {
		synctest.Test(t, func(*testing.T) { play() })
	})
	checkTable(t, "migration.md", "differences", table)
}
