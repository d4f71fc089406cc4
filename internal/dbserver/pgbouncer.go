package dbserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

const enginePgBouncer = "pgbouncer"

// pgBouncerRefused matches the line PgBouncer logs for a client whose password
// is wrong or whose user it does not know:
//
//	2026-11-23 04:50:00.000 UTC [123] LOG C-0x55d0: postgres/app@127.0.0.1:40000 closing because: password authentication failed (age=0s)
var pgBouncerRefused = regexp.MustCompile(
	` LOG C-0x[0-9a-f]+: [^/]*/([^@\n]*)@[^ ]* closing because: (?:password|SASL) authentication failed `)

// BouncerOptions are the settings of a [Bouncer]. The zero value, and a nil
// *BouncerOptions, mean the defaults.
type BouncerOptions struct {
	AuthType  string   // "scram-sha-256", which is the default, or "md5"
	AuthQuery bool     // passwords are looked up in the database; otherwise in a file
	Settings  []string // further settings, each name=value
}

// A Bouncer is a running PgBouncer in front of a PostgreSQL.
type Bouncer struct {
	*Server

	options BouncerOptions
	behind  *Server

	mu    sync.Mutex        // guards users, and is held while the file is written
	users map[string]string // of the file: user names and passwords
}

// PgBouncer starts a throwaway PgBouncer in front of a PostgreSQL that this
// package started, and waits until it accepts connections. It pools by
// transactions, and serves the same database by the same name. The
// administrator of the PostgreSQL may log in. The context bounds the start, not the
// bouncer's life: call [Server.Stop], before that of the PostgreSQL.
//
// Started by root, it runs as the user postgres, or else nobody. If PgBouncer
// is not installed the error wraps [ErrNotInstalled].
func PgBouncer(ctx context.Context, behind *Server, o *BouncerOptions) (*Bouncer, error) {
	server, err := find([]string{"pgbouncer"}, "/usr/sbin", "/usr/local/sbin")
	if err != nil {
		return nil, fmt.Errorf("dbserver: start pgbouncer: %w: on Debian: apt-get install pgbouncer", err)
	}
	b := &Bouncer{behind: behind, users: map[string]string{behind.AdminUser: behind.AdminPassword}}
	if o != nil {
		b.options = *o
	}
	if b.options.AuthType == "" {
		b.options.AuthType = "scram-sha-256"
	}
	b.Server, err = start(ctx, &Server{
		Engine: enginePgBouncer, Host: "127.0.0.1", Database: behind.Database,
		AdminUser: behind.AdminUser, AdminPassword: behind.AdminPassword,
		engine:  &pgBouncer{server, b},
		refused: &lineCounter{pattern: pgBouncerRefused},
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// SetPassword lets a user log in with a password from now on, or within a
// second, if passwords are in a file. Otherwise it does nothing: they are
// looked up.
func (b *Bouncer) SetPassword(user, password string) error {
	if b.options.AuthQuery {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.users[user] = password
	if err := b.writeUsers(b.Server); err != nil {
		return err
	}
	pid := b.PID()
	if pid == 0 {
		return errors.New("dbserver: pgbouncer is down")
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Signal(syscall.SIGHUP)
}

// writeUsers replaces the file of passwords, so that a reader finds the old one
// or the new one.
func (b *Bouncer) writeUsers(s *Server) error {
	var text strings.Builder
	for _, user := range slices.Sorted(maps.Keys(b.users)) {
		quote := strings.NewReplacer(`"`, `""`)
		fmt.Fprintf(&text, "\"%s\" \"%s\"\n", quote.Replace(user), quote.Replace(b.users[user]))
	}
	path, err := s.writeFile("users.new", text.String())
	if err != nil {
		return err
	}
	return os.Rename(path, filepath.Join(s.Dir, "users.txt"))
}

type pgBouncer struct {
	server string // path of the program
	b      *Bouncer
}

func (p *pgBouncer) create(_ context.Context, s *Server) error { return p.b.writeUsers(s) }

// command writes the file of settings, which has the port.
func (p *pgBouncer) command(s *Server) (string, []string) {
	behind, lookup := p.b.behind, ""
	if p.b.options.AuthQuery {
		lookup = " auth_user=" + behind.AdminUser
	}
	settings := []string{
		"listen_addr=" + s.Host, "listen_port=" + strconv.Itoa(s.Port), "unix_socket_dir=",
		"auth_type=" + p.b.options.AuthType, "auth_file=" + filepath.Join(s.Dir, "users.txt"),
		"pool_mode=transaction", "max_client_conn=500", "default_pool_size=20", "server_login_retry=1",
		"ignore_startup_parameters=extra_float_digits,statement_timeout",
	}
	text := fmt.Sprintf("[databases]\n%s = host=%s port=%d dbname=%s%s\n[pgbouncer]\n%s\n", behind.Database,
		behind.Host, behind.Port, behind.Database, lookup, strings.Join(append(settings, p.b.options.Settings...), "\n"))
	path, err := s.writeFile("pgbouncer.ini", text)
	if err != nil {
		path = filepath.Join(s.Dir, "pgbouncer.ini") // the program says what is wrong with it
	}
	return p.server, []string{path}
}

// ready looks for the line that PgBouncer logs last.
func (p *pgBouncer) ready(_ *Server, _ int, logged []byte) bool {
	return bytes.Contains(logged, []byte(" process up: PgBouncer"))
}

// halt and kill ask for the immediate shutdown.
func (p *pgBouncer) halt(proc *process) error { return proc.end(syscall.SIGTERM) }
func (p *pgBouncer) kill(proc *process) error { return proc.end(syscall.SIGTERM) }
