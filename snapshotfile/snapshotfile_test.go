package snapshotfile_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/snapshotfile"
)

var _ = secrets.Snapshot{Store: (*snapshotfile.Store)(nil)}

func TestStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "snapshot")
	s := snapshotfile.New(path)
	if b, err := s.ReadSnapshot(t.Context()); !errors.Is(err, fs.ErrNotExist) || b != nil {
		t.Errorf("ReadSnapshot of no file = %q, %v", b, err)
	}
	for _, want := range []string{"one", "a longer one", "two", ""} {
		if err := s.WriteSnapshot(t.Context(), []byte(want)); err != nil {
			t.Fatal(err)
		}
		if b, err := s.ReadSnapshot(t.Context()); err != nil || string(b) != want {
			t.Errorf("got %q, %v; want %q", b, err, want)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v; want mode 0600", info.Mode(), err)
	}
}

func TestStoreErrors(t *testing.T) {
	dir := t.TempDir()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	s := snapshotfile.New(filepath.Join(dir, "s"))
	if err := s.WriteSnapshot(ended, nil); err != context.Canceled {
		t.Errorf("WriteSnapshot with an ended context = %v", err)
	}
	if _, err := s.ReadSnapshot(ended); err != context.Canceled {
		t.Errorf("ReadSnapshot with an ended context = %v", err)
	}
	if err := snapshotfile.New(filepath.Join(dir, "none", "s")).WriteSnapshot(t.Context(), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("WriteSnapshot without the directory = %v", err)
	}
	if _, err := snapshotfile.New(dir).ReadSnapshot(t.Context()); err == nil {
		t.Error("a directory was read")
	}
	if err := snapshotfile.New(dir).WriteSnapshot(t.Context(), nil); err == nil {
		t.Error("a directory was replaced")
	}
	big := filepath.Join(dir, "big")
	if err := errors.Join(os.WriteFile(big, nil, 0o600), os.Truncate(big, snapshotfile.MaxSize+1)); err != nil {
		t.Fatal(err)
	}
	if _, err := snapshotfile.New(big).ReadSnapshot(t.Context()); err == nil {
		t.Error("a file that is too large was read")
	}
}

// TestStoreSweeps has writers that were killed leave files.
func TestStoreSweeps(t *testing.T) {
	dir := t.TempDir()
	hours := time.Now().Add(-2 * time.Hour)
	for name, old := range map[string]bool{"s.new-1": true, "s.new-2": false, "other.new-1": true} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if old {
			os.Chtimes(path, hours, hours)
		}
	}
	if err := snapshotfile.New(filepath.Join(dir, "s")).WriteSnapshot(t.Context(), []byte("x")); err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(left) != 3 {
		t.Errorf("left are %v, want s, s.new-2 and other.new-1", left)
	}
}

// TestStoreWhole reads while others write.
func TestStoreWhole(t *testing.T) {
	s := snapshotfile.New(filepath.Join(t.TempDir(), "s"))
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 10 {
				b := []byte(fmt.Sprintf("%d-%d", w, i))
				if err := s.WriteSnapshot(t.Context(), append(b, make([]byte, 10_000)...)); err != nil {
					t.Error(err)
				}
				if got, err := s.ReadSnapshot(t.Context()); err != nil || len(got) != len(b)+10_000 {
					t.Errorf("read %d bytes, %v", len(got), err)
				}
			}
		})
	}
	wg.Wait()
}
