package main

import (
	"strings"
	"testing"
)

func TestSigning(t *testing.T) {
	if testing.Short() {
		t.Skip("takes four seconds")
	}
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "refused tokens: 0\n") {
		t.Errorf("the output is\n%s", out.String())
	}
}

// What is no token is refused, and shown to be none.
func TestOpen(t *testing.T) {
	for _, token := range []string{"", "a.b", "a.b.c", "!.b.c", "e30.e30.!"} {
		if _, _, _, _, err := open(token); err == nil {
			t.Errorf("%q was taken for a token", token)
		}
	}
}
