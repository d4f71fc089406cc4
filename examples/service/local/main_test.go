package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
)

// The command writes the environment, lets everything happen in turn, and leaves
// nothing behind.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	file := filepath.Join(t.TempDir(), "local.env")
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, w, file, 10*time.Millisecond, "")
		w.Close()
	}()
	lines := bufio.NewScanner(r)
	for _, want := range []string{"env $(cat " + file + ") go run .", events[0].name, events[1].name, events[2].name, events[0].name} {
		if !lines.Scan() {
			err := <-done
			if errors.Is(err, dbserver.ErrNotInstalled) && os.Getenv("CI") == "" {
				t.Skipf("LEFT OUT: %v", err)
			}
			t.Fatal(err)
		}
		if !strings.Contains(lines.Text(), want) {
			t.Errorf("got line %q, want %q in it", lines.Text(), want)
		}
	}
	env, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(env), "DATABASE_URL=postgres://127.0.0.1:") || strings.Contains(string(env), "@") {
		t.Errorf("got environment %q, error %v; want the database's address and no password", env, err)
	}
	cancel()
	for lines.Scan() { // what it was about to say
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the environment's file is left: %v", err)
	}
}

func TestPostgresURL(t *testing.T) {
	err := run(t.Context(), io.Discard, filepath.Join(t.TempDir(), "env"), time.Second, "localhost")
	if err == nil || !strings.Contains(err.Error(), "postgres://") {
		t.Errorf("got error %v, want one that shows what the URL is like", err)
	}
}
