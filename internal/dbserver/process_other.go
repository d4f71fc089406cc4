//go:build !linux

package dbserver

import (
	"os"
	"syscall"
)

// Away from Linux a server runs as the current user and is ended by Stop alone.

func attributes(engine string) *syscall.SysProcAttr { return nil }

func giveAway(path, engine string) error { return nil }

func killGroup(p *os.Process) error { return p.Kill() }
