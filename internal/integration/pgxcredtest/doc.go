// Package pgxcredtest tests package pgxcred on real PostgreSQL servers that the
// tests start themselves.
package pgxcredtest
