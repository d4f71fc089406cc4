// Package dbserver starts throwaway database servers for tests and examples:
// a PostgreSQL, a MariaDB or a Redis on a free loopback port, in a folder of its own,
// gone without a trace when it is stopped.
//
// The servers check passwords for real. Every connection to PostgreSQL has to
// pass scram-sha-256, also one from loopback; MariaDB accepts nobody without
// the right mysql_native_password. Nothing they store is meant to last: they
// do not wait for the disk.
//
// The package uses the standard library only and knows no database driver.
package dbserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// ErrNotInstalled reports that a server's programs were not found. The error
// that wraps it says what to install.
var ErrNotInstalled = errors.New("not installed")

// startTimeout bounds the start of a server whose context has no deadline.
const startTimeout = time.Minute

// Options are the settings of a server. The zero value, and a nil *Options,
// mean the defaults.
type Options struct {
	// LogStatements makes the server write every statement it is sent to
	// [Server.StatementLog].
	LogStatements bool

	// Settings are further server settings, each name=value, as the server
	// takes them on its command line: "max_password_errors=3". They come
	// last and so override the package's own.
	Settings []string

	// MaxConnections is how many connections the server accepts at a time.
	// Zero means 200.
	MaxConnections int
}

func (o *Options) logStatements() bool { return o != nil && o.LogStatements }

func (o *Options) settings() []string {
	if o == nil {
		return nil
	}
	return o.Settings
}

func (o *Options) maxConnections() int {
	if o == nil || o.MaxConnections == 0 {
		return 200
	}
	return o.MaxConnections
}

// A Server is a running database server. Its fields are set by the function
// that started it and are not to be changed. Its methods are safe for
// concurrent use by multiple goroutines.
//
// A server never outlives the process that started it: on Linux the kernel
// ends it when that process dies, however it dies. Its folder is then removed
// by the next start of any server on the machine.
type Server struct {
	Engine        string // "postgres", "mariadb" or "redis", as in a secret's engine field
	Host          string // "127.0.0.1"
	Port          int
	AdminUser     string // may do everything, logs in over TCP
	AdminPassword string // random
	Database      string // exists, is empty
	Dir           string // holds everything the server writes
	LogFile       string // what the server reports, refused logins included
	StatementLog  string // the statements, if Options.LogStatements; for PostgreSQL it is LogFile

	engine  engine
	lock    *os.File // locked while the folder is in use
	refused *lineCounter

	mu      sync.Mutex // guards the fields below, and is held while the server starts or ends
	proc    *process   // nil when the server is down
	stopped bool
}

// engine is what PostgreSQL and MariaDB do differently.
type engine interface {
	// create fills s.Dir with a new database cluster.
	create(ctx context.Context, s *Server) error
	// command is the program and its arguments that serve s, in the foreground.
	command(s *Server) (path string, args []string)
	// ready reports whether the server with this process id accepts
	// connections. It does not connect to find out: an interrupted
	// handshake is something the server may count. logged is what the
	// server wrote to s.LogFile since it was started.
	ready(s *Server, pid int, logged []byte) bool
	// halt and kill end a process: so that everything committed is found
	// again, and at once.
	halt(p *process) error
	kill(p *process) error
}

// start makes a folder for s, fills it, and runs the server in it.
func start(ctx context.Context, s *Server) (*Server, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, startTimeout)
		defer cancel()
	}
	sweep(os.TempDir())
	if err := s.makeDir(); err != nil {
		return nil, fmt.Errorf("dbserver: start %s: %w", s.Engine, err)
	}
	err := s.engine.create(ctx, s)
	// Another program may take the port between the moment it is found to
	// be free and the moment the server listens.
	for range 5 {
		if err != nil {
			break
		}
		if s.Port, err = freePort(); err != nil {
			break
		}
		if err = s.Start(ctx); err == nil {
			return s, nil
		}
		if !errors.Is(err, errPortTaken) {
			break
		}
		err = nil
	}
	if err == nil {
		err = errPortTaken
	}
	return nil, errors.Join(fmt.Errorf("dbserver: start %s: %w", s.Engine, err), s.Stop())
}

