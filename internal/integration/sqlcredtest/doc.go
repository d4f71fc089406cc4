// Package sqlcredtest tests package sqlcred with real drivers, and on real
// database servers that the tests start themselves.
package sqlcredtest
