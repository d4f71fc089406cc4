// Package sim tests package secrets against a simulated service.
//
// From one seed it makes a [Plan] of secrets, readers, rotations, faults and idle
// days, and runs it in a bubble of testing/synctest. It records every state of the
// service, every request and answer, and every read. Then it checks each read against
// this history. It uses only the exported API of package secrets.
//
// A failing plan is shrunk to its shortest form and printed.
package sim
