package docs_test

import (
	"bytes"
	"flag"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of the pages anew")

const pages = "../../docs/"

// checkTable compares a page's table of the given name with what it is to be.
// The table stands between two comments, <!-- name --> and <!-- end -->.
func checkTable(t *testing.T, page, name, want string) {
	t.Helper()
	text, err := os.ReadFile(pages + page)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := []byte("<!-- "+name+" -->\n"), []byte("<!-- end -->")
	before, rest, ok := bytes.Cut(text, begin)
	got, after, ok2 := bytes.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no table %s", page, name)
	}
	if !*update && alike(string(got), want) {
		return
	}
	if !*update {
		t.Errorf("%s: the table %s is out of date; run go test ./internal/docs -update\ngot:\n%s\nwant:\n%s", page, name, got, want)
		return
	}
	whole := bytes.Join([][]byte{before, begin, []byte(want), end, after}, nil)
	if err := os.WriteFile(pages+page, whole, 0o644); err != nil {
		t.Fatal(err)
	}
}

// A table is made row by row.
type table struct{ strings.Builder }

func (b *table) row(first string, cells ...string) {
	cells = append([]string{first}, cells...)
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func (b *table) head(cells ...string) {
	b.row(cells[0], cells[1:]...)
	for i := range cells {
		cells[i] = "---"
	}
	b.row(cells[0], cells[1:]...)
}

// alike reports whether two tables are the same but for numbers that differ as
// jitter makes them: by a third, or by three.
func alike(a, b string) bool {
	as, bs := strings.Fields(a), strings.Fields(b)
	if len(as) != len(bs) {
		return false
	}
	for i := range as {
		x, xErr := strconv.ParseFloat(as[i], 64)
		y, yErr := strconv.ParseFloat(bs[i], 64)
		switch {
		case xErr == nil && yErr == nil && math.Abs(x-y) <= max(3, max(x, y)/3):
		case as[i] != bs[i]:
			return false
		}
	}
	return true
}
