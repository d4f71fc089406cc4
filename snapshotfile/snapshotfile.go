// Package snapshotfile keeps the sealed snapshot of a secrets.Client in a file.
//
// It guarantees that the file is complete. A snapshot is written to a temporary
// file beside it, with mode 0600, synced to disk, and renamed into place. So
// after a crash the file contains the old snapshot or the new one. It cannot
// guarantee that the file is the newest snapshot: whoever can write to the
// directory can put back an old file. Each secret in it is then used until
// MaxStale after its last confirmation.
//
// Give each process its own file, on a disk that outlives the process and is
// not shared. The client seals the snapshot before this package gets it; keep
// the key somewhere else.
package snapshotfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// MaxSize is the size in bytes of the largest file that a Store reads.
const MaxSize = 1 << 28

// A Store is a file that holds a snapshot. It implements the interface of
// secrets.Snapshot.Store. It is safe for concurrent use by multiple goroutines.
type Store struct{ path string }

var errNoPath = errors.New("snapshotfile: the path is empty; make a Store with snapshotfile.New")

// New returns a Store for the file with the given path. The directory must
// exist when a snapshot is written. New does not access the disk.
func New(path string) *Store { return &Store{path} }

// ReadSnapshot returns the content of the file. If there is no file, the error
// is fs.ErrNotExist.
func (s *Store) ReadSnapshot(ctx context.Context) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.path == "" {
		return nil, errNoPath
	}
	f, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("snapshotfile: %s is not a regular file", s.path)
	case info.Size() > MaxSize:
		return nil, fmt.Errorf("snapshotfile: %s has %d bytes, more than %d", s.path, info.Size(), MaxSize)
	}
	return io.ReadAll(io.LimitReader(f, MaxSize))
}

// WriteSnapshot replaces the content of the file.
func (s *Store) WriteSnapshot(ctx context.Context, data []byte) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.path == "" {
		return errNoPath
	}
	s.sweep()
	f, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+infix+"*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err = os.Rename(f.Name(), s.path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(s.path))
}

// infix follows the file's name in the names of temporary files.
const infix = ".new-"

// sweep removes the temporary files of killed writers.
func (s *Store) sweep() {
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(s.path), "*"+infix+"*"))
	for _, name := range left {
		ours, _ := filepath.Match(filepath.Base(s.path)+infix+"*", filepath.Base(name))
		if info, err := os.Lstat(name); err == nil && ours && time.Since(info.ModTime()) > time.Hour {
			os.Remove(name)
		}
	}
}

// syncDir syncs a rename to disk, if the system supports that.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	return nil
}
