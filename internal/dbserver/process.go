package dbserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// process is a running server program.
type process struct {
	pid   int
	cmd   *exec.Cmd
	done  chan struct{} // closed by the process's own goroutine when it has ended
	state error         // what Wait returned; readable once done is closed
}

// startProcess runs a server program in its folder, with its output appended
// to the log.
//
// The kernel sends the signal that ends a server whose starter died when the
// starting *thread* ends. So the program is started, and waited for, by a
// goroutine that keeps a thread to itself for as long as the server lives.
func startProcess(s *Server, path string, args []string) (*process, error) {
	out, err := os.OpenFile(s.LogFile, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &process{cmd: newCommand(context.Background(), s, path, args), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := p.cmd.Start()
		if err == nil {
			p.pid = p.cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.state = p.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// newCommand is a program that runs as the server's own user, in its folder
// and with next to nothing of our environment.
func newCommand(ctx context.Context, s *Server, path string, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = s.Dir
	cmd.Env = []string{
		"LC_ALL=C", "TZ=UTC", "HOME=" + s.Dir, "TMPDIR=" + s.Dir,
		"PATH=" + filepath.Dir(path) + ":/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
	}
	cmd.SysProcAttr = attributes(s.Engine)
	return cmd
}

// runOnce runs a program to its end and returns what went wrong, with the end
// of its output.
func runOnce(ctx context.Context, s *Server, path string, args ...string) error {
	// The thread must live as long as the program: see startProcess.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := newCommand(ctx, s, path, args)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	// A script has children, which hold the other end of the output's pipe:
	// Run returns when they are gone too.
	cmd.Cancel = func() error { return killGroup(cmd.Process) }
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), context.Cause(ctx))
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(path), err, tail(out.Bytes()))
	}
	return nil
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// end sends the process signals, one after the other, until it is gone. It waits
// half a minute in all: then the process is killed.
func (p *process) end(signals ...syscall.Signal) error {
	const patience = 30 * time.Second
	for _, sig := range signals {
		if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		if p.endsWithin(patience / time.Duration(len(signals))) {
			return nil
		}
	}
	err := p.cmd.Process.Kill()
	<-p.done
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return errors.Join(fmt.Errorf("process %d did not end after %v", p.pid, signals), err)
}

func (p *process) endsWithin(d time.Duration) bool {
	timeout := time.NewTimer(d)
	defer timeout.Stop()
	select {
	case <-p.done:
		return true
	case <-timeout.C:
		return false
	}
}

// find returns the path of a program: the first of names that is in PATH, or
// matches one of the patterns of folders where Linux distributions keep
// servers out of everybody's PATH.
func find(names []string, folders ...string) (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return filepath.Abs(path)
		}
		for _, folder := range folders {
			found, _ := filepath.Glob(filepath.Join(folder, name)) // sorted: the last is the newest
			for i := len(found) - 1; i >= 0; i-- {
				if path, err := exec.LookPath(found[i]); err == nil {
					return path, nil
				}
			}
		}
	}
	return "", fmt.Errorf("%s: %w", names[0], ErrNotInstalled)
}
