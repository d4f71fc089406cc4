//go:build unix && !solaris && !aix

package dbserver

import (
	"os"
	"path/filepath"
	"syscall"
)

// lockDir locks a folder against sweep, or fails at once if it is locked.
// The lock ends with the file, or with the process.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
