package explore_test

import (
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/internal/explore"
)

type jugs struct{ Small, Large int }

// pour is the puzzle of measuring with a jug of 3 and one of 5.
func pour(forbidden int) func(jugs, explore.Visit[jugs, string]) {
	return func(j jugs, visit explore.Visit[jugs, string]) {
		try := func(by string, to jugs) {
			violation := ""
			if to.Large == forbidden {
				violation = "measured"
			}
			visit(by, to, violation)
		}
		try("fill small", jugs{3, j.Large})
		try("fill large", jugs{j.Small, 5})
		try("empty small", jugs{0, j.Large})
		try("empty large", jugs{j.Small, 0})
		down := min(j.Small, 5-j.Large)
		try("pour small", jugs{j.Small - down, j.Large + down})
		up := min(j.Large, 3-j.Small)
		try("pour large", jugs{j.Small + up, j.Large - up})
	}
}

func TestAllVisitsEveryState(t *testing.T) {
	got, err := explore.All(jugs{}, pour(-1))
	if err != nil || got.States != 16 || got.Transitions != 16*6 || got.Depth != 7 {
		t.Errorf("got %v, %v; want 16 states, 96 transitions, depth 7", got, err)
	}
}

func TestAllTellsShortestHistory(t *testing.T) {
	_, err := explore.All(jugs{}, pour(4))
	if err == nil || strings.Count(err.Error(), "==>") != 6 {
		t.Errorf("got %v; want a history of the 6 steps that measure 4", err)
	}
}
