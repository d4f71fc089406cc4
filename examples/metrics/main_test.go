package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestRun runs the program as it is, on a port of its own.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, w, "127.0.0.1:0", time.Second)
		w.Close()
	}()
	lines := bufio.NewScanner(r)
	for _, want := range []string{"secrets_cache_secret_count ", "", "prod/limit"} {
		if !lines.Scan() {
			t.Fatal(<-done)
		}
		body, status := get(t, lines.Text())
		if status != http.StatusOK || !strings.Contains(body, want) || strings.Contains(body, `"old"`) {
			t.Errorf("%s is %d, want %q in it:\n%s", lines.Text(), status, want, body)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := run(t.Context(), io.Discard, "127.0.0.1:0", time.Millisecond); err == nil {
		t.Error("a turn of a millisecond is no error")
	}
}

func get(t *testing.T, url string) (string, int) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body), resp.StatusCode
}
