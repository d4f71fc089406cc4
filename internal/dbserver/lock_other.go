//go:build !unix || solaris || aix

package dbserver

import (
	"os"
	"path/filepath"
)

// lockDir marks a folder as locked. Without file locks there is no telling
// whether the process that made the mark is gone: sweep finds every marked
// folder locked.
func lockDir(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
}
