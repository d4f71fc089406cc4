//go:build !simseed

package sim

// seedChance would make the client's own chance a function of the seed, which
// takes the build tag simseed and the linker flag -checklinkname=0. Without
// them a plan may have to be run more than once to fail again.
func seedChance(uint64) {}

// seeded reports whether seedChance does something.
const seeded = false
