package main

import (
	"slices"
	"strings"
	"testing"
)

func TestQuickstart(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two seconds")
	}
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	lines := strings.Split(out.String(), "\n")
	for _, want := range []string{"failed reads: 0", "torn or empty reads: 0"} {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), strings.Repeat("one", 8)) || strings.Contains(out.String(), strings.Repeat("two", 8)) {
		t.Errorf("the output shows a password:\n%s", out.String())
	}
}

// A reader of half a value would be noticed.
func TestWhole(t *testing.T) {
	one := DBLogin{"app-one", "oneoneoneoneoneoneoneone", "db-one.internal", 5432, "one"}
	if !one.whole() {
		t.Errorf("%+v is not whole", one)
	}
	for i, spoil := range []func(*DBLogin){
		func(l *DBLogin) { *l = DBLogin{} },
		func(l *DBLogin) { l.Username = "app-two" },
		func(l *DBLogin) { l.Password = l.Password[:5] },
		func(l *DBLogin) { l.Host = "" },
		func(l *DBLogin) { l.Port = 0 },
		func(l *DBLogin) { l.Serial = "two" },
	} {
		torn := one
		if spoil(&torn); torn.whole() {
			t.Errorf("case %d: %+v is whole", i, torn)
		}
	}
}
