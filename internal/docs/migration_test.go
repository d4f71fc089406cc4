package docs_test

import (
	"strings"
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
	checkTable(t, "../README.md", "differences", inReadme(table))
}

// inReadme leaves the rows that a newcomer should know.
func inReadme(table string) string {
	var b strings.Builder
	for line := range strings.Lines(table) {
		for _, row := range []string{"what a program does", "---", "for the first time", "50 ms", "200 ms", "the value changes", "not the JSON", "without the service", "was deleted", "of a rotation"} {
			if strings.Contains(line, row) {
				b.WriteString(line)
				break
			}
		}
	}
	return b.String()
}
