// Package snapshotfile keeps the sealed snapshot of a secrets.Client in a file.
//
// It promises that the file is whole: a snapshot is written beside it, with mode
// 0600, brought to disk, and renamed into place, so that whoever reads the file
// after a crash gets the old one or the new one. It cannot promise that the file
// is the newest that was ever written: whoever can write the directory can put
// an old one back, which is then used until MaxStale after its confirmations.
//
// Give each process a file of its own, on a disk that outlives the process and
// that is not shared. What the file holds is sealed before it comes here; keep
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

// MaxSize is the size in bytes of the greatest file that is read.
const MaxSize = 1 << 28

// A Store is a file that holds a snapshot. It is safe for concurrent use by
// multiple goroutines. It fits secrets.Snapshot.Store.
type Store struct{ path string }

var errNoPath = errors.New("snapshotfile: the path is empty; make a Store with snapshotfile.New")

// New returns a store for the file with the given path. The directory must
// exist when a snapshot is written. New does not touch the disk.
func New(path string) *Store { return &Store{path} }

// ReadSnapshot returns what the file holds. Where there is no file the error is
// fs.ErrNotExist.
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

// WriteSnapshot replaces what the file holds.
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

// infix is what follows the file's name in those of the files that are written
// beside it.
const infix = ".new-"

// sweep removes what writers left that were killed while they wrote.
func (s *Store) sweep() {
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(s.path), "*"+infix+"*"))
	for _, name := range left {
		ours, _ := filepath.Match(filepath.Base(s.path)+infix+"*", filepath.Base(name))
		if info, err := os.Lstat(name); err == nil && ours && time.Since(info.ModTime()) > time.Hour {
			os.Remove(name)
		}
	}
}

// syncDir brings a rename to disk, where the system can do that.
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
