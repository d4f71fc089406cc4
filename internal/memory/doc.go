//go:build !linux

// Command memory counts the copies of a secret in a process's memory, by /proc: it
// needs Linux.
package main

func main() { println("memory needs Linux") }