// makeDir makes the server's folder, owned by the user the server runs as.
func (s *Server) makeDir() error {
	dir, err := os.MkdirTemp("", dirPrefix+s.Engine+"-")
	if err != nil {
		return err
	}
	s.Dir = dir
	s.LogFile = filepath.Join(dir, "server.log")
	s.refused.path, s.refused.n = s.LogFile, make(map[string]int)
	if s.lock, err = lockDir(dir); err != nil {
		return err
	}
	if err := os.WriteFile(s.LogFile, nil, 0o600); err != nil {
		return err
	}
	return errors.Join(giveAway(s.LogFile, s.Engine), giveAway(dir, s.Engine))
}

// writeFile makes a file in the server's folder that only the server's user
// can read.
func (s *Server) writeFile(name, text string) (string, error) {
	path := filepath.Join(s.Dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", err
	}
	return path, giveAway(path, s.Engine)
}

// Start runs a server again that [Server.Halt] has ended, at its old address
// and with its old contents, and waits until it accepts connections. It does
// nothing if the server runs.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return fmt.Errorf("dbserver: start %s: stopped", s.Engine)
	}
	if s.proc != nil && !s.proc.ended() {
		return nil
	}
	logged, err := fileSize(s.LogFile)
	if err != nil {
		return err
	}
	path, args := s.engine.command(s)
	s.proc, err = startProcess(s, path, args)
	if err != nil {
		s.proc = nil
		return err
	}
	if err := s.waitReady(ctx, logged); err != nil {
		kill := s.engine.kill(s.proc)
		s.proc = nil
		return errors.Join(err, kill)
	}
	return nil
}

// waitReady waits until the process of s, which has the server's log from
// offset on, accepts connections.
func (s *Server) waitReady(ctx context.Context, offset int64) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		logged, err := readFrom(s.LogFile, offset)
		if err != nil {
			return err
		}
		if s.engine.ready(s, s.proc.pid, logged) {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.proc.done:
			logged, _ := readFrom(s.LogFile, offset)
			if strings.Contains(string(logged), "Address already in use") {
				return errPortTaken
			}
			return fmt.Errorf("the server ended at once (%v): %s", s.proc.state, tail(logged))
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w: %s", context.Cause(ctx), tail(logged))
		}
	}
}

// Halt ends the server and leaves its folder, so that [Server.Start] can run
// it again: the database is down for a while. It waits until the process is
// gone. It does nothing if the server is down already.
func (s *Server) Halt() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return nil
	}
	if err := s.engine.halt(s.proc); err != nil {
		return fmt.Errorf("dbserver: halt %s: %w", s.Engine, err)
	}
	s.proc = nil
	return nil
}

// Stop ends the server for good, waits until its process is gone, and removes
// its folder with everything in it. It may be called more than once.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil
	}
	if s.proc != nil {
		if err := s.engine.kill(s.proc); err != nil {
			return fmt.Errorf("dbserver: stop %s: %w", s.Engine, err)
		}
		s.proc = nil
	}
	s.stopped = true
	var err error
	if s.Dir != "" {
		err = os.RemoveAll(s.Dir)
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	if err != nil {
		return fmt.Errorf("dbserver: stop %s: %w", s.Engine, err)
	}
	return nil
}

// PID is the process id of the running server, or 0 when it is down.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return 0
	}
	return s.proc.pid
}

// Addr is the server's address, host:port.
func (s *Server) Addr() string {
	return net.JoinHostPort(s.Host, fmt.Sprint(s.Port))
}

// RefusedLogins returns how many logins the server has refused so far because
// the password was wrong or the user unknown, by its own log. A login that was
// given up before the server had the password is not among them, nor is one
// refused for another reason (a blocked account, too many connections). With
// users, it counts only the logins with one of these names.
//
// Each call reads only what the log has grown by since the last one.
// After Stop it returns an error, for the log is gone. A Redis is asked, over a
// connection of its own.
func (s *Server) RefusedLogins(users ...string) (int, error) {
	count := s.refused.count
	if e, ok := s.engine.(*redis); ok {
		count = func(users []string) (int, error) { return e.refusedLogins(s, users) }
	}
	n, err := count(users)
	if err != nil {
		return n, fmt.Errorf("dbserver: refused logins of %s: %w", s.Engine, err)
	}
	return n, nil
}

// errPortTaken reports that somebody else listens on the port.
var errPortTaken = errors.New("the port is taken")

// freePort returns a TCP port on loopback that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// newPassword returns a random password that needs no quoting anywhere.
func newPassword() string { return rand.Text() }
