// Command migration compares this library with AWS's caching client for Go. It
// plays a number of scenarios with a stand-in that behaves as that client's
// published source does, and with package secrets, each on a fake service of its
// own, and prints the outcomes as a table. The days that this takes are those of
// testing/synctest: it is done in some seconds.
//
//	go run ./examples/migration
package main

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/seed-74dc7b3e/secrets/internal/migration"
)

// The clock that jumps to the next instant that anything waits for is lent to tests
// only, so the program is made one.
func main() {
	all := func(_, _ string) (bool, error) { return true, nil }
	testing.Main(all, []testing.InternalTest{{Name: "migration", F: table}}, nil, nil)
}

func table(t *testing.T) {
	fmt.Print(migration.Table(func(play func()) {
		synctest.Test(t, func(*testing.T) { play() })
	}))
}
