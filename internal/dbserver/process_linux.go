package dbserver

import (
	"errors"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// attributes makes a program run as the server's own user, and end when the
// thread that started it ends.
func attributes(engine string) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if engine == enginePostgres {
		// Killed outright, it would leave its shared memory behind.
		a.Pdeathsig = syscall.SIGQUIT
	}
	if uid, gid, ok := serverUser(engine); ok {
		a.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
	return a
}

// killGroup kills a process and its children.
func killGroup(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGKILL) }

// serverUser is whom a server runs as when we are root, which both refuse to
// run as: the user its package made, or nobody. ok is false when we are not
// root and the server runs as the current user.
func serverUser(engine string) (uid, gid uint32, ok bool) {
	if os.Geteuid() != 0 {
		return 0, 0, false
	}
	names := []string{"postgres", "nobody"}
	switch engine {
	case engineMariaDB:
		names[0] = "mysql"
	case engineRedis:
		names[0] = "redis"
	}
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if errors.Join(err1, err2) == nil {
			return uint32(uid), uint32(gid), true
		}
	}
	return 65534, 65534, true
}

// giveAway makes the server's own user the owner of a file.
func giveAway(path, engine string) error {
	if uid, gid, ok := serverUser(engine); ok {
		return os.Chown(path, int(uid), int(gid))
	}
	return nil
}
