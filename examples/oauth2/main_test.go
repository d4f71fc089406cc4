package main

import (
	"strings"
	"testing"
	"time"
)

func TestOAuth2(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "failed requests: 0\n") || strings.Contains(out.String(), "secret-") {
		t.Errorf("the output is\n%s", out.String())
	}
}

// A token that the server revoked is replaced, and one that was got by another
// caller in the meantime is used.
func TestTokenIsKept(t *testing.T) {
	s := &source{token: "b", expires: time.Now().Add(time.Hour)}
	for rejected, want := range map[string]string{"": "b", "a": "b"} {
		if got, err := s.get(t.Context(), rejected); got != want || err != nil {
			t.Errorf("after %q was rejected: %q, %v, want %q", rejected, got, err, want)
		}
	}
}
