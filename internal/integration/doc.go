// Package integration holds the tests that need database drivers or database
// servers. It is a module of its own so that neither reaches a user's go.mod.
//
// The servers are throwaway ones, started by the tests themselves. Where one
// is not installed its tests are skipped, or fail if the environment variable
// CI is set.
package integration
