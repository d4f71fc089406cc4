//go:build simseed

package sim

import (
	"math/rand/v2"
	"sync"
	_ "unsafe" // for go:linkname
)

// globalRand is what the top-level functions of math/rand/v2 draw from, and so
// the client.
//
//go:linkname globalRand math/rand/v2.globalRand
var globalRand *rand.Rand

// A lockedSource is a source that goroutines may share.
type lockedSource struct {
	mu  sync.Mutex // guards pcg
	pcg *rand.PCG
}

func (s *lockedSource) Uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pcg.Uint64()
}

// seedChance makes the client's own chance a function of the seed.
func seedChance(seed uint64) {
	globalRand = rand.New(&lockedSource{pcg: rand.NewPCG(seed, 1)})
}

// seeded reports whether seedChance does something.
const seeded = true
