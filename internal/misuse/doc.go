// Package misuse tests that the packages beside the root say what to do where a
// value was not made by its constructor, or is given a nil.
package misuse
