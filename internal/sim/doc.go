// Package sim tries package secrets against a simulated service: from one seed
// it makes a [Plan] of secrets, readers, rotations, faults and idle days, runs
// it in a bubble of testing/synctest, keeps a history of everything that the
// service was, was asked and answered and of everything that was read, and
// checks every read against it. It uses what package secrets exports and no
// more.
//
// A failing plan is shrunk to its shortest form and printed.
package sim
