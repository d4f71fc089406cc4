package dbserver

import (
	"os"
	"path/filepath"
	"time"
)

// A process that is killed cannot remove its servers' folders. Each folder
// therefore holds a file that its process keeps locked: where the lock can be
// had, the process is gone and the folder is rubbish.

const (
	dirPrefix = "secrets-dbserver-"
	lockName  = "in-use"
)

// sweep removes the folders in tmp whose processes are gone. A folder younger
// than a minute is left alone: it may be about to be locked. What cannot be
// removed, another user's perhaps, stays.
func sweep(tmp string) {
	dirs, _ := filepath.Glob(filepath.Join(tmp, dirPrefix+"*"))
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		if lock, err := lockDir(dir); err == nil {
			os.RemoveAll(dir)
			lock.Close()
		}
	}
}
