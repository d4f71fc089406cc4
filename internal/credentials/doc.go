// Package credentials holds the tests of what becomes of cached secrets while
// there are no credentials: with the SDK's own providers and errors. It is a
// module of its own so that none of them reaches a user's go.mod.
package credentials
