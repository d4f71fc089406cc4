// Package docs keeps the pages in docs true: its tests make the tables that the
// pages hold, from the library itself in virtual time, and check that the code
// that they show compiles and the links lead somewhere.
//
//	go test ./internal/docs -update
//
// writes the tables anew.
package docs
