//go:build simseed

package sim

import (
	"runtime"
	"strings"
	"testing"
)

// A seed does the same each time, nearly always: the order of what happens at
// one instant, and of maps, is beyond its reach.
func TestRepeat(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const n = 100
	same := 0
	for seed := range uint64(n) {
		if calls(Run(t, Generate(seed, false))) == calls(Run(t, Generate(seed, false))) {
			same++
		}
	}
	if same < n*9/10 {
		t.Errorf("got %d of %d seeds that do the same twice, want nearly all", same, n)
	}
}

func calls(w *World) string {
	var b strings.Builder
	for _, c := range w.calls {
		b.WriteString(c.String())
	}
	return b.String()
}
